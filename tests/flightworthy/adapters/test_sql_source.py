"""Partitions out of databases: a real PostgreSQL, and SQLite."""

from __future__ import annotations

import tracemalloc
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pytest
import sqlalchemy as sa

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.partition_files import sql_source
from flightworthy.adapters.partition_files.sql_source import PartitionTable
from flightworthy.dataset import ingest
from flightworthy.errors import PartitionRefused, Unavailable
from flightworthy.known import Ask, KnownSince
from flightworthy.spec import Source
from tests.resident import growth, only_where_peaks_are_told

NOW = datetime(2026, 5, 1, tzinfo=UTC)
TYPES = {"age": "integer", "amount": "number", "code": "category", "won": "boolean", "label": "integer"}


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def engine(request, tmp_path):
    """An empty database."""
    url = f"sqlite:///{tmp_path / 'shop.db'}"
    if request.param == "postgresql":
        url = request.getfixturevalue("postgres").new_database()
    made = sa.create_engine(url, poolclass=sa.pool.NullPool)
    yield made
    made.dispose()


@pytest.fixture
def postgresql(request):
    """An empty database of the real server."""
    made = sa.create_engine(request.getfixturevalue("postgres").new_database(), poolclass=sa.pool.NullPool)
    yield made
    made.dispose()


def table_of(engine, *, table: str | None = "bookings", types=TYPES, **said: Any) -> PartitionTable:
    source = {
        "uri": "sql", "conn_id": "warehouse", "partition": "%Y-%m", "event_time": {"columns": ["booked_at"]}, **said,
    }  # fmt: skip
    if table is not None:
        source["table"] = table
    return PartitionTable(source=Source.model_validate(source), types=types, engine=engine)


def run(engine, *statements: str, **values: Any) -> None:
    with engine.begin() as connection:
        for statement in statements:
            connection.execute(sa.text(statement), values)


def bookings(engine, *rows: tuple[str, int], known: str = "2026-04-02 00:00:00") -> None:
    """Rows of a time and an id."""
    kind = "timestamp with time zone" if engine.dialect.name == "postgresql" else "text"
    run(engine, f"CREATE TABLE IF NOT EXISTS bookings (id integer, booked_at {kind}, known_at {kind})")
    for at, number in rows:
        run(engine, "INSERT INTO bookings VALUES (:id, :at, :known)", id=number, at=at, known=known)


def rows_of(content) -> pa.Table:
    """The last attempt's."""
    return [pa.Table.from_batches(list(attempt)) for attempt in content.attempts()][-1]


def test_partitions_are_listed_with_their_rows_and_their_newest_known_since_time(engine):
    """An interval is half open: what happened at its end is in the next one. Rows without a time are told."""
    bookings(
        engine, ("2026-03-01 00:00:00+00:00", 1), ("2026-03-31 23:59:59+00:00", 2), ("2026-04-01 00:00:00+00:00", 3)
    )
    bookings(engine, ("2026-04-30 12:00:00+00:00", 4), known="2026-05-06 07:00:00+00:00")
    run(engine, "INSERT INTO bookings (id) VALUES (9)")
    table = table_of(engine, known_since={"columns": ["known_at"]})

    march, april = table.files()

    assert (march.key, march.size, march.uri) == ("2026-03", 2, "warehouse:bookings")
    assert (april.key, april.size) == ("2026-04", 2)
    assert april.modified_at == datetime(2026, 5, 6, 7, tzinfo=UTC)
    assert [each.message for each in table.unplaced()] == ["warehouse:bookings: 1 rows without booked_at"]
    read = table.read(["2026-03", "2026-04"])
    assert [rows_of(read[key])["id"].to_pylist() for key in ("2026-03", "2026-04")] == [[1, 2], [3, 4]]


def test_what_is_no_time_is_never_shown(tmp_path):
    """Watchers list tables too, and nothing is treated for them; an odd known-since is a matter of its own row."""
    engine = sa.create_engine(f"duckdb:///{tmp_path / 'shop'}", poolclass=sa.pool.StaticPool)
    run(engine, "CREATE TABLE bookings (id integer, booked_at text, known_at text)")
    run(engine, "INSERT INTO bookings VALUES (1, '2026-04-01', 'ada@example.org')")
    (april,) = table_of(engine, known_since={"columns": ["known_at"]}).files()
    assert (april.key, april.modified_at) == ("2026-04", datetime.fromtimestamp(0, UTC))
    run(engine, "INSERT INTO bookings VALUES (2, 'ada@example.org', NULL)")
    with pytest.raises(PartitionRefused, match="has a str that is no time in column 'booked_at'") as refused:
        table_of(engine).files()
    assert "ada" not in refused.value.message
    engine.dispose()


def test_the_same_rows_are_the_same_partition_in_whatever_order_they_were_written(engine, tmp_path):
    """And another row is a revision, known since it was seen."""
    bookings(engine, ("2026-03-02 00:00:00", 2), ("2026-03-01 00:00:00", 1))
    store = DatasetFiles(root=tmp_path / "datasets")
    ask = Ask(model="m", key="2026-03", window=9, as_of=None, known_since=None)
    first = ingest(table_of(engine), store, ask, now=NOW).version
    run(engine, "DELETE FROM bookings")
    bookings(engine, ("2026-03-01 00:00:00", 1), ("2026-03-02 00:00:00", 2))
    assert ingest(table_of(engine), store, ask, now=NOW).version == first
    bookings(engine, ("2026-03-03 00:00:00", 3))
    assert ingest(table_of(engine), store, ask, now=NOW).version.rows == 3
    assert len(store.history("m")["2026-03"]) == 2


def test_a_query_is_a_source_as_a_table_is(engine):
    """With colons and percent signs of its own; the semicolon at its end does no harm."""
    bookings(engine, ("2026-03-01 00:00:00", 1), ("2026-03-02 00:00:00", 2))
    query = "SELECT id, booked_at, 'a:b 5%' AS note FROM bookings WHERE id > 1;"
    table = table_of(engine, table=None, query=query)
    assert [(each.key, each.size) for each in table.files()] == [("2026-03", 1)]
    assert rows_of(table.read(["2026-03"])["2026-03"])["note"].to_pylist() == ["a:b 5%"]


def test_rows_are_learnt_from_once_the_database_says_they_are_known(engine, tmp_path):
    """Two weeks after the month ends its labels are there."""
    bookings(engine, ("2026-03-01 00:00:00", 1))
    bookings(engine, ("2026-03-02 00:00:00", 2), known="2026-03-05 00:00:00")
    store = DatasetFiles(root=tmp_path / "datasets")
    since = KnownSince(columns=("known_at",), written=None)
    ask = Ask(model="m", key="2026-03", window=9, as_of=datetime(2026, 4, 1, tzinfo=UTC), known_since=since)
    table = table_of(engine, known_since={"columns": ["known_at"]})
    version = ingest(table, store, ask, now=NOW).version
    assert store.frame(version)["id"].tolist() == [2]


def test_sqlite_values_are_typed_by_all_of_them(tmp_path):
    """A column there has no type of its own: what one late row says counts for all."""
    engine = sa.create_engine(f"sqlite:///{tmp_path / 'shop.db'}")
    run(
        engine,
        "CREATE TABLE bookings (booked_at, age, amount, code, won, big, wide, note)",
        "INSERT INTO bookings VALUES ('2026-03-01', 40, 1, 7, 1, 9007199254740993, 1, NULL)",
        "INSERT INTO bookings VALUES ('2026-03-02', 41, 1.5, 'NA', 0, NULL, 'x', NULL)",
    )
    table = rows_of(table_of(engine).read(["2026-03"])["2026-03"])
    assert {name: str(table[name].type) for name in table.column_names} == {
        "booked_at": "string", "age": "int64", "amount": "double", "code": "string", "won": "bool",
        "big": "int64", "wide": "string", "note": "string",
    }  # fmt: skip
    assert table["code"].to_pylist() == ["7", "NA"]
    assert table["big"].to_pylist() == [2**53 + 1, None]


AWKWARD = """
CREATE TABLE bookings (
  booked_at timestamptz, naive timestamp, day date, age integer, amount numeric(12,2), free numeric, ratio float8,
  code varchar(9), won boolean, big bigint, huge numeric(30,0), who uuid)
"""


@pytest.mark.slow
def test_what_postgresql_holds_is_kept_as_it_is(postgresql):
    """Decimals that a float holds exactly, instants in UTC, ids above 2^53, NaN as missing, NA the country."""
    run(
        postgresql,
        AWKWARD,
        "INSERT INTO bookings VALUES ('2026-03-01 00:30+01', '2026-03-01 00:30', '2026-03-01', 1, 0.10, 0.125, 'NaN', "
        "'NA', true, 9007199254740993, 123456789012345678901234567890, '00000000-0000-0000-0000-000000000001')",
        "INSERT INTO bookings (booked_at, free, code) VALUES ('2026-03-01 00:30Z', 'NaN', '')",
    )
    table = table_of(postgresql)
    assert [(each.key, each.size) for each in table.files()] == [("2026-02", 1), ("2026-03", 1)]
    february = rows_of(table.read(["2026-02"])["2026-02"])
    assert {name: february[name][0].as_py() for name in february.column_names} == {
        "booked_at": datetime(2026, 2, 28, 23, 30, tzinfo=UTC), "naive": datetime(2026, 3, 1, 0, 30),  # noqa: DTZ001
        "day": datetime(2026, 3, 1).date(), "age": 1, "amount": 0.1, "free": 0.125, "ratio": None,  # noqa: DTZ001
        "code": "NA", "won": True, "big": 2**53 + 1, "huge": "123456789012345678901234567890",
        "who": "00000000-0000-0000-0000-000000000001",
    }  # fmt: skip
    march = rows_of(table.read(["2026-03"])["2026-03"])
    assert (march["code"][0].as_py(), march["free"][0].as_py()) == ("", None)


@pytest.mark.slow
@pytest.mark.parametrize(
    "column, value, told",
    [
        ("ratio float8", "'Infinity'", "column 'x'.*inf is not a finite number"),
        ("x jsonb", "'{}'", "a value of the type dict in column 'x'"),
        ("x bytea", "'a'", "a value of the type memoryview in column 'x'"),
        ("x integer[]", "'{1}'", "a value of the type list in column 'x'"),
        ("x interval", "'1 day'", "a value of the type timedelta in column 'x'"),
    ],
)
def test_what_no_partition_holds_is_refused_and_named(postgresql, column, value, told):
    """The table, the column, and what to do."""
    kind = column.split(" ", 1)[1]
    run(
        postgresql,
        f"CREATE TABLE bookings (booked_at timestamptz, x {kind})",
        f"INSERT INTO bookings VALUES ('2026-03-01Z', {value})",
    )
    with pytest.raises(PartitionRefused, match=f"warehouse:bookings.*{told}"):
        rows_of(table_of(postgresql).read(["2026-03"])["2026-03"])


@pytest.mark.slow
def test_a_partition_is_of_one_snapshot_whatever_is_written_meanwhile(postgresql):
    """The first attempt is undone by a late cell; the second sees the same rows, though others were committed."""
    run(postgresql, "CREATE TABLE bookings (id integer, booked_at timestamptz, free numeric)")
    run(postgresql, "INSERT INTO bookings SELECT n, '2026-03-01Z', 1 FROM generate_series(1, 9000) AS n")
    run(postgresql, "UPDATE bookings SET free = 0.1234567890123456789 WHERE id = 9000")
    counts = []
    for attempt in table_of(postgresql).read(["2026-03"])["2026-03"].attempts():
        counts.append(sum(batch.num_rows for batch in attempt))
        run(postgresql, "INSERT INTO bookings SELECT n, '2026-03-01Z', 2 FROM generate_series(1, 500) AS n")
    assert counts[-1] == 9000


def test_rows_pass_through_memory_and_are_never_all_in_it(engine, monkeypatch):
    """Sixty thousand, a thousand at a time: at no moment are a tenth of them Python values."""
    count = 60_000
    monkeypatch.setattr(sql_source, "BATCH", 1000)
    bookings(engine)
    series = f"(WITH RECURSIVE s(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {count}) SELECT n FROM s) AS s"
    run(engine, f"INSERT INTO bookings SELECT n, '2026-03-01 00:00:00', '2026-03-01 00:00:00' FROM {series}")
    tracemalloc.start()
    try:
        (read,) = [
            sum(batch.num_rows for batch in attempt)
            for attempt in table_of(engine).read(["2026-03"])["2026-03"].attempts()
        ]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert read == count
    # A row of two times and a number is more than 200 bytes of Python.
    assert peak < count * 200 / 10


@pytest.mark.slow
@only_where_peaks_are_told
def test_a_driver_keeps_no_more_of_a_partition_than_a_batch(postgresql, monkeypatch):
    """What it holds is not Python's: sixty megabytes of text in the server are at no moment here."""
    monkeypatch.setattr(sql_source, "BATCH", 1000)
    count, wide = 60_000, 1000
    run(postgresql, "CREATE TABLE bookings (id integer, booked_at timestamptz, note text)")
    run(
        postgresql,
        f"INSERT INTO bookings SELECT n, '2026-03-01Z', repeat('x', {wide}) FROM generate_series(1, {count}) n",
    )
    run(postgresql, "INSERT INTO bookings VALUES (0, '2026-02-01Z', 'x')")
    content = table_of(postgresql).read(["2026-03"])["2026-03"]
    rows_of(table_of(postgresql).read(["2026-02"])["2026-02"])  # what is imported and allocated once
    with growth() as grown:
        assert [sum(batch.num_rows for batch in attempt) for attempt in content.attempts()] == [count]
    assert grown() < count * wide / 3


@pytest.mark.parametrize("table, query", [("bookinks", None), (None, "SELECT booked_at FROM nowhere")])
def test_a_table_that_is_not_there_is_refused_with_what_to_look_at(engine, table, query):
    """Asking again gives the same answer."""
    with pytest.raises(PartitionRefused, match=r"could not be read: .*(no such table|does not exist).*Look at source"):
        table_of(engine, table=table, query=query).files()


def test_a_database_that_is_away_is_tried_again(tmp_path):
    """Without a word of how one gets in."""
    away = sa.create_engine("postgresql+psycopg2://me:hunter2@127.0.0.1:1/x")
    with pytest.raises(Unavailable, match=r"warehouse:bookings could not be read: .*tried again") as caught:
        table_of(away).files()
    assert "hunter2" not in str(caught.value)


def test_an_amount_that_no_float_holds_stays_as_it_is_written():
    """Twenty digits behind the point."""
    from flightworthy.adapters.partition_files.sql_types import Seen, array_of

    seen = Seen(is_boolean=False)
    seen.add([Decimal("1.5"), None, 3, Decimal("-12345678901234567890.5")])
    assert seen.type == pa.decimal128(21, 1)
    assert array_of([Decimal("1.5"), 3, None], seen.type).to_pylist() == [Decimal("1.5"), Decimal("3.0"), None]
