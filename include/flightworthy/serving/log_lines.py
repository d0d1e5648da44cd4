"""Answers as lines of the prediction log."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from flightworthy.personal import pseudonym
from flightworthy.serving.contract import Contract, Row

__all__ = ["Lines", "Logged"]


class Logged(Protocol):
    """What a line tells of an answer."""

    @property
    def request_id(self) -> str: ...
    @property
    def entity(self) -> str | None: ...
    @property
    def at(self) -> datetime: ...
    @property
    def rows(self) -> Sequence[Row] | NDArray[Any]: ...
    @property
    def predictions(self) -> NDArray[Any]: ...
    @property
    def latency_ms(self) -> float: ...
    @property
    def is_shadow(self) -> bool: ...


class Lines:
    """Turns answers into text. Structs, since msgspec writes them several times as fast as dictionaries."""

    def __init__(self, contract: Contract, stamp: Mapping[str, str | None]) -> None:
        self._features = msgspec.defstruct(
            "Features",
            [(f"f{place}", Any) for place in range(len(contract.names))],
            rename={f"f{place}": name for place, name in enumerate(contract.names)},
            gc=False,
        )
        fields: list[Any] = [("at", datetime), ("request_id", str), ("entity", str | None)]
        fields += [(name, str | None) for name in stamp]
        fields += [("features", Any), ("prediction", float), ("latency_ms", float)]
        fields += [("shadow", bool | msgspec.UnsetType, msgspec.field(default=msgspec.UNSET))]
        self._line = msgspec.defstruct("Line", fields, gc=False)
        self._stamp = tuple(stamp.values())
        self._encode_into = msgspec.json.Encoder().encode_into
        self._key = contract.key or b""
        self._hides_entity = contract.entity_is_personal
        self._integers = contract.integers

    def append(self, answer: Logged, text: bytearray) -> None:
        """Add the lines of an answer's rows to ``text``, in order. By any thread."""
        entity = answer.entity
        if entity is not None and self._hides_entity:
            entity = pseudonym(self._key, entity)
        start = (answer.at, answer.request_id, entity, *self._stamp)
        # Three decimals; round() takes three times as long.
        shadow = True if answer.is_shadow else msgspec.UNSET
        latency = int(answer.latency_ms * 1000 + 0.5) / 1000
        for row, prediction in zip(self._rows(answer.rows), answer.predictions.tolist(), strict=True):
            self._encode_into(self._line(*start, self._features(*row), prediction, latency, shadow), text, -1)
            text += b"\n"

    def _rows(self, rows: Sequence[Row] | NDArray[Any]) -> Iterable[Sequence[Any]]:
        """Rows as they are kept: as a client would have sent them in JSON, but for what is personal and was treated."""
        return self._unpacked(rows) if isinstance(rows, np.ndarray) else rows

    def _unpacked(self, matrix: NDArray[Any]) -> list[list[Any]]:
        """Integers without a fraction; NaN is written as null."""
        unpacked: list[list[Any]] = matrix.tolist()
        for row in unpacked if self._integers else ():
            for place in self._integers:
                if row[place] is not None and row[place] == row[place]:
                    row[place] = int(row[place])
        return unpacked
