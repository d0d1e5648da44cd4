from __future__ import annotations

import bz2
import csv
import gzip
import hashlib
import io
import lzma
import math
import os
import re
import tracemalloc
import zipfile
from datetime import UTC, date, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from flightworthy.adapters.partition_files import PartitionFiles, csv_text, progress
from flightworthy.adapters.partition_files.quotes import Quotes
from flightworthy.errors import PartitionRefused, Unavailable
from flightworthy.spec import EventTime, Source

KEY = "2026-01-05"
TYPES = {"age": "integer", "weight": "number", "sex": "category", "smoker": "boolean"}


def table_of(content):
    """The rows that a content holds in the end, as a table; or the refusal, whenever it came."""
    if isinstance(content, PartitionRefused):
        return content
    table = None
    try:
        for attempt in content.attempts():
            table = pa.Table.from_batches(list(attempt) or [])
    except PartitionRefused as refusal:
        return refusal
    return table.combine_chunks()


def tables_of(source, *keys):
    return {key: table_of(content) for key, content in source.read(keys).items()}


@pytest.fixture
def landing(tmp_path):
    return tmp_path / "landing"


@pytest.fixture
def read(landing):
    """Land bytes as the partition and read it back: a table, or the refusal."""

    def read(content: bytes | str, *, name: str = f"{KEY}.csv", largest: str = "1MiB", **keys):
        landing.mkdir(exist_ok=True)
        (landing / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        uri = f"{landing}/{{partition}}{name.removeprefix(KEY)}"
        source = PartitionFiles(source=Source(uri=uri, partition="%Y-%m-%d", largest=largest, **keys), types=TYPES)
        return table_of(source.read([KEY])[KEY])

    return read


def parquet_of(**columns) -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


def text_of(*cells: bytes) -> pa.Array:
    """A column of text, whatever its bytes are."""
    column = pa.array(cells, pa.binary())
    return pa.Array.from_buffers(pa.string(), len(cells), column.buffers())


BAD = {
    "17 0 bytes": (b"", "is empty (0 bytes). The upload may have been cut short", {}),
    "18 a header without its line's end": ("id,age", "has a header and no rows", {}),
    "18 blank lines only": ("\n\r\n", "holds nothing but blank lines", {}),
    "18 header only": ("id,age\n", "has a header and no rows", {}),
    "19 duplicate header": ("id,age,age\n1,2,3\n", "names the column 'age' twice", {"column": "age", "line": 1}),
    "20 every row longer": ("id,age\n1,2,3\n4,5,6\n", "has 3 cells in line 2, and its header 2", {"line": 2}),
    "21 one ragged row": ("id,age\n1,2\n4,5,6\n", "has 3 cells in line 3, and its header 2", {"line": 3}),
    "22 short row": ("id,age\n1,2\n3\n", "has 1 cells in line 3, and its header 2", {"line": 3}),
    "22 after a cell of two lines": ('id,age\n"1\n1",2\n3\n', "has 1 cells in line 4", {"line": 4}),
    "26 inf": ("id,weight\n1,70\n2,inf\n", "line 3, column 'weight': 'inf' is not a finite number", {"line": 3}),
    "26 1e400": ("id,weight\n1,1e400\n", "line 2, column 'weight': '1e400' is not a finite", {"column": "weight"}),
    "26 nan": ("id,weight\n1,nan\n", "'nan' is not a finite number. Write a number, or leave", {"line": 2}),
    "27 UTF-16": ("id,age\n1,2\n".encode("utf-16"), "is UTF-16, not UTF-8. Save it as UTF-8", {}),
    "27 Latin-1": ("id,sex\n1,münnlich\n".encode("latin-1"), "is not UTF-8: line 2 holds the byte 0xfc", {"line": 2}),
    "28 NUL": (b"id,age\n1,2\n3,\0\n", "holds a NUL byte in line 3", {"line": 3}),
    "33 an archive": (b"\x1f\x8b\x08rest", "is not CSV but a gzip archive. Land it unpacked", {}),
    "semicolons": ("id;age\n1;2\n", "is separated by semicolons. Separate cells by commas", {"line": 1}),
    "semicolons after blank lines": ("\r\n\nid;age\n1;2\n", "is separated by semicolons", {"line": 3}),
    "duplicate header after blank lines": ("\n\nid,age,age\n1,2,3\n", "names the column 'age' twice", {"line": 3}),
    "a nameless column after a blank line": ("\nid,,age\n1,2,3\n", "has no name for column 2", {"line": 2}),
    "nameless columns": (",\n,\n", "has no name for column 1", {"line": 1}),
    "a nameless column": ("id,,age\n1,2,3\n", "has no name for column 2", {"line": 1}),
    "an open quote": ('id,sex\n1,m\n2,"f\n3,m\n', "opens a quote in line 3 that is never closed", {"line": 3}),
    "two quotes that swallow a row": (
        'id,sex\n1,m\n2,"f\n3,m\n4,"f\n5,m\n',
        "begins in line 3: rows may have",
        {"line": 3},
    ),
    "more behind a quote": ('id,sex\n1,m\n2,"f"m\n', "has more behind a closing quote, in the row", {"line": 3}),
    "a quote too late": ('id,sex\n1,m\n2,f\n3,"m\n', "opens a quote in line 4 that is never closed", {"line": 4}),
}


@pytest.mark.parametrize("case", BAD)
def test_a_csv_that_would_need_guessing_is_refused_with_its_line(case, read):
    """FAULTS.md, bad inputs 17 to 28: pandas repairs most of these in silence."""
    content, said, facts = BAD[case]
    refusal = read(content)
    assert isinstance(refusal, PartitionRefused)
    assert said in refusal.message
    assert refusal.message.startswith(refusal.facts["file"])
    assert facts.items() <= refusal.facts.items()


BAD_LINES = {
    "17 0 bytes": (b"", "is empty (0 bytes). The upload may have been cut short", {}),
    "18 blank lines only": ("\n \n", "holds no rows", {}),
    "19 a doubled key": (
        '{"id":1,"age":2,"age":3}\n',
        "names the key 'age' twice in line 1",
        {"column": "age", "line": 1},
    ),
    "20 one key more": ('{"id":1}\n{"id":2,"age":3}\n', "has the key 'age' in line 2, and not before", {"line": 2}),
    "22 one key less": (
        '{"id":1,"age":2}\n\n{"id":3}\n',
        "lacks the key 'age' in line 3",
        {"column": "age", "line": 3},
    ),
    "26 NaN": ('{"id":1,"weight":NaN}\n', "line 1, column 'weight': NaN is not a finite number", {"column": "weight"}),
    "26 Infinity": ('{"w":1}\n{"w":-Infinity}\n', "line 2, column 'w': -Infinity is not a finite", {"line": 2}),
    "26 1e400": ('{"w":1.5}\n\n{"w":1e400}\n', "line 3, column 'w': '1e400' is not a finite", {"line": 3}),
    "27 Latin-1": ('{"sex":"münnlich"}\n'.encode("latin-1"), "is not UTF-8: line 1 holds the byte 0xfc", {"line": 1}),
    "27 UTF-16": ('{"sex":"m"}\n'.encode("utf-16"), "is UTF-16, not UTF-8", {}),
    "28 NUL": (b'{"sex":"m"}\n{"sex":"\0"}\n', "line 2 is not JSON: Invalid control character", {"line": 2}),
    "33 an archive": (b"PK\x03\x04rest", "is not JSON lines but a zip archive", {}),
    "half a character": ('{"sex":"m"}\n{"sex":"\\ud800"}\n', "line 2, column 'sex': half a character", {"line": 2}),
    "a nested object": ('{"id":1,"of":{"a":1}}\n', "line 1, column 'of': holds an object or a list", {"column": "of"}),
    "a list": ('{"id":1}\n{"id":[1]}\n', "line 2, column 'id': holds an object or a list", {"line": 2}),
    "text among numbers": ('{"id":1}\n{"id":"2"}\n', "line 2, column 'id': text, and number before", {"line": 2}),
    "a boolean among text": (
        '{"s":"x"}\n{"s":null}\n{"s":true}\n',
        "line 3, column 's': boolean, and text",
        {"line": 3},
    ),
    "no object": ("[1, 2]\n", "line 1 is no object with keys", {"line": 1}),
    "28 a NUL as JSON writes it": (
        '{"id":1,"s":null}\n{"id":2,"s":"a\\u0000"}\n',
        "line 2, column 's': the text holds a NUL",
        {"line": 2},
    ),
    "half a character for a name": (
        '{"id":1,"\\ud800":2}\n',
        "half a character (a lone surrogate) is no text",
        {"line": 1},
    ),
    "a cut line": ('{"id":1}\n{"id":', "line 2 is not JSON: Expecting value", {"line": 2}),
    "a single document": ('[\n{"id":1}\n]', "line 1 is not JSON: Expecting value", {"line": 1}),
    "a deep nest": ("[" * 10**5, "line 1 is nested too deeply", {"line": 1}),
}


@pytest.mark.parametrize("case", BAD_LINES)
def test_json_lines_that_would_need_guessing_are_refused_with_their_line(case, read):
    """The last of doubled keys, a null for NaN, text among numbers: readers differ in what they make of it."""
    content, said, facts = BAD_LINES[case]
    refusal = read(content, name=f"{KEY}.jsonl")
    assert isinstance(refusal, PartitionRefused)
    assert said in refusal.message
    assert facts.items() <= refusal.facts.items()


def test_json_lines_say_what_is_text_and_what_is_a_number(read):
    """Text is never made into a number, an id keeps its digits, and the order of keys is nobody's business."""
    lines = [
        '\ufeff{"age": 40, "weight": 7e1, "sex": "1", "smoker": true, "code": "007", "id": 9007199254740993}',
        '{"sex": null, "age": null, "weight": 80, "smoker": false, "code": "8", "id": 1}',
    ]
    table = read("\r\n".join(lines), name=f"{KEY}.jsonl")
    assert [str(column.type) for column in table.schema] == [
        "int64", "double", "string", "bool", "string", "int64",
    ]  # fmt: skip
    assert table.to_pylist() == [
        {"age": 40, "weight": 70.0, "sex": "1", "smoker": True, "code": "007", "id": 2**53 + 1},
        {"age": None, "weight": 80.0, "sex": None, "smoker": False, "code": "8", "id": 1},
    ]
    assert read('{"ok":null}\n{"ok":true}', name=f"{KEY}.ndjson")["ok"].to_pylist() == [None, True]
    assert read('{"age":"40"}', name=f"{KEY}.ndjson")["age"].to_pylist() == ["40"]
    assert read('{"id":99999999999999999999}', name=f"{KEY}.ndjson")["id"].to_pylist() == ["9" * 20]


def packed(content: bytes, suffix: str, member: str = f"{KEY}.csv") -> bytes:
    if suffix == ".zip":
        sink = io.BytesIO()
        with zipfile.ZipFile(sink, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(member, content)
            archive.writestr(f"__MACOSX/._{KEY}.csv", b"fork")
            archive.writestr("folder/", b"")
        return sink.getvalue()
    if suffix == ".zst":
        return pa.compress(content, "zstd", asbytes=True)
    return {".gz": gzip, ".bz2": bz2, ".xz": lzma}[suffix].compress(content)


PACKINGS = (".gz", ".bz2", ".xz", ".zst", ".zip")


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_file_is_read_as_what_it_holds(packing, read):
    """Every packing of every format."""
    assert read(packed(b"id\n1\n2\n", packing), name=f"{KEY}.csv{packing}")["id"].to_pylist() == [1, 2]
    lines = packed(b'{"id":1}\n{"id":2}\n', packing, member="x.jsonl")
    assert read(lines, name=f"{KEY}.jsonl{packing}")["id"].to_pylist() == [1, 2]
    content = packed(parquet_of(id=[1, 2]), packing, member="x.parquet")
    assert read(content, name=f"{KEY}.parquet{packing}")["id"].to_pylist() == [1, 2]


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_file_that_is_cut_short_is_refused(packing, read):
    """A part of the rows is no partition."""
    rows = "\n".join(f"{number},{number * 7919 % 10007}" for number in range(20_000))
    whole = packed(f"id,x\n{rows}\n".encode(), packing)
    assert read(whole, name=f"{KEY}.csv{packing}").num_rows == 20_000
    refusal = read(whole[: len(whole) // 2], name=f"{KEY}.csv{packing}")
    assert isinstance(refusal, PartitionRefused)
    assert "land it again" in refusal.message
    assert refusal.facts["digest"] == hashlib.sha256(whole[: len(whole) // 2]).hexdigest()


@pytest.mark.parametrize("packing", [".gz", ".bz2", ".xz", ".zst"])
def test_packed_streams_behind_each_other_are_all_read_or_the_file_is_refused(packing, read):
    """As `cat` and parallel packers write them; a damaged one would silently end the rows."""
    streams = [packed(b"id\n1\n", packing), packed(b"2\n", packing), packed(b"3\n" * 10**5, packing)]
    assert read(b"".join(streams), name=f"{KEY}.csv{packing}").num_rows == 10**5 + 2
    refusal = read(b"".join([*streams[:2], b"\7" + streams[2][1:]]), name=f"{KEY}.csv{packing}")
    assert "cannot be unpacked" in refusal.message
    if packing != ".zst":
        assert read(streams[0] + b"\0" * 8, name=f"{KEY}.csv{packing}")["id"].to_pylist() == [1]


@pytest.mark.parametrize("packing", PACKINGS)
def test_a_packed_bomb_is_not_unpacked(packing, read):
    """Bad input 33: reading stops at the bound, whatever the format."""
    for suffix, content in ((".csv", b"id\n" + b"1\n" * 10**5), (".jsonl", b'{"id":1}\n' * 10**5)):
        bomb = packed(content, packing, member=f"x{suffix}")
        assert len(bomb) < 10**5
        refusal = read(bomb, name=f"{KEY}{suffix}{packing}", largest="100KiB")
        assert "unpacks to at least" in refusal.message
        assert "102,400 is the most" in refusal.message


def test_an_archive_of_several_files_is_refused(read):
    """Nobody can tell which is meant; and an archive of none holds nothing."""
    sink = io.BytesIO()
    with zipfile.ZipFile(sink, "w") as archive:
        archive.writestr("a.csv", "id\n1\n")
        archive.writestr("b.csv", "id\n2\n")
    refusal = read(sink.getvalue(), name=f"{KEY}.zip")
    assert "holds 2 files, of a.csv, b.csv. A partition's archive holds exactly one" in refusal.message
    table = read(sink.getvalue(), name=f"{KEY}.zip", member="b.csv")
    assert table["id"].to_pylist() == [2]
    assert "holds 0 files called c.csv, of a.csv" in read(sink.getvalue(), name=f"{KEY}.zip", member="c.csv").message
    assert "holds a .txt file. A partition is .csv" in read(packed(b"1", ".zip", "a.txt"), name=f"{KEY}.zip").message


def test_a_line_without_end_is_refused(read):
    """A bomb of one cell is bounded by the longest row, not by the largest file."""
    for suffix, content in ((".csv", b"id\n" + b"1" * 3 * 10**7), (".jsonl", b'{"id":' + b"1" * 3 * 10**7)):
        refusal = read(packed(content, ".gz"), name=f"{KEY}{suffix}.gz", largest="1GiB")
        assert "of more than 4,194,304 bytes" in refusal.message
        assert refusal.facts["line"] in {1, 2}


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_columns_that_differ_only_in_case_are_refused(suffix, read):
    """Fault 6: the suite's engine would ask one of them twice, and take the two for the expected set of columns."""
    content = {
        ".csv": "id,age,Age\n1,40,4000\n",
        ".jsonl": '{"id":1,"age":40,"Age":4000}\n',
        ".parquet": parquet_of(id=[1], age=[40], Age=[4000]),
    }[suffix]
    refusal = read(content, name=f"{KEY}{suffix}")
    assert (
        "names columns that differ only in case, 'age' and 'Age'. Databases take one for the other" in refusal.message
    )
    assert refusal.facts["column"] == "Age"


def test_a_column_with_the_name_of_a_rows_place_is_refused(read):
    """DuckDB gives the place of a row no other name; the check would break rather than object."""
    assert "has a column 'File_Row_Number', a name that the checking" in read("id,File_Row_Number\n1,2\n").message


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_only_what_the_spec_calls_missing_is_missing(landing, suffix):
    """A question mark in the hospital file; without the spec's word it is what somebody wrote."""
    landing.mkdir()
    content = {
        ".csv": b'race,age\n?,40\n"?",?\nNA,50\n',
        ".jsonl": b'{"race":"?","age":40}\n{"race":"?","age":null}\n{"race":"NA","age":50}\n',
        ".parquet": parquet_of(race=["?", "?", "NA"], age=[40, None, 50]),
    }[suffix]
    (landing / f"2026{suffix}").write_bytes(content)
    source = Source(uri=f"{landing}/{{partition}}{suffix}", partition="%Y", missing=("?",))
    table = table_of(PartitionFiles(source=source, types=TYPES).read(["2026"])["2026"])
    assert table.to_pydict() == {"race": [None, None, "NA"], "age": [40, None, 50]}
    literal = source.model_copy(update={"missing": ()})
    assert table_of(PartitionFiles(source=literal, types=TYPES).read(["2026"])["2026"])["race"].to_pylist() == [
        "?", "?", "NA",
    ]  # fmt: skip


TRICKY = [
    "", "1", "-1", "-0", "007", "9007199254740993", "18446744073709551615", "1.5", "-0.5", "00.5", "inf", "1e400",
    "nan", "x", "true", "0", "+1", "+01", "1e5", " 1", "0x10", "99999999999999999999", "NA", "1234567890123456.5",
]  # fmt: skip


def meaning(cells: list[str], kind: str | None) -> tuple[str, list]:
    """The type and values of a column by the rules as a person says them, all cells in sight."""
    here = [cell for cell in cells if cell]
    values = lambda read: [read(cell) if cell else None for cell in cells]  # noqa: E731
    whole = all(re.fullmatch(r"-?(0|[1-9][0-9]*)", cell) for cell in here)
    if kind in (None, "integer") and whole:
        if all(-(2**63) <= int(cell) < 2**63 for cell in here):
            return "int64", values(int)
        if all(0 <= int(cell) < 2**64 and cell != "-0" for cell in here):
            return "uint64", values(int)
    is_number = all(re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?|[+-]?(inf|nan)", cell) for cell in here)
    rounded = any(re.fullmatch(r"-?[1-9][0-9]{15,}", cell) for cell in here)
    padded = any(re.match(r"[+-]?0[0-9]", cell) for cell in here)
    if is_number and (kind == "number" or (kind is None and not rounded and not padded)):
        return "double", values(float)
    if kind == "boolean" and all(cell in ("true", "0", "1") for cell in here):
        return "bool", values(lambda cell: cell in ("true", "1"))
    return "string", values(str)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    rows=st.lists(st.tuples(*[st.sampled_from(TRICKY)] * 4), min_size=1, max_size=40),
    calm=st.lists(st.sampled_from(["1", "2.5", "x", ""]), min_size=4, max_size=4),
    late=st.integers(0, 40),
)
def test_what_a_column_is_depends_on_its_cells_alone(tmp_path, rows, calm, late):
    """Whatever the size of the blocks that are read together: also where the last cell makes a column text."""
    rows = [tuple(calm)] * late + rows
    names = {"age": "integer", "weight": "number", "smoker": "boolean", "other": None}
    file = tmp_path / "2026.csv"
    file.write_text(
        ",".join(["id", *names]) + "\n" + "".join(f"r{place},{','.join(row)}\n" for place, row in enumerate(rows))
    )
    source = PartitionFiles(source=Source(uri=f"{tmp_path}/{{partition}}.csv", partition="%Y"), types=TYPES)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(csv_text, "BLOCK", 120)
        found = table_of(source.read(["2026"])["2026"])
    wanted = {name: meaning([row[place] for row in rows], kind) for place, (name, kind) in enumerate(names.items())}
    odd = [name for name, (kind, values) in wanted.items() if kind == "double" and not all(map(finite, values))]
    if odd:
        assert "is not a finite number" in found.message
        assert found.facts["column"] in odd
    else:
        assert {name: (str(found[name].type), found[name].to_pylist()) for name in names} == wanted
    again = table_of(source.read(["2026"])["2026"])
    assert again.message == found.message if odd else again.equals(found)


def finite(value):
    return value is None or math.isfinite(value)


def test_rows_are_protected_before_anybody_sees_them(landing):
    """Batch by batch, as typed; a refusal of theirs is the partition's."""
    landing.mkdir()
    (landing / "2026.csv").write_text("id,name\n1,Ada\n2,Grace\n")
    begun = []

    def begin():
        begun.append(1)
        return lambda table: table.drop_columns(["name"])

    source = PartitionFiles(source=Source(uri=f"{landing}/{{partition}}.csv", partition="%Y"), types={}, protect=begin)
    assert table_of(source.read(["2026"])["2026"]).to_pydict() == {"id": [1, 2]}
    assert begun == [1]


def test_a_long_reading_tells_how_far_it_is(landing, monkeypatch):
    """Rows, share of the file, rows a second."""
    landing.mkdir()
    (landing / "2026.csv").write_text("id,name\n" + "1,Ada\n" * 1000)
    monkeypatch.setattr(csv_text, "BLOCK", 1000)
    monkeypatch.setattr(progress, "_PAUSE", 0.0)
    told = []
    uri = f"{landing}/{{partition}}.csv"
    source = PartitionFiles(source=Source(uri=uri, partition="%Y"), types={}, progress=told.append)
    table_of(source.read(["2026"])["2026"])
    assert [progress.rows for progress in told] == sorted({progress.rows for progress in told})
    assert told[-1].rows == 1000
    assert told[-1].share == 1.0
    assert 0 < told[0].share <= 1
    assert told[-1].rate > 0


def test_a_refused_file_is_told_by_its_digest(read):
    """So that the same broken upload is one entry in quarantine, however often a run meets it."""
    assert read("id,id\n").facts["digest"] == hashlib.sha256(b"id,id\n").hexdigest()


def test_only_the_empty_cell_is_missing(read):
    """Bad input 23: the country NA, a patient named Null and a text n/a are what somebody wrote."""
    table = read('id,sex,age\n1,NA,3\n2,null,\n3,"",5\n')
    assert table["sex"].to_pylist() == ["NA", "null", None]
    assert table["age"].to_pylist() == [3, None, 5]


def test_a_header_is_read_to_its_end_however_long_it_is(read):
    """Two thousand columns with long names are more than 64 KiB; none of them is left to guessing."""
    names = [f"a_column_with_rather_a_long_name_{number:05d}" for number in range(2_000)]
    table = read("\n".join(",".join(row) for row in (names, ["007"] * 2_000, ["true"] * 2_000)) + "\n")
    assert all(table[name].to_pylist() == ["007", "true"] for name in names)
    assert (
        f"names the column {names[5]!r} twice" in read(",".join([*names, names[5]]) + "\n" + "1," * 2_000 + "1").message
    )


def test_ids_beyond_two_to_the_53_stay_exact(read):
    """Bad input 24: also beside a missing one, where pandas would round them to floats."""
    assert read("id\n9007199254740993\n").column("id").to_pylist() == [9007199254740993]
    assert read("id,x\n9007199254740993,a\n,b\n").column("id").to_pylist() == [9007199254740993, None]
    assert read("id\n18446744073709551615\n").column("id").to_pylist() == [2**64 - 1]
    assert read("id\n99999999999999999999\n").column("id").to_pylist() == ["99999999999999999999"]


@pytest.mark.parametrize(
    "cells, column",
    [
        (["1,234.5", "7"], "weight"),
        (["2026-01-05", "05.01.2026"], "seen_on"),
        (["34.0", "35"], "age"),
        (["0x10", "3"], "age"),
        (["yes", "no"], "smoker"),
        (["007", "012"], "code"),
    ],
)
def test_cells_that_are_not_of_their_type_stay_as_written(read, cells, column):
    """Bad inputs 25 and 29: the expectations then refuse the column, and show what it held."""
    assert read(f"{column},x\n" + "".join(f'"{cell}",1\n' for cell in cells))[column].to_pylist() == cells


def test_declared_columns_get_their_type(read):
    """A category of digits stays text, a number without decimals is a number all the same."""
    table = read("id,age,weight,sex,smoker\n1,40,70,1,true\n2,50,80,2,0\n3,,,,\n")
    assert [str(column.type) for column in table.schema] == ["int64", "int64", "double", "string", "bool"]
    assert table["sex"].to_pylist() == ["1", "2", None]
    assert table["smoker"].to_pylist() == [True, False, None]


def test_a_byte_order_mark_is_no_part_of_the_first_name(read):
    """Excel writes one."""
    assert read(b"\xef\xbb\xbfid,age\r\n1,2\r\n").column_names == ["id", "age"]


def test_a_quoted_cell_may_hold_commas_quotes_and_lines(read):
    """What RFC 4180 allows is read."""
    assert read('id,sex\n1,"a,""b""\nc"\n')["sex"].to_pylist() == ['a,"b"\nc']
    assert read('id,sex\n1,5" disk\n')["sex"].to_pylist() == ['5" disk']


def test_a_quote_within_a_cell_is_a_character_of_it(read):
    """Inches are written so, and every reader agrees on them."""
    assert read('id,sex\n1,5" x\n2,6"\n3,"""a"" b"\n')["sex"].to_pylist() == ['5" x', '6"', '"a" b']


@settings(max_examples=1000)
@given(
    rows=st.lists(st.lists(st.text('a",\r\n', max_size=4), min_size=2, max_size=2), min_size=1, max_size=4),
    cut=st.integers(1, 7),
    strays=st.lists(st.integers(0, 12), max_size=2),
)
def test_quotes_are_plain_where_python_reads_the_same(rows, cut, strays):
    """Whatever is called plain a strict parser takes; what a writer wrote always is, however its bytes are cut."""
    sink = io.StringIO()
    csv.writer(sink).writerows(rows)
    text = sink.getvalue()
    damaged = text
    for stray in strays:
        damaged = damaged[:stray] + '"' + damaged[stray:]
    quotes = Quotes()
    for start in range(0, len(damaged), cut):
        quotes.take(damaged[start : start + cut].encode())
    quotes.end()
    if not strays:
        assert quotes.are_plain
    if quotes.are_plain:
        list(csv.reader(io.StringIO(damaged, newline=""), strict=True))


def test_a_truncated_parquet_file_is_refused(read):
    """Bad input 31."""
    whole = parquet_of(id=[1, 2, 3])
    for content in (whole[:-9], b"PAR1", b"id,age\n1,2\n"):
        refusal = read(content, name=f"{KEY}.parquet")
        assert "is not a whole Parquet file" in refusal.message
        assert "land it again" in refusal.message
    assert "is empty (0 bytes)" in read(b"", name=f"{KEY}.parquet").message
    assert "holds no rows" in read(parquet_of(id=pa.array([], pa.int64())), name=f"{KEY}.parquet").message


def test_parquet_columns_keep_their_meaning(read):
    """NaN is how Parquet writers leave a number out; floats that are whole are whole; codes become text."""
    table = read(
        parquet_of(
            age=[40.0, float("nan")],
            weight=pa.array([70, None], pa.int32()),
            sex=pa.array(["f", None]).dictionary_encode(),
            code=pa.array([1, 2], pa.int8()),
        ),
        name=f"{KEY}.parquet",
    )
    assert table.to_pylist() == [
        {"age": 40, "weight": 70.0, "sex": "f", "code": 1},
        {"age": None, "weight": None, "sex": None, "code": 2},
    ]


def test_parquet_text_is_not_made_into_numbers(read):
    """A column that changed its type in the source is a change of schema, for the expectations to refuse."""
    assert read(parquet_of(weight=["70"]), name=f"{KEY}.parquet")["weight"].to_pylist() == ["70"]


@pytest.mark.parametrize(
    "columns, said",
    [
        ({"weight": [1.0, float("inf")]}, "row 1, column 'weight': inf is not a finite number"),
        ({"weight": [[1.0], [2.0]]}, "column 'weight' is of the type list<"),
        ({"at": pa.array([1000, None, 1500, 1], pa.timestamp("ns"))}, "row 2, column 'at': a value of the type time"),
        ({"at": pa.array([0, 2**62], pa.timestamp("us", "UTC"))}, "row 1, column 'at': a value of the type timestamp"),
        ({"on": pa.array([0, -800_000], pa.date32())}, "row 1, column 'on': a value of the type date32[day] cannot"),
        ({"sex": ["f", None, "a\0b"]}, "row 2, column 'sex': the text holds a NUL. It is damaged"),
        ({"sex": text_of(b"f", b"\xff\xfe")}, "row 1, column 'sex': the text is not UTF-8. Write it as UTF-8"),
    ],
)
def test_parquet_columns_that_cannot_be_used_are_refused(read, columns, said):
    """Infinite numbers, nested columns, times that nobody could read again, damaged text; each with its own row."""
    assert said in read(parquet_of(**columns), name=f"{KEY}.parquet").message


def test_days_and_times_of_all_years_that_there_are_are_kept(read):
    """From the first to the last day of Python's calendar."""
    first, last = (end.replace(tzinfo=UTC) for end in (datetime.min, datetime.max))  # noqa: DTZ901 - given one
    ends = {"on": [date.min, None, date.max], "at": [first, None, last]}
    assert read(parquet_of(**ends), name=f"{KEY}.parquet").to_pydict() == ends


def test_the_parts_of_a_partition_must_have_one_schema(landing):
    """Bad input 32; parts that agree are one partition, whatever the order of their columns."""
    source = PartitionFiles(source=Source(uri=f"{landing}/{{partition}}/*.parquet", partition="%Y-%m-%d"), types={})
    folder = landing / KEY
    folder.mkdir(parents=True)
    (folder / "1.parquet").write_bytes(parquet_of(id=[1], age=[40]))
    (folder / "2.parquet").write_bytes(parquet_of(age=[50], id=[2]))
    assert table_of(source.read([KEY])[KEY]).to_pylist() == [{"id": 1, "age": 40}, {"id": 2, "age": 50}]
    (folder / "2.parquet").write_bytes(parquet_of(id=["2"], age=[50]))
    assert "column 'id' is string here and int64 there. Write all parts" in table_of(source.read([KEY])[KEY]).message
    (folder / "2.parquet").write_bytes(parquet_of(id=[2]))
    assert "column 'age' is missing" in table_of(source.read([KEY])[KEY]).message


def test_a_file_too_large_is_not_read(read):
    """Bad input 33: refused by its size, before a byte of it is in memory."""
    tracemalloc.start()
    refusal = read(b"id\n" + b"1\n" * 10**6, largest="100KiB")
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "was not read: it has 2,000,003 bytes, and 102,400 is the most" in refusal.message
    assert "Land smaller partitions" in refusal.message
    assert peak < 10**8


def test_a_parquet_bomb_is_not_unpacked(read):
    """Bad input 33: a few kilobytes that would be hundreds of megabytes."""
    bomb = parquet_of(sex=["x" * 1000] * 30_000)
    assert len(bomb) < 10**5
    assert "unpacks to at least" in read(bomb, name=f"{KEY}.parquet", largest="1MiB").message


def test_what_has_landed_is_listed_by_key(landing):
    """Other files and files in the making are none of the model's."""
    (landing / "deeper").mkdir(parents=True)
    for name in ("2026-01-12.csv", "2026-01-05.csv", ".2026-01-19.csv.x1", "notes.txt", "deeper/2026-01-26.csv"):
        (landing / name).write_text("id\n1\n")
    source = PartitionFiles(source=Source(uri=f"{landing}/{{partition}}.csv", partition="%Y-%m-%d"), types={})
    assert [(file.key, file.size) for file in source.files()] == [("2026-01-05", 5), ("2026-01-12", 5)]
    assert source.files()[0].uri == str(landing / "2026-01-05.csv")
    assert "no longer in its source" in table_of(source.read(["2026-02-02"])["2026-02-02"]).message


def test_a_landing_folder_that_is_not_there_holds_nothing(landing):
    """Before the first partition there is often no folder."""
    assert PartitionFiles(source=Source(uri=f"{landing}/{{partition}}.csv", partition="%Y"), types={}).files() == ()


def test_any_fsspec_url_is_a_source():
    """Here one that lives in memory; S3 and the like go the same way."""
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/bucket/2026-01/rows.csv", b"id\n1\n")
    source = PartitionFiles(source=Source(uri="memory://bucket/{partition}/rows.csv", partition="%Y-%m"), types={})
    assert [(file.key, file.uri) for file in source.files()] == [("2026-01", "memory:///bucket/2026-01/rows.csv")]
    assert table_of(source.read(["2026-01"])["2026-01"]).to_pylist() == [{"id": 1}]


def test_a_store_that_does_not_answer_is_worth_another_try(monkeypatch):
    """Breakage is not refusal: nothing is quarantined because a network was away."""
    import fsspec

    memory = fsspec.filesystem("memory")
    memory.pipe("/away/2026.csv", b"id\n1\n")
    source = PartitionFiles(source=Source(uri="memory://away/{partition}.csv", partition="%Y"), types={})
    content = source.read(["2026"])["2026"]

    def away(*_args, **_kwargs):
        raise TimeoutError("no answer")

    monkeypatch.setattr(type(memory), "_open", away)
    with pytest.raises(Unavailable, match="could not be read: no answer"):
        table_of(content)
    monkeypatch.setattr(type(memory), "ls", away)
    with pytest.raises(Unavailable, match="could not be listed: no answer"):
        source.files()


def test_a_file_that_changes_while_it_is_read_is_tried_again(landing, monkeypatch):
    """The rows before are of one file, and those behind of another."""
    landing.mkdir()
    file = landing / "2026.csv"
    file.write_text("id\n" + "1\n" * 1000)
    monkeypatch.setattr(csv_text, "BLOCK", 100)
    content = PartitionFiles(source=Source(uri=f"{landing}/{{partition}}.csv", partition="%Y"), types={}).read(["2026"])
    batches = next(content["2026"].attempts())
    next(batches)
    file.write_text("id\n" + "2\n" * 1000)
    with pytest.raises(Unavailable, match="it is being written"):
        list(batches)


DATA = Path(os.environ.get("FLIGHTWORTHY_DATA_DIR", "data"))


@pytest.mark.skipif(not DATA.is_dir(), reason=f"{DATA} is not there; FLIGHTWORTHY_DATA_DIR says where it is")
def test_real_files_are_read_as_they_were_published(landing):
    """A zip with resource forks and question marks; a byte-order mark, unsorted months; invoices by the second."""
    landing.mkdir()
    (landing / "2008.zip").symlink_to(DATA.absolute() / "diabetes_130_hospitals.zip")
    source = Source(uri=f"{landing}/{{partition}}.zip", partition="%Y", missing=("?",), member="diabetic_data.csv")
    table = table_of(PartitionFiles(source=source, types={}).read(["2008"])["2008"])
    assert (table.num_rows, table.num_columns) == (101_766, 50)
    assert table["weight"].null_count == 98_569
    assert "?" not in table["payer_code"].to_pylist()
    assert str(table["encounter_id"].type) == "int64"

    months = EventTime(columns=("Year", "Month"), format="%Y %b")
    source = Source(uri=str(DATA / "vehicle_claims.csv"), partition="%Y-%m", event_time=months)
    claims = PartitionFiles(source=source, types={})
    keys = [file.key for file in claims.files()]
    assert (keys[0], keys[-1], len(keys)) == ("1994-01", "1996-12", 36)
    assert sum(table_of(content).num_rows for content in claims.read(keys).values()) == 15_421
    assert len(claims.unplaced()) == 2

    seconds = EventTime(columns=("InvoiceDate",), format="%Y-%m-%d %H:%M:%S.%f")
    source = Source(uri=str(DATA / "online_retail.parquet"), partition="%Y-%m", event_time=seconds)
    retail = PartitionFiles(source=source, types={})
    keys = [file.key for file in retail.files()]
    assert (keys[0], keys[-1], len(keys)) == ("2010-12", "2011-12", 13)
    assert sum(table_of(content).num_rows for content in retail.read(keys).values()) == 541_909


def claims(landing, text: str) -> PartitionFiles:
    landing.mkdir(exist_ok=True)
    (landing / "claims.csv").write_text(text)
    times = EventTime(columns=("Year", "Month"), format="%Y %b")
    return PartitionFiles(
        source=Source(uri=f"{landing}/claims.csv", partition="%Y-%m", event_time=times), types={"age": "integer"}
    )


def test_rows_of_one_file_are_picked_by_their_event_time(landing, monkeypatch):
    """The file is not sorted by date, and it is read once for all its partitions."""
    source = claims(landing, "Year,Month,age\n1994,Feb,1\n1994,Jan,2\n1994,Feb,3\n")
    opened = []
    original = type(source)._file
    monkeypatch.setattr(type(source), "_file", lambda self, file: opened.append(file.uri) or original(self, file))
    assert [file.key for file in source.files()] == ["1994-01", "1994-02"]
    contents = tables_of(source, "1994-01", "1994-02", "1994-03")
    assert contents["1994-02"]["age"].to_pylist() == [1, 3]
    assert contents["1994-01"]["age"].to_pylist() == [2]
    assert "holds no row of partition 1994-03. Its first is 1994-01, its last 1994-02" in contents["1994-03"].message
    assert len(opened) == 1


def test_a_file_that_grew_is_read_again(landing):
    """New rows of a later month leave the earlier partitions what they were."""
    source = claims(landing, "Year,Month,age\n1994,Jan,2\n")
    before = table_of(source.read(["1994-01"])["1994-01"])
    (landing / "claims.csv").write_text("Year,Month,age\n1994,Jan,2\n1994,Feb,3\n")
    assert [file.key for file in source.files()] == ["1994-01", "1994-02"]
    assert table_of(source.read(["1994-01"])["1994-01"]).equals(before)


def test_a_bad_cell_refuses_its_own_month_and_names_its_line(landing):
    """What is wrong in February is no reason to refuse January."""
    source = claims(landing, "Year,Month,rate\n1994,Feb,inf\n1994,Jan,2\n1994,Feb,3\n")
    contents = tables_of(source, "1994-01", "1994-02")
    assert contents["1994-01"]["rate"].to_pylist() == [2]
    assert "line 2, column 'rate': 'inf' is not a finite number" in contents["1994-02"].message


def test_a_row_whose_time_cannot_be_told_is_in_no_partition_and_is_named(landing):
    """One claim in hundreds without a month: everything else is used, and the line is said."""
    rows = "1994,Jan,2\n" * 200
    source = claims(landing, f"Year,Month,age\n{rows}1994,,3\n1994,null,4\n")
    assert table_of(source.read(["1994-01"])["1994-01"]).num_rows == 200
    assert [row.message.split(": ", 1)[1].split(".")[0] for row in source.unplaced()] == [
        "the time is missing",
        "'1994 null' is not written as '%Y %b'",
    ]
    assert "line 202" in source.unplaced()[0].message


def test_a_row_of_a_year_that_utc_has_not_is_in_no_partition(landing):
    """The end of time, as some systems write it, in a zone west of Greenwich."""
    landing.mkdir()
    rows = "2026-01-05 12:00+0100\n" * 200
    (landing / "all.csv").write_text(f"at\n{rows}9999-12-31 23:59-0500\n0001-01-01 00:00+0100\n")
    times = EventTime(columns=("at",), format="%Y-%m-%d %H:%M%z")
    source = PartitionFiles(source=Source(uri=f"{landing}/all.csv", partition="%Y-%m-%d", event_time=times), types={})
    assert table_of(source.read([KEY])[KEY]).num_rows == 200
    assert [row.message.split(", ", 1)[0].rsplit(" ", 1)[1] for row in source.unplaced()] == ["202", "203"]


def test_a_file_whose_times_are_written_otherwise_is_refused(landing):
    """Rather than a dataset that quietly lost its rows."""
    source = claims(landing, "Year,Month,age\n1994,01,2\n1994,02,2\n")
    with pytest.raises(PartitionRefused, match=r"line 2.*'1994 01' is not written as '%Y %b'.*So it is for 2 rows"):
        source.files()
    source = claims(landing, "Year,Monat,age\n1994,Jan,2\n")
    with pytest.raises(PartitionRefused, match=r"has no column 'Month', which source\.event_time names"):
        source.files()
