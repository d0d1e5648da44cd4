from __future__ import annotations

import json
from pathlib import Path

import pytest

from flightworthy.baseline import Worth
from flightworthy.errors import ArtifactRefused
from flightworthy.evaluation import Estimate
from flightworthy.gates import Decision, Objection
from flightworthy.registry import ModelVersion, lineage_tags, register
from flightworthy.signing import SIGNATURE
from flightworthy.testing import MemoryRegistry, MemoryRuns
from flightworthy.training import TrainingRun
from tests.training_material import make_order

APPROVED = Decision(objections=(), notes=())
REFUSED = Decision(objections=(Objection(gate="roc_auc at least 0.9", reason="is 0.5"),), notes=())


def make_run(folder: Path, **lineage: str) -> TrainingRun:
    (folder / "model").mkdir(exist_ok=True)
    (folder / "model" / "model.skops").write_bytes(b"weights")
    return MemoryRuns(folder=folder / "runs").log(make_order(**lineage), {"log_loss": 0.5}, folder / "model")


@pytest.mark.parametrize("intent", ["schedule", "new_data", "drift", "manual"])
def test_an_approved_run_is_registered_and_becomes_challenger(tmp_path: Path, intent: str) -> None:
    """Registered once: again it finds what stands."""
    registry = MemoryRegistry()
    first = register(registry, make_run(tmp_path), APPROVED, intent=intent)
    again = register(
        registry, MemoryRuns(folder=tmp_path).log(make_order(), {}, tmp_path / "model"), APPROVED, intent=intent
    )
    assert (first.is_new, again.is_new) == (True, False)
    assert first.version.version == again.version.version
    assert registry.aliased("shop", "challenger") == first.version


def test_a_backfill_is_registered_and_touches_no_alias(tmp_path: Path) -> None:
    """A backfill never releases."""
    registry = MemoryRegistry()
    found = register(registry, make_run(tmp_path, intent="backfill"), APPROVED, intent="backfill")
    assert found.is_new
    assert not found.is_challenger
    assert registry.aliased("shop", "challenger") is None


def test_a_backfill_that_finds_what_a_release_registered_touches_no_alias(tmp_path: Path) -> None:
    """What counts is why it is registered now, not why it was trained."""
    registry = MemoryRegistry()
    run = make_run(tmp_path, intent="new_data")
    register(registry, run, APPROVED, intent="new_data")
    registry.delete_alias("shop", "challenger")
    assert not register(registry, run, APPROVED, intent="backfill").is_challenger
    assert registry.aliased("shop", "challenger") is None


def test_an_unknown_intent_touches_no_alias(tmp_path: Path) -> None:
    """Only an intent that is known to release does."""
    assert not register(MemoryRegistry(), make_run(tmp_path), APPROVED, intent="whim").is_challenger


def test_a_refused_run_is_recorded_with_its_objections_and_touches_no_alias(tmp_path: Path) -> None:
    """The reason stays with the version."""
    registry = MemoryRegistry()
    found = register(registry, make_run(tmp_path), REFUSED, intent="schedule")
    assert registry.aliased("shop", "challenger") is None
    assert found.version.tags["decision"] == "refused"
    assert found.version.tags["objections"] == "roc_auc at least 0.9: is 0.5"


def test_a_version_tells_where_it_comes_from(tmp_path: Path) -> None:
    """Every part of the bundle is named by digest; what is empty is not claimed."""
    tags = lineage_tags(make_run(tmp_path, code_commit=""), APPROVED)
    assert {"dataset_digest", "code_digest", "lock_digest", "params_digest", "config_digest", "artifact_digest"} <= set(
        tags
    )
    assert tags["decision"] == "approved"
    assert "code_commit" not in tags
    assert "objections" not in tags


def test_a_version_tells_what_it_was_worth_and_what_one_feature_was(tmp_path: Path) -> None:
    """As it was when it was first registered: the same content is worth the same."""
    registry, run = MemoryRegistry(), make_run(tmp_path)
    worth = Worth(
        metrics={"roc_auc": Estimate(value=0.88, low=0.85, high=0.91)},
        baseline="price alone",
        baseline_metrics={"roc_auc": Estimate(value=0.71, low=0.66, high=0.75)},
    )
    version = register(registry, run, APPROVED, intent="schedule", worth=worth).version
    assert Worth.unpack(json.loads(version.tags["worth"])) == worth
    assert register(registry, run, APPROVED, intent="schedule").version.tags == version.tags
    assert "worth" not in lineage_tags(run, APPROVED)


def test_a_version_survives_the_way_between_processes(tmp_path: Path) -> None:
    """Packed and unpacked it is equal."""
    version = register(MemoryRegistry(), make_run(tmp_path), APPROVED, intent="schedule").version
    assert ModelVersion.unpack(version.pack()) == version


class Counting:
    """Signs with the names of the files, and counts."""

    def __init__(self) -> None:
        self.signed: list[bytes] = []

    def sign(self, artifact: Path) -> bytes:
        self.signed.append(" ".join(sorted(path.name for path in artifact.iterdir())).encode())
        return self.signed[-1]


def test_what_is_registered_is_signed_once(tmp_path: Path) -> None:
    """The signature is beside the version; a retry finds it, whoever made it."""
    registry, signer, run = MemoryRegistry(), Counting(), make_run(tmp_path)
    version = register(registry, run, APPROVED, intent="manual", signer=signer).version
    register(registry, run, APPROVED, intent="manual", signer=signer)
    assert len(signer.signed) == 1
    assert registry.attached(version, SIGNATURE) == signer.signed[0]
    assert b"model.skops" in signer.signed[0]


def test_a_version_that_was_registered_before_there_was_a_key_is_signed_when_asked_again(tmp_path: Path) -> None:
    """How an installation begins to sign."""
    registry, run = MemoryRegistry(), make_run(tmp_path)
    version = register(registry, run, APPROVED, intent="manual").version
    assert registry.attached(version, SIGNATURE) is None
    register(registry, run, APPROVED, intent="manual", signer=Counting())
    assert registry.attached(version, SIGNATURE) is not None


def test_nothing_is_signed_that_is_not_what_was_trained(tmp_path: Path) -> None:
    """A file that was changed in the registry's store: no signature, and no alias."""
    registry, signer, run = MemoryRegistry(), Counting(), make_run(tmp_path)
    (Path(run.artifact_uri) / "model.skops").write_bytes(b"other weights")
    with pytest.raises(ArtifactRefused, match=r"model\.skops is not the file that was sealed"):
        register(registry, run, APPROVED, intent="manual", signer=signer)
    assert signer.signed == []
    assert registry.aliased("shop", "challenger") is None
