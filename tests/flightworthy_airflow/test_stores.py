"""Sources that lie elsewhere: a real S3 by an Airflow connection, a real web server."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from airflow.sdk.exceptions import AirflowFailException
from pyarrow import parquet

from flightworthy.dataset import Rows
from flightworthy.errors import Refused, Unavailable
from flightworthy.spec import Source
from flightworthy_airflow.hooks import sources
from flightworthy_airflow.hooks.sources import listing, source_of
from tests.flightworthy_airflow.conftest import MODEL, MONDAY, NEXT_MONDAY, Line, by_hand
from tests.s3 import S3, SECRET, running_s3

CONN = "landing_s3"


@pytest.fixture(scope="module")
def s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3]:
    with running_s3(tmp_path_factory.mktemp("s3")) as server:
        yield server


@pytest.fixture(autouse=True)
def signed_in(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """A connection as Airflow keeps it; nothing of it in the environment that fsspec would look into."""
    monkeypatch.setattr(sources, "_MOUNTED", {})
    connect(monkeypatch, s3.connection())


def connect(monkeypatch: pytest.MonkeyPatch, connection: dict[str, object]) -> None:
    monkeypatch.setenv(f"AIRFLOW_CONN_{CONN.upper()}", json.dumps(connection))


def on_s3(uri: str, **kwargs: Any) -> Source:
    return Source(uri=f"s3://{uri}", partition="%Y-%m-%d", conn_id=CONN, **kwargs)


def table_of(content: Any) -> pa.Table:
    rows: Rows = content
    *_, last = [pa.Table.from_batches(list(attempt)) for attempt in rows.attempts()]
    return last


def read(source: Source, key: str, line: Line) -> pa.Table:
    line.say(source=source.model_dump(exclude_unset=True))
    from flightworthy_airflow.hooks.flightworthy import FlightworthyHook

    spec = FlightworthyHook().spec(MODEL)
    found = source_of(spec, FlightworthyHook().protection(spec), progress=print)
    return table_of(found.read([key])[key])


def test_a_partition_in_s3_is_ingested_by_its_connection(s3: S3, line: Line) -> None:
    """The operator, the provider's file system and the server: nothing between is played."""
    line.land()
    s3.put(f"shop/in/{MONDAY}.csv", (line.home / "landing" / MODEL / f"{MONDAY}.csv").read_bytes())
    local = line.ingest(by_hand())
    line.say(source={"uri": "s3://shop/in/{partition}.csv", "partition": "%Y-%m-%d", "conn_id": CONN})

    taken = line.ingest(by_hand())

    assert (taken["partition"], taken["rows"]) == (MONDAY, 240)
    assert taken["dataset_digest"] == local["dataset_digest"]


def test_what_lands_in_s3_is_seen_by_the_next_look(s3: S3) -> None:
    """Listings are never remembered; parts lie one folder deeper, and other names are none of the model's."""
    source = on_s3("seen/in/{partition}/*.parquet")
    assert listing(source) == ()
    s3.put(f"seen/in/{MONDAY}/1.parquet", b"x")
    s3.put(f"seen/in/{MONDAY}/_making.parquet", b"x")
    s3.put("seen/in/notes/1.parquet", b"x")
    assert [(file.key, file.size) for file in listing(source)] == [(MONDAY, 1)]
    s3.put(f"seen/in/{NEXT_MONDAY}/1.parquet", b"xy")
    found = listing(source)
    assert [(file.key, file.uri) for file in found] == [
        (MONDAY, f"s3://seen/in/{MONDAY}/1.parquet"),
        (NEXT_MONDAY, f"s3://seen/in/{NEXT_MONDAY}/1.parquet"),
    ]
    assert found[1].modified_at.year > 2000


def test_parts_in_s3_are_one_partition(s3: S3, line: Line) -> None:
    """Parquet needs its end first: it is laid aside, and read from there."""
    for part in (1, 2):
        sink = pa.BufferOutputStream()
        parquet.write_table(pa.table({"age": range(part * 1000)}), sink)
        s3.put(f"parts/{MONDAY}/{part}.parquet", sink.getvalue().to_pybytes())
    assert read(on_s3("parts/{partition}/*.parquet"), MONDAY, line).num_rows == 3000


def test_an_upload_that_is_not_finished_is_not_there(s3: S3) -> None:
    """A multipart upload becomes visible with its last word, and all of it."""
    files_at = sources._files_at(on_s3("multi/{partition}.csv"))
    s3.put("multi/keep", b"")
    upload = files_at.open(f"multi/{MONDAY}.csv", "wb", block_size=5 * 2**20)
    upload.write(b"id\n" + b"1\n" * (3 * 2**20))
    upload.write(b"2\n")
    assert listing(on_s3("multi/{partition}.csv")) == ()
    upload.close()
    (file,) = listing(on_s3("multi/{partition}.csv"))
    assert (file.key, file.size) == (MONDAY, 3 + 2 * (3 * 2**20) + 2)


def test_a_wrong_key_is_named_by_its_connection_and_never_shown(
    s3: S3,
    line: Line,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Correcting the connection is enough: the next look, and the next try, sign in again."""
    s3.put(f"locked/{MONDAY}.csv", b"id\n1\n")
    wrong = "another-secret-that-nobody-may-ever-see"
    connect(monkeypatch, s3.connection(secret=wrong))
    source = on_s3("locked/{partition}.csv")

    with caplog.at_level(logging.DEBUG), pytest.raises(Unavailable) as refused:
        listing(source)
    assert f"does not let connection '{CONN}' in" in refused.value.message
    assert "Correct its key" in refused.value.message
    line.say(source=source.model_dump(exclude_unset=True))
    with pytest.raises(Unavailable, match=f"connection '{CONN}'"):
        line.ingest(by_hand())
    told = capsys.readouterr()
    for secret in (wrong, SECRET):
        assert secret not in refused.value.message + repr(refused.value.facts) + told.out + told.err + caplog.text
    connect(monkeypatch, s3.connection())
    assert [file.key for file in listing(source)] == [MONDAY]


def test_a_file_that_is_written_anew_while_it_is_read_is_tried_again(s3: S3, line: Line) -> None:
    """Its length is not the one that was listed: nobody can tell which of the two was meant."""
    s3.put(f"anew/{MONDAY}.csv", b"id\n1\n")
    line.say(source=on_s3("anew/{partition}.csv").model_dump(exclude_unset=True))
    from flightworthy_airflow.hooks.flightworthy import FlightworthyHook

    spec = FlightworthyHook().spec(MODEL)
    content = source_of(spec, FlightworthyHook().protection(spec), progress=print).read([MONDAY])[MONDAY]
    s3.put(f"anew/{MONDAY}.csv", b"id\n1\n2\n")
    with pytest.raises(Unavailable, match="is not the file any more that was listed, of 5 bytes"):
        table_of(content)


def test_a_server_that_is_away_is_worth_another_try(s3: S3, monkeypatch: pytest.MonkeyPatch) -> None:
    """Never an empty store: a partition that cannot be seen is not a partition that is not there."""
    connect(
        monkeypatch, {**s3.connection(), "extra": {"endpoint_url": "http://127.0.0.1:9", "region_name": "us-east-1"}}
    )
    with pytest.raises(Unavailable, match="could not be listed"):
        listing(on_s3("away/{partition}.csv"))


def test_a_connection_that_is_not_there_is_refused(line: Line) -> None:
    """And so is a scheme that no provider knows: asking again gives the same answer."""
    line.say(source={"uri": "s3://x/{partition}.csv", "partition": "%Y-%m-%d", "conn_id": "nowhere"})
    with pytest.raises(AirflowFailException, match=r"source\.conn_id='nowhere': there is no such connection"):
        line.ingest(by_hand())
    with pytest.raises(Refused, match="Airflow has no file system for http://"):
        listing(Source(uri="http://x/{partition}.csv", partition="%Y", conn_id=CONN))


def test_a_connection_of_which_no_file_system_can_be_made_is_worth_another_try(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever its provider says of it; a person corrects it meanwhile."""
    connect(monkeypatch, {"conn_type": "aws", "extra": {"profile_name": "nobody"}})
    with pytest.raises(Unavailable, match=rf"'{CONN}': no file system for s3:// could be made.*nobody.*tried again"):
        listing(on_s3("unmade/{partition}.csv"))


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_: Any) -> None: ...

        def send_head(self) -> Any:
            if "/closed" in self.path:
                self.send_error(403, "Not you")
                return None
            return super().send_head()

    folder = tmp_path / "web"
    folder.mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", folder
    server.shutdown()
    thread.join()
    server.server_close()


def test_a_partition_on_a_web_server_is_found_by_its_folder_page_and_read(web: tuple[str, Path], line: Line) -> None:
    """Sizes and times come from the files' own headers."""
    url, folder = web
    (folder / f"{MONDAY}.csv").write_text("customer,age\n1,40\n")
    source = Source(uri=f"{url}/{{partition}}.csv", partition="%Y-%m-%d")
    (file,) = listing(source)
    assert (file.key, file.size) == (MONDAY, 18)
    assert file.modified_at.year > 2000
    assert read(source, MONDAY, line).to_pydict() == {"customer": [1], "age": [40]}


def test_a_web_server_that_lets_nobody_in_says_so(web: tuple[str, Path], line: Line) -> None:
    """By HTTP's status, as Azure's and Google's stores do; it is no empty folder."""
    url, _ = web
    with pytest.raises(Unavailable, match=r"does not let the environment's credentials in \(403.*Correct its key"):
        listing(Source(uri=f"{url}/closed/{{partition}}.csv", partition="%Y-%m-%d"))


def test_a_web_server_that_is_away_is_no_empty_folder(line: Line) -> None:
    """One file of all partitions, whose server does not answer."""
    with pytest.raises(Unavailable, match="could not be listed"):
        listing(Source(uri="http://127.0.0.1:9/{partition}.csv", partition="%Y"))
