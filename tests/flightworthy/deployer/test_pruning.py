"""Throwing away, and knowing what is gone: folders on disk, an engine and a registry that behave."""

import shutil
import time
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from drill.rig import with_strategy
from flightworthy.deployer.pruning import DailyPruning, Pruner
from flightworthy.deployer.servers import without_folder
from flightworthy.deployer.settings import Settings
from flightworthy.deployer.stock import Stock
from flightworthy.errors import ReleaseRefused, Unavailable
from flightworthy.release import outcome, promoted, propose, roll_back
from flightworthy.retention import Policy, StoredVersion
from flightworthy.testing import MemoryReleases
from tests.flightworthy.release_makers import NOW, decided, proposed, release, seen_healthy, serving

POLICY = Policy(champions=1, unused_time=timedelta(days=14), served_time=timedelta(days=90))
LATER = NOW + timedelta(days=100)


class Engine:
    """Images by digest; a container stands on those in ``used``."""

    def __init__(self):
        self.images, self.used, self.is_away = set(), set(), False

    def clear_away(self, labels):
        pass

    def remove_image(self, digest):
        if self.is_away:
            raise Unavailable("the engine is away")
        if digest in self.used:
            return False
        self.images.discard(digest)
        return True


class Versions:
    """Version numbers, all of them old."""

    def __init__(self, *numbers):
        self.numbers = list(numbers)

    def stored(self, model):
        return [StoredVersion(number=number, registered_at=NOW, has_alias=False) for number in self.numbers]

    def remove(self, model, number):
        if number in self.numbers:
            self.numbers.remove(number)


class Yard:
    """Releases 1 to 4 that served, each a folder and an image, and a backfilled version 5 before the newest, 6."""

    def __init__(self, folder):
        self.folder = folder / "releases"
        self.store, self.engine, self.versions = MemoryReleases(), Engine(), Versions(1, 2, 3, 4, 5, 6)
        serving(self.store, 1, 2, 3, 4)
        for known in self.store.releases("churn"):
            at = self.folder / "churn" / known.id
            (at / "model").mkdir(parents=True)
            image = f"sha256:{known.version}"
            self.engine.images.add(image)
            again = {"target": "container", "artifact_uri": str(at), "image_digest": image}
            self.store.proposed[known.id] = replace(known, **again)
        self.pruner = Pruner(
            store=self.store, releases=self.folder, engine=self.engine, versions=self.versions
        )  # fmt: skip

    def prune(self):
        return self.pruner.prune("churn", POLICY, now=LATER)

    def folders(self):
        return sorted(path.name for path in (self.folder / "churn").iterdir())


@pytest.fixture
def yard(tmp_path):
    return Yard(tmp_path)


def test_image_folder_and_version_of_what_nobody_needs_go(yard):
    """The champion and its way back stay whole; what is gone cannot be gone back to, and that is known."""
    found = yard.prune()
    assert [(each.what.name, each.left) for each in found] == [("5", ""), (release(1).id, ""), (release(2).id, "")]
    assert yard.folders() == [release(3).id, release(4).id]
    assert yard.engine.images == {"sha256:3", "sha256:4"}
    assert yard.versions.numbers == [3, 4, 6]
    assert yard.store.missing()[release(1).id].startswith("retention removed it on 2026-04-15, 1 newer ones served")
    assert yard.prune() == []


def test_a_plan_removes_nothing(yard):
    """--dry-run."""
    assert len(yard.pruner.plan("churn", POLICY, now=LATER)) == 3
    assert len(yard.folders()) == 4
    assert yard.store.missing() == {}


def test_an_image_that_a_container_stands_on_is_left_and_the_rest_with_it(yard):
    """The next time does it."""
    yard.engine.used.add("sha256:1")
    assert [each.left for each in yard.prune()] == ["", "a container still stands on its image", ""]
    assert release(1).id in yard.folders()
    assert 1 in yard.versions.numbers
    yard.engine.used.clear()
    assert [each.what.name for each in yard.prune()] == [release(1).id]
    assert release(1).id not in yard.folders()


def test_an_engine_that_is_away_keeps_what_needs_it(yard):
    """Versions without an image go all the same."""
    yard.engine.is_away = True
    assert [each.left for each in yard.prune()] == ["", *["its image could not be removed: the engine is away"] * 2]
    assert len(yard.folders()) == 4


def test_a_release_that_somebody_decided_to_go_back_to_meanwhile_stays(yard, monkeypatch):
    """The row is looked at again once it is known that nobody can decide so any more."""
    note = MemoryReleases.note_missing

    def decide_just_before(store, found, *, at):
        if store.deployment("churn").challenger is None:
            roll_back(store, "churn", to=release(1).id, actor="ada", reason="now", now=NOW)
        note(store, found, at=at)

    monkeypatch.setattr(MemoryReleases, "note_missing", decide_just_before)
    assert [each.left for each in yard.prune()][1] == "it was decided to go back to it meanwhile"
    assert release(1).id in yard.folders()
    assert release(1).id not in yard.store.missing()
    assert "sha256:1" in yard.engine.images


def test_nothing_outside_the_folder_of_releases_is_ever_removed(yard, tmp_path):
    """Whatever a row of the database says."""
    precious = tmp_path / "precious"
    (precious / "model").mkdir(parents=True)
    for uri in (str(precious), str(yard.folder / "churn" / ".." / ".." / "precious")):
        yard.store.proposed[release(1).id] = replace(yard.store.release(release(1).id), artifact_uri=uri)
        yard.prune()
        assert precious.is_dir()


@pytest.mark.parametrize("step", ["remove_image", "rename", "remove"])
def test_pruning_that_was_killed_anywhere_is_finished_by_the_next(yard, monkeypatch, step):
    """Nothing is left for ever, and nothing half."""

    def killed(*_words, **_options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        where = {"remove_image": (Engine, step), "rename": (Path, step), "remove": (Versions, step)}[step]
        patch.setattr(*where, killed)
        with pytest.raises(KeyboardInterrupt):
            yard.prune()
    yard.prune()
    assert yard.folders() == [release(3).id, release(4).id]
    assert yard.engine.images == {"sha256:3", "sha256:4"}
    assert yard.versions.numbers == [3, 4, 6]


def test_a_rollback_to_a_release_that_is_gone_is_refused_and_says_how_it_comes_back(yard):
    """Before anything is touched: also the warm release in the other slot stays warm."""
    yard.prune()
    row = yard.store.deployment("churn")
    with pytest.raises(ReleaseRefused) as refused:
        roll_back(yard.store, "churn", to=release(1).id, actor="ada", reason="x", now=NOW)
    said = refused.value.message
    assert said.startswith(f"{release(1).id} cannot be started: retention removed it on 2026-04-15")
    assert f"Nothing was changed, {release(4).id} serves." in said
    assert "Build it again (made of commit abc): run churn.deploy for version 1 and Again switched on" in said
    assert yard.store.deployment("churn") == row


def test_a_warm_release_is_gone_back_to_whatever_is_missing_of_it(yard):
    """Its server runs and is healthy: that is all it needs at this moment."""
    seen_healthy(yard.store, 3, 4)
    yard.store.note_missing({release(3).id: "its folder is gone"}, at=NOW)
    assert roll_back(yard.store, "churn", actor="ada", reason="x", now=NOW).champion == release(3).id


def test_a_release_that_was_packaged_again_is_released_from_its_new_image(yard):
    """Deployed again, with Again switched on: the same content, another image."""
    yard.prune()
    again = replace(yard.store.release(release(1).id), image_digest="sha256:anew")
    row = propose(yard.store, again, actor="ada", reason="again", now=NOW, again=True)
    assert row.challenger == release(1).id
    assert yard.store.release(release(1).id).image_digest == "sha256:anew"
    assert release(1).id not in yard.store.missing()


class Kind:
    """Servers of one kind of which only the folders matter; away when told so."""

    is_away = False

    def lacking(self, releases):
        if self.is_away:
            raise Unavailable("away")
        return without_folder(releases)


@pytest.fixture
def stock(yard):
    watched = Stock(yard.store, {"container": Kind(), "process": Kind()}, lambda: NOW, look_time=timedelta())
    yield watched
    watched.close()


def looked(stock, yard, wait_for, expected):
    def so():
        stock.tend(yard.store.deployments())
        return set(yard.store.missing()) == expected

    wait_for(so)


def test_what_is_gone_and_what_came_back_is_found_by_looking(yard, stock, wait_for):
    """Removed by hand, put back by hand; what cannot be known now stays as it was."""
    looked(stock, yard, wait_for, set())
    moved = yard.folder / "moved"
    shutil.move(yard.folder / "churn" / release(2).id, moved)
    looked(stock, yard, wait_for, {release(2).id})
    Kind.is_away = True
    shutil.move(moved, yard.folder / "churn" / release(2).id)
    for _ in range(5):
        stock.tend(yard.store.deployments())
        time.sleep(0.01)
    assert set(yard.store.missing()) == {release(2).id}
    Kind.is_away = False
    looked(stock, yard, wait_for, set())


def test_a_challenger_that_cannot_be_started_is_withdrawn_at_once(yard, stock, wait_for):
    """Not at its deadline; the champion serves, and the reason says how to rebuild it."""
    proposed(yard.store, 6)
    looked(stock, yard, wait_for, {release(6).id})

    def ended_course():
        stock.tend(yard.store.deployments())
        return outcome(yard.store, release(6).id) is not None

    wait_for(ended_course)
    ended = outcome(yard.store, release(6).id)
    assert ended.kind == "withdrawn"
    assert "cannot be started: its folder /releases/churn/6 is gone. Build it again" in ended.reason
    assert yard.store.deployment("churn").champion == release(4).id


def test_the_deployer_prunes_once_a_day_what_the_models_files_let_go(tmp_path, monkeypatch):
    """A model whose files are wrong keeps everything, and another one's do not matter to it."""
    models = tmp_path / "models"
    shutil.copytree(Path(__file__).parents[3] / "include" / "models" / "diagnosis", models / "diagnosis")
    (models / "broken").mkdir()
    monkeypatch.setenv("FLIGHTWORTHY_LANDING", str(tmp_path))
    settings = Settings(
        home=tmp_path, database_url="", router_port=0, router_admin_port=0, models=models, prunes_itself=True
    )  # fmt: skip
    store = MemoryReleases()
    serving_of(store, tmp_path)
    DailyPruning(store, settings, lambda: NOW + timedelta(days=400)).prune()
    assert (tmp_path / "pruned").exists()
    left = {path.name for path in (tmp_path / "releases" / "diagnosis").iterdir()}
    assert left == {release(number, model="diagnosis").id for number in (3, 4, 5, 6, 7)}


def serving_of(store, home):
    """Seven champions of diagnosis as processes, one after another."""
    for number in range(1, 8):
        known = release(number, model="diagnosis")
        at = home / "releases" / "diagnosis" / known.id
        (at / "model").mkdir(parents=True)
        store.add_release(replace(known, artifact_uri=str(at)))
        row = proposed(store, number, model="diagnosis")
        decided(store, row, promoted(row, NOW), "promoted")


@pytest.mark.slow
def test_with_a_deployer_at_work_a_release_that_is_gone_is_refused_and_traffic_never_notices(rig):
    """First by what the deployer found, then, where nobody could know yet, by an end at once."""
    releases = [rig.release(number, strategy=with_strategy(steps=(100,))) for number in (1, 2, 3)]
    for known in releases:
        rig.promote(known)
    rig.wait_for(lambda: not rig.servers_of(releases[0]), what="the oldest release to be stopped")
    with rig.load() as load:
        shutil.rmtree(releases[0].artifact_uri)
        row = rig.roll_back(to=releases[0].id)
        assert row.phase == "returning"
        ended = rig.end_of(releases[0])
        assert (ended.kind, "cannot be started: its folder" in ended.reason) == ("withdrawn", True)
        rig.wait_for(lambda: releases[0].id in rig.store.missing(), what="the deployer's note")
        generation = rig.store.deployment("m").generation
        with pytest.raises(ReleaseRefused, match="Nothing was changed"):
            rig.roll_back(to=releases[0].id)
    assert rig.store.deployment("m").generation == generation
    assert load.failed == {}
