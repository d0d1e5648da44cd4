"""The servers that ``benchmarks.serving`` compares: how each is started, asked and understood; ours is one of them."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from benchmarks.peer_environments import HERE
from benchmarks.serving_material import FEATURES, Material
from flightworthy.deployer.servers import free_port
from flightworthy.image import SERVER_ENVIRONMENT

OURS, LIMIT = "flightworthy", "hello world"
Rows = Sequence[Sequence[float]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """One start of a server: which model, on which port, with a folder of its own; ``python`` is its environment's."""

    material: Material
    port: int
    folder: Path
    python: Path
    keeps_log: bool = True
    """Whether our own server keeps a prediction log."""

    @property
    def environ(self) -> Mapping[str, str]:
        """What every server is told alike: one thread for arithmetic, as our own image says it, and no telemetry."""
        passed_on = {name: os.environ[name] for name in ("HOME", "LANG", "LC_ALL", "TMPDIR") if name in os.environ}
        return {
            **passed_on,
            **SERVER_ENVIRONMENT,
            "PATH": f"{self.python.parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "BENCHMARK_MODEL": str(self.material.folder / "model.joblib"),
            "BENTOML_DO_NOT_TRACK": "True",
            "BENTOML_HOME": str(self.folder / "bentoml"),
            "DO_NOT_TRACK": "1",
            "MLFLOW_DISABLE_TELEMETRY": "true",
        }


def split_body(rows: Rows) -> Mapping[str, Any]:
    """The body that MLflow's clients send, and that all but MLServer take here."""
    return {"dataframe_split": {"columns": list(FEATURES), "data": rows}}


def predictions_of(answer: Mapping[str, Any]) -> list[float]:
    """P(positive) of each row, from an answer that may give it for both classes."""
    return [float(each[1] if isinstance(each, list) else each) for each in answer["predictions"]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Peer:
    """One kind of server. ``environment`` names its requirements file; None: it runs in ours."""

    name: str
    environment: str | None
    command: Callable[[Start], Sequence[str]]
    path: Callable[[str], str] = field(default=lambda _: "/invocations")
    body: Callable[[Rows], Mapping[str, Any]] = split_body
    read: Callable[[Mapping[str, Any]], list[float]] = predictions_of


def _flightworthy(start: Start) -> Sequence[str]:
    command = [sys.executable, "-m", "flightworthy.serving", "--artifact", str(start.material.artifact)]
    command += ["--model", start.material.model, "--version", "1", "--arm", "a", "--port", str(start.port)]
    return command + (["--predictions", str(start.folder / "predictions")] if start.keeps_log else [])


def _mlflow(start: Start) -> Sequence[str]:
    command = [str(start.python.with_name("mlflow")), "models", "serve", "-m", str(start.material.folder / "mlflow")]
    return [*command, "--env-manager", "local", "--host", "127.0.0.1", "-p", str(start.port), "-w", "1"]


def _mlserver(start: Start) -> Sequence[str]:
    """Without parallel workers: with one, each request would go through a second process, for nothing here."""
    settings = {
        "host": "127.0.0.1",
        "http_port": start.port,
        "grpc_port": free_port(),
        "metrics_port": free_port(),
        "parallel_workers": 0,
        "debug": False,
    }
    own = start.material.folder / "model.bst"
    model = {
        "name": start.material.model,
        "implementation": "mlserver_lightgbm.LightGBMModel" if own.is_file() else "mlserver_sklearn.SKLearnModel",
        "parameters": {
            "uri": str(own if own.is_file() else start.material.folder / "model.joblib"),
            "extra": {"predict_fn": "predict_proba"},
        },
    }
    (start.folder / "settings.json").write_text(json.dumps(settings), encoding="utf-8")
    (start.folder / "model-settings.json").write_text(json.dumps(model), encoding="utf-8")
    return [str(start.python.with_name("mlserver")), "start", str(start.folder)]


def _tensor(rows: Rows) -> Mapping[str, Any]:
    flat = [value for row in rows for value in row]
    return {"inputs": [{"name": "rows", "shape": [len(rows), len(FEATURES)], "datatype": "FP64", "data": flat}]}


def _from_tensor(answer: Mapping[str, Any]) -> list[float]:
    output = answer["outputs"][0]
    classes = output["shape"][-1] if len(output["shape"]) > 1 else 1
    return [float(value) for value in output["data"][classes - 1 :: classes]]


def _bentoml(start: Start) -> Sequence[str]:
    command = [str(start.python.with_name("bentoml")), "serve", "bentoml_service:Service", "--working-dir", str(HERE)]
    return [*command, "--host", "127.0.0.1", "--port", str(start.port)]


def _litserve(start: Start) -> Sequence[str]:
    return [str(start.python), str(HERE / "litserve_server.py"), str(start.port)]


def _uvicorn(python: Path, app: str, port: int) -> Sequence[str]:
    command = [str(python), "-m", "uvicorn", app, "--app-dir", str(HERE), "--host", "127.0.0.1", "--port", str(port)]
    return [*command, "--loop", "uvloop", "--http", "httptools", "--no-access-log", "--log-level", "warning"]


PEERS = (
    Peer(name=OURS, environment=None, command=_flightworthy),
    Peer(name="mlflow", environment="mlflow", command=_mlflow),
    Peer(
        name="mlserver",
        environment="mlserver",
        command=_mlserver,
        path=lambda model: f"/v2/models/{model}/infer",
        body=_tensor,
        read=_from_tensor,
    ),
    Peer(name="bentoml", environment="bentoml", command=_bentoml),
    Peer(name="litserve", environment="litserve", command=_litserve),
    Peer(
        name="fastapi",
        environment="fastapi",
        command=lambda start: _uvicorn(start.python, "fastapi_server:app", start.port),
    ),
    Peer(
        name=LIMIT,
        environment=None,
        command=lambda start: _uvicorn(start.python, "hello:app", start.port),
        read=lambda _: [],
    ),
)
