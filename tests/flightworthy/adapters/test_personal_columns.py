"""What a partition's rows go through before anything of them is written."""

from __future__ import annotations

import io
import os
import re
import zipfile
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import csv, parquet

from flightworthy.adapters.partition_files import PartitionFiles
from flightworthy.adapters.personal_columns import ProtectedSource, Protection
from flightworthy.errors import PartitionRefused, Refused
from flightworthy.personal import Keys, Treatment, Way, fingerprint, pseudonym
from flightworthy.spec import Source
from tests.training_material import make_spec

KEY, OTHER = b"0123456789abcdef", b"fedcba9876543210"
DATA = Path(os.environ.get("FLIGHTWORTHY_DATA_DIR", Path(__file__).parents[4] / "shared" / "data"))
NEEDS_DATA = pytest.mark.skipif(not DATA.is_dir(), reason=f"the real files are not at {DATA}")


def protection(keys: Keys | None = Keys(current=KEY), erased: Any = None, **personal: Any) -> Protection:  # noqa: B008
    return Protection.of(make_spec(features={"spent": "number"}, personal=personal), keys, erased or {})


def protect(table: pa.Table, **personal: Any) -> pa.Table:
    return protection(**personal).begin()(table)


def refused(table: pa.Table, *cuts: int, **personal: Any) -> list[str] | None:
    """The columns that the table is refused for, cut into batches before the named rows; None if it is not."""
    begun = protection(**personal).begin()
    borders = [0, *sorted(cuts), table.num_rows]
    try:
        for start, stop in pairwise(borders):
            begun(table.slice(start, stop - start))
    except PartitionRefused as refusal:
        return list(refusal.facts["columns"])
    return None


def test_declared_columns_become_what_the_spec_says() -> None:
    """Pseudonyms, coarser values, nothing at all; others stay as they are, in their order."""
    table = pa.table(
        {
            "customer": [7, 8, 7],
            "email": ["ada@example.com", "bob@example.com", None],
            "age": [37, 93, None],
            "joined": [date(2026, 1, 5), date(2026, 2, 6), None],
            "postcode": ["90210", "03601", None],
            "spent": [1.5, 2.5, 3.5],
        }
    )

    kept = protect(
        table,
        columns={
            "customer": "pseudonym",
            "email": "drop",
            "age": {"bucket": 5, "at_most": 90},
            "joined": {"date": "month"},
            "postcode": "zip3",
        },
    )

    assert kept.to_pydict() == {
        "customer": [pseudonym(KEY, 7), pseudonym(KEY, 8), pseudonym(KEY, 7)],
        "age": [35, 90, None],
        "joined": [date(2026, 1, 1), date(2026, 2, 1), None],
        "postcode": ["902", "000", None],
        "spent": [1.5, 2.5, 3.5],
    }
    assert kept["age"].type == pa.int64()


@pytest.mark.parametrize("declared", [True, False])
def test_a_refusal_of_the_reader_shows_no_cell_of_a_personal_column(tmp_path: Path, declared: bool) -> None:
    """It still names file, column and line; of any other column it shows what is wrong."""
    (tmp_path / "2026.csv").write_text("id,income\na,1.5\nb,1e400\n")
    treatments = {"income": Treatment(way=Way.DROP)} if declared else {}
    files = PartitionFiles(
        source=Source(uri=f"{tmp_path}/{{partition}}.csv", partition="%Y"), types={"income": "number"}
    )
    source = ProtectedSource(
        source=files,
        protection=Protection(treatments=treatments, not_personal=frozenset({"id"}), entity="id", keys=None),
    )

    with pytest.raises(PartitionRefused, match="line 3, column 'income'") as refused:
        _ = [list(batches) for batches in source.read(["2026"])["2026"].attempts()]

    assert ("1e400" in refused.value.message) == (not declared)
    assert (refused.value.facts["column"], refused.value.facts["line"]) == ("income", 3)


def placed_by(folder: Path, *rows: str, column: str | None) -> ProtectedSource:
    """One file of all partitions, whose rows say when they happened; ``column`` is declared personal."""
    (folder / "all.csv").write_text("\n".join(("id,seen", *rows, "")))
    said = {"uri": f"{folder}/all.csv", "partition": "%Y", "event_time": {"columns": ["seen"], "format": "%Y-%m-%d"}}
    treatments = {} if column is None else {column: Treatment(way=Way.DROP)}
    return ProtectedSource(
        source=PartitionFiles(source=Source.model_validate(said), types={}),
        protection=Protection(treatments=treatments, not_personal=frozenset(), entity="id", keys=None),
    )


@pytest.mark.parametrize("declared", [True, False])
def test_a_row_of_no_partition_is_told_without_its_time_where_that_is_personal(tmp_path: Path, declared: bool) -> None:
    """By its file and line: also where so many have none that the file is refused as a whole."""
    column, good = "seen" if declared else None, ["a,2026-01-05"] * 200
    source = placed_by(tmp_path, *good, "b,ada@example.org", column=column)
    assert [file.key for file in source.files()] == ["2026"]
    (told,) = source.unplaced()
    assert "all.csv line 202, column 'seen'" in told.message
    assert ("ada@example.org" in told.message) == (not declared)
    with pytest.raises(PartitionRefused, match="line 2, column 'seen'") as refused:
        placed_by(tmp_path, "b,ada@example.org", column=column).files()
    assert ("ada@example.org" in refused.value.message) == (not declared)


def test_without_the_key_nothing_is_even_read() -> None:
    """The refusal comes before the first row, and says where the key is to be put."""
    with pytest.raises(Refused, match="FLIGHTWORTHY_PSEUDONYM_KEY_FILE"):
        protection(keys=None, columns={"customer": "pseudonym"})
    with pytest.raises(Refused, match="flightworthy_default"):
        protection(keys=None, erased={fingerprint(KEY): frozenset({"a"})})
    protection(keys=None, columns={"email": "drop"})


def test_a_declared_column_that_is_not_there_refuses_the_partition() -> None:
    """It may be there under another name, and would be written as it is."""
    with pytest.raises(PartitionRefused, match=r"declares Email, .* it has e_mail"):
        protect(pa.table({"e_mail": ["nobody"]}), columns={"Email": "drop"})


def test_a_cell_that_cannot_be_treated_is_not_told() -> None:
    """Column and form are enough to find it."""
    with pytest.raises(PartitionRefused, match="'born': a cell is not a date") as refusal:
        protect(pa.table({"born": ["1985-03-14", "the 14th of March"]}), columns={"born": {"date": "year"}})
    assert "14th" not in str(refusal.value)


@pytest.mark.parametrize(
    "name, cells",
    [
        ("contact", [f"person{n}@example.com" for n in range(8)]),
        ("notes", ["nothing", "called back", "mail me at ada@example.com, please", None]),
        ("link", ["https://example.com/~ada"]),
        ("device", ["00:1A:2B:3C:4D:5E", "none"]),
        ("paid_to", ["DE89 3704 0044 0532 0130 00", "cash"]),
        ("column_7", [f"+49 30 9018{n:03d}" for n in range(8)]),
        ("column_8", [f"219-09-{1000 + n}" for n in range(8)]),
        ("column_9", [f"{n}.168.10.24" for n in range(10, 18)]),
        ("number", [4111111111111111, 4012888888881881, 5555555555554444, 5105105105105100, 378282246310005, 1, 2, 3]),
        ("Surname", ["Lovelace", "Byron"]),
        ("date_of_birth", [date(1985, 3, 14)]),
        ("patient_nbr", [8222157, 55629189]),
        ("age", [37, 93]),
    ],
)
def test_an_undeclared_column_that_looks_personal_names_itself_and_no_value(name: str, cells: list[Any]) -> None:
    """By content or by its name; a person declares it, or says why it names nobody."""
    table = pa.table({name: cells, "spent": [1.5] * len(cells)})

    with pytest.raises(PartitionRefused) as refusal:
        protect(table)

    message = str(refusal.value)
    assert refusal.value.facts["columns"] == [name]
    assert "personal.not_personal" in message
    assert not [cell for cell in cells if cell is not None and len(str(cell)) > 3 and str(cell) in message]
    assert protect(table, not_personal={name: "made up for a test"}) == table
    assert name not in protect(table, columns={name: "drop"}).column_names


def innocent(rows: int = 5_000) -> pa.Table:
    """Ids, codes, amounts and times under names that say nothing of people."""
    random = np.random.default_rng(7)
    whole = random.integers(10**15, 10**16, rows)
    return pa.table(
        {
            "order_id": np.arange(rows),
            "ten_digits": random.integers(10**9, 10**10, rows),
            "nine_digits": random.integers(10**8, 10**9, rows),
            "eleven_digits": random.integers(10**10, 10**11, rows),
            "sixteen_digits": whole,
            "sixteen_as_text": [f"{each}" for each in whole],
            "in_groups": [f"{each:016d}"[:4] + f"-{each:016d}"[4:9] + f"-{each:016d}"[9:14] for each in whole],
            "with_a_gap": [None, *(float(each) for each in random.integers(10**8, 10**9, rows - 1))],
            "epoch": random.integers(1_700_000_000, 1_800_000_000, rows),
            "epoch_ms": random.integers(1_700_000_000_000, 1_800_000_000_000, rows),
            "amount": np.round(random.lognormal(5, 2, rows), 2),
            "stock_code": [f"{each}{'ABZ'[each % 3]}" for each in random.integers(10_000, 99_999, rows)],
            "reference": [f"ORD-{each:08d}" for each in random.integers(0, 10**8, rows)],
            "hash": [f"{each:032x}" for each in random.integers(0, 2**62, rows)],
            "written_at": [f"2026-01-{1 + n % 28:02d} {n % 24:02d}:00:00" for n in range(rows)],
            "day": [f"2026-01-{1 + n % 28:02d}" for n in range(rows)],
            "release": [f"{n % 3}.{n % 7}.{n % 11}" for n in range(rows)],
            "words": [("more than 30", "2 to 4 years", "less than 20000")[n % 3] for n in range(rows)],
            "one_shop": ["+49 30 901820"] * rows,
            "is_member": [n % 2 == 0 for n in range(rows)],
            "age": [n % 300 for n in range(rows)],
            "email": [n % 2 for n in range(rows)],
            "AddressChange": ["no change"] * rows,
        }
    )


def test_ids_amounts_codes_and_times_are_nobody_s() -> None:
    """A false alarm costs a person's time, and then their belief in the next one."""
    assert refused(innocent()) is None


@pytest.mark.parametrize("file, declared", [("vehicle_claims.csv", "PolicyNumber"), ("diabetes", "patient_nbr"),
                                            ("online_retail.parquet", None)])  # fmt: skip
@NEEDS_DATA
def test_real_files_give_away_the_one_column_that_is_a_person_s_number(file: str, declared: str | None) -> None:
    """And of 33, 50 and 8 columns no other."""
    assert refused(real(file)) == (None if declared is None else [declared])


def real(file: str) -> pa.Table:
    if file == "diabetes":
        with zipfile.ZipFile(DATA / "diabetes_130_hospitals.zip") as packed:
            (name,) = (each for each in packed.namelist() if re.fullmatch("[a-z_]+/diabetic_data.csv", each))
            return csv.read_csv(io.BytesIO(packed.read(name)))
    return csv.read_csv(DATA / file) if file.endswith(".csv") else parquet.read_table(DATA / file)


CARDS = (
    "4111111111111111",
    "4012888888881881",
    "5555555555554444",
    "5105105105105100",
    "378282246310005",
    "30569309025904",
)


@given(
    cuts=st.lists(st.integers(min_value=1, max_value=2_999), max_size=6),
    share=st.floats(min_value=0.1, max_value=0.3),
    seed=st.integers(min_value=0, max_value=50),
)
@settings(max_examples=60, deadline=None)
def test_the_answer_does_not_depend_on_where_batches_end(cuts: list[int], share: float, seed: int) -> None:
    """Around the share from which cards are believed, and with one e-mail address anywhere or nowhere."""
    random = np.random.default_rng(seed)
    cells = np.where(random.random(3_000) < share, random.choice(CARDS, 3_000), "cash")
    notes = ["nothing"] * 3_000
    if seed % 2:
        notes[int(random.integers(0, 3_000))] = "ada@example.com"
    cards, mail = pa.table({"paid": cells}), pa.table({"notes": notes})

    assert refused(cards, *cuts) == refused(cards)
    assert refused(mail, *cuts) == refused(mail) == (["notes"] if seed % 2 else None)


def test_whoever_was_erased_does_not_come_in_again() -> None:
    """By the pseudonym, whether or not the entity is kept as one, and also by that of a former key."""
    table = pa.table({"customer": [7, 8, 9, 7], "spent": [1.0, 2.0, 3.0, 4.0]})
    keys = Keys(current=KEY, former=(OTHER,))
    erased = {
        fingerprint(KEY): frozenset({pseudonym(KEY, "7")}),
        fingerprint(OTHER): frozenset({pseudonym(OTHER, 9)}),
    }

    for columns in ({}, {"customer": "pseudonym"}):
        kept = protection(keys=keys, erased=erased, columns=columns).begin()(table)
        assert kept["spent"].to_pylist() == [2.0]


def test_without_the_key_of_those_who_were_erased_nothing_comes_in() -> None:
    """They could come back unseen."""
    erased = {fingerprint(OTHER): frozenset({pseudonym(OTHER, 9)})}

    with pytest.raises(Refused, match=f"made with another key .*{fingerprint(OTHER)}"):
        protection(erased=erased)
