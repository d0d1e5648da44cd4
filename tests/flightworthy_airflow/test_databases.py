"""A database as a source, by an Airflow connection."""

from __future__ import annotations

import json
import sqlite3

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from flightworthy.adapters.partition_files import progress, sql_source
from flightworthy.spec import Source
from flightworthy_airflow.hooks.databases import database_of
from flightworthy_airflow.hooks.sources import listing
from tests.flightworthy_airflow.conftest import MONDAY, NEXT_MONDAY, Line, run_of
from tests.postgres import Postgres
from tests.training_material import make_frame

SOURCE = {
    "uri": "sql", "conn_id": "warehouse", "table": "customers", "partition": "%Y-%m-%d",
    "event_time": {"columns": ["seen_at"]}, "known_since": {"columns": ["answered_at"]},
}  # fmt: skip


def source() -> Source:
    return Source.model_validate(SOURCE)


@pytest.fixture
def customers(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    """Three hundred of Monday's in a database, sixty of whom answered later."""
    file = line.home / "warehouse.db"
    line.home.mkdir(parents=True, exist_ok=True)
    frame = make_frame(300, seed=5)[["customer", "age", "income", "bought"]]
    frame = frame.assign(seen_at=f"{MONDAY} 08:00:00", answered_at=["2026-01-06"] * 240 + ["2026-02-01"] * 60)
    with sqlite3.connect(file) as connection:
        frame.to_sql("customers", connection, index=False)
    connection.close()
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", json.dumps({"conn_type": "sqlite", "host": str(file)}))
    line.say(source=SOURCE)


def test_the_line_takes_a_week_out_of_a_database_as_of_its_end(line: Line, customers: None) -> None:
    """Checked, and trained on, like any file; a week that is not there is skipped."""
    run = run_of("scheduled", at=MONDAY)
    checked = line.check(run, line.ingest(run))

    assert (checked["partition"], checked["rows"]) == (MONDAY, 240)
    assert line.train(run, checked)["metrics"]
    with pytest.raises(AirflowSkipException, match=NEXT_MONDAY):
        line.ingest(run_of("scheduled", at=NEXT_MONDAY))
    assert [(each.key, each.size) for each in listing(source())] == [(MONDAY, 300)]


def test_a_long_reading_of_a_table_writes_its_progress_into_the_tasks_log(
    line: Line, customers: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """As that of a file does. SQLite's types are told by their values, so that the rows are read twice."""
    monkeypatch.setattr(progress, "_PAUSE", 0.0)
    monkeypatch.setattr(sql_source, "BATCH", 150)

    line.ingest(run_of("scheduled", at=MONDAY))

    told = [line.partition(" reading ")[2] for line in capsys.readouterr().out.splitlines() if " reading " in line]
    assert [each.partition(" rows_per_second=")[0] for each in told] == [
        f"warehouse:customers {MONDAY} rows=150 share=50%", f"warehouse:customers {MONDAY} rows=300 share=100%",
    ] * 2  # fmt: skip


def test_a_connection_that_is_not_there_is_named(line: Line) -> None:
    """With how to add it."""
    line.say(source=SOURCE)
    with pytest.raises(AirflowFailException, match=r"'warehouse': there is no such connection"):
        line.ingest(run_of("scheduled"))


@pytest.mark.slow
def test_a_connection_reaches_postgresql_with_what_its_extra_says(
    postgres: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Airflow writes URLs: the type names the driver, and what follows the question mark goes to it."""
    url = postgres.new_database()
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", url)
    with database_of(source()).connect() as connection:
        assert connection.exec_driver_sql("SELECT current_database()").scalar() == url.split("/")[3].split("?")[0]
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", url.replace("postgresql+psycopg2", "postgresql"))
    assert database_of(source()).dialect.name == "postgresql"


def test_a_password_is_in_no_text_of_the_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a log may hold of it."""
    monkeypatch.setenv("AIRFLOW_CONN_WAREHOUSE", "postgresql://me:hunter2@db.example:5432/shop")
    engine = database_of(source())
    assert engine.url.password == "hunter2"
    assert "hunter2" not in f"{engine!r} {engine.url}"
