"""What our own server's extras cost: the prediction log, the router before it, and Arrow against the bare predict."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import replace
from http.client import HTTPException
from typing import TypeVar

import pyarrow as pa

from benchmarks.result import ROOT, Row, row, typical
from benchmarks.server_process import ServerProcess, post, status_of
from benchmarks.serving_cells import Measured, quietest, sample
from benchmarks.serving_field import SAME_WITHIN, Field, Running
from benchmarks.serving_material import FEATURES
from benchmarks.serving_peers import OURS
from benchmarks.wrk import NotMeasured, Target
from flightworthy.adapters.envoy_router import Backend, ModelPlan
from flightworthy.adapters.local_processes import LocalProcesses
from flightworthy.deployer.router import Router
from flightworthy.deployer.servers import free_port
from flightworthy.deployer.settings import Settings

CONNECTIONS, SECONDS = 16, 1
ARROW = "application/vnd.apache.arrow.stream"
_Found = TypeVar("_Found")
Sides = Mapping[str, tuple[ServerProcess, Target]]


def log_cost(field: Field, *, rounds: int, kept: int) -> list[Row]:
    """Requests a second that are lost when answers are logged, in percent of those without a log."""

    def measure(ours: Running) -> float:
        plain = field.add(ours.peer, [1], named="without a log", keeps_log=False)
        sides = {"on": (ours.server, ours.targets[1]), "off": (plain.server, plain.targets[1])}
        found = _compare(sides, rounds=rounds, kept=kept)
        plain.server.stop()
        on, off = (typical(each[side].load.per_second for each in found.kept) for side in ("on", "off"))
        return 100 * (1 - on / off)

    what = f"{field.material.model}, one row, {CONNECTIONS} connections: the prediction log's cost in requests/s"
    return [row(what, _measured(field, "the prediction log's cost", measure), "%", at_most=10)]


def envoy_cost(field: Field, *, rounds: int, kept: int) -> list[Row]:
    """What a request loses on the way through the router that a deployment has, against the way without."""

    def measure(ours: Running) -> tuple[float, float]:
        with _router(field, ours) as through:
            sides = {"direct": (ours.server, ours.targets[1]), "through": (ours.server, through)}
            loads = [
                {side: each[side].load for side in sides} for each in _compare(sides, rounds=rounds, kept=kept).kept
            ]
        return (
            typical(each["through"].p99_ms - each["direct"].p99_ms for each in loads),
            typical(each["through"].per_second / each["direct"].per_second for each in loads),
        )

    added, left = _measured(field, "the way through Envoy", measure) or (None, None)
    where = f"{field.material.model}, one row, through Envoy at {CONNECTIONS} connections"
    return [
        row(f"{where}: added p99", added, "ms", at_most=2),
        row(f"{where}: requests/s kept", left, "times", at_least=0.5),
    ]


def tensor_cost(field: Field, *, rounds: int, kept: int) -> list[Row]:
    """Processor time of 1,000 rows in MLServer's own protocol, the same body to both."""

    def measure(ours: Running) -> float:
        if (theirs := field.running.get("mlserver")) is None:
            raise NotMeasured(field.absent.get("mlserver", "MLServer was not asked for"))
        path = theirs.peer.path(field.material.model)
        target = replace(theirs.targets[1_000], url=f"http://127.0.0.1:{ours.start.port}{path}")
        if (status := status_of(target)) != 200:
            raise NotMeasured(f"not offered: a V2 tensor is answered with {status}")
        if not _same(theirs.peer.read(json.loads(post(target))), field.material.asked(1_000)[1]):
            raise NotMeasured("a V2 tensor is answered otherwise than the fitted estimator answers")
        sides = {"ours": (ours.server, target), "theirs": (theirs.server, theirs.targets[1_000])}
        found = _compare(sides, rounds=rounds, kept=kept, connections=1)
        return typical(each["ours"].cpu_us / each["theirs"].cpu_us for each in found.kept)

    what = f"{field.material.model}, 1,000 rows as a V2 tensor: CPU against mlserver"
    return [row(what, _measured(field, "1,000 rows as a V2 tensor", measure), "times", at_most=0.55)]


def arrow_cost(field: Field, *, rounds: int, kept: int) -> list[Row]:
    """Processor time of 1,000 rows as an Arrow stream, against the bare predict of the same rows."""

    def measure(ours: Running) -> float:
        target = _arrow_target(field, ours)
        ratios = []
        for _ in range(rounds):
            found = sample(ours.server, target, connections=1, seconds=1)
            ratios.append((found.elsewhere, found.cpu_us / _bare_us(field)))
        return typical(ratio for _, ratio in sorted(ratios)[:kept])

    what = f"{field.material.model}, 1,000 rows as Arrow: CPU against the bare predict"
    return [row(what, _measured(field, "1,000 rows as Arrow", measure), "times", at_most=1.15)]


def _measured(field: Field, what: str, measure: Callable[[Running], _Found]) -> _Found | None:
    """What ``measure`` finds of our own server; None where it finds nothing, and the reason among the absent."""
    try:
        if OURS not in field.running:
            raise NotMeasured(field.absent.get(OURS, "our own server does not run"))
        return measure(field.running[OURS])
    except NotMeasured as error:
        field.absent[what] = str(error)
    return None


def _compare(sides: Sides, *, rounds: int, kept: int, connections: int = CONNECTIONS) -> Measured:
    """Load the sides in turn; who goes first alternates."""
    found = []
    for number in range(rounds):
        order = list(sides.items())[:: 1 if number % 2 else -1]
        found.append(
            {name: sample(server, target, connections=connections, seconds=SECONDS) for name, (server, target) in order}
        )
    return quietest(found, kept)


@contextmanager
def _router(field: Field, ours: Running) -> Iterator[Target]:
    """The deployer's own router, all traffic to the one server; it runs on the core of those who ask."""
    settings = Settings(
        home=field.folder / "router", database_url="", router_port=free_port(), router_admin_port=free_port()
    )
    router = Router(settings, LocalProcesses())
    backend = Backend(release="benchmark", host="127.0.0.1", port=ours.start.port)
    plan = ModelPlan(
        model=field.material.model, generation=1, slots={"a": backend, "b": None}, stable="a", share=0, falls_back=False
    )
    try:
        router.ensure()
        router.write_clusters([plan])
        router.write_routes([plan])
        url = f"http://127.0.0.1:{settings.router_port}/{field.material.model}/invocations"
        target = replace(ours.targets[1], url=url)
        _wait(lambda: post(target), "Envoy")
        yield target
    finally:
        router.stop()


def _wait(ask: Callable[[], bytes], who: str) -> None:
    deadline = time.monotonic() + 15
    while time.monotonic() < deadline:
        with suppress(OSError, HTTPException):
            ask()
            return
        time.sleep(0.05)
    raise NotMeasured(f"{who} did not answer within 15 s")


def _arrow_target(field: Field, ours: Running) -> Target:
    rows, expected = field.material.asked(1_000)
    body = field.folder / "rows.arrows"
    table = pa.table({name: [line[position] for line in rows] for position, name in enumerate(FEATURES)})
    with pa.OSFile(str(body), "wb") as file, pa.ipc.new_stream(file, table.schema) as stream:
        stream.write_table(table)
    target = Target(url=ours.targets[1].url, body=body, content_type=ARROW)
    if (status := status_of(target)) != 200:
        raise NotMeasured(f"not offered: an Arrow stream is answered with {status}")
    if not _same(_values(post(target)), expected):
        raise NotMeasured("an Arrow stream is answered otherwise than the fitted estimator answers")
    return target


def _values(answer: bytes) -> Sequence[float]:
    if answer[:1] == b"{":
        return [float(value) for value in json.loads(answer)["predictions"]]
    return [float(value) for value in pa.ipc.open_stream(answer).read_all().column(0).to_pylist()]


def _same(found: Sequence[float], expected: Sequence[float]) -> bool:
    return len(found) == len(expected) and all(
        abs(mine - fitted) <= SAME_WITHIN for mine, fitted in zip(found, expected, strict=True)
    )


def _bare_us(field: Field) -> float:
    rows = field.folder / "bare.json"
    rows.write_text(json.dumps(field.material.asked(1_000)[0]), encoding="utf-8")
    pinned = [] if field.cores.server is None else ["taskset", "-c", str(field.cores.server)]
    command = [*pinned, sys.executable, "-m", "benchmarks.serving_bare", str(field.material.artifact), str(rows)]
    environ = {**field.running[OURS].start.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise NotMeasured(f"the bare predict failed: {done.stderr.strip()[-300:]}")
    return float(done.stdout)
