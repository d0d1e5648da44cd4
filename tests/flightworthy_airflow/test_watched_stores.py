"""The watcher over stores that lie elsewhere, each a real server: what lands there wakes the model, once and whole."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path

import pytest
import sqlalchemy as sa
import yaml

from flightworthy.adapters.sql_releases import SqlArrivals
from flightworthy.arrival import Kind
from flightworthy.errors import Unavailable
from flightworthy.partition import SourceFile
from flightworthy.spec import Source
from flightworthy_airflow.hooks import looking, sources
from flightworthy_airflow.hooks.arrivals import Watch
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook, Places
from tests.flightworthy_airflow.conftest import SPEC
from tests.postgres import Postgres
from tests.s3 import S3, SECRET, running_s3

MONDAY, NEXT_MONDAY = "2026-01-05", "2026-01-12"
ROTATED = "another-secret-that-nobody-may-ever-see-either"
Watched = Callable[..., Watch]


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture
def watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Watched]:
    """Makes a watch of one model with that source, over a real database."""
    monkeypatch.setattr(sources, "_MOUNTED", {})
    places = Places(home=tmp_path, database=f"sqlite:///{tmp_path / 'flightworthy.db'}", models=tmp_path / "models")
    made = []

    def watch(**source: object) -> Watch:
        folder = tmp_path / "models" / "churn"
        folder.mkdir(parents=True, exist_ok=True)
        said = {**SPEC, "model": "churn", "source": {"partition": "%Y-%m-%d", **source}}
        (folder / "model.yaml").write_text(yaml.safe_dump(said))
        made.append(Watch(hook=FlightworthyHook(places=places)))
        assert made[-1].models() == ("churn",)
        return made[-1]

    yield watch
    for each in made:
        each.close()


def kinds(watch: Watch, *, looks: int = 2) -> dict[str, Kind]:
    """What is known after so many looks."""
    for _ in range(looks):
        watch.look("churn")
    store: SqlArrivals = watch.store
    return {each.key: each.kind for each in store.of("churn")}


def sign_in(monkeypatch: pytest.MonkeyPatch, connection: dict[str, object]) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_LANDING", json.dumps(connection))


def test_what_lands_in_s3_is_announced_by_the_looks_that_follow(
    s3: S3, watched: Watched, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also what lands between two looks: no listing is remembered. After a restart it is only what is new."""
    sign_in(monkeypatch, s3.connection())
    source = {"uri": "s3://plain/in/{partition}.csv", "conn_id": "landing"}
    s3.put(f"plain/in/{MONDAY}.csv", b"a\n1\n")
    watch = watched(**source)

    assert kinds(watch, looks=1) == {}
    assert kinds(watch, looks=1) == {MONDAY: Kind.FRESH}
    assert [each.keys for each in watch.due()] == [(MONDAY,)]
    s3.put(f"plain/in/{NEXT_MONDAY}.csv", b"a\n1\n")
    assert kinds(watched(**source)) == {MONDAY: Kind.FRESH, NEXT_MONDAY: Kind.FRESH}


@pytest.mark.parametrize("how", ["marker", "manifest"])
def test_parts_in_s3_wait_for_the_file_that_says_they_are_all_there(
    s3: S3, watched: Watched, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """However long they lie there unchanged."""
    sign_in(monkeypatch, s3.connection())
    bucket = f"parts-{how}"
    watch = watched(uri=f"s3://{bucket}/{{partition}}/*.csv", conn_id="landing", complete={how: "complete.json"})
    for part in ("one", "two"):
        s3.put(f"{bucket}/{MONDAY}/{part}.csv", b"a\n1\n")
    assert kinds(watch, looks=3) == {}

    listed = [{"name": f"{part}.csv", "size": 4} for part in ("one", "two")]
    s3.put(f"{bucket}/{MONDAY}/complete.json", json.dumps({"files": listed}).encode())
    assert kinds(watch, looks=1) == {MONDAY: Kind.FRESH}


def test_a_store_that_does_not_answer_is_tried_again_where_its_connection_says_by_then(
    s3: S3, watched: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is no empty one meanwhile; and a store that has moved, like a key that was rotated, needs no new triggerer."""
    with running_s3(tmp_path / "old") as old:
        sign_in(monkeypatch, old.connection())
        watch = watched(uri="s3://moved/{partition}.csv", conn_id="landing", complete={"marker": "{partition}.done"})
        old.put(f"moved/{MONDAY}.csv", b"a\n1\n")
        assert kinds(watch) == {}
    with pytest.raises(Unavailable):
        watch.look("churn")

    sign_in(monkeypatch, s3.connection())
    for name in (f"{MONDAY}.csv", f"{MONDAY}.done"):
        s3.put(f"moved/{name}", b"a\n1\n")
    assert kinds(watch) == {MONDAY: Kind.FRESH}


def listed(*parts: str) -> bytes:
    """A manifest of parts that hold the same one row."""
    digest = hashlib.sha256(b"a\n1\n").hexdigest()
    return json.dumps({"files": [{"name": f"{part}.csv", "size": 4, "sha256": digest} for part in parts]}).encode()


@pytest.mark.parametrize("how", ["settled", "marker", "manifest"])
def test_a_key_that_was_rotated_is_asked_for_again_by_the_look_that_needs_it(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, how: str
) -> None:
    """For the listing as for marker and manifest, and whichever model was first to be let in no more."""
    complete = "settled" if how == "settled" else {how: "complete.json"}
    source = {"uri": "s3://rotated/{partition}/*.csv", "conn_id": "landing", "complete": complete}
    with running_s3(tmp_path / "store") as store:
        sign_in(monkeypatch, store.connection())
        watch = watched(**source)
        store.put(f"rotated/{MONDAY}/one.csv", b"a\n1\n")
        store.put(f"rotated/{MONDAY}/complete.json", listed("one"))
        assert kinds(watch) == {MONDAY: Kind.FRESH}

    with running_s3(tmp_path / "store", secret=ROTATED, port=store.port) as store:
        sign_in(monkeypatch, store.connection(secret=ROTATED))
        store.put(f"rotated/{NEXT_MONDAY}/one.csv", b"a\n1\n")
        store.put(f"rotated/{NEXT_MONDAY}/complete.json", listed("one"))
        assert kinds(watch) == {MONDAY: Kind.FRESH, NEXT_MONDAY: Kind.FRESH}


def test_a_manifest_is_read_with_the_new_key_also_where_the_listing_was_still_let_in(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The key goes between the two; what is then asked for is signed with the connection as it is by then."""
    real, ended = looking.listing, ExitStack()
    store = ended.enter_context(running_s3(tmp_path / "store"))
    sign_in(monkeypatch, store.connection())
    watch = watched(uri="s3://rotated/{partition}.csv", conn_id="landing", complete={"manifest": "{partition}.json"})
    store.put(f"rotated/{MONDAY}.csv", b"a\n1\n")
    assert kinds(watch) == {}

    def listing(source: Source) -> tuple[SourceFile, ...]:
        store.put(f"rotated/{MONDAY}.json", listed(MONDAY))
        found = real(source)
        ended.close()
        ended.enter_context(running_s3(tmp_path / "store", secret=ROTATED, port=store.port))
        sign_in(monkeypatch, store.connection(secret=ROTATED))
        return found

    monkeypatch.setattr(looking, "listing", listing)
    with ended:
        assert kinds(watch, looks=1) == {MONDAY: Kind.FRESH}


def test_a_key_that_lets_nobody_in_is_tried_once_more_and_then_told_of(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """With the connection's name and without its secret; the next look begins with the connection as it is then."""
    signed_in = []
    real = sources._mounted
    monkeypatch.setattr(sources, "_mounted", lambda *words: signed_in.append(words) or real(*words))
    with running_s3(tmp_path / "store") as store:
        sign_in(monkeypatch, store.connection())
        watch = watched(uri="s3://closed/{partition}.csv", conn_id="landing")
        store.put(f"closed/{MONDAY}.csv", b"a\n1\n")
        watch.look("churn")
    with running_s3(tmp_path / "store", secret=ROTATED, port=store.port) as store:
        with pytest.raises(Unavailable, match=r"does not let connection 'landing' in.*Correct its key") as told:
            watch.look("churn")
        assert len(signed_in) == 2
        assert SECRET not in str(told.value)
        sign_in(monkeypatch, store.connection(secret=ROTATED))
        assert kinds(watch) == {MONDAY: Kind.FRESH}


@pytest.mark.postgres
def test_rows_of_a_table_are_announced_when_their_day_is_over_and_committed(
    watched: Watched, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    """In a real PostgreSQL: what is being written is not seen, today is not over, and later rows are a revision."""
    url = postgres.new_database()
    monkeypatch.setenv("AIRFLOW_CONN_LANDING", url)
    engine = sa.create_engine(url)
    today = datetime.now(UTC)
    row = sa.text("INSERT INTO visits VALUES (:customer, :at)")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE visits (customer integer, at timestamptz)")
        connection.execute(row, {"customer": 1, "at": today})
    watch = watched(uri="sql", conn_id="landing", table="visits", event_time={"columns": ["at"]})
    monday = datetime.fromisoformat(f"{MONDAY}T09:00:00+00:00")
    with engine.begin() as connection:
        connection.execute(row, {"customer": 2, "at": monday})
        assert kinds(watch) == {}

    assert kinds(watch) == {MONDAY: Kind.FRESH}
    assert [each.keys for each in watch.due()] == [(MONDAY,)]
    with engine.begin() as connection:
        connection.execute(row, {"customer": 3, "at": monday})
    kinds(watch)
    assert [each.kind for each in watch.store.of("churn")] == [Kind.FRESH, Kind.REVISED]
    engine.dispose()
