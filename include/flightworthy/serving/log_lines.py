"""Answers as lines of the prediction log; by the writer's thread, from references, a batch at a time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from flightworthy.serving.contract import Contract, Row
from flightworthy.serving.pseudonyms import pseudonym

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

    def __init__(self, contract: Contract, stamp: Mapping[str, str | None], key: bytes | None) -> None:
        self._features = msgspec.defstruct(
            "Features",
            [(f"f{place}", Any) for place in range(len(contract.names))],
            rename={f"f{place}": name for place, name in enumerate(contract.names)},
            gc=False,
        )
        fields: list[Any] = [("at", datetime), ("request_id", str), ("entity", str | None)]
        fields += [(name, str | None, msgspec.field(default=value)) for name, value in stamp.items()]
        fields += [("features", Any), ("prediction", float), ("latency_ms", float)]
        fields += [("shadow", bool | msgspec.UnsetType, msgspec.field(default=msgspec.UNSET))]
        self._line = msgspec.defstruct("Line", fields, kw_only=True, gc=False)
        self._encoder = msgspec.json.Encoder()
        self._key = key or b""
        self._hides_entity = contract.entity_is_personal
        self._hidden = [place for place, feature in enumerate(contract.features) if feature.personal]
        self._integers = [place for place, feature in enumerate(contract.features) if feature.type == "integer"]

    def encode(self, answers: Sequence[Logged]) -> bytes:
        """The lines of all rows, in order."""
        return self._encoder.encode_lines([line for answer in answers for line in self._of(answer)])

    def _of(self, answer: Logged) -> Iterator[msgspec.Struct]:
        entity = answer.entity
        if entity is not None and self._hides_entity:
            entity = pseudonym(self._key, entity)
        latency = round(answer.latency_ms, 3)
        shadow = True if answer.is_shadow else msgspec.UNSET
        rows = self._rows(answer.rows) if isinstance(answer.rows, np.ndarray) else answer.rows
        for row, prediction in zip(rows, answer.predictions.tolist(), strict=True):
            yield self._line(
                at=answer.at,
                request_id=answer.request_id,
                entity=entity,
                features=self._features(*(self._hide(row) if self._hidden else row)),
                prediction=prediction,
                latency_ms=latency,
                shadow=shadow,
            )

    def _rows(self, matrix: NDArray[Any]) -> Iterator[list[Any]]:
        """Rows as a client would have sent them in JSON: integers without a fraction, NaN is written as null."""
        for row in matrix.tolist():
            for place in self._integers:
                if row[place] is not None and row[place] == row[place]:
                    row[place] = int(row[place])
            yield row

    def _hide(self, row: Sequence[Any]) -> list[Any]:
        kept = list(row)
        for place in self._hidden:
            if kept[place] is not None:
                kept[place] = pseudonym(self._key, kept[place])
        return kept
