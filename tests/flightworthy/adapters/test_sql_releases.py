import json
import multiprocessing
import sqlite3
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory

from flightworthy import ledger
from flightworthy.adapters.sql_releases import SqlArrivals, SqlReleases, look_at_schema, upgrade_schema
from flightworthy.adapters.sql_releases.schema import NEWEST, VERSION_TABLE, alembic_config
from flightworthy.adapters.sql_releases.tables import metadata
from flightworthy.errors import Conflict, LedgerBroken, Refused, Unavailable
from flightworthy.release import NO_LIMITS, Cause, Shadow, draft, requested
from tests.flightworthy.release_makers import NOW, STRATEGY, decided, promoted, proposed, release, seen_healthy, serving

OF_0_1 = Path(__file__).with_name("releases_of_0_1.sql").read_text()


@pytest.fixture
def url(new_database):
    return new_database()


@pytest.fixture
def store(url):
    kept = SqlReleases(url)
    yield kept
    kept.close()


@pytest.fixture
def run(url):
    """Statements past the store, as by somebody with a shell."""
    engine = sa.create_engine(url)

    def execute(*statements):
        with engine.begin() as connection:
            for statement in statements:
                connection.exec_driver_sql(statement)

    yield execute
    engine.dispose()


def test_a_strategy_comes_back_as_it_was_written(store):
    """Durations and lists included; what it was proposed with is what it is judged by."""
    shadow = Shadow(bake_time=timedelta(seconds=9.5), min_requests=7, max_flip_rate=0.25)
    limits = replace(
        NO_LIMITS, max_slowdown=0.1, max_p99_latency=timedelta(milliseconds=250), required=("errors", "latency")
    )  # fmt: skip
    written = replace(
        release(1), strategy=replace(STRATEGY, limits=limits, shadow=shadow, warm_time=timedelta(hours=2))
    )
    store.add_release(written)
    assert store.release(written.id) == written


def test_a_strategy_from_before_there_were_limits_is_judged_by_errors(url, store):
    """An old release is read, and held to what held when it was proposed."""
    store.add_release(release(1))
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        told = json.loads(connection.exec_driver_sql("SELECT strategy FROM release").scalar_one())
        told.pop("limits")
        connection.execute(sa.text("UPDATE release SET strategy = :told"), {"told": json.dumps(told)})
    engine.dispose()
    assert store.release(release(1).id).strategy == replace(STRATEGY, limits=NO_LIMITS)


def propose_once(url, number, start, results):
    try:
        store = SqlReleases(url)
        before = store.deployment("churn")
        after = requested(before, f"churn-{number}", NOW)
        start.wait(30)
        store.swap(before, after, draft(before, after, "proposed", Cause(actor=f"{number}", reason="race", at=NOW)))
        results.put("won")
        store.close()
    except Conflict:
        results.put("lost")
    except BaseException as error:
        results.put(repr(error))
        raise


def test_of_six_processes_that_decide_at_once_one_wins(url):
    """Also where the database and its tables are made at that moment by all of them."""
    context = multiprocessing.get_context("spawn")
    start, results = context.Barrier(6), context.Queue()
    racers = [context.Process(target=propose_once, args=(url, number, start, results)) for number in range(6)]
    for racer in racers:
        racer.start()
    outcomes = sorted(results.get(timeout=60) for _ in racers)
    for racer in racers:
        racer.join()
    assert outcomes == ["lost"] * 5 + ["won"]
    store = SqlReleases(url)
    assert store.deployment("churn").generation == 1
    assert ledger.verify(store.history(), head=store.head()) == 1
    store.close()


REFUSING = {
    "sqlite": ["CREATE TRIGGER full BEFORE INSERT ON ledger BEGIN SELECT RAISE(ABORT, 'disk full'); END"],
    "postgresql": [
        "CREATE FUNCTION is_full() RETURNS trigger AS $$ BEGIN RAISE EXCEPTION 'disk full'; END $$ LANGUAGE plpgsql",
        "CREATE TRIGGER is_full BEFORE INSERT ON ledger FOR EACH ROW EXECUTE FUNCTION is_full()",
    ],
}


def test_a_decision_whose_entry_cannot_be_written_does_not_happen(url, store, run):
    """Neither one that makes a row nor one that changes it; and the head is where it was."""
    row = serving(store, 1)
    head = store.head()
    run(*REFUSING[url.split(":")[0].split("+")[0]])
    with pytest.raises(Exception, match="disk full"):
        proposed(store, 2)
    with pytest.raises(Exception, match="disk full"):
        proposed(store, 1, model="claims")
    assert store.deployment("churn") == row
    assert [known.model for known in store.deployments()] == ["churn"]
    assert store.head() == head
    assert ledger.verify(store.history(), head=head) == 2


@pytest.mark.parametrize(
    "tampering, named",
    [
        ("UPDATE ledger SET reason = 'nothing to see' WHERE seq = 2", "entry 2 .* was changed"),
        ("UPDATE ledger SET share = 1 WHERE seq = 3", "entry 3 .* was changed"),
        ("DELETE FROM ledger WHERE seq = 3", "entry 4 stands where entry 3 belongs"),
        ("DELETE FROM ledger WHERE seq = 4", "the newest entries are missing"),
        ("UPDATE ledger_head SET hash = '0'", "the newest entries are missing"),
    ],
)
def test_an_entry_that_was_tampered_with_in_the_database_is_named(store, run, tampering, named):
    """By whoever could write to it."""
    serving(store, 1, 2)
    run(tampering)
    with pytest.raises(LedgerBroken, match=named):
        ledger.verify(store.history(), head=store.head())


def test_what_was_decided_is_there_after_a_restart(url):
    """Tables are made once and kept."""
    first = SqlReleases(url)
    row = serving(first, 1)
    first.close()
    second = SqlReleases(url)
    assert second.deployment("churn") == row
    second.close()


def test_migrations_lead_to_the_tables_that_the_code_knows(url, store):
    """Column by column, with types, keys and indexes; and the newest revision is the one that the code asks for."""
    assert ScriptDirectory.from_config(alembic_config()).get_current_head() == NEWEST
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "version_table": VERSION_TABLE})
        assert compare_metadata(context, metadata) == []
    engine.dispose()


def test_the_tables_may_share_a_database_with_another_users_migrations(url, run):
    """Airflow's and MLflow's version table is another one, and stays as it is."""
    run("CREATE TABLE alembic_version (version_num VARCHAR(32))", "INSERT INTO alembic_version VALUES ('theirs')")
    store = SqlReleases(url)
    serving(store, 1)
    store.close()
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        assert connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar() == "theirs"
    engine.dispose()


def test_looking_at_the_schema_changes_nothing(url):
    """Before there are tables, and after."""
    for _ in range(2):
        state = look_at_schema(url)
        assert (state.found, state.is_current, state.is_adoptable) == (None, False, False)
    assert upgrade_schema(url).found is None
    assert look_at_schema(url).is_current
    assert upgrade_schema(url).found == NEWEST


def test_tables_of_a_newer_flightworthy_are_left_alone(url, store, run):
    """Reading them by guess could lose what they hold; the message says what to do."""
    serving(store, 1)
    run(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")
    with pytest.raises(
        Refused, match=rf"revision 9999, .* up to {NEWEST}: a newer one .* Upgrade Flightworthy here too"
    ):
        SqlReleases(url)
    assert look_at_schema(url).found == "9999"


@pytest.fixture
def of_0_1(tmp_path):
    """A database that 0.1 left, before there were migrations: written down by it, statement by statement."""
    file = tmp_path / "flightworthy.db"
    connection = sqlite3.connect(file)
    connection.executescript(OF_0_1)
    connection.close()
    return f"sqlite:///{file}"


def test_a_database_of_0_1_is_taken_over_without_loss(of_0_1):
    """Rows, releases, the ledger and its hashes, evidence, observations and claims; and it goes on from there."""
    assert look_at_schema(of_0_1).is_adoptable
    store = SqlReleases(of_0_1)
    assert look_at_schema(of_0_1).is_current
    row = store.deployment("churn")
    assert (row.generation, row.champion, row.challenger, row.phase) == (6, release(2).id, release(3).id, "canary")
    assert store.releases("churn") == [release(version) for version in (1, 2, 3)]
    assert ledger.verify(store.history(), head=store.head()) == 6
    assert {entry.share for entry in store.history()} == {None}
    assert store.observation("churn").healthy == (release(1).id, release(2).id)
    assert store.evidence(store.keep_evidence('{"errors": 3}')) == '{"errors": 3}'
    arrivals = SqlArrivals(of_0_1)
    assert [(each.key, each.digest, each.run.run_id) for each in arrivals.of("churn")] == [
        ("2026-01-05", "d1", "run 1")
    ]
    assert arrivals.waiting() == arrivals.taken() == []
    arrivals.close()
    decided(store, row, promoted(row, NOW), "promoted")
    assert ledger.verify(store.history(), head=store.head()) == 7
    store.close()


def test_an_upgrade_that_was_killed_is_made_whole_by_the_next(of_0_1, monkeypatch):
    """It is one transaction: before it or after it, nothing between."""
    monkeypatch.setattr("alembic.operations.ops.CreateTableOp.create_table", _killed)
    with pytest.raises(KeyboardInterrupt):
        SqlReleases(of_0_1)
    monkeypatch.undo()
    state = look_at_schema(of_0_1)
    assert (state.found, state.is_adoptable) == (None, True)
    store = SqlReleases(of_0_1)
    assert ledger.verify(store.history(), head=store.head()) == 6
    store.close()


def _killed(*_words, **_options):
    raise KeyboardInterrupt


def test_a_database_that_does_not_answer_is_worth_another_try(tmp_path):
    """Unavailable, with the address and without its password."""
    (tmp_path / "folder").mkdir()
    with pytest.raises(Unavailable, match="did not answer"):
        SqlReleases(f"sqlite:///{tmp_path / 'folder'}")
    with pytest.raises(Unavailable, match="did not answer") as caught:
        SqlReleases("postgresql+psycopg2://flightworthy:hunter2@127.0.0.1:1/flightworthy")
    assert "hunter2" not in str(caught.value)


def test_reading_waits_for_no_writer(url, store):
    """A status must not hang because a decision is being written."""
    row = serving(store, 1)
    engine = sa.create_engine(url)
    with engine.connect() as writer:
        if url.startswith("sqlite"):
            writer.connection.isolation_level = None
            writer.exec_driver_sql("BEGIN IMMEDIATE")
        writer.exec_driver_sql("UPDATE ledger_head SET hash = 'half-written'")
        assert store.deployment("churn") == row
        writer.rollback()
    engine.dispose()


@pytest.mark.postgres
def test_a_database_that_went_and_came_back_is_used_again(postgres):
    """Connections of before are dead: the store takes new ones, and nobody is told more than Unavailable."""
    store = SqlReleases(postgres.new_database())
    row = serving(store, 1)
    postgres.stop()
    try:
        with pytest.raises(Unavailable, match="Nothing was changed; try again"):
            proposed(store, 2)
    finally:
        postgres.start()
    assert store.deployment("churn") == row
    assert proposed(store, 2).challenger == release(2).id
    store.close()


@pytest.mark.postgres
def test_who_may_not_make_tables_is_told_who_should(postgres):
    """The usual arrangement of a careful company: one user upgrades, another one works."""
    url = postgres.new_database()
    database = url.split("?")[0].rsplit("/", 1)[1]
    postgres.run("CREATE ROLE worker LOGIN", database=database)
    as_worker = url.replace("postgres@", "worker@")
    with pytest.raises(Refused, match="Run `flightworthy database upgrade` as a user who owns them"):
        SqlReleases(as_worker)
    upgrade_schema(url)
    postgres.run("GRANT ALL ON ALL TABLES IN SCHEMA public TO worker", database=database)
    postgres.run("GRANT ALL ON ALL SEQUENCES IN SCHEMA public TO worker", database=database)
    store = SqlReleases(as_worker)
    assert serving(store, 1).champion == release(1).id
    seen_healthy(store, 1)
    store.close()


def test_two_that_observe_at_once_are_no_error(url, store):
    """The later one stays: an observation is not a decision."""
    serving(store, 1)
    seen_healthy(store, 1)
    other = SqlReleases(url)
    seen = replace(store.observation("churn"), note="mine")
    other.observe(seen)
    assert store.observation("churn") == seen
    other.close()
