"""What every scoring protocol does: read a request into a batch, and say how its answer is written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Protocol

import msgspec
from numpy.typing import NDArray

from flightworthy.serving import arrow_body
from flightworthy.serving.batch import Batch, from_rows
from flightworthy.serving.contract import Contract
from flightworthy.serving.problem import Problem
from flightworthy.serving.protocol import Protocol as MlflowProtocol
from flightworthy.serving.replies import ARROW, Reply

__all__ = ["Dialect", "MlflowDialect", "Question"]

Headers = Mapping[bytes, bytes]


class Question(msgspec.Struct, frozen=True):
    """A batch to be scored, and how the predictions go back."""

    batch: Batch
    reply: Callable[[NDArray[Any]], Reply]


class Dialect(Protocol):
    """A scoring protocol."""

    def read(self, headers: Headers, body: bytes, /) -> Question | Problem: ...


class MlflowDialect:
    """``/invocations`` of MLflow's own server, and Arrow streams beside it."""

    def __init__(self, contract: Contract, *, max_rows: int) -> None:
        self._contract = contract
        self._max_rows = max_rows
        self._protocol = MlflowProtocol(contract, max_rows=max_rows)

    def read(self, headers: Headers, body: bytes, /) -> Question | Problem:
        """The batch of a body in JSON, CSV or Arrow."""
        content_type = headers.get(b"content-type", b"")
        reply = _as_arrow if ARROW in headers.get(b"accept", b"") else _as_json
        if content_type.startswith(ARROW):
            batch = arrow_body.read(self._contract, body, max_rows=self._max_rows)
            return batch if isinstance(batch, Problem) else Question(batch, reply)
        rows = self._protocol.read(content_type.decode("latin-1"), body)
        return rows if isinstance(rows, Problem) else Question(from_rows(self._contract, rows), reply)


def _as_json(predictions: NDArray[Any]) -> Reply:
    return Reply(200, msgspec.json.encode({"predictions": predictions.tolist()}))


def _as_arrow(predictions: NDArray[Any]) -> Reply:
    return Reply(200, arrow_body.write(predictions), ARROW)
