"""What a person sees of quarantine, and decides about it."""

from __future__ import annotations

import json
import shutil
import tracemalloc
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.dataset import PartitionVersion, version_of
from flightworthy.errors import PartitionRefused
from flightworthy.quarantine import Quarantined, RefusedRows
from tests.flightworthy.cli.conftest import NOW, Call, House, release_of

MODEL = "diagnosis"
KEY = "2026-01-05"
ROWS = pa.table({"record_id": [7, 8, 9], "mean_radius": [11.5, -3.0, None]})
SHIPPED = Path(__file__).parents[3] / "include" / "models" / MODEL


@pytest.fixture
def store(house: House) -> DatasetFiles:
    (house.models / MODEL).mkdir()
    return DatasetFiles(root=house.home / "datasets")


def whole(store: DatasetFiles) -> Quarantined:
    """A partition that waits whole."""
    partition = store.write(MODEL, KEY, ROWS, sources=["x.csv"], now=NOW)
    return store.quarantine(partition, reason="2 expectations failed", objections=["a", "b"], now=NOW)


def parted(store: DatasetFiles) -> Quarantined:
    """A partition of which two rows wait."""
    partition = store.write(MODEL, KEY, ROWS, sources=["x.csv"], now=NOW)
    refused = RefusedRows(
        places=(1, 2), reasons=(("mean_radius: below 0",), ("mean_radius: missing",)), objections=("mean_radius: two",)
    )
    return store.set_aside(partition, store.part(partition, [1, 2]), refused, reason="2 of 3 rows", now=NOW)


def actions(house: House) -> list[tuple[str, int, str]]:
    return [(entry.action, entry.generation, entry.reason) for entry in house.store.history(MODEL)]


def test_a_partition_taken_back_in_is_current_and_passed_and_the_ledger_says_by_whom(
    call: Call, house: House, store: DatasetFiles
) -> None:
    """A remark that makes no generation; the same again finds nothing that waits."""
    held = whole(store)
    told = call("quarantine", "release", MODEL, KEY, "--reason", "checked by hand: the source is right")
    assert told.code == 0
    assert "3 rows of partition 2026-01-05 were taken back in" in told.out
    (current,) = store.current(MODEL).values()
    assert (current.digest, store.has_passed(current), store.quarantined(MODEL)) == (held.digest, True, [])
    ((action, generation, reason),) = actions(house)
    assert (action, generation) == ("waived", -1)
    assert reason == f"partition {KEY} ({held.digest[:12]}): checked by hand: the source is right"
    assert house.store.deployment(MODEL).generation == 0
    again = call("quarantine", "release", MODEL, KEY, "--reason", "x")
    assert (again.code, "nothing of partition 2026-01-05 of diagnosis waits" in again.err) == (1, True)


def test_rows_taken_back_in_stand_in_their_places(call: Call, store: DatasetFiles) -> None:
    """The partition is what the source had delivered, to the digest."""
    held = parted(store)
    assert store.current(MODEL)[KEY] == held.kept
    assert "3 are in it now" in call("quarantine", "release", MODEL, KEY, "--reason", "they are right").out
    current = store.current(MODEL)[KEY]
    assert (current.digest, current.rows) == (held.digest, 3)
    assert store.read(current)["record_id"].tolist() == [7, 8, 9]
    assert (store.has_passed(current), store.quarantined(MODEL)) == (True, [])


def test_a_person_chooses_rows_and_is_told_what_still_waits(call: Call, house: House, store: DatasetFiles) -> None:
    """By number and by reason, as they are shown; the ledger says which."""
    held = parted(store)
    told = call("quarantine", "release", MODEL, KEY, "--rows", "1", "--reason", "measured twice")
    assert "1 rows of partition 2026-01-05 were taken back in, 2 are in it now" in told.out
    assert "1 rows still wait." in told.out
    told = call("quarantine", "show", MODEL, KEY)
    assert "with 2 rows; 0 given up, 1 taken back in" in told.out
    document = call(
        "quarantine", "discard", MODEL, KEY, "--unmet", "mean_radius: miss", "--reason", "r", "--json"
    ).document
    assert document == {
        "model": MODEL, "key": KEY, "digest": held.digest, "done": "discarded", "rows": 1, "left": 0,
    }  # fmt: skip
    (listed,) = call("quarantine", "list", MODEL, "--json").document["partitions"]
    assert {name: listed[name] for name in ("rows", "waiting", "given_up", "taken_back", "freezes")} == {
        "rows": 1, "waiting": 0, "given_up": 1, "taken_back": 1, "freezes": False,
    }  # fmt: skip
    (shown,) = call("quarantine", "show", MODEL, KEY, "--json").document["shown"]
    assert (shown["number"], shown["state"]) == (2, "given up")
    assert [(action, reason.partition(" of ")[0]) for action, _, reason in actions(house)] == [
        ("waived", "rows 1"),
        ("discarded", "rows 2"),
    ]


@pytest.mark.parametrize("written", ["", "3,", "9-7", "a", "-3", "1.5", "3-"])
def test_what_names_no_rows_is_a_matter_of_usage(call: Call, store: DatasetFiles, written: str) -> None:
    """Nothing is looked at."""
    held = parted(store)
    told = call("quarantine", "release", MODEL, KEY, f"--rows={written}", "--reason", "r")
    assert (told.code, "names no rows; write them as 3,7-9" in told.err) == (2, True)
    assert store.quarantined(MODEL)[0].waiting == held.waiting == 2


def test_a_slip_of_the_pen_that_names_a_billion_rows_is_refused_at_once(call: Call, store: DatasetFiles) -> None:
    """It is told as it was written, and no list is made of it."""
    parted(store)
    tracemalloc.start()
    told = call("quarantine", "release", MODEL, KEY, "--rows", "0-99999999999999999999,7", "--reason", "r", "--json")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert told.code == 1
    assert "rows 0, 3-99999999999999999999 of partition" in told.err
    assert told.document["error"]["facts"]["rows"] == ["0", "3-99999999999999999999"]
    assert peak < 64 * 1024**2


def test_rows_that_somebody_changed_are_not_taken_back_in(call: Call, store: DatasetFiles) -> None:
    """Put together they are not what the source had delivered."""
    held = parted(store)
    other = store.write("other", KEY, ROWS.slice(0, 2), sources=[], now=NOW)
    shutil.copy(store.rows(other).file, Path(held.uri) / "data.parquet")
    told = call("quarantine", "release", MODEL, KEY, "--reason", "r")
    assert (told.code, "somebody changed them" in told.err) == (1, True)
    assert store.current(MODEL)[KEY] == held.kept


def test_what_was_given_up_stays_and_freezes_nothing(call: Call, house: House, store: DatasetFiles) -> None:
    """It says who and why, may be shown, and may still be taken back in."""
    held = whole(store)
    assert store.refused(MODEL) == [held]
    told = call("quarantine", "discard", MODEL, KEY, "--reason", "nobody will mend it")
    assert (told.code, "partition 2026-01-05 given up" in told.out) == (0, True)
    assert store.refused(MODEL) == []
    (listed,) = call("quarantine", "list", MODEL, "--json").document["partitions"]
    assert (listed["freezes"], listed["discarded"]["reason"]) == (False, "nobody will mend it")
    assert "given up by" in call("quarantine", "list", MODEL).out
    assert call("quarantine", "show", MODEL, KEY).code == 0
    assert call("quarantine", "discard", MODEL, KEY, "--reason", "again").code == 0
    assert [action for action, *_ in actions(house)] == ["discarded"]
    assert call("quarantine", "release", MODEL, KEY, "--reason", "it was mended in place").code == 0
    assert [action for action, *_ in actions(house)] == ["discarded", "waived"]
    assert store.refused(MODEL) == store.quarantined(MODEL) == []


def test_what_a_given_up_content_had_corrected_does_not_stand_again(call: Call, store: DatasetFiles) -> None:
    """The person is told that the interval has no data, and so it is; until the content is taken back in."""
    store.write(MODEL, KEY, ROWS.slice(1), sources=["x.csv"], now=NOW)
    corrected = store.write(MODEL, KEY, ROWS, sources=["x.csv"], now=NOW + timedelta(days=1))
    call("quarantine", "hold", MODEL, KEY, "--reason", "the labels are of another week")
    told = call("quarantine", "discard", MODEL, KEY, "--reason", "nobody will mend it")
    assert "Its interval has no data until another content of it lands or is taken back in." in told.out
    assert store.current(MODEL) == {}
    call("quarantine", "release", MODEL, KEY, "--reason", "they are right after all")
    assert store.current(MODEL) == {KEY: corrected}


def test_what_has_come_since_stands_though_what_it_replaced_is_given_up(call: Call, store: DatasetFiles) -> None:
    """And the person is told which content that is."""
    whole(store)
    mended = store.write(MODEL, KEY, ROWS.slice(1), sources=["x.csv"], now=NOW)
    told = call("quarantine", "discard", MODEL, KEY, "--reason", "it was mended")
    assert f"Its content {mended.digest[:12]} of 2 rows stands, and is learnt from." in told.out
    assert store.current(MODEL) == {KEY: mended}


def test_giving_up_what_nobody_learns_from_takes_nothing_away(call: Call, store: DatasetFiles) -> None:
    """An older content that was refused late stood in nobody's place; rows that wait go on without."""
    older = store.write(MODEL, KEY, ROWS.slice(1), sources=["x.csv"], now=NOW)
    parted(store)
    stands = store.current(MODEL)
    store.quarantine(older, reason="refused late", objections=["a"], now=NOW)
    assert call("quarantine", "discard", MODEL, KEY, "--digest", older.digest, "--reason", "r").code == 0
    (held,) = (each for each in store.quarantined(MODEL) if not each.is_whole)
    told = call("quarantine", "discard", MODEL, KEY, "--digest", held.digest, "--reason", "nobody knows them")
    assert (told.code, "Its interval" in told.out) == (0, False)
    assert store.current(MODEL) == stands != {}


def test_after_rows_were_taken_back_in_giving_up_the_partition_leaves_no_part_of_it(
    call: Call, store: DatasetFiles
) -> None:
    """What went on without the rows was there before; nobody has said that it is right alone."""
    parted(store)
    call("quarantine", "release", MODEL, KEY, "--rows", "1", "--reason", "it is right")
    call("quarantine", "hold", MODEL, KEY, "--reason", "all of it is odd")
    (held,) = (each for each in store.quarantined(MODEL) if each.is_whole)
    assert call("quarantine", "discard", MODEL, KEY, "--digest", held.digest, "--reason", "r").code == 0
    assert store.current(MODEL) == {}


def test_a_partition_that_had_passed_is_refused_by_a_person(call: Call, house: House, store: DatasetFiles) -> None:
    """As often as it takes: each time is a remark of its own."""
    partition = store.write(MODEL, KEY, ROWS, sources=["x.csv"], now=NOW)
    store.mark_passed(partition, suite="s", now=NOW)
    told = call("quarantine", "hold", MODEL, KEY, "--reason", "the labels are of another week", "--json")
    assert told.document == {
        "model": MODEL,
        "key": KEY,
        "digest": partition.digest,
        "done": "held",
        "rows": 3,
        "left": 0,
    }
    (held,) = store.refused(MODEL)
    assert held.reason.endswith("(command line): the labels are of another week")
    assert call("quarantine", "hold", MODEL, KEY, "--reason", "x").code == 1
    call("quarantine", "release", MODEL, KEY, "--reason", "they are right after all")
    call("quarantine", "hold", MODEL, KEY, "--reason", "the labels are of another week")
    assert [(action, number) for action, number, _ in actions(house)] == [("held", -1), ("waived", -2), ("held", -3)]
    assert call("ledger", "verify").code == 0


def test_a_decision_that_was_cut_short_is_finished_and_not_told_twice(
    call: Call, house: House, store: DatasetFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger comes first; whoever is killed before the rest asks again."""
    held = whole(store)
    with monkeypatch.context() as patched:
        patched.setattr(DatasetFiles, "take_back", lambda *_args, **_kwargs: (_ for _ in ()).throw(OSError(5, "died")))
        assert call("quarantine", "release", MODEL, KEY, "--reason", "r").code == 3
    assert store.quarantined(MODEL) == [held]
    assert call("quarantine", "release", MODEL, KEY, "--reason", "r").code == 0
    assert [action for action, *_ in actions(house)] == ["waived"]


def test_what_could_not_be_read_cannot_be_taken_back_in(call: Call, house: House, store: DatasetFiles) -> None:
    """There is nothing to take; nothing is decided either."""
    store.refuse(MODEL, KEY, PartitionRefused("x.csv has 0 bytes"), now=NOW)
    told = call("quarantine", "release", MODEL, KEY, "--reason", "r")
    assert (told.code, "nobody could read it" in told.err) == (1, True)
    assert "could not be read" in call("quarantine", "show", MODEL, KEY).out
    assert actions(house) == []
    discarded = call("quarantine", "discard", MODEL, KEY, "--reason", "r")
    assert discarded.code == 0
    assert "Nobody could read it, so nothing takes it back in" in discarded.out
    assert "quarantine release" not in discarded.out


def test_a_corrected_content_is_not_replaced_by_the_refused_one(call: Call, store: DatasetFiles) -> None:
    """Whole or rows: what has come since stands."""
    whole(store)
    mended = store.write(MODEL, KEY, ROWS.slice(0, 1), sources=["x.csv"], now=NOW)
    told = call("quarantine", "release", MODEL, KEY, "--reason", "r")
    assert (told.code, "another content of it has come since" in told.err) == (1, True)
    assert (store.current(MODEL)[KEY], store.refused(MODEL)) == (mended, [])


def test_which_of_several_contents_is_said_by_its_digest(call: Call, store: DatasetFiles) -> None:
    """A guess would decide about the wrong one."""
    first = whole(store)
    partition = store.write(MODEL, KEY, ROWS.slice(1), sources=["x.csv"], now=NOW)
    second = store.quarantine(partition, reason="again", objections=["a"], now=NOW)
    told = call("quarantine", "discard", MODEL, KEY, "--reason", "r")
    assert (told.code, "name one with --digest" in told.err) == (1, True)
    assert first.digest[:12] in told.err
    assert call("quarantine", "discard", MODEL, KEY, "--digest", second.digest[:8], "--reason", "r").code == 0
    assert [held.discarded is not None for held in sorted(store.quarantined(MODEL), key=lambda h: h.reason)] == [
        False,
        True,
    ]


@pytest.mark.parametrize("verb", ["release", "discard", "hold"])
def test_a_reason_is_needed_and_holds_no_secret(call: Call, house: House, store: DatasetFiles, verb: str) -> None:
    """The ledger keeps it for ever."""
    store.write(MODEL, KEY, ROWS, sources=[], now=NOW) if verb == "hold" else whole(store)
    assert "needs a reason" in call("quarantine", verb, MODEL, KEY, "--reason", "  ").err
    assert "looks like a password" in call("quarantine", verb, MODEL, KEY, "--reason", "password=hunter2-x9").err
    assert actions(house) == []


def test_rows_are_shown_with_their_reasons_and_what_names_a_person_is_masked(
    call: Call, house: House, store: DatasetFiles
) -> None:
    """By model.yaml; where that cannot be read, all of it is masked."""
    parted(store)
    told = call("quarantine", "show", MODEL, KEY, "--json").document
    assert [each["row"] for each in told["shown"]] == [
        {"record_id": "•••", "mean_radius": "•••"},
        {"record_id": "•••", "mean_radius": None},
    ]
    said = (SHIPPED / "model.yaml").read_text()
    (house.models / MODEL / "model.yaml").write_text(f"{said}\n{PERSONAL}")
    told = call("quarantine", "show", MODEL, KEY, "--json").document
    assert [(each["number"], each["reasons"]) for each in told["shown"]] == [
        (1, ["mean_radius: below 0"]),
        (2, ["mean_radius: missing"]),
    ]
    assert [each["row"] for each in told["shown"]] == [
        {"record_id": "•••", "mean_radius": -3.0},
        {"record_id": "•••", "mean_radius": None},
    ]
    text = call("quarantine", "show", MODEL, KEY, "--limit", "1").out
    assert "1 rows: mean_radius: below 0" in text
    assert text.endswith("1 more; --limit shows them.\n")
    assert " 8 " not in text


PERSONAL = "personal: {columns: {record_id: pseudonym}}\n"


def test_status_says_which_releases_were_trained_on_what_was_refused_later(
    call: Call, house: House, store: DatasetFiles
) -> None:
    """Live, previous and kept; until it is taken back in. Rows that went alone taint nothing."""
    partitions = {key: store.write(MODEL, key, ROWS, sources=[], now=NOW) for key in (KEY, "2026-01-12")}
    trained_on(house, store, 1, *partitions.values())
    trained_on(house, store, 2, partitions["2026-01-12"])
    trained_on(house, store, 3, *partitions.values())
    house.promote(1)
    house.promote(2)
    house.promote(3)
    assert call("status", MODEL, "--json").document["models"][0]["refused_later"] == []
    call("quarantine", "hold", MODEL, KEY, "--reason", "the labels are of another week")
    told = call("status", MODEL, "--json").document["models"][0]["refused_later"]
    assert [(each["release"], each["role"], each["key"]) for each in told] == [
        ("diagnosis-3-abcdef01", "live", KEY),
        ("diagnosis-1-abcdef01", "kept", KEY),
    ]
    heads, first, *_ = call("status", MODEL).out.split("\n\n")[-1].splitlines()
    assert heads.split("  ")[0] == "TRAINED ON"
    assert first.split()[:3] == [KEY, "diagnosis-3-abcdef01", "live"]
    call("quarantine", "release", MODEL, KEY, "--reason", "they are right after all")
    assert call("status", MODEL, "--json").document["models"][0]["refused_later"] == []


def trained_on(house: House, store: DatasetFiles, number: int, *partitions: PartitionVersion) -> None:
    """A release that knows its dataset version."""
    version = version_of(MODEL, partitions[-1].key, partitions, window=9)
    store.record(version)
    house.store.add_release(replace(release_of(MODEL, number), bundle={"dataset_digest": version.digest}))


def test_remarks_stand_in_the_history_and_in_an_export_and_change_nothing_else(
    call: Call, house: House, store: DatasetFiles, tmp_path: Path
) -> None:
    """What served then is answered as if they were not there; the chain holds with them."""
    first = house.promote(1)
    whole(store)
    call("quarantine", "discard", MODEL, KEY, "--reason", "nobody will mend it")
    after = (NOW + timedelta(days=999)).isoformat()
    assert call("history", MODEL, "--at", after, "--json").document["champion"]["release"] == first.id
    assert "discarded" in call("history", MODEL).out
    assert call("ledger", "verify").code == 0
    out = tmp_path / "ledger.jsonl"
    assert call("ledger", "export", "--output", str(out)).code == 0
    assert call("ledger", "verify", str(out)).code == 0
    told = [json.loads(line) for line in out.read_text().splitlines()]
    assert [each["generation"] for each in told if each["kind"] == "entry"] == [1, 2, -1]
    house.promote(2)
    assert call("ledger", "verify").code == 0
