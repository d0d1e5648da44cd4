"""One cell of the comparison: so many rows, so many connections, every server in turn, round after round."""

from __future__ import annotations

import math
import os
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import psutil  # type: ignore[import-untyped]

from benchmarks.result import typical
from benchmarks.server_process import ServerProcess, post
from benchmarks.wrk import Load, Target, load

_LONGEST_CELL = 5


class Cell(NamedTuple):
    """What is asked for, and by how many at once."""

    model: str
    rows: int
    connections: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One load on one server, and what else the machine did meanwhile: the share of all cores that others had."""

    load: Load
    cpu_us: float
    elsewhere: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What one server did in one cell: medians of the rounds that are kept."""

    per_second: float
    p50_ms: float
    p99_ms: float
    cpu_us: float
    """Processor time of the server's processes for each request, in microseconds."""


Round = Mapping[str, Sample]
"""One sample of each server, by its name, taken one after the other."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Rounds of one cell, and those of them that count: the quietest."""

    rounds: Sequence[Round]
    kept: Sequence[Round]

    @property
    def elsewhere(self) -> float:
        """The most that others had of the machine in a round that counts."""
        return max((_noise(each) for each in self.kept), default=0.0)

    def figures(self, name: str) -> Figures | None:
        """A server's; None where it was not measured in every round that counts."""
        samples = [each[name] for each in self.kept if name in each]
        if not samples or len(samples) < len(self.kept):
            return None
        return Figures(
            per_second=typical(each.load.per_second for each in samples),
            p50_ms=typical(each.load.p50_ms for each in samples),
            p99_ms=typical(each.load.p99_ms for each in samples),
            cpu_us=typical(each.cpu_us for each in samples),
        )


def quietest(rounds: Sequence[Round], kept: int) -> Measured:
    """Keep the rounds in which others had least of the machine, whole: servers are compared within a round."""
    return Measured(rounds=rounds, kept=sorted(rounds, key=_noise)[:kept])


def sample(server: ServerProcess, target: Target, *, connections: int, seconds: int) -> Sample:
    """Load a server. Its own work and wrk's are known, so what is left of the machine's is others'."""
    began_at, busy, own, load_own = time.perf_counter(), _busy(), server.cpu_seconds(), _ended_children()
    found = load(target, connections=connections, seconds=seconds)
    spent = server.cpu_seconds() - own
    wall = (time.perf_counter() - began_at) * (os.cpu_count() or 1)
    others = _busy() - busy - spent - (_ended_children() - load_own)
    return Sample(load=found, cpu_us=1e6 * spent / found.requests, elsewhere=max(0.0, others / wall))


def seconds_for(target: Target, connections: int) -> int:
    """How long to load, so that each connection has its answer about twice, also from the slowest server."""
    began_at = time.perf_counter()
    post(target)
    return max(1, min(_LONGEST_CELL, math.ceil(2 * connections * (time.perf_counter() - began_at))))


def _noise(found: Round) -> float:
    return max((each.elsewhere for each in found.values()), default=math.inf)


def _busy() -> float:
    times = psutil.cpu_times()
    return float(sum(times) - times.idle - getattr(times, "iowait", 0.0) - getattr(times, "guest", 0.0))


def _ended_children() -> float:
    """Processor time of the children that ended: wrk, each time."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
