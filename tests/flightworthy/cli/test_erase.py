"""Somebody asks to be forgotten: what the command does, says, and leaves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from flightworthy.adapters.dataset_files import DatasetErasure, DatasetFiles
from flightworthy.adapters.prediction_files import erasing
from flightworthy.dataset import version_of
from flightworthy.personal import Keys, pseudonym
from flightworthy.release import Cause, draft, promoted, propose
from tests.flightworthy.adapters.log_makers import line_of, write_log
from tests.flightworthy.cli.conftest import NOW, PERSONAL_SPEC, Call, House, Told, release_of

KEY = "0123456789abcdef"
NEWER = "a key that came later"
LEARNT = "patient-1"
"""Somebody whose rows are trained on."""
HELD = "patient-4"
"""Somebody of the holdout."""


@pytest.fixture
def erase(house: House, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Told]:
    """The command, in a home with a partition, a log, and a champion that learnt from it."""
    monkeypatch.setattr(erasing, "_FLUSHED_SECONDS", 0.0)
    (house.models / "diagnosis").mkdir()
    (house.models / "diagnosis" / "model.yaml").write_text(PERSONAL_SPEC)
    files = DatasetFiles(root=house.home / "datasets")
    patients = [pseudonym(KEY.encode(), each) for each in (LEARNT, HELD, "patient-9", LEARNT)]
    table = pa.table({"patient": patients, "age": [41, 42, 43, 44], "ill": [0, 1, 0, 1]})
    files.write("diagnosis", "2026-01-05", table, sources=["x.csv"], now=NOW)
    version = version_of("diagnosis", "2026-01-05", files.current("diagnosis").values(), window=9)
    files.record(version)
    for number, digest in ((1, "another"), (2, version.digest)):
        release = replace(release_of("diagnosis", number), bundle={"dataset_digest": digest})
        row = propose(house.store, release, actor="a test", reason="newer", now=NOW)
        after = promoted(row, NOW)
        house.store.swap(row, after, draft(row, after, "promoted", Cause(actor="deployer", reason="baked", at=NOW)))
    write_log(house.home / "predictions", line_of(entity=patients[0]) + line_of(entity=patients[1]))

    def run(entity: str, *words: str, keys: tuple[str, ...] = (KEY,)) -> Told:
        for key in keys:
            (tmp_path / key).write_text(key)
        environ = {"FLIGHTWORTHY_PSEUDONYM_KEY_FILE": ":".join(str(tmp_path / key) for key in keys)}
        return call("erase", "diagnosis", "--entity", entity, "--reason", "request 12", *words, environ=environ)

    return run


def test_it_says_what_went_who_learnt_from_it_and_how_to_retrain(erase: Callable[..., Told], house: House) -> None:
    """And the ledger holds with it."""
    told = erase(LEARNT, "--json")

    assert told.code == 0
    document = told.document
    assert document["entity"] == pseudonym(KEY.encode(), LEARNT)
    assert [(each["place"], each["key"], each["rows"]) for each in document["partitions"]] == [
        ("partitions", "2026-01-05", 2)
    ]
    assert [each["rows"] for each in document["log"]] == [1]
    assert (document["side"], document["versions"]) == ("train", None)
    assert document["releases"] == {"diagnosis-2-abcdef01": "champion"}
    assert document["retrain"] == "airflow dags trigger diagnosis.deploy"
    assert LEARNT not in told.out
    entry = house.store.history("diagnosis")[-1]
    assert (entry.action, entry.reason) == ("erased", "request 12")
    assert not [path for path in house.home.rglob("*") if path.is_file() and LEARNT.encode() in path.read_bytes()]


def test_run_again_it_finds_nothing_and_lists_the_same(erase: Callable[..., Told], house: House) -> None:
    """Who asks again is told again; the ledger is not."""
    first = erase(LEARNT, "--json").document
    again = erase(LEARNT, "--json").document

    assert (again["partitions"], again["log"]) == ([], [])
    assert [again[name] for name in ("datasets", "releases", "retrain")] == [
        first[name] for name in ("datasets", "releases", "retrain")
    ]
    assert [entry.action for entry in house.store.history("diagnosis")].count("erased") == 1


def test_of_somebody_in_the_holdout_nothing_was_learnt(erase: Callable[..., Told]) -> None:
    """A model was measured on them; that needs no retrain."""
    document = erase(HELD, "--json").document

    assert (document["side"], document["retrain"]) == ("holdout", None)
    assert document["releases"]


@pytest.mark.parametrize("patient, side", [(LEARNT, "train"), (HELD, "holdout")])
def test_whoever_is_named_by_a_pseudonym_is_on_the_side_of_their_rows(
    erase: Callable[..., Told], house: House, patient: str, side: str
) -> None:
    """A pseudonym stands for itself, also one of a former key with which the partitions go still."""
    stored = pseudonym(KEY.encode(), patient)
    assert erase(stored, "--dry-run", "--json").document["side"] == side
    DatasetErasure(root=house.home / "datasets").settle_key("diagnosis", Keys(current=KEY.encode()))
    named = [erase(each, "--dry-run", "--json", keys=(NEWER, KEY)).document for each in (stored, patient)]
    assert [(each["side"], each["found"], each["retrain"] is None) for each in named] == [
        (side, True, side == "holdout")
    ] * 2


def test_a_dry_run_says_so_and_leaves_everything(erase: Callable[..., Told], house: House) -> None:
    """For whoever must decide first."""
    before = {path: path.read_bytes() for path in (house.home / "datasets").rglob("*") if path.is_file()}

    told = erase(LEARNT, "--dry-run")

    assert "2 rows would be erased from 1 contents" in told.out
    assert "diagnosis-2-abcdef01 (champion)" in told.out
    assert {path: path.read_bytes() for path in (house.home / "datasets").rglob("*") if path.is_file()} == before


def test_somebody_whom_nobody_knows_is_said_to_be_so(erase: Callable[..., Told]) -> None:
    """Whoever mistypes an ID must not take it for done; they are kept out all the same."""
    told = erase(f" {LEARNT}")
    assert (told.code, "nobody with this ID was found; is it as the source writes it?" in told.out) == (0, True)
    assert erase("nobody", "--json").document["found"] is False
    assert [erase(LEARNT, "--json").document["found"] for _ in range(2)] == [True, True]


def test_an_id_may_come_from_stdin_and_stays_out_of_the_shell_s_history(
    erase: Callable[..., Told], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `flightworthy erase MODEL --entity -`."""
    import io

    monkeypatch.setattr("sys.stdin", io.StringIO(f"{LEARNT}\n"))
    assert erase("-", "--json").document["entity"] == pseudonym(KEY.encode(), LEARNT)


def test_without_the_key_nobody_is_erased(erase: Callable[..., Told], call: Call) -> None:
    """The refusal says where the key is to be named."""
    without = {"FLIGHTWORTHY_PSEUDONYM_KEY_FILE": ""}
    told = call("erase", "diagnosis", "--entity", LEARNT, "--reason", "x", environ=without)
    assert told.code == 1
    assert "FLIGHTWORTHY_PSEUDONYM_KEY_FILE" in told.err
