"""Counters and a latency histogram of one server, in Prometheus' text format."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate

__all__ = ["BUCKETS", "Metrics"]

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
"""Seconds; fine where a single row is answered, coarse where something is wrong."""


class Metrics:
    """Counts of one process. Not locked: everything that counts runs on the event loop's thread."""

    def __init__(self, labels: Mapping[str, str]) -> None:
        self.in_flight = 0
        self.rehearsals = 0
        """Requests whose answers no user got: golden ones, and copies while this release is a shadow."""
        self.rows = 0
        self.outputs_refused = 0
        self._labels = dict(labels)
        self._flagged: Counter[str] = Counter()
        self._requests: Counter[int] = Counter()
        self._buckets = [0] * (len(BUCKETS) + 1)
        self._seconds = 0.0

    def observe(self, status: int, seconds: float) -> None:
        """Count one answered scoring request."""
        self._requests[status] += 1
        self._buckets[bisect_left(BUCKETS, seconds)] += 1
        self._seconds += seconds

    def flag(self, features: Sequence[str]) -> None:
        """Count requests that were answered although these features held what training did not see."""
        self._flagged.update(features)

    def requests(self) -> Mapping[int, int]:
        """Answered scoring requests by HTTP status."""
        return dict(self._requests)

    def exposition(self, *, ready: bool, log_rows: int, log_dropped: int) -> str:
        """The page that Prometheus scrapes."""
        lines = [
            *_family("model_info", "gauge", "The served model version", {_text(self._labels): 1}),
            *_family("ready", "gauge", "1 when /healthz answers 200", {"": int(ready)}),
            *_family(
                "requests_total",
                "counter",
                "Scoring requests by status",
                {_text({"status": str(status)}): count for status, count in sorted(self._requests.items())},
            ),
            *self._histogram(),
            *_family("requests_in_flight", "gauge", "Requests being answered", {"": self.in_flight}),
            *_family("rehearsals_total", "counter", "Scoring requests answered to no user", {"": self.rehearsals}),
            *_family("rows_total", "counter", "Rows scored", {"": self.rows}),
            *_family("outputs_refused_total", "counter", "Answers not sent", {"": self.outputs_refused}),
            *_family(
                "flagged_requests_total",
                "counter",
                "Requests answered although a feature was out of range or unseen",
                {_text({"feature": name}): count for name, count in sorted(self._flagged.items())},
            ),
            *_family("prediction_log_rows_total", "counter", "Rows written to the prediction log", {"": log_rows}),
            *_family("prediction_log_dropped_total", "counter", "Rows the log had to drop", {"": log_dropped}),
        ]
        return "\n".join(lines) + "\n"

    def _histogram(self) -> list[str]:
        bounds = [*map(str, BUCKETS), "+Inf"]
        counts = list(accumulate(self._buckets))
        name = "flightworthy_request_seconds"
        return [
            f"# HELP {name} Seconds from a scoring request's head to its answer",
            f"# TYPE {name} histogram",
            *(f'{name}_bucket{{le="{bound}"}} {count}' for bound, count in zip(bounds, counts, strict=True)),
            f"{name}_sum {self._seconds:.9f}",
            f"{name}_count {counts[-1]}",
        ]


def _family(name: str, kind: str, explanation: str, samples: Mapping[str, int]) -> list[str]:
    full = f"flightworthy_{name}"
    return [
        f"# HELP {full} {explanation}",
        f"# TYPE {full} {kind}",
        *(f"{full}{labels} {value}" for labels, value in samples.items()),
    ]


def _text(labels: Mapping[str, str]) -> str:
    escaped = ((name, value.translate(_ESCAPES)) for name, value in labels.items())
    return "{" + ",".join(f'{name}="{value}"' for name, value in escaped) + "}"


_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
