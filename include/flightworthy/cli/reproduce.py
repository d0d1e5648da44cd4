"""``flightworthy reproduce``: train a version again from what was recorded, and say whether it is the same."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import flightworthy
from flightworthy.cli.answers import Answer, Exit, facts, table
from flightworthy.cli.origins import Origins, lock_above
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import count, json_flag
from flightworthy.errors import Refused
from flightworthy.reproduction import Agreement, Reproduction, reproduction

if TYPE_CHECKING:
    from flightworthy.registry import ModelVersion
    from flightworthy.training import TrainingRun

__all__ = ["arguments", "run"]

_WORDS = {
    "identical": "every file that training writes has the content of the recorded one",
    "equivalent": "files differ, but on every row of the holdout it predicts exactly the same",
    "different": "it is another model",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Place:
    """Where the work is done again: whose code, in whose packages; both in words too."""

    models: Path
    code: str
    python: Path
    environment: str


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("model", metavar="MODEL")
    command.add_argument("version", type=count, metavar="VERSION", help="the number of the version in MLflow")
    command.add_argument(
        "--environment", choices=("recorded", "current"), default="recorded",
        help="whose packages: those of the recorded lock, installed anew where they differ (default), or those of now",
    )  # fmt: skip
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Train again and compare; exit code 1 where the result is another model. Raises Refused where that cannot be."""
    origins = Origins(model=asked.model, settings=settings)
    version = origins.version(asked.version)
    recorded = origins.run(version)
    _see_data(origins, asked.version, recorded)
    with contextlib.ExitStack() as stack:
        scratch = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="flightworthy-reproduce-")))
        models, code = stack.enter_context(_code(origins, recorded))
        python, environment = _environment(asked, origins, recorded, scratch)
        place = _Place(models=models, code=code, python=python, environment=environment)
        found, metrics = _again(origins, version, recorded, place, scratch)
    document = {
        "model": asked.model,
        "version": asked.version,
        **asdict(found),
        "code": place.code,
        "environment": place.environment,
        "metrics": {name: [value, metrics.get(name)] for name, value in recorded.metrics.items()},
    }
    done = Exit.REFUSED if found.verdict == "different" else Exit.DONE
    return Answer(document=document, text=_text(asked, found, document), exit=done)


def _see_data(origins: Origins, number: int, recorded: TrainingRun) -> None:
    """Refuse before anything is installed where rows that it learnt from were erased."""
    from flightworthy.adapters.dataset_files import DatasetErasure

    version = origins.settings.datasets().version(origins.model, recorded.lineage.dataset_digest)
    gone = DatasetErasure(root=origins.settings.home / "datasets").gone(version)
    if gone:
        keys = ", ".join(sorted({each.key for each in gone}))
        raise Refused(
            f"version {number} of {origins.model} cannot be reproduced any more: {sum(each.rows for each in gone)} "
            f"rows of people who asked to be forgotten were erased from its partitions {keys}, the last at "
            f"{max(each.replaced_at for each in gone)}. What stands in their place makes another version; deploy one.",
            model=origins.model,
            version=number,
            partitions=[each.key for each in gone],
        )


@contextlib.contextmanager
def _code(origins: Origins, recorded: TrainingRun) -> Iterator[tuple[Path, str]]:
    """The models' folder as it was: at the recorded commit, or the one of now where its files are the same."""
    from flightworthy.adapters.model_code import ModelFolders

    lineage, models = recorded.lineage, origins.settings.models
    commit = lineage.code_commit
    if commit and "+" not in commit and origins.git.is_there(commit):
        with origins.git.at(commit) as there:
            if ModelFolders(models=there).digest(origins.model) != lineage.code_digest:
                raise Refused(
                    f"{origins.model} at commit {commit[:12]} is not what was trained (code "
                    f"{lineage.code_digest[:12]}): the models were "
                    "somewhere else then. Check that checkout out, and name it in FLIGHTWORTHY_MODELS."
                )
            yield there, f"commit {commit[:12]}"
        return
    if (models / origins.model).is_dir() and ModelFolders(models=models).digest(origins.model) == lineage.code_digest:
        yield models, f"the files of now, which are those of {commit or 'no commit'}"
        return
    if not commit or "+" in commit:
        why = "it was trained from edits that no commit holds, and the files of now are others"
    else:
        why = f"commit {commit[:12]} is not in the checkout of {models}; fetch it"
    raise Refused(f"the code of version {recorded.run_id} of {origins.model} is not to be had: {why}.", commit=commit)


def _environment(asked: argparse.Namespace, origins: Origins, recorded: TrainingRun, scratch: Path) -> tuple[Path, str]:
    """The packages that it was trained with: those of now where the lock is the same, else made from its lock."""
    lock, now = origins.lock_of(recorded), lock_above(origins.settings.models)
    digest = recorded.lineage.lock_digest[:12]
    if now is not None and lock == now.read_bytes():
        return Path(sys.executable), f"that of now, whose lock is the recorded one ({digest})"
    if asked.environment == "current":
        return Path(sys.executable), f"that of now, whose lock is not the recorded one ({digest})"
    if lock is None:
        raise Refused(
            f"the lock that it was trained with ({digest}) is neither the one of now nor at its commit, so its "
            "packages cannot be installed again; `--environment current` tries it with those of now.",
            lock=recorded.lineage.lock_digest,
        )
    return _made(lock, scratch), f"made anew from the recorded lock ({digest})"


def _made(lock: bytes, scratch: Path) -> Path:
    uv = shutil.which("uv") or shutil.which("uv", path=str(Path(sys.executable).parent))
    if uv is None:
        raise Refused(
            "its packages are not those of now, and there is no uv to install them with; install uv, or try it with "
            "those of now by `--environment current`."
        )
    (scratch / "recorded.lock").write_bytes(lock)
    python = scratch / "environment" / "bin" / "python"
    for words in (
        ["venv", "--quiet", "--python", sys.executable, str(scratch / "environment")],
        ["pip", "sync", "--quiet", "--python", str(python), "--require-hashes", str(scratch / "recorded.lock")],
    ):
        done = subprocess.run([uv, *words], capture_output=True, text=True, check=False)
        if done.returncode:
            raise Refused(
                f"the packages of the recorded lock could not be installed: {done.stderr.strip()[-2000:]}. "
                "`--environment current` tries it with those of now."
            )
    return python


def _again(
    origins: Origins, version: ModelVersion, recorded: TrainingRun, place: _Place, scratch: Path
) -> tuple[Reproduction, dict[str, float]]:
    from flightworthy.adapters.artifact_content import content_of
    from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry

    registered = MlflowRegistry(connection=origins.connection).download(version, scratch / "recorded")
    order = {
        "models": str(place.models),
        "model": origins.model,
        "params": dict(recorded.params),
        "lineage": asdict(recorded.lineage),
        "datasets": str(origins.settings.home / "datasets"),
        "recorded": str(registered),
        "remade": str(scratch / "remade"),
        "out": str(scratch / "found.json"),
    }
    told = _retrained(place, order)
    found = reproduction(
        content_of(registered),
        content_of(scratch / "remade"),
        Agreement(**told["holdout"]),
        key_holds=told["key"] == version.key,
    )
    return found, told["metrics"]


def _retrained(place: _Place, order: dict[str, Any]) -> dict[str, Any]:
    """Run it in a process of its own: another interpreter perhaps, and the author's code in any case."""
    done = subprocess.run(
        [str(place.python), "-m", "flightworthy.cli.retraining"],
        input=json.dumps(order),
        env={**os.environ, "PYTHONPATH": str(Path(flightworthy.__file__).parents[1])},
        capture_output=True,
        text=True,
        check=False,
    )
    out = Path(order["out"])
    told = json.loads(out.read_text(encoding="utf-8")) if out.exists() else {}
    if not told or "refused" in told:
        why = told.get("refused") or done.stderr.strip()[-2000:] or f"it ended with {done.returncode}"
        raise Refused(f"it could not be trained again with {place.code}, environment {place.environment}: {why}")
    return dict(told)


def _text(asked: argparse.Namespace, found: Reproduction, document: dict[str, Any]) -> str:
    rows = found.holdout
    said = {
        "verdict": f"{found.verdict}: {_WORDS[found.verdict]}",
        "code": document["code"],
        "environment": document["environment"],
        "content key": "holds"
        if found.key_holds
        else "is another: model.yaml, or what it refers to, says otherwise now",
        "holdout": f"{rows.different} of {rows.rows} predictions differ, by {rows.largest:.3g} at most; "
        f"{rows.flipped} labels flip",
    }
    files = table(("FILE", "IS"), found.files.items())
    measured = [(name, was, now) for name, (was, now) in sorted(document["metrics"].items()) if was != now]
    metrics = f"\n\n{table(('METRIC', 'RECORDED', 'NOW'), measured)}" if measured else ""
    return f"{asked.model} version {asked.version}\n{facts(said)}\n\n{files}{metrics}"
