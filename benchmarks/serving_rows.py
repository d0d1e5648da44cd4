"""The headline of ``benchmarks.serving``: our server against its peers and the limit, with what it is to reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.result import Row, row
from benchmarks.serving_lines import Line
from benchmarks.serving_peers import LIMIT, OURS

MANY = 16


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """All that was measured with one model."""

    model: str
    lines: Sequence[Line]

    def line(self, server: str, *, rows: int, connections: int) -> Line | None:
        """One server in one cell; None where it was not measured."""
        cell = self.model, server, rows, connections
        return next(
            (each for each in self.lines if (each.model, each.server, each.rows, each.connections) == cell), None
        )

    def peers(self) -> list[Line]:
        """The peers with one row, many connections."""
        return [
            each
            for each in self.lines
            if (each.model, each.rows, each.connections) == (self.model, 1, MANY) and each.server not in (OURS, LIMIT)
        ]

    def ratio(self, figure: str, peer: str, *, rows: int, connections: int) -> float | None:
        """Ours by the peer's; None where one of the two was not measured."""
        ours, theirs = (self.line(server, rows=rows, connections=connections) for server in (OURS, peer))
        return None if ours is None or theirs is None else getattr(ours, figure) / getattr(theirs, figure)


def headline(model: str, lines: Sequence[Line]) -> list[Row]:
    """The rows of one model: one row at 16 connections, bulk at one, where no request waits for another."""
    standing = Standing(model=model, lines=lines)
    return [*_one_row(standing), *_bulk(standing), *_weight(standing)]


def _one_row(standing: Standing) -> list[Row]:
    where = f"{standing.model}, one row, {MANY} connections"
    ours = standing.line(OURS, rows=1, connections=MANY)
    fastest = max((each for each in standing.peers()), key=lambda each: each.per_second, default=None)
    promptest = min((each for each in standing.peers()), key=lambda each: each.p99_ms, default=None)

    def against(figure: str, peer: str | None) -> float | None:
        return None if peer is None else standing.ratio(figure, peer, rows=1, connections=MANY)

    best, soonest = fastest.server if fastest else None, promptest.server if promptest else None
    return [
        row(f"{where}: requests/s", ours.per_second if ours else None, "requests/s"),
        row(f"{where}: requests/s against mlflow", against("per_second", "mlflow"), "times", at_least=100),
        row(f"{where}: requests/s against the best peer ({best})", against("per_second", best), "times", at_least=10),
        row(f"{where}: p99", ours.p99_ms if ours else None, "ms"),
        row(f"{where}: p99 against mlflow", against("p99_ms", "mlflow"), "times", at_most=1 / 50),
        row(f"{where}: p99 against the best peer ({soonest})", against("p99_ms", soonest), "times", at_most=1 / 10),
        row(f"{where}: CPU a request", ours.cpu_us if ours else None, "µs", at_most=100),
        row(f"{where}: CPU a request against hello world", against("cpu_us", LIMIT), "times", at_most=6),
    ]


def _bulk(standing: Standing) -> list[Row]:
    where = f"{standing.model}, 1,000 rows as JSON: CPU"
    mlflow, mlserver = (standing.ratio("cpu_us", peer, rows=1_000, connections=1) for peer in ("mlflow", "mlserver"))
    return [
        row(f"{where} against mlflow", mlflow, "times", at_most=0.25),
        row(f"{where} against mlserver, which gets a V2 tensor", mlserver, "times", at_most=0.55),
    ]


def _weight(standing: Standing) -> list[Row]:
    ours = standing.line(OURS, rows=1, connections=MANY)
    memory, start = (
        standing.ratio(figure, "mlflow", rows=1, connections=MANY) for figure in ("memory_mb", "first_answer_s")
    )
    said = f"{standing.model}, start to first answer"
    return [
        row(f"{standing.model}, memory, one worker, against mlflow", memory, "times", at_most=0.2),
        row(f"{said}, against mlflow", start, "times", at_most=0.15),
        row(said, ours.first_answer_s if ours else None, "s", at_most=1),
    ]
