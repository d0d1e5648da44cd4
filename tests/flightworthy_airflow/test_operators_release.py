"""Containerize, promote and roll back: who may release, how a course ends, and the way back."""

from __future__ import annotations

import io
import json
import os
import tarfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import docker
import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from flightworthy.adapters.docker_images import DockerImages, WheelCache
from flightworthy.adapters.model_signatures import KeyVerifier, new_key_pair
from flightworthy.errors import Refused, Unavailable
from flightworthy.release import Phase, Shadow
from flightworthy.signing import SIGNATURE
from flightworthy_airflow.operators.containerize import ContainerizeOperator
from flightworthy_airflow.operators.promote import PromoteOperator
from flightworthy_airflow.operators.rollback import RollbackOperator
from flightworthy_airflow.triggers.release import ReleaseEnded
from tests.flightworthy.release_makers import release, seen_healthy, serving
from tests.flightworthy_airflow.conftest import MODEL, MONDAY, NEXT_MONDAY, ROOT, Line, by_hand, run_of

WHEELS = Path(os.environ.get("FLIGHTWORTHY_HOME", ROOT / ".flightworthy")) / "wheels"


@pytest.fixture
def no_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """Docker is asked for at an address where nobody listens."""
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")


def rolled_back(line: Line, *, to: str | None = None, reason: str = "worse on Tuesdays") -> Any:
    return RollbackOperator(task_id="rollback", model="churn", to=to, reason=reason).execute(by_hand())


# -- containerize ------------------------------------------------------------------------------------------------------


def test_without_an_engine_the_context_is_laid_out_all_the_same(line: Line, no_engine: None) -> None:
    """The task is skipped and says why; the release runs the same server from the same files as a process."""
    line.say(release={"target": "auto"})
    line.land()
    version = line.registered(by_hand())

    with pytest.raises(AirflowSkipException, match=r"no Docker engine answers.*as a process"):
        line.containerize(by_hand(), version)

    (context,) = (line.home / "releases" / MODEL).iterdir()
    assert {"Dockerfile", "context.json", "model", "requirements.txt", "server"} <= {p.name for p in context.iterdir()}
    assert "image_digest" not in line.registry.versions(MODEL)[0].tags


def test_a_model_that_is_served_as_a_process_gets_its_context_and_no_image(line: Line) -> None:
    """release.target says so; no engine is asked."""
    line.land()
    version = line.registered(by_hand())

    with pytest.raises(AirflowSkipException, match=r"release\.target is process: the context was laid out"):
        line.containerize(by_hand(), version)
    assert (line.home / "releases" / MODEL).exists()


def test_a_backfilled_version_is_not_packaged(line: Line) -> None:
    """It is released by nobody, so there is nothing to lay out."""
    line.land()
    version = line.registered(run_of("backfill"))

    with pytest.raises(AirflowSkipException, match="a backfill registers versions and releases none"):
        line.containerize(run_of("backfill"), version)
    assert not (line.home / "releases").exists()


def test_a_version_that_was_deleted_cannot_be_packaged(line: Line) -> None:
    """Nothing is served that the registry does not know."""
    line.land()
    version = line.registered(by_hand())
    line.registry.kept.clear()

    with pytest.raises(AirflowFailException, match="no version 1 of shop"):
        ContainerizeOperator(task_id="containerize", model=MODEL, version=version).execute(by_hand())


def test_a_package_tells_what_it_is_made_of_and_from_what(line: Line) -> None:
    """Bill of materials and provenance lie beside the context and are with the version; again they are the same."""
    line.land()
    version = line.packaged(by_hand())
    (context,) = (line.home / "releases" / MODEL).iterdir()
    (kept,) = line.registry.versions(MODEL)

    written = {path.name: path.read_bytes() for path in (context / "documents").iterdir()}
    assert set(written) == {"bom.cdx.json", "provenance.json"}
    assert {name: line.registry.attached(kept, name) for name in written} == written
    model = json.loads(written["bom.cdx.json"])["components"][0]
    assert {found["name"]: found["value"] for found in model["properties"]}["io.flightworthy:param:C"] == "1.0"
    measured = {found["type"] for found in model["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]}
    assert measured >= {"log_loss", "roc_auc", "roc_auc of the baseline: age alone"}
    (subject,) = json.loads(written["provenance.json"])["subject"]
    assert subject["digest"]["sha256"] == kept.artifact_digest

    with pytest.raises(AirflowSkipException, match="the context was laid out"):
        line.containerize(by_hand(), version)
    assert {path.name: path.read_bytes() for path in (context / "documents").iterdir()} == written


@pytest.fixture
def engine(line: Line) -> Iterator[docker.DockerClient]:
    """A real engine, with the wheels that were collected before; what is built in it is removed."""
    if not (there := DockerImages(WheelCache(WHEELS)).availability()).available:
        pytest.skip(there.reason)
    line.say(release={"target": "container"})
    line.home.mkdir(exist_ok=True)
    WHEELS.mkdir(parents=True, exist_ok=True)
    (line.home / "wheels").symlink_to(WHEELS)
    client = docker.from_env()
    yield client
    for found in client.images.list(filters={"label": f"io.flightworthy.model={MODEL}"}):
        client.images.remove(found.id, force=True)
    client.close()


def file_in(engine: docker.DockerClient, image: str, path: str) -> bytes:
    """A file as it lies in an image. What a container of a moment prints, the engine may lose."""
    container = engine.containers.create(image)
    try:
        chunks, _ = container.get_archive(path)
        with tarfile.open(fileobj=io.BytesIO(b"".join(chunks))) as packed:
            (member,) = packed.getmembers()
            content = packed.extractfile(member)
            assert content is not None
            return content.read()
    finally:
        container.remove(force=True)


@pytest.mark.docker
@pytest.mark.slow
def test_an_image_is_built_with_its_documents_and_released_by_its_digest(
    line: Line, keys: Path, engine: docker.DockerClient
) -> None:
    """Real wheels, a real engine: the bill is valid and in the image, the provenance names the image and its base."""
    line.land()
    version = line.registered(by_hand())
    try:
        digest = line.containerize(by_hand(), version)
    except Unavailable as error:
        pytest.skip(f"no wheels to build from: {error}")

    (context,) = (line.home / "releases" / MODEL).iterdir()
    bill, statement = ((context / "documents" / name).read_bytes() for name in ("bom.cdx.json", "provenance.json"))
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(bill.decode()) is None
    libraries = [found for found in json.loads(bill)["components"] if found["type"] == "library"]
    assert len(libraries) > 10
    assert all(found["hashes"] and found["purl"].startswith("pkg:pypi/") for found in libraries)
    assert file_in(engine, digest, "/opt/flightworthy/documents/bom.cdx.json") == bill
    provenance = json.loads(statement)
    assert provenance["subject"][1]["digest"] == {"sha256": digest.removeprefix("sha256:")}
    named = {found["name"] for found in provenance["predicate"]["buildDefinition"]["resolvedDependencies"]}
    assert {"dataset", "requirements.lock", "model.yaml", "base image"} <= named
    with pytest.raises(TaskDeferred):
        line.promote(by_hand(), version)
    challenger = line.releases.release(line.releases.deployment(MODEL).challenger or "")
    assert (challenger.target, challenger.image_digest) == ("container", digest)


# -- signatures --------------------------------------------------------------------------------------------------------


@pytest.fixture
def keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Keys that are set for both sides; the folder they are in."""
    folder = write_keys(tmp_path / "keys")
    monkeypatch.setenv("FLIGHTWORTHY_SIGNING_KEY", str(folder / "signing.pem"))
    monkeypatch.setenv("FLIGHTWORTHY_VERIFYING_KEY", str(folder / "verifying.pem"))
    return folder


def write_keys(folder: Path) -> Path:
    folder.mkdir()
    for name, content in zip(("signing.pem", "verifying.pem"), new_key_pair(), strict=True):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    return folder


def test_a_registered_version_is_signed_and_its_package_holds_the_signature(line: Line, keys: Path) -> None:
    """It is verified before anything is laid out, and lies where the deployer verifies it again."""
    line.land()
    line.packaged(by_hand())

    (context,) = (line.home / "releases" / MODEL).iterdir()
    signature = (context / "documents" / SIGNATURE).read_bytes()
    KeyVerifier(public_keys=(keys / "verifying.pem",)).verify(context / "model", signature)


def test_an_unsigned_version_is_not_packaged_where_a_key_is_trusted(
    line: Line, keys: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registered by somebody without the key."""
    line.land()
    monkeypatch.delenv("FLIGHTWORTHY_SIGNING_KEY")
    version = line.registered(by_hand())

    with pytest.raises(AirflowFailException, match="is not signed"):
        line.containerize(by_hand(), version)
    assert not (line.home / "releases").exists()


def test_a_version_signed_with_another_key_is_not_packaged(
    line: Line, keys: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The trusted keys are named."""
    line.land()
    version = line.registered(by_hand())
    monkeypatch.setenv("FLIGHTWORTHY_VERIFYING_KEY", str(write_keys(tmp_path / "others") / "verifying.pem"))

    with pytest.raises(AirflowFailException, match=r"another key than those that are trusted here: .*others"):
        line.containerize(by_hand(), version)


def test_without_keys_nothing_is_signed_and_the_seal_is_held(line: Line) -> None:
    """As an installation is that has set none."""
    line.land()
    line.packaged(by_hand())

    assert line.registry.attached(line.registry.versions(MODEL)[0], SIGNATURE) is None


# -- promote -----------------------------------------------------------------------------------------------------------


def test_a_promotion_is_written_down_and_waited_for_without_a_worker(line: Line) -> None:
    """The row is on its course under the person's name; the task deferred itself."""
    line.land()
    version = line.packaged(by_hand())

    with pytest.raises(TaskDeferred) as deferred:
        line.promote(by_hand(), version)

    row = line.releases.deployment(MODEL)
    assert (row.phase, row.challenger) == (Phase.STARTING, deferred.value.trigger.release_id)
    assert deferred.value.method_name == "conclude"
    (entry,) = line.releases.history(MODEL)
    assert (entry.action, entry.actor) == ("proposed", "ada")
    assert "manual run run-1" in entry.reason


def test_a_release_has_the_strategy_of_its_spec(line: Line) -> None:
    """What model.yaml says of shadow, steps and warmth is written with it, and is not read again."""
    line.say(release={"target": "process", "strategy": "all-at-once", "shadow": {"bake_time": "3s", "min_requests": 9}})
    line.land()
    version = line.packaged(by_hand())
    with pytest.raises(TaskDeferred) as deferred:
        line.promote(by_hand(), version)

    strategy = line.releases.release(deferred.value.trigger.release_id).strategy
    assert strategy.shadow == Shadow(bake_time=timedelta(seconds=3), min_requests=9, max_flip_rate=0.05)
    assert (strategy.steps, strategy.warm_time) == ((100,), timedelta())


def test_a_promoted_release_is_the_answer_now_and_to_a_retry(line: Line) -> None:
    """A worker that died while it waited asks again and is told the same; nothing is proposed twice."""
    line.land()
    version = line.packaged(by_hand())
    with pytest.raises(TaskDeferred):
        line.promote(by_hand(), version)
    release = line.decide("promoted")

    assert line.promote(by_hand(), version) == release.id
    assert [entry.action for entry in line.releases.history(MODEL)] == ["proposed", "promoted"]


@pytest.mark.parametrize("kind", ["withdrawn", "rolled_back"])
def test_a_release_that_ended_otherwise_fails_with_the_reason(kind: str) -> None:
    """The task's log says what the deployer saw."""
    ended = ReleaseEnded(release_id="shop-1-abc", kind=kind, reason="19.7 % of attempts failed", generation=4)
    promote = PromoteOperator(task_id="promote", model=MODEL, version={})

    with pytest.raises(AirflowFailException, match=r"at generation 4: 19\.7 % of attempts failed"):
        promote.conclude(by_hand(), ended.pack())


@pytest.mark.parametrize(
    "event",
    [None, "promoted", {"kind": "promoted"}, {"release_id": "a", "kind": "done", "reason": "", "generation": 1}],
)
def test_an_ending_that_nobody_knows_is_never_taken_for_success(event: Any) -> None:
    """An event of another version of the trigger, or of none."""
    with pytest.raises(Refused):
        PromoteOperator(task_id="promote", model=MODEL, version={}).conclude(by_hand(), event)


def test_a_withdrawn_release_stays_withdrawn_when_it_is_asked_for_again(line: Line) -> None:
    """The same release gets the same answer, with the reason of then, unless a person asks for it again."""
    line.land()
    version = line.packaged(by_hand())
    with pytest.raises(TaskDeferred):
        line.promote(by_hand(), version)
    line.decide("withdrawn", reason="golden answers differ")

    with pytest.raises(AirflowFailException, match="golden answers differ"):
        line.promote(by_hand(), version)
    with pytest.raises(TaskDeferred):
        line.promote(by_hand(again=True), version)


@pytest.mark.parametrize("context", [run_of("backfill"), by_hand(release=False)], ids=["backfill", "form says no"])
def test_who_may_not_release_is_skipped_and_changes_nothing(line: Line, context: Any) -> None:
    """A backfill, and a run whose form says train only."""
    line.land()
    version = line.packaged(by_hand())

    with pytest.raises(AirflowSkipException, match="registered and not released"):
        line.promote(context, version)
    assert line.releases.deployment(MODEL).generation == 0
    assert not line.releases.entries


def test_a_version_whose_context_was_tampered_with_is_not_released(line: Line) -> None:
    """What was vetted is what is served, or nothing is."""
    line.land()
    version = line.packaged(by_hand())
    (context,) = (line.home / "releases" / MODEL).iterdir()
    (context / "model" / "golden.json").chmod(0o644)
    (context / "model" / "golden.json").write_text("{}")

    with pytest.raises(AirflowFailException, match="was changed after it was written"):
        line.promote(by_hand(), version)
    assert line.releases.deployment(MODEL).challenger is None


def test_a_second_release_waits_for_the_end_of_the_first(line: Line) -> None:
    """It is refused with who is on the course and what to do."""
    line.land(MONDAY)
    first = line.packaged(by_hand())
    with pytest.raises(TaskDeferred):
        line.promote(by_hand(), first)
    line.land(NEXT_MONDAY, seed=6)
    second = line.packaged(by_hand())

    with pytest.raises(AirflowFailException, match="is on its course"):
        line.promote(by_hand(), second)


# -- rollback ----------------------------------------------------------------------------------------------------------


def test_a_rollback_moves_one_pointer_and_waits_for_the_router(line: Line) -> None:
    """The previous release is warm, so it is champion at once; the ledger has the person and the reason."""
    serving(line.releases, 1, 2)
    seen_healthy(line.releases, 1, 2)

    with pytest.raises(TaskDeferred) as deferred:
        rolled_back(line)

    assert line.releases.deployment("churn").champion == release(1).id
    assert deferred.value.method_name == "conclude"
    last = line.releases.history("churn")[-1]
    assert (last.action, last.actor, last.reason) == ("rolled_back", "ada", "worse on Tuesdays")


def test_a_rollback_that_is_run_again_goes_back_no_further(line: Line) -> None:
    """Killed after it had decided, it finds its decision; another run decides anew."""
    serving(line.releases, 1, 2)
    seen_healthy(line.releases, 1, 2)
    for _ in range(3):
        with pytest.raises(TaskDeferred) as deferred:
            rolled_back(line)
        assert deferred.value.trigger.release_id == release(1).id
        assert line.releases.deployment("churn").champion == release(1).id
    assert [entry.action for entry in line.releases.history("churn")].count("rolled_back") == 1

    another = RollbackOperator(task_id="rollback", model="churn", to=release(2).id, reason="better on Wednesdays")
    with pytest.raises(TaskDeferred):
        another.execute(run_of("manual", user="ada", run_id="run-2"))
    decided = line.releases.deployment("churn")
    assert decided.challenger == release(2).id
    with pytest.raises(TaskDeferred) as late:
        rolled_back(line)
    assert late.value.trigger.release_id == release(1).id, (
        "what it decided; that it is no longer so, it is told waiting"
    )
    assert line.releases.deployment("churn") == decided


@pytest.mark.parametrize("to", [None, "", "None"])
def test_an_empty_field_means_the_release_before(line: Line, to: str | None) -> None:
    """However the form and its template write that nothing was filled in."""
    serving(line.releases, 1, 2)
    seen_healthy(line.releases, 1, 2)

    with pytest.raises(TaskDeferred):
        rolled_back(line, to=to)
    assert line.releases.deployment("churn").champion == release(1).id


def test_a_release_that_is_no_longer_warm_is_started_before_anything_moves(line: Line) -> None:
    """The champion serves until the other is healthy; the task waits for that."""
    serving(line.releases, 1, 2)
    seen_healthy(line.releases, 2)

    with pytest.raises(TaskDeferred):
        rolled_back(line)

    row = line.releases.deployment("churn")
    assert (row.phase, row.champion, row.challenger) == (Phase.RETURNING, release(2).id, release(1).id)


def test_without_a_way_back_the_rollback_is_refused_and_says_why(line: Line) -> None:
    """Nothing was released yet; or one release, and none before it."""
    with pytest.raises(AirflowFailException, match="nothing was ever released"):
        rolled_back(line)

    serving(line.releases, 1)
    with pytest.raises(AirflowFailException, match=f"no release before {release(1).id} is left to go to"):
        rolled_back(line)


def test_a_rollback_to_a_release_that_nobody_knows_is_refused(line: Line) -> None:
    """And the champion is left alone."""
    serving(line.releases, 1)

    with pytest.raises(AirflowFailException, match="churn-9-00000000"):
        rolled_back(line, to="churn-9-00000000")
    assert line.releases.deployment("churn").champion == release(1).id
