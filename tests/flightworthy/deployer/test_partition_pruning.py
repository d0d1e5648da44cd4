"""Which rows are let go, over the stored files themselves, and what is still known of them afterwards."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import timedelta

import pyarrow as pa
import pytest

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.dataset import ingest, version_of
from flightworthy.deployer.partition_pruning import PartitionPruner
from flightworthy.errors import PartitionRefused, Refused
from flightworthy.known import Ask
from flightworthy.quarantine import Discard, RefusedRows
from flightworthy.release import Cause, draft, promoted, propose
from flightworthy.retention import REMOVED, DataPolicy, StoredVersion
from flightworthy.testing import MemoryReleases
from tests.flightworthy.parted import Landed
from tests.flightworthy.release_makers import NOW, release

MONTHS = [f"2025-{month:02d}" for month in range(1, 7)]
POLICY = DataPolicy(window=2, kept_time=timedelta(days=90))
LATER = NOW + timedelta(days=100)


class Versions:
    """The registered ones, by number, with the digest of what each learnt from."""

    def __init__(self, **learnt):
        self.learnt = {int(name[1:]): digest for name, digest in learnt.items()}

    def stored(self, model):
        return [
            StoredVersion(number=number, registered_at=NOW, has_alias=False, dataset_digest=digest)
            for number, digest in self.learnt.items()
        ]


@pytest.fixture
def store(tmp_path):
    """Half a year of partitions, the second of which was revised."""
    made = DatasetFiles(root=tmp_path / "datasets")
    for place, key in enumerate(MONTHS):
        write(made, key, place)
    write(made, MONTHS[1], 1, 99)
    return made


def write(store, key, *rows, now=NOW):
    return store.write("churn", key, pa.table({"id": list(rows)}), sources=[f"{key}.csv"], now=now)


def learnt(store, *keys, asked_at=NOW):
    """A recorded version of these partitions, as they are now; its digest."""
    current = store.current("churn")
    version = version_of("churn", keys[-1], [current[key] for key in keys], window=99)
    store.record(version)
    file = store.root / "churn" / "versions" / f"{version.digest[:12]}.json"
    os.utime(file, (asked_at.timestamp(), asked_at.timestamp()))
    return version.digest


def released(releases, number, digest):
    made = replace(release(number), bundle={"dataset_digest": digest})
    row = propose(releases, made, actor="a", reason="r", now=NOW)
    after = promoted(row, NOW)
    releases.swap(row, after, draft(row, after, "promoted", Cause(actor="a", reason="r", at=NOW)))
    return made


def pruner(store, releases=None, **registered):
    return PartitionPruner(releases=releases or MemoryReleases(), data=store, versions=Versions(**registered))


def went(found):
    return [(each.partition.key, each.partition.rows) for each in found]


def test_rows_go_that_no_release_no_version_and_no_next_run_needs(store):
    """Of six months the last two are the next run's; a release learnt from the third, a version from the fourth."""
    releases = MemoryReleases()
    released(releases, 1, learnt(store, MONTHS[2]))
    pruning = pruner(store, releases, v2=learnt(store, MONTHS[3]))

    would = pruning.plan("churn", POLICY, now=LATER)

    assert went(would) == [(MONTHS[0], 1), (MONTHS[1], 1), (MONTHS[1], 2)]
    assert would[0].why.startswith("it lies before the window of the next run, and nothing that is kept")
    assert would[1].why.startswith("it was revised")
    assert len(store.current("churn")) == 6
    assert went(pruning.prune("churn", POLICY, now=LATER)) == went(would)
    assert sorted(store.current("churn")) == MONTHS[2:]
    assert pruning.prune("churn", POLICY, now=LATER) == []


def test_what_was_asked_for_lately_or_is_new_stays(store):
    """A backfill that is under way has registered nothing yet."""
    learnt(store, *MONTHS[:3], asked_at=LATER - timedelta(days=1))
    write(store, MONTHS[3], 7, now=LATER - timedelta(days=1))
    found = pruner(store).plan("churn", POLICY, now=LATER)
    assert went(found) == [(MONTHS[1], 1), (MONTHS[3], 1)]
    assert pruner(store).plan("churn", POLICY, now=NOW) == []


def test_a_version_that_is_asked_for_again_counts_as_new(store):
    """The file's time is when somebody last asked."""
    version = store.version("churn", learnt(store, MONTHS[0]))
    before = [each.digest for each in store.asked_since("churn", LATER)]
    store.record(version)
    assert (before, [each.digest for each in store.asked_since("churn", LATER)]) == ([], [version.digest])


@pytest.mark.parametrize("digest", ["", "0" * 64])
def test_nothing_goes_while_it_is_not_known_what_is_needed(store, digest):
    """A version of another store, or of a registry that does not tell; or no registry at all."""
    with pytest.raises(Refused, match=r"version 3 learnt from is not recorded here.*Prune it first"):
        pruner(store, v3=digest).plan("churn", POLICY, now=LATER)
    with pytest.raises(Refused, match="MLFLOW_TRACKING_URI"):
        replace(pruner(store), versions=None).plan("churn", POLICY, now=LATER)


def test_a_release_that_retention_removed_needs_no_rows_and_one_that_lost_its_image_does(store):
    """The second may be rebuilt from what it was made of."""
    releases = MemoryReleases()
    first = released(releases, 1, learnt(store, MONTHS[0]))
    second = released(releases, 2, learnt(store, MONTHS[2]))
    releases.note_missing({first.id: f"{REMOVED} 2026-01-05", second.id: "its image is gone"}, at=NOW)
    found = pruner(store, releases).plan("churn", POLICY, now=LATER)
    assert went(found) == [(MONTHS[0], 1), (MONTHS[1], 1), (MONTHS[1], 2), (MONTHS[3], 1)]


def test_a_content_whose_rows_are_gone_is_still_the_first_of_its_partition(store):
    """Else what revised it would count as known from the end of the interval on."""
    store.let_go(store.history("churn")[MONTHS[1]][0].partition)
    first, second = store.history("churn")[MONTHS[1]]
    assert (first.is_pruned, first.partition.rows, second.is_pruned) == (True, 1, False)
    assert store.current("churn")[MONTHS[1]].rows == 2
    store.let_go(first.partition)
    assert [each.is_pruned for each in store.history("churn")[MONTHS[1]]] == [True, False]


def test_rows_that_went_come_back_with_the_same_content(store):
    """Landed again they are what they were, and no revision."""
    before = store.current("churn")[MONTHS[0]]
    store.let_go(before)
    assert MONTHS[0] not in store.current("churn")
    assert write(store, MONTHS[0], 0, now=LATER) == before
    (again,) = store.history("churn")[MONTHS[0]]
    assert (again.is_pruned, again.seen_at) == (False, NOW)


def test_letting_go_that_was_killed_between_its_two_steps_is_done_by_the_next(store, monkeypatch):
    """Told first: until the folder is gone its rows are there, and afterwards it is known that they were."""
    from flightworthy.adapters.dataset_files import writing

    def killed(_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(writing, "remove_folder", killed)
        with pytest.raises(KeyboardInterrupt):
            pruner(store).prune("churn", POLICY, now=LATER)
    assert store.history("churn")[MONTHS[0]][0].is_pruned is False
    assert store.read(store.current("churn")[MONTHS[0]])["id"].tolist() == [0]
    assert went(pruner(store).prune("churn", POLICY, now=LATER))[0] == (MONTHS[0], 1)
    assert store.history("churn")[MONTHS[0]][0].is_pruned is True


def part(store, key, *rows, refused):
    """A partition of which the rows at these places wait; what waits."""
    whole = write(store, key, *rows)
    apart = RefusedRows(places=tuple(refused), reasons=tuple(("odd",) for _ in refused), objections=("id: odd",))
    return store.set_aside(whole, store.part(whole, refused), apart, reason="odd", now=NOW)


def give_up(store, held, *rows):
    store.give_up(held, Discard(actor="ada", reason="typing mistakes", at=NOW, rows=rows))


def gone(found, key):
    return [each.partition.rows for each in found if each.partition.key == key]


def test_what_goes_on_stays_as_long_as_a_release_or_a_row_that_waits_needs_it(store):
    """Of ten rows two wait. Once one is back, the content with it is what the other needs."""
    key = "2024-12"
    part(store, key, *range(10), refused=[2, 5])
    digest = learnt(store, key)
    assert gone(pruner(store).plan("churn", POLICY, now=LATER), key) == []

    (held,) = store.quarantined("churn")
    store.take_back(held, [2], actor="ada", reason="right", now=NOW)
    (held,) = store.quarantined("churn")
    assert gone(pruner(store).plan("churn", POLICY, now=LATER), key) == [8]
    assert gone(pruner(store, v1=digest).plan("churn", POLICY, now=LATER), key) == []
    releases = MemoryReleases()
    released(releases, 1, digest)
    assert gone(pruner(store, releases).prune("churn", POLICY, now=LATER), key) == []
    assert gone(pruner(store).prune("churn", POLICY, now=LATER), key) == [8]

    back = store.take_back(held, [5], actor="ada", reason="right", now=NOW)
    assert store.read(back)["id"].tolist() == list(range(10))


def test_rows_that_were_given_up_keep_nothing_and_are_parted_again_when_the_source_is_landed_again(store):
    """Until then they say why they cannot go back; afterwards all is as it was decided, and nothing came in twice."""
    key = "2024-12"
    held = part(store, key, *range(10), refused=[2, 5])
    store.take_back(held, [2], actor="ada", reason="right", now=NOW)
    (held,) = store.quarantined("churn")
    give_up(store, held, 5)
    assert gone(pruner(store).prune("churn", POLICY, now=LATER), key) == [10 - 2, 10 - 1]
    (held,) = store.quarantined("churn")
    assert (held.waiting, held.given_up, held.kept.rows) == (0, 1, 9)
    with pytest.raises(PartitionRefused, match="what went on without them is not there any more: retention let it go"):
        store.may_return(held)

    ask = Ask(model="churn", key=key, window=1, as_of=None, known_since=None)
    taken = ingest(Landed(tables={key: pa.table({"id": list(range(10))})}), store, ask, now=LATER)
    assert store.frame(taken.version)["id"].tolist() == [0, 1, 2, 3, 4, 6, 7, 8, 9]
    (held,) = store.quarantined("churn")
    store.may_return(held)
    back = store.take_back(held, [5], actor="ada", reason="right", now=LATER)
    assert store.read(back)["id"].tolist() == list(range(10))
