from __future__ import annotations

import hashlib
import tracemalloc

import pyarrow as pa
import pytest
from pyarrow import parquet

from flightworthy.adapters.partition_files import PartitionFiles
from flightworthy.errors import PartitionRefused, Unavailable
from flightworthy.spec import EventTime, Source

KEY = "2026-01-05"
TYPES = {"age": "integer", "weight": "number", "sex": "category", "smoker": "boolean"}


@pytest.fixture
def landing(tmp_path):
    return tmp_path / "landing"


@pytest.fixture
def read(landing):
    """Land bytes as the partition and read it back: a table, or the refusal."""

    def read(content: bytes | str, *, name: str = f"{KEY}.csv", largest: int = 10**6):
        landing.mkdir(exist_ok=True)
        (landing / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        uri = f"{landing}/{{partition}}{name.removeprefix(KEY)}"
        source = PartitionFiles(source=Source(uri=uri, partition="%Y-%m-%d"), types=TYPES, largest=largest)
        return source.read([KEY])[KEY]

    return read


def parquet_of(**columns) -> bytes:
    sink = pa.BufferOutputStream()
    parquet.write_table(pa.table(columns), sink)
    return sink.getvalue().to_pybytes()


BAD = {
    "17 0 bytes": (b"", "is empty (0 bytes). The upload may have been cut short", {}),
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
    "a nameless column": ("id,,age\n1,2,3\n", "has no name for column 2", {"line": 1}),
    "an open quote": ('id,sex\n1,m\n2,"f\n3,m\n', "opens a quote in line 3 that is never closed", {"line": 3}),
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


def test_a_refused_file_is_told_by_its_digest(read):
    """So that the same broken upload is one entry in quarantine, however often a run meets it."""
    assert read("id,id\n").facts["digest"] == hashlib.sha256(b"id,id\n").hexdigest()


def test_only_the_empty_cell_is_missing(read):
    """Bad input 23: the country NA, a patient named Null and a text n/a are what somebody wrote."""
    table = read('id,sex,age\n1,NA,3\n2,null,\n3,"",5\n')
    assert table["sex"].to_pylist() == ["NA", "null", None]
    assert table["age"].to_pylist() == [3, None, 5]


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
    ],
)
def test_parquet_columns_that_cannot_be_used_are_refused(read, columns, said):
    """Infinite numbers and nested columns."""
    assert said in read(parquet_of(**columns), name=f"{KEY}.parquet").message


def test_the_parts_of_a_partition_must_have_one_schema(landing):
    """Bad input 32; parts that agree are one partition, whatever the order of their columns."""
    source = PartitionFiles(source=Source(uri=f"{landing}/{{partition}}/*.parquet", partition="%Y-%m-%d"), types={})
    folder = landing / KEY
    folder.mkdir(parents=True)
    (folder / "1.parquet").write_bytes(parquet_of(id=[1], age=[40]))
    (folder / "2.parquet").write_bytes(parquet_of(age=[50], id=[2]))
    assert source.read([KEY])[KEY].to_pylist() == [{"id": 1, "age": 40}, {"id": 2, "age": 50}]
    (folder / "2.parquet").write_bytes(parquet_of(id=["2"], age=[50]))
    assert "column 'id' is string here and int64 there. Write all parts" in source.read([KEY])[KEY].message
    (folder / "2.parquet").write_bytes(parquet_of(id=[2]))
    assert "column 'age' is missing" in source.read([KEY])[KEY].message


def test_a_file_too_large_is_not_read(read):
    """Bad input 33: refused by its size, before a byte of it is in memory."""
    tracemalloc.start()
    refusal = read(b"id\n" + b"1\n" * 10**6, largest=10**5)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert "was not read: it has 2,000,003 bytes, and 100,000 is the most" in refusal.message
    assert "Land smaller partitions" in refusal.message
    assert peak < 10**8


def test_a_parquet_bomb_is_not_unpacked(read):
    """Bad input 33: a few kilobytes that would be hundreds of megabytes."""
    bomb = parquet_of(sex=["x" * 1000] * 30_000)
    assert len(bomb) < 10**5
    assert "unpacks to at least" in read(bomb, name=f"{KEY}.parquet", largest=10**6).message


def test_what_has_landed_is_listed_by_key(landing):
    """Other files and files in the making are none of the model's."""
    (landing / "deeper").mkdir(parents=True)
    for name in ("2026-01-12.csv", "2026-01-05.csv", ".2026-01-19.csv.x1", "notes.txt", "deeper/2026-01-26.csv"):
        (landing / name).write_text("id\n1\n")
    source = PartitionFiles(source=Source(uri=f"{landing}/{{partition}}.csv", partition="%Y-%m-%d"), types={})
    assert [(file.key, file.size) for file in source.files()] == [("2026-01-05", 5), ("2026-01-12", 5)]
    assert source.files()[0].uri == str(landing / "2026-01-05.csv")
    assert "no longer in its source" in source.read(["2026-02-02"])["2026-02-02"].message


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
    assert source.read(["2026-01"])["2026-01"].to_pylist() == [{"id": 1}]


def test_a_store_that_does_not_answer_is_worth_another_try(landing, monkeypatch):
    """Breakage is not refusal: nothing is quarantined because a network was away."""
    landing.mkdir()
    (landing / "2026.csv").write_text("id\n1\n")
    source = PartitionFiles(source=Source(uri=f"{landing}/{{partition}}.csv", partition="%Y"), types={})
    from fsspec.implementations.local import LocalFileSystem

    def away(*_args, **_kwargs):
        raise TimeoutError("no answer")

    monkeypatch.setattr(LocalFileSystem, "cat_file", away)
    with pytest.raises(Unavailable, match="could not be read: no answer"):
        source.read(["2026"])


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
    original = type(source)._read
    monkeypatch.setattr(type(source), "_read", lambda self, file: opened.append(file.uri) or original(self, file))
    assert [file.key for file in source.files()] == ["1994-01", "1994-02"]
    contents = source.read(["1994-01", "1994-02", "1994-03"])
    assert contents["1994-02"]["age"].to_pylist() == [1, 3]
    assert contents["1994-01"]["age"].to_pylist() == [2]
    assert "holds no row of partition 1994-03. Its first is 1994-01, its last 1994-02" in contents["1994-03"].message
    assert len(opened) == 1


def test_a_file_that_grew_is_read_again(landing):
    """New rows of a later month leave the earlier partitions what they were."""
    source = claims(landing, "Year,Month,age\n1994,Jan,2\n")
    before = source.read(["1994-01"])["1994-01"]
    (landing / "claims.csv").write_text("Year,Month,age\n1994,Jan,2\n1994,Feb,3\n")
    assert [file.key for file in source.files()] == ["1994-01", "1994-02"]
    assert source.read(["1994-01"])["1994-01"].equals(before)


def test_a_bad_cell_refuses_its_own_month_and_names_its_line(landing):
    """What is wrong in February is no reason to refuse January."""
    source = claims(landing, "Year,Month,rate\n1994,Feb,inf\n1994,Jan,2\n1994,Feb,3\n")
    contents = source.read(["1994-01", "1994-02"])
    assert contents["1994-01"]["rate"].to_pylist() == [2]
    assert "line 2, column 'rate': 'inf' is not a finite number" in contents["1994-02"].message


def test_a_row_whose_time_cannot_be_told_is_in_no_partition_and_is_named(landing):
    """One claim in hundreds without a month: everything else is used, and the line is said."""
    rows = "1994,Jan,2\n" * 200
    source = claims(landing, f"Year,Month,age\n{rows}1994,,3\n1994,null,4\n")
    assert source.read(["1994-01"])["1994-01"].num_rows == 200
    assert [row.split(": ", 1)[1].split(".")[0] for row in source.unplaced()] == [
        "the time is missing",
        "'1994 null' is not written as '%Y %b'",
    ]
    assert "line 202" in source.unplaced()[0]


def test_a_file_whose_times_are_written_otherwise_is_refused(landing):
    """Rather than a dataset that quietly lost its rows."""
    source = claims(landing, "Year,Month,age\n1994,01,2\n1994,02,2\n")
    with pytest.raises(PartitionRefused, match=r"line 2.*'1994 01' is not written as '%Y %b'.*So it is for 2 rows"):
        source.files()
    source = claims(landing, "Year,Monat,age\n1994,Jan,2\n")
    with pytest.raises(PartitionRefused, match=r"has no column 'Month', which source\.event_time names"):
        source.files()
