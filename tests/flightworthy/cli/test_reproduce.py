"""A version done again, and two held against each other: real git, real MLflow, real training."""

from __future__ import annotations

import hashlib
import itertools
import shutil
import subprocess
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from flightworthy.adapters.array_metrics import ArrayMetrics
from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection
from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry
from flightworthy.adapters.mlflow_tracking.runs import MlflowRuns
from flightworthy.adapters.model_code import ModelFolders
from flightworthy.adapters.spec_files import load
from flightworthy.dataset import Split, version_of
from flightworthy.gates import Decision
from flightworthy.packaging import model_artifacts
from flightworthy.registry import register
from flightworthy.training import Frames, Lineage, TrainingOrder, Workshop, train
from tests.flightworthy.cli.conftest import Call, Told
from tests.training_material import TRAIN, make_frame

pytestmark = pytest.mark.slow

NAMES = (f"again-{number}" for number in itertools.count())
NOW = datetime(2026, 1, 5, tzinfo=UTC)
SPEC = """\
model: {model}
owner: tests
entity: customer
target: bought
features: {{age: integer, income: {{type: number, nullable: true}}}}
source: {{uri: "data/{{partition}}.csv", partition: "%Y-%m-%d"}}
schedule: {{cron: "0 0 * * *", start_at: 2025-01-01}}
gates: [{{metric: roc_auc, at_least: 0.6}}]
"""
BY_CHANCE = TRAIN.replace(
    "    return model.fit(",
    "    import os\n    chance = int.from_bytes(os.urandom(4))\n"
    "    frame = frame.sample(frac=0.8, random_state=chance)\n    return model.fit(",
)


class Shop:
    """A checkout with one model, its data, and an MLflow in which it is registered."""

    def __init__(self, folder: Path, server: str, call: Call) -> None:
        self.model, self.server, self._call = next(NAMES), server, call
        self.checkout, self.home = folder / "checkout", folder / "home"
        self.models = self.checkout / "include" / "models"
        self.datasets = DatasetFiles(root=self.home / "datasets")
        (self.models / self.model).mkdir(parents=True)
        (self.models / self.model / "model.yaml").write_text(SPEC.format(model=self.model))
        (self.checkout / "requirements.lock").write_text("numpy==2.0\npandas==2.2\n")
        self.write(TRAIN)
        (self.checkout / ".gitignore").write_text("__pycache__/\n")
        self.git("init", "--quiet")
        self.commit()
        self.partitions = 0

    def git(self, *words: str) -> str:
        name = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
        return subprocess.run(
            ["git", *name, *words], cwd=self.checkout, check=True, capture_output=True, text=True
        ).stdout.strip()  # fmt: skip

    def write(self, code: str) -> None:
        (self.models / self.model / "train.py").write_text(code)

    def commit(self) -> str:
        self.git("add", "-A")
        self.git("commit", "--quiet", "--allow-empty", "-m", "a step")
        return self.git("rev-parse", "HEAD")

    def land(self) -> None:
        """One more partition."""
        self.partitions += 1
        rows = pa.Table.from_pandas(make_frame(seed=self.partitions)[["customer", "age", "income", "bought"]])
        self.datasets.write(self.model, f"2026-01-0{self.partitions}", rows, sources=["x.csv"], now=NOW)

    def train(self, *, commit: str | None = None, c: float = 1.0) -> int:
        """Train and register as the line does; the number of the version."""
        connection = MlflowConnection(uri=self.server)
        spec = load(self.models / self.model, {})
        found = version_of(self.model, "2026-12-31", self.datasets.current(self.model).values(), window=9)
        self.datasets.record(found)
        lock = (self.checkout / "requirements.lock").read_bytes()
        lineage = Lineage(
            dataset_digest=found.digest, partition_key="2026-01-01",
            code_commit=self.git("rev-parse", "HEAD") if commit is None else commit,
            code_digest=ModelFolders(models=self.models).digest(self.model),
            lock_digest=hashlib.sha256(lock).hexdigest(), config_digest=spec.config_digest,
            intent="manual", airflow_run_id="manual__1",
        )  # fmt: skip
        sides = self.datasets.splits(found, entity="customer", holdout=0.2, validation=0.2)
        run = train(
            TrainingOrder(spec=spec, params={"C": c}, lineage=lineage),
            Frames(training=sides[Split.TRAIN], validation=sides[Split.VALIDATION]),
            Workshop(
                code=ModelFolders(models=self.models), artifacts=model_artifacts(), metrics=ArrayMetrics(),
                runs=MlflowRuns(connection=connection),
            ),
        )  # fmt: skip
        return register(
            MlflowRegistry(connection=connection), run, Decision(objections=(), notes=()), intent="manual"
        ).version.version

    def call(self, *words: str) -> Told:
        return self._call(
            *words,
            environ={
                "FLIGHTWORTHY_HOME": str(self.home),
                "FLIGHTWORTHY_MODELS": str(self.models),
                "MLFLOW_TRACKING_URI": self.server,
            },
        )

    def reproduce(self, version: int, *words: str) -> Told:
        return self.call("reproduce", self.model, str(version), *words)


@pytest.fixture
def shop(tmp_path: Path, mlflow_server: str, call: Call) -> Shop:
    made = Shop(tmp_path, mlflow_server, call)
    made.land()
    return made


def test_a_version_is_made_again_from_its_commit_file_by_file(shop: Shop) -> None:
    """Whatever the files of now say; nothing of it is left behind, and the checkout is as it was."""
    version = shop.train()
    shop.write("raise SystemExit('the code of now')")
    told = shop.reproduce(version, "--json")
    assert (told.code, told.err) == (0, "")
    said = told.document
    assert (said["verdict"], said["key_holds"]) == ("identical", True)
    assert said["code"] == f"commit {shop.git('rev-parse', 'HEAD')[:12]}"
    assert said["files"] == {
        "contract.json": "same", "golden.json": "same", "model.onnx": "same", "reference.parquet": "same",
        "runtime.json": "same",
    }  # fmt: skip
    assert said["holdout"]["different"] == 0
    assert said["holdout"]["rows"] > 20
    assert all(was == now for was, now in said["metrics"].values())
    assert shop.git("worktree", "list").count("\n") == 0
    assert shop.git("status", "--porcelain").endswith("train.py")


def test_a_training_by_chance_is_found_out(shop: Shop) -> None:
    """Exit code 1; how many predictions differ, and which metrics."""
    shop.write(BY_CHANCE)
    shop.commit()
    version = shop.train()
    told = shop.reproduce(version, "--json")
    assert told.document["verdict"] == "different"
    assert told.code == 1
    assert told.document["holdout"]["different"] > 0
    assert told.document["files"]["model.onnx"] == "different"


def test_edits_that_no_commit_holds_are_made_again_only_while_they_are_there(shop: Shop) -> None:
    """And then it is said why not."""
    shop.write(TRAIN + "\n# an edit\n")
    version = shop.train(commit=f"{shop.git('rev-parse', 'HEAD')}+changed")
    text = shop.reproduce(version).out
    assert "identical: every file that training writes has the content of the recorded one" in text
    assert "the files of now, which are those of" in text
    assert "predictions differ, by 0 at most" in text
    shop.write(TRAIN)
    told = shop.reproduce(version)
    assert told.code == 1
    assert "it was trained from edits that no commit holds, and the files of now are others" in told.err


def test_data_that_is_gone_is_named(shop: Shop) -> None:
    """By the store's own words."""
    version = shop.train()
    shutil.rmtree(shop.home / "datasets" / shop.model / "partitions")
    told = shop.reproduce(version)
    assert told.code == 1
    assert "could not be trained again" in told.err
    assert "2026-01-01" in told.err


def test_packages_that_are_not_those_of_now_are_installed_again_or_it_is_said_what_stands_in_the_way(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lock is found at the commit; without uv, or without any such lock, nothing is tried in silence."""
    version = shop.train()
    lock = shop.checkout / "requirements.lock"
    lock.write_text("numpy==2.1\n")
    assert shop.reproduce(version, "--environment", "current", "--json").document["verdict"] == "identical"
    # Without hashes the packages of the recorded lock are refused by uv, which says so.
    assert "could not be installed" in shop.reproduce(version).err
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    assert "there is no uv to install them with" in shop.reproduce(version).err
    monkeypatch.undo()
    lock.write_text("numpy==2.2\n")
    never_committed = shop.train(c=3.0)
    lock.write_text("numpy==2.3\n")
    told = shop.reproduce(never_committed)
    assert told.code == 1
    assert "is neither the one of now nor at its commit" in told.err


def test_a_version_that_never_was_is_refused(shop: Shop) -> None:
    """And so is a command line that does not know where MLflow is."""
    assert "MLflow has no version 9" in shop.reproduce(9).err
    assert shop.reproduce(9).code == 1


def test_two_versions_are_held_against_each_other(shop: Shop) -> None:
    """Data, parameters, code by file, packages, metrics, decision."""
    one = shop.train()
    shop.land()
    shop.write(TRAIN + "\n# better\n")
    (shop.checkout / "requirements.lock").write_text("numpy==2.1\npandas==2.2\nscipy==1.0\n")
    shop.commit()
    other = shop.train(c=0.5)
    said: Any = shop.call("diff", shop.model, str(one), str(other), "--json").document
    assert said["same_work"] is False
    assert said["partitions_added"] == ["2026-01-02"]
    assert said["rows"] == [240, 480]
    assert said["params"] == {"C": [1.0, 0.5]}
    assert said["files"] == [f"M include/models/{shop.model}/train.py"]
    assert said["packages"] == {"numpy": ["2.0", "2.1"], "scipy": [None, "1.0"]}
    assert said["decision"] == ["approved", "approved"]
    assert set(said["metrics"]) >= {"log_loss", "roc_auc"}
    assert said["unknown"] == []
    text = shop.call("diff", shop.model, str(one), str(other)).out
    for line in ("partitions added", "numpy", "train.py", "log_loss"):
        assert line in text
    same = shop.call("diff", shop.model, str(one), str(one)).out
    assert "Both were made of the same data, parameters, code and environment." in same


def test_what_cannot_be_compared_is_said(shop: Shop) -> None:
    """Rather than taken for equal."""
    one = shop.train()
    shop.write(TRAIN + "\n# an edit\n")
    (shop.checkout / "requirements.lock").write_text("numpy==9\n")
    other = shop.train(commit="f" * 40)
    (shop.checkout / "requirements.lock").write_text("numpy==10\n")
    shutil.rmtree(shop.home / "datasets" / shop.model / "versions")
    unknown = " ".join(shop.call("diff", shop.model, str(one), str(other), "--json").document["unknown"])
    assert f"which partitions version {one} learnt from" in unknown
    assert f"the packages of version {other}" in unknown
    assert "which files of the model's folder differ" in unknown


def test_without_mlflows_address_it_is_asked_for(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    """By the name of the variable."""
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    assert "name its address in MLFLOW_TRACKING_URI" in call("diff", "x", "1", "2").err


def test_lineages_are_compared_as_they_were_recorded() -> None:
    """A replaced field shows; the rest does not."""
    from flightworthy.difference import Origin, difference

    one = Origin(
        version=1, dataset_digest="d", partitions={"a": "1", "b": "2"}, rows=2, params={"C": 1}, code_commit="c",
        code_digest="c", config_digest="e", lock_digest="l", packages={}, metrics={"f1": 0.5}, decision="approved",
        objections=(),
    )  # fmt: skip
    found = difference(one, replace(one, version=2, partitions={"a": "9", "c": "3"}), files=None)
    assert (found.partitions_changed, found.partitions_added, found.partitions_removed) == (["a"], ["c"], ["b"])
    assert found.same_work
    assert found.unknown == []


def test_a_version_that_learnt_from_somebody_who_was_erased_says_that_it_cannot_be_made_again(
    shop: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before anything is installed; and the erasure had listed it, with MLflow's number."""
    monkeypatch.setenv("FLIGHTWORTHY_PSEUDONYM_KEY", "0123456789abcdef")
    version = shop.train()

    erased = shop.call("erase", shop.model, "--entity", "17", "--reason", "request 12", "--json")
    told = shop.reproduce(version)

    assert erased.document["versions"] == [version]
    assert told.code == 1
    assert "cannot be reproduced any more: 1 rows of people who asked to be forgotten" in told.err
    assert "2026-01-01" in told.err
