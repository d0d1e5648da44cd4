"""What a registry promises, asked of the stand-in and of a real MLflow server alike."""

from __future__ import annotations

import itertools
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection
from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry
from flightworthy.adapters.mlflow_tracking.runs import MlflowRuns
from flightworthy.artifact import CONTRACT, verify
from flightworthy.errors import ArtifactRefused
from flightworthy.registry import Registry
from flightworthy.testing import MemoryRegistry, MemoryRuns
from flightworthy.training import RunStore, TrainingRun
from tests.contracts.writing import write_artifact
from tests.training_material import NUMBERS, make_order, make_spec

NAMES = (f"store-{number}" for number in itertools.count())


@dataclass(frozen=True, slots=True, kw_only=True)
class Shop:
    """A registry, and runs of one model to register in it."""

    model: str
    registry: Registry
    runs: RunStore
    folder: Path

    def run(self, number: int = 1) -> TrainingRun:
        order = make_order(make_spec(self.model, features=NUMBERS), params={"C": float(number)})
        return self.runs.log(order, {"log_loss": 0.5}, write_artifact(self.folder / f"trained-{number}", order))


@pytest.fixture(params=["memory", "mlflow"])
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    model = next(NAMES)
    if request.param == "memory":
        runs = MemoryRuns(folder=tmp_path / "runs")
        return Shop(model=model, registry=MemoryRegistry(), runs=runs, folder=tmp_path)
    connection = MlflowConnection(uri=request.getfixturevalue("mlflow_server"))
    registry = MlflowRegistry(connection=connection)
    return Shop(model=model, registry=registry, runs=MlflowRuns(connection=connection), folder=tmp_path)


def test_a_version_is_created_once_per_key_and_found_with_its_tags(shop: Shop) -> None:
    """Again it is the same version, whatever tags come with it."""
    run = shop.run()
    first, is_new = shop.registry.create_once(run, {"dataset_digest": "d"})
    again, is_new_again = shop.registry.create_once(run, {"dataset_digest": "other"})
    assert (is_new, is_new_again) == (True, False)
    assert first == again == shop.registry.find(shop.model, run.key) == shop.registry.version(shop.model, 1)
    assert (first.version, first.key, first.run_id) == (1, run.key, run.run_id)
    assert (first.artifact_digest, first.tags["dataset_digest"]) == (run.artifact_digest, "d")


def test_versions_are_numbered_in_order_and_listed_oldest_first(shop: Shop) -> None:
    """Another key is another version."""
    for number in (1, 2, 3):
        assert shop.registry.create_once(shop.run(number), {})[0].version == number
    assert [version.version for version in shop.registry.versions(shop.model)] == [1, 2, 3]


def test_two_that_register_the_same_at_once_get_the_same_version(shop: Shop) -> None:
    """One version stays, and at most one of them believes to have made it."""
    run = shop.run()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: shop.registry.create_once(run, {}), range(4)))
    assert {version.version for version, _ in found} == {shop.registry.versions(shop.model)[0].version}
    assert len(shop.registry.versions(shop.model)) == 1
    assert sum(is_new for _, is_new in found) <= 1


def test_what_was_never_registered_is_none_or_empty(shop: Shop) -> None:
    """Neither an unknown model nor an unknown number is an error."""
    assert shop.registry.find(shop.model, "k") is None
    assert shop.registry.version(shop.model, 1) is None
    assert shop.registry.aliased(shop.model, "champion") is None
    assert list(shop.registry.versions(shop.model)) == []
    shop.registry.create_once(shop.run(), {})
    assert shop.registry.version(shop.model, 9) is None
    assert shop.registry.aliased(shop.model, "champion") is None


def test_an_alias_points_where_it_was_set_last_and_can_be_removed(shop: Shop) -> None:
    """Removing it again is harmless, also for a model that never was."""
    for number in (1, 2):
        shop.registry.create_once(shop.run(number), {})
        shop.registry.set_alias(shop.model, "champion", number)
    champion = shop.registry.aliased(shop.model, "champion")
    assert champion is not None
    assert champion.version == 2
    for _ in range(2):
        shop.registry.delete_alias(shop.model, "champion")
        assert shop.registry.aliased(shop.model, "champion") is None
    shop.registry.delete_alias("never-was", "champion")


def test_tags_are_added_later_without_touching_the_others(shop: Shop) -> None:
    """The image digest is known only after the image was built."""
    version, _ = shop.registry.create_once(shop.run(), {"dataset_digest": "d"})
    shop.registry.tag(shop.model, version.version, {"image_digest": "sha256:1"})
    found = shop.registry.version(shop.model, version.version)
    assert found is not None
    assert (found.tags["image_digest"], found.tags["dataset_digest"]) == ("sha256:1", "d")


def test_the_artifact_of_a_version_comes_back_verified(shop: Shop) -> None:
    """The same files that the run was sealed with."""
    version, _ = shop.registry.create_once(shop.run(), {})
    folder = shop.registry.download(version, shop.folder / "fetched")
    assert verify(folder) == version.artifact_digest
    assert (folder / CONTRACT).is_file()
    with pytest.raises(ArtifactRefused):
        shop.registry.download(replace(version, artifact_digest="f" * 64), shop.folder / "other")


def test_a_document_is_kept_beside_its_version(shop: Shop) -> None:
    """Byte for byte, in place of an older one of that name; and the artifact is what it was."""
    version, _ = shop.registry.create_once(shop.run(), {})
    other, _ = shop.registry.create_once(shop.run(2), {})
    assert shop.registry.attached(version, "model.sig") is None
    shop.registry.attach(version, "model.sig", b"first")
    shop.registry.attach(version, "model.sig", b"signature \x00\xff" * 1000)
    shop.registry.attach(version, "bom.json", b"{}")
    assert shop.registry.attached(version, "model.sig") == b"signature \x00\xff" * 1000
    assert shop.registry.attached(version, "bom.json") == b"{}"
    assert shop.registry.attached(other, "model.sig") is None
    shop.registry.download(version, shop.folder / "downloaded")
    assert not (shop.folder / "downloaded" / "model.sig").exists()
