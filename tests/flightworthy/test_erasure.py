"""A person is taken out of everything that is kept, whatever is killed meanwhile, and stays out."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from flightworthy.adapters.dataset_files import DatasetErasure, DatasetFiles
from flightworthy.adapters.prediction_files import (
    Compacted,
    PredictionCompaction,
    PredictionErasure,
    PredictionFiles,
    erasing,
)
from flightworthy.dataset import Split, version_of
from flightworthy.erasure import Asked, Erasure, Places, contents_with, erase, person_named
from flightworthy.errors import ArtifactRefused, Refused
from flightworthy.known import Ask, Cutoff, KnownSince
from flightworthy.personal import Keys, fingerprint, pseudonym
from flightworthy.quarantine import Discard, RefusedRows
from flightworthy.release import Cause, prove_all
from flightworthy.serving.contract_file import parse_contract
from flightworthy.serving.prediction_log import Answer, PredictionLog
from flightworthy.testing import MemoryReleases
from tests.flightworthy.adapters.log_makers import LATER, MODEL, NOON, answers, line_of, write_log

ROOT = Path(__file__).parents[2]
KEY = b"0123456789abcdef"
KEYS = Keys(current=KEY)


@pytest.fixture(autouse=True)
def nobody_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    """No server holds lines back, unless a test starts one."""
    monkeypatch.setattr(erasing, "_FLUSHED_SECONDS", 0.0)


def places(tmp_path: Path) -> Places:
    return Places(
        datasets=DatasetErasure(root=tmp_path / "datasets"),
        log=PredictionErasure(folder=tmp_path / "predictions"),
        ledger=MemoryReleases(),
    )


def forget(where: Places, entity: str, *, reason: str = "request 12", is_dry_run: bool = False) -> Erasure:
    person = person_named(entity, KEYS, model=MODEL)
    asked = Asked(model=MODEL, column="patient", person=person, side=Split.TRAIN, versions=None)
    return erase(asked, where, Cause(actor="ada", reason=reason, at=LATER), is_dry_run=is_dry_run)


def stored(where: Places) -> DatasetFiles:
    assert isinstance(where.datasets, DatasetErasure)
    return DatasetFiles(root=where.datasets.root)


def store_rows(where: Places, key: str, *patients: object) -> str:
    table = pa.table({"patient": list(patients), "age": list(range(len(patients)))})
    store = stored(where)
    written = store.write(MODEL, key, table, sources=["x.csv"], now=NOON)
    store.record(version_of(MODEL, key, store.current(MODEL).values(), window=9))
    return written.digest


def test_killed_before_any_effect_and_run_again_it_ends_as_if_never_killed() -> None:
    """SIGKILL before every rename, removal and blank; nobody else's row is ever lost, and one entry tells of it."""
    paths = os.pathsep.join(map(str, (ROOT / "include", ROOT)))
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "flightworthy" / "erasing.py")],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    *killed, never_killed = map(json.loads, done.stdout.splitlines())
    assert never_killed["effect"] == ""
    assert {each["effect"] for each in killed} >= {"os.rename", "os.remove", "open to write", "pwrite"}
    assert len(killed) > 50
    whole = never_killed["again"]
    assert whole["named"] == []
    assert whole["told"] == ["erased"]
    for number, each in enumerate(killed, start=1):
        where = f"killed before effect {number}, {each['effect']}"
        assert each["again"] == whole, where
        assert everybody_else(each["killed"]) == everybody_else(whole), where


def everybody_else(seen: dict) -> list:
    rows = [*seen["current"].items(), *seen["held"].items()]
    return [[key, [name for name in names if name != "patient-7"]] for key, names in rows] + [
        {prediction: count for prediction, count in seen["log"].items() if prediction != "0.5"}
    ]


def test_it_is_idempotent_and_told_once(tmp_path: Path) -> None:
    """The second time nothing is found; what learnt from them is listed all the same."""
    where = places(tmp_path)
    first = store_rows(where, "2026-01", "patient-7", "patient-8")
    write_log(tmp_path / "predictions", line_of(entity="patient-7") + line_of(entity="patient-8"))

    once, again = forget(where, "patient-7"), forget(where, "patient-7")

    assert [(each.digest, each.rows) for each in once.removed] == [(first, 1)]
    assert [each.rows for each in once.cleared] == [1]
    assert not again.found_anything
    assert again.learnt == once.learnt
    assert len(once.learnt.datasets) == 1
    (entry,) = where.ledger.history(MODEL)
    assert (entry.action, entry.actor, entry.reason) == ("erased", "ada", "request 12")
    assert prove_all(where.ledger)[1] == 1


def test_the_ledger_knows_them_by_their_pseudonym_alone(tmp_path: Path) -> None:
    """Its evidence lists what was replaced by what, so that lineage can be followed."""
    where = places(tmp_path)
    digest = store_rows(where, "2026-01", "patient-7", "patient-8")

    erasure = forget(where, "patient-7")

    (entry,) = where.ledger.history(MODEL)
    body = where.ledger.evidence(entry.evidence[0])
    assert body is not None
    said = json.loads(body)
    assert (said["entity"], said["key"]) == (pseudonym(KEY, "patient-7"), fingerprint(KEY))
    assert said["replaced"] == [["2026-01", digest, erasure.removed[0].replaced_by, 1]]
    assert "patient-7" not in body + str(entry)


def test_a_dry_run_finds_the_same_and_changes_nothing(tmp_path: Path) -> None:
    """Not even the list."""
    where = places(tmp_path)
    store_rows(where, "2026-01", "patient-7", "patient-8", "patient-7")
    write_log(tmp_path / "predictions", line_of(entity="patient-7"))
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}

    tried = forget(where, "patient-7", is_dry_run=True)

    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before
    assert where.ledger.history(MODEL) == []
    done = forget(where, "patient-7")
    assert [(each.key, each.digest, each.rows) for each in tried.removed] == [
        (each.key, each.digest, each.rows) for each in done.removed
    ]
    assert (tried.cleared, tried.learnt) == (done.cleared, done.learnt)


def test_a_dataset_version_of_before_is_named_and_says_why_it_cannot_be_read(tmp_path: Path) -> None:
    """Its record stays, so that what was trained on it is still explained."""
    where = places(tmp_path)
    store_rows(where, "2026-01", "patient-7", "patient-8")
    datasets = stored(where)
    (version,) = where.datasets.recorded(MODEL)

    erasure = forget(where, "patient-7")

    assert datasets.version(MODEL, version.digest) == version
    assert [each.replaced_by for each in DatasetErasure(root=datasets.root).gone(version)] == [
        erasure.removed[0].replaced_by
    ]
    with pytest.raises(ArtifactRefused, match="somebody's rows were erased from it"):
        datasets.frame(version)
    with pytest.raises(ArtifactRefused, match="somebody's rows were erased from it"):
        datasets.rows(version.partitions[0])


def test_of_two_people_each_one_s_dataset_versions_are_found(tmp_path: Path) -> None:
    """Also those of before the first was erased, whose partitions are two contents ago."""
    where = places(tmp_path)
    store_rows(where, "2026-01", "patient-7", "patient-8", "patient-9")
    oldest = forget(where, "patient-7").learnt.datasets
    datasets = stored(where)
    datasets.record(version_of(MODEL, "2026-01", datasets.current(MODEL).values(), window=9))

    tried = forget(where, "patient-8", is_dry_run=True).learnt.datasets
    found = forget(where, "patient-8").learnt.datasets

    assert tried == found
    assert len(found) == 2
    assert set(oldest) < set(found)
    assert datasets.current(MODEL)["2026-01"].rows == 1
    assert contents_with("nobody", [], where.datasets.replaced(MODEL)) == set()


def test_ids_that_are_numbers_and_pseudonyms_are_found_by_the_id(tmp_path: Path) -> None:
    """As a partition, or a request's head, writes them; by the pseudonym too, where somebody knows only that."""
    where = places(tmp_path)
    store_rows(where, "2026-01", 7, 8, 70)
    store_rows(where, "2026-02", pseudonym(KEY, "7"), pseudonym(KEY, "8"))
    write_log(tmp_path / "predictions", line_of(entity=pseudonym(KEY, "7")) + line_of(entity="8"))

    assert [each.rows for each in forget(where, "7").removed] == [1, 1]
    assert [each.rows for each in forget(where, pseudonym(KEY, "8")).removed] == [1]
    assert [each.rows for each in forget(where, "8").removed] == [1]
    assert stored(where).current(MODEL)["2026-01"].rows == 1


def test_without_a_key_or_with_a_reason_that_names_them_nobody_is_erased(tmp_path: Path) -> None:
    """What is written down for ever must not be what was to be forgotten."""
    where = places(tmp_path)
    store_rows(where, "2026-01", "patient-7")
    with pytest.raises(Refused, match="there is no key"):
        person_named("patient-7", None, model=MODEL)
    with pytest.raises(Refused, match="the reason names the person"):
        forget(where, "patient-7", reason="patient-7 wrote to us")
    with pytest.raises(Refused, match="password"):
        forget(where, "patient-7", reason="password=hunter2345")
    with pytest.raises(Refused, match="a reason is needed"):
        forget(where, "patient-7", reason=" ")
    with pytest.raises(Refused, match="the ID is empty"):
        forget(where, " ")
    assert stored(where).current(MODEL)["2026-01"].rows == 1


def test_everybody_s_rows_may_go(tmp_path: Path) -> None:
    """A partition of nobody is one still: its columns are known, and its key stands."""
    where = places(tmp_path)
    store_rows(where, "2026-01", "patient-7")

    forget(where, "patient-7")

    datasets = stored(where)
    current = datasets.current(MODEL)["2026-01"]
    assert (current.rows, list(datasets.read(current).columns)) == (0, ["patient", "age"])


def test_a_running_server_loses_no_line_meanwhile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It appends to the file in which lines are blanked; of others every line is there afterwards, of them none."""
    monkeypatch.setattr(erasing, "_FLUSHED_SECONDS", 1.0)
    contract = parse_contract(
        {"model": MODEL, "features": [{"name": "age", "type": "integer"}], "output": {"kind": "probability"}}
    )
    stamp = {"release": "diagnosis-2-1a2b3c4d", "version": "2", "arm": "a"}
    log = PredictionLog(tmp_path / "predictions" / MODEL, contract=contract, stamp=stamp)
    stopping = threading.Event()
    others = 0

    def serve() -> None:
        nonlocal others
        import numpy as np

        while not stopping.is_set():
            at = datetime.now(UTC)
            log.append(Answer("r", "patient-8", at, [(41,)], np.array([0.25]), 0.4))
            others += 1
            stopping.wait(0.001)

    import numpy as np

    for _ in range(500):
        log.append(Answer("r", "patient-7", datetime.now(UTC), [(41,)], np.array([0.5]), 0.4))
    serving = threading.Thread(target=serve)
    serving.start()
    cleared = PredictionErasure(folder=tmp_path / "predictions").erase(MODEL, {"patient-7"})
    stopping.set()
    serving.join()
    log.close()

    assert sum(each.rows for each in cleared) == 500
    window = PredictionFiles(tmp_path / "predictions").read(MODEL, since=NOON, until=datetime.now(UTC))
    assert window.broken == ()
    assert window.frame["prediction"].tolist() == [0.25] * others


def test_a_file_with_blanks_is_compacted_and_a_line_that_was_cut_short_is_blanked_too(tmp_path: Path) -> None:
    """What is left of a row names them all the same; the rows behind it keep their places."""
    cut = line_of(entity="patient-7")[:90]
    write_log(tmp_path, line_of(entity="patient-7") + line_of(prediction=0.75, entity="patient-8") + cut)

    assert [each.rows for each in PredictionErasure(folder=tmp_path).erase(MODEL, {"patient-7"})] == [2]

    assert answers(tmp_path) == {0.75: 1}
    assert not [path for path in (tmp_path / MODEL).iterdir() if b"patient-7" in path.read_bytes()]
    os.utime(next((tmp_path / MODEL).glob("*.jsonl")), (NOON.timestamp(), NOON.timestamp()))
    [done] = PredictionCompaction(tmp_path).compact(MODEL, now=LATER)
    assert isinstance(done, Compacted)
    assert (done.rows, answers(tmp_path)) == (1, {0.75: 1})


def test_no_link_is_followed_out_of_the_log(tmp_path: Path) -> None:
    """A server may put what it likes into its folder; what it points at is not the log's."""
    elsewhere = tmp_path / "elsewhere.jsonl"
    elsewhere.write_text(line_of(entity="patient-7"))
    write_log(tmp_path / "log", line_of(entity="patient-7"))
    (tmp_path / "log" / MODEL / "linked.jsonl").symlink_to(elsewhere)
    os.link(elsewhere, tmp_path / "log" / MODEL / "hard.jsonl")

    cleared = PredictionErasure(folder=tmp_path / "log").erase(MODEL, {"patient-7"})

    assert [each.rows for each in cleared] == [1]
    assert "patient-7" in elsewhere.read_text()


def test_no_compaction_works_while_somebody_is_erased(tmp_path: Path) -> None:
    """It may have read a line that is a blank a moment later, and would bring it back as Parquet."""
    from flightworthy.adapters.prediction_files.locks import alone

    write_log(tmp_path, line_of())
    with alone(tmp_path / MODEL):
        assert list(PredictionCompaction(tmp_path).compact(MODEL, now=LATER)) == []
    assert len(list(PredictionCompaction(tmp_path).compact(MODEL, now=LATER))) == 1


def test_who_asked_for_the_interval_before_gets_what_is_left_of_it(tmp_path: Path) -> None:
    """The same partitions without them, and of rows that were not known yet as many fewer as were theirs."""
    where = places(tmp_path)
    store = stored(where)
    since = KnownSince(columns=("known",), written=None)
    table = pa.table(
        {
            "patient": ["patient-7", "patient-8", "patient-7", "patient-9"],
            "known": ["2026-01-02", "2026-01-03", "2026-02-02", "2026-02-03"],
        }
    )
    partition = store.write(MODEL, "2026-01", table, sources=["x.csv"], now=NOON)
    by = datetime(2026, 2, 1, tzinfo=UTC)
    cutoff = Cutoff(known_since=since, by=by, unknown={partition.digest: 2})
    version = replace(version_of(MODEL, "2026-01", [partition], window=9), cutoff=cutoff)
    ask = Ask(model=MODEL, key="2026-01", window=9, as_of=by, known_since=since)
    store.record(version)
    store.answer(ask, version)
    store.settle(version, version)

    forget(where, "patient-7")

    left = store.answered(ask, "2026-01")
    assert left is not None
    assert left.digest != version.digest
    assert list(store.frame(left)["patient"]) == ["patient-8"]
    assert left.cutoff is not None
    assert list(left.cutoff.unknown.values()) == [1]
    forget(where, "patient-7")
    assert store.answered(ask, "2026-01") == left


@pytest.mark.parametrize("refused", [(1, 3), (1, 2), (0, 3), (4,)])
def test_rows_that_wait_apart_lose_theirs_and_go_back_to_their_places(tmp_path: Path, refused: tuple[int, ...]) -> None:
    """Whether theirs wait, went on, or both: what is left is put together as if they had never been delivered."""
    where = places(tmp_path)
    store = stored(where)
    names = ["patient-7", "patient-8", "patient-9", "patient-7", "patient-10"]
    partition = store.write(MODEL, "2026-01", pa.table({"patient": names}), sources=["x.csv"], now=NOON)
    apart = RefusedRows(places=refused, reasons=tuple(("odd",) for _ in refused), objections=("patient: odd",))
    store.set_aside(partition, store.part(partition, list(refused)), apart, reason="some", now=NOON)
    others = [name for name in names if name != "patient-7"]

    erasure = forget(where, "patient-7")

    assert sum(each.rows for each in erasure.removed) == 2
    (held,) = store.quarantined(MODEL)
    table, rows = store.waiting_rows(held), store.apart(held)
    waiting = [names[place] for place in refused if names[place] != "patient-7"]
    assert table["patient"].to_pylist() == waiting
    assert [others[row.place] for row in rows] == waiting
    assert list(store.read(store.current(MODEL)["2026-01"])["patient"]) == [n for n in others if n not in waiting]
    assert not forget(where, "patient-7").found_anything
    assert [row.number for row in rows] == [place for place in refused if names[place] != "patient-7"]
    back = store.take_back(held, [row.number for row in rows], actor="ada", reason="right after all", now=NOON)
    assert list(store.read(back)["patient"]) == others
    assert (
        back.digest
        == DatasetFiles(root=tmp_path / "fresh")
        .write(MODEL, "2026-01", pa.table({"patient": others}), sources=["x.csv"], now=NOON)
        .digest
    )


def test_rows_that_were_taken_back_in_lose_theirs_in_both_places_and_keep_their_numbers(tmp_path: Path) -> None:
    """Of four that were set aside two are back and one is given up; what is left can still be put together."""
    where = places(tmp_path)
    store = stored(where)
    names = [f"patient-{number}" for number in (7, 8, 7, 9, 7, 10, 11)]
    partition = store.write(MODEL, "2026-01", pa.table({"patient": names}), sources=["x.csv"], now=NOON)
    refused = (1, 2, 4, 5, 6)
    apart = RefusedRows(places=refused, reasons=tuple(("odd",) for _ in refused), objections=("patient: odd",))
    held = store.set_aside(partition, store.part(partition, list(refused)), apart, reason="some", now=NOON)
    store.take_back(held, [2, 5], actor="ada", reason="right", now=NOON)
    store.give_up(store.quarantined(MODEL)[0], Discard(actor="ada", reason="false", at=NOON, rows=(6,)))

    forget(where, "patient-7")

    (held,) = store.quarantined(MODEL)
    assert [(row.number, row.place, row.state) for row in store.apart(held)] == [
        (1, 0, "waits"),
        (5, 2, "taken back"),
        (6, 3, "given up"),
    ]
    assert store.waiting_rows(held)["patient"].to_pylist() == ["patient-8", "patient-11"]
    assert list(store.read(store.current(MODEL)["2026-01"])["patient"]) == ["patient-9", "patient-10"]
    assert not forget(where, "patient-7").found_anything
    store.may_return(held)
    back = store.take_back(held, [1, 6], actor="ada", reason="right", now=NOON)
    assert list(store.read(back)["patient"]) == ["patient-8", "patient-9", "patient-10", "patient-11"]
    assert store.quarantined(MODEL) == []
