"""How servers are compared: what counts as an answer, which rounds count, and what follows from the figures."""

from __future__ import annotations

import re
import shutil
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import ClassVar

import psutil  # type: ignore[import-untyped]
import pytest

from benchmarks import result as results
from benchmarks import serving_lines
from benchmarks.peer_environments import HERE
from benchmarks.result import ROOT
from benchmarks.server_process import ServerProcess, post, status_of
from benchmarks.serving import PLOT
from benchmarks.serving_cells import Cell, Figures, Sample, quietest, sample
from benchmarks.serving_lines import Line
from benchmarks.serving_peers import LIMIT, OURS, PEERS, predictions_of
from benchmarks.serving_plot import draw
from benchmarks.serving_rows import headline
from benchmarks.wrk import Load, NotMeasured, Target, load

SAID = """Running 1s test @ http://127.0.0.1:9101/invocations
  1 threads and 16 connections
Requests/sec:    917.43
{"requests": 1926, "microseconds": 2099346, "p50": 17392.000000, "p99": 66533.000000, "refused": 0, "broken": 0}
"""

SERVER = """
import subprocess, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # one write an answer: two wait 40 ms for each other's acknowledgement, with no time to weigh
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        sum(range(20_000))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"{}")
    def log_message(self, *_):
        pass

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


class Counting(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    bodies: ClassVar[set[tuple[bytes, str]]] = set()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.bodies.add((body, self.headers["content-type"]))
        self.send_response(415 if body == b"refuse me" else 200)
        self.send_header("content-length", "0")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def url() -> Iterator[str]:
    Counting.bodies.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Counting)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/invocations"
    server.shutdown()
    thread.join()
    server.server_close()


def target(url: str, folder: Path, body: bytes) -> Target:
    (folder / "body").write_bytes(body)
    return Target(url=url, body=folder / "body", content_type="text/x-rows")


def sampled(per_second: float, *, elsewhere: float) -> Sample:
    found = Load(requests=int(per_second), seconds=1.0, p50_ms=1.0, p99_ms=2.0)
    return Sample(load=found, cpu_us=1e6 / per_second, elsewhere=elsewhere)


def line(server: str, *, rows: int = 1, connections: int = 16, **figures: float) -> Line:
    known = {"per_second": 10.0, "p50_ms": 1.0, "p99_ms": 1.0, "cpu_us": 1.0, "memory_mb": 1.0, "first_answer_s": 1.0}
    return Line(model="m", server=server, rows=rows, connections=connections, **{**known, **figures})


def test_what_wrk_counted_is_read_from_its_last_line() -> None:
    """Microseconds become what a reader thinks in."""
    found = Load.read(SAID)

    assert found == Load(requests=1926, seconds=2.099346, p50_ms=17.392, p99_ms=66.533)
    assert found.per_second == pytest.approx(917.4, abs=0.1)


@pytest.mark.parametrize(
    "change, reason",
    [
        (('refused": 0', 'refused": 3'), "3 were refused"),
        (('broken": 0', 'broken": 2'), "2 broken off"),
        (('requests": 1926', 'requests": 0'), "no answer within 2.1 s"),
        (("{", "("), "nothing that it counted"),
    ],
)
def test_a_load_that_was_not_answered_whole_is_no_figure(change: tuple[str, str], reason: str) -> None:
    """A server is not fast for refusing."""
    with pytest.raises(NotMeasured, match=reason):
        Load.read(SAID.replace(*change))


@pytest.mark.skipif(shutil.which("wrk") is None, reason="there is no wrk")
def test_wrk_posts_the_body_that_it_was_given(url: str, tmp_path: Path) -> None:
    """The same bytes under the same content type, each time."""
    found = load(target(url, tmp_path, b'{"rows":"\\n\xc3\xa4"}'), connections=2, seconds=1)

    assert found.requests > 10
    assert 0 < found.p50_ms <= found.p99_ms
    assert Counting.bodies == {(b'{"rows":"\\n\xc3\xa4"}', "text/x-rows")}


@pytest.mark.skipif(shutil.which("wrk") is None, reason="there is no wrk")
def test_a_server_that_refuses_what_wrk_sends_is_not_measured(url: str, tmp_path: Path) -> None:
    """Errors are answered quickly."""
    refused = target(url, tmp_path, b"refuse me")

    assert status_of(refused) == 415
    with pytest.raises(NotMeasured, match="were refused"):
        load(refused, connections=1, seconds=1)


def test_the_quietest_rounds_count_and_are_kept_whole() -> None:
    """A round is as noisy as its noisiest moment, since its servers are compared with one another."""
    rounds = [
        {"a": sampled(100, elsewhere=0.0), "b": sampled(10, elsewhere=0.5)},
        {"a": sampled(200, elsewhere=0.1), "b": sampled(20, elsewhere=0.0)},
        {"a": sampled(300, elsewhere=0.2), "b": sampled(30, elsewhere=0.2)},
    ]

    measured = quietest(rounds, 2)

    assert list(measured.kept) == rounds[1:]
    assert measured.elsewhere == pytest.approx(0.2)
    figures = measured.figures("b")
    assert figures is not None
    assert figures.per_second == 25


def test_a_server_that_failed_in_a_round_that_counts_has_no_figures() -> None:
    """Its good rounds are not held against the others' all."""
    rounds = [{"a": sampled(1, elsewhere=0)}, {"a": sampled(1, elsewhere=0), "b": sampled(1, elsewhere=0)}]

    assert quietest(rounds, 2).figures("b") is None
    assert quietest(rounds, 2).figures("a") is not None


def test_the_headline_follows_from_the_lines() -> None:
    """Against the peer that is named, or the one that does best by that very figure, never the limit."""
    lines = [
        line(OURS, per_second=1000, p99_ms=2, cpu_us=90, memory_mb=30, first_answer_s=0.5),
        line("mlflow", per_second=10, p99_ms=100, memory_mb=100, first_answer_s=2),
        line("fastapi", per_second=200, p99_ms=50),
        line("litserve", per_second=100, p99_ms=10),
        line(LIMIT, per_second=9000, p99_ms=0.1, cpu_us=18),
        line(OURS, rows=1_000, connections=1, cpu_us=100),
        line("mlflow", rows=1_000, connections=1, cpu_us=500),
    ]

    found = {each.what.removeprefix("m, "): each for each in headline("m", lines)}

    one = "one row, 16 connections: "
    expected = {
        f"{one}requests/s against mlflow": (100, True),
        f"{one}requests/s against the best peer (fastapi)": (5, False),
        f"{one}p99 against mlflow": (0.02, True),
        f"{one}p99 against the best peer (litserve)": (0.2, False),
        f"{one}CPU a request": (90, True),
        f"{one}CPU a request against hello world": (5, True),
        "1,000 rows as JSON: CPU against mlflow": (0.2, True),
        "memory, one worker, against mlflow": (0.3, False),
        "start to first answer, against mlflow": (0.25, False),
        "start to first answer": (0.5, True),
    }
    assert {what: (found[what].value, found[what].met) for what in expected} == expected


def test_what_could_not_be_measured_stays_in_the_headline() -> None:
    """No row disappears with a server that did not start."""
    found = headline("m", [line("mlflow")])

    assert len(found) == len(headline("m", [line(OURS), line("mlflow"), line(LIMIT)]))
    assert {each.value for each in found} == {None}
    assert {each.met for each in found if each.reach} == {False}


def test_the_lines_come_back_from_their_file(tmp_path: Path) -> None:
    """What the page's tables are made of can be read by others too."""
    figures = Figures(per_second=12345.678, p50_ms=0.12345, p99_ms=1, cpu_us=99.99)
    lines = [Line.of(Cell("m", 1, 16), OURS, figures, memory_mb=87.5, first_answer_s=0.4), line("mlflow", rows=1_000)]

    serving_lines.write(tmp_path / "lines.csv", lines)

    assert serving_lines.read(tmp_path / "lines.csv") == lines
    assert lines[0].per_second == 12350


def test_a_table_shows_each_server_once_and_what_is_missing_as_missing() -> None:
    """Three numbers of connections in one cell."""
    text = serving_lines.tables([line(OURS, connections=each, per_second=each * 100) for each in (1, 16)])

    assert "| m | flightworthy | 100 / 1,600 / - |" in text


def test_the_page_shows_the_lines_of_the_file() -> None:
    """By hand nothing is written there; before anything is published, nothing is shown."""
    path = results.RESULTS / "serving.csv"
    page = results.DOCS.read_text(encoding="utf-8")

    assert "<!-- serving: written by `make bench` -->" in page
    if path.is_file():
        assert serving_lines.tables(serving_lines.read(path)) in page
    assert path.is_file() == PLOT.is_file() == (f"images/{PLOT.name}" in page)


def test_the_same_lines_draw_the_same_picture(tmp_path: Path) -> None:
    """So that publishing again changes the picture only where figures changed."""
    lines = [line(OURS, per_second=1000), line("mlflow", per_second=10), line(LIMIT, per_second=5000)]

    for name in ("one.svg", "two.svg"):
        draw(tmp_path / name, lines)

    assert (tmp_path / "one.svg").read_bytes() == (tmp_path / "two.svg").read_bytes()
    assert "mlflow" in (tmp_path / "one.svg").read_text(encoding="utf-8")


def test_probabilities_of_both_classes_are_read_as_those_of_the_second() -> None:
    """scikit-learn's flavours answer two columns, LightGBM's one."""
    mlserver = next(peer for peer in PEERS if peer.name == "mlserver")
    both = {"outputs": [{"shape": [2, 2], "data": [0.9, 0.1, 0.25, 0.75]}]}
    one = {"outputs": [{"shape": [2, 1], "data": [0.1, 0.75]}]}

    assert predictions_of({"predictions": [[0.9, 0.1], [0.25, 0.75]]}) == [0.1, 0.75]
    assert predictions_of({"predictions": [0.1, 0.75]}) == [0.1, 0.75]
    assert mlserver.read(both) == mlserver.read(one) == [0.1, 0.75]


@pytest.mark.parametrize("path", sorted(HERE.glob("*.txt")), ids=lambda path: path.stem)
def test_peers_are_pinned_and_predict_with_our_own_versions(path: Path) -> None:
    """A difference between servers is none between releases of scikit-learn, LightGBM or NumPy."""
    pins = path.read_text(encoding="utf-8").splitlines()
    lock = (ROOT / "requirements.lock").read_text(encoding="utf-8")

    assert all(re.fullmatch(r"[a-z0-9._-]+==[^=\s]+( ; .*)?", pin) for pin in pins)
    for name in ("scikit-learn", "lightgbm", "numpy"):
        pin = next(each for each in pins if each.startswith(f"{name}=="))
        assert re.search(rf"^{re.escape(pin)}\s", lock, re.MULTILINE)


def test_every_peer_that_needs_an_environment_has_requirements() -> None:
    """And no requirements are left of a peer that is gone."""
    assert {peer.environment for peer in PEERS if peer.environment} == {path.stem for path in HERE.glob("*.txt")}


@pytest.mark.skipif(shutil.which("wrk") is None or not Path("/proc/self").exists(), reason="needs wrk and Linux")
def test_a_server_is_weighed_with_its_children_and_leaves_none_behind(tmp_path: Path) -> None:
    """Processor time grows with the requests, memory is all processes', and the end is the end of all."""
    from flightworthy.deployer.servers import free_port

    (tmp_path / "server.py").write_text(SERVER)
    port = free_port()
    asked = target(f"http://127.0.0.1:{port}/", tmp_path, b"{}")
    command = [sys.executable, "server.py", str(port)]
    with ServerProcess(command, environ={}, log=tmp_path / "log", core=None, cwd=tmp_path) as server:
        assert server.first_answer(lambda: post(asked)) > 0.01
        tree = psutil.Process(server.pid).children()
        found = sample(server, asked, connections=1, seconds=1)
        server.settle()

        assert len(tree) == 1
        assert 50 < found.cpu_us < 1e6 * found.load.seconds / found.load.requests * 1.5
        assert server.memory_bytes() > 5 * 2**20

    assert not psutil.pid_exists(tree[0].pid) or tree[0].status() == psutil.STATUS_ZOMBIE


def test_a_server_that_ends_before_it_answers_is_not_measured(tmp_path: Path) -> None:
    """The reason is the end of what it printed."""
    command = [sys.executable, "-c", "raise SystemExit('no such model')"]
    with ServerProcess(command, environ={}, log=tmp_path / "log", core=None, cwd=tmp_path) as server:
        asked = target("http://127.0.0.1:9/", tmp_path, b"")

        with pytest.raises(NotMeasured, match="ended with 1: no such model"):
            server.first_answer(lambda: post(asked))
