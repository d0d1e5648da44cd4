"""Decoders for the shapes that JSON rows come in: the contract turned into types that bodies are decoded into."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import GenericAlias
from typing import Annotated, Any, Final, Literal

import msgspec

from flightworthy.serving.contract import LARGEST_INTEGER, Contract, Feature, Row

__all__ = ["SPLIT", "Shapes"]

SPLIT: Final = b"dataframe_split{"
"""How a body begins that holds columns, in the contract's order as it turns out, and rows as lists."""

_TYPES: Final[Mapping[str, Any]] = {"number": float, "integer": int | float, "category": str, "boolean": bool}
"""An integer may be written 3.0, as pandas does for a column with gaps; see ``Contract.value_flaw``."""


class Shapes:
    """A list of objects, a list of lists, an object of lists."""

    def __init__(self, contract: Contract) -> None:
        self._is_strict = contract.policy.extra_features == "refuse"
        self._kinds = {feature.name: _kind(feature) for feature in contract.features}
        self.record = self._struct("Record", self._kinds)
        self.records = _decoder(_list_of(self.record))
        columns = {name: _list_of(kind) for name, kind in self._kinds.items()}
        self.columns = _decoder(self._struct("Columns", columns))
        # Clients keep to a few column orders; the bound keeps those who do not from filling the memory.
        self.rows: Callable[[tuple[str, ...]], msgspec.json.Decoder[list[Row]]] = lru_cache(64)(self._rows)
        self.whole: Mapping[bytes, msgspec.json.Decoder[Any]] = self._whole()
        """Bodies of the shapes that a glance tells apart, decoded in one go."""

    def rows_type(self, order: tuple[str, ...]) -> Any:
        """Rows as lists, their values in this order; what is no feature may be anything."""
        return _list_of(GenericAlias(tuple, tuple(self._kinds.get(name, Any) for name in order)))

    def _rows(self, order: tuple[str, ...]) -> msgspec.json.Decoder[list[Row]]:
        return _decoder(self.rows_type(order))

    def _whole(self) -> Mapping[bytes, msgspec.json.Decoder[Any]]:
        rows, records = self.rows_type(tuple(self._kinds)), _list_of(self.record)
        split: list[Any] = [("columns", GenericAlias(tuple, (str, ...))), ("data", rows)]
        split += [("index", msgspec.Raw | msgspec.UnsetType, msgspec.UNSET)]
        shapes: dict[bytes, Any] = {SPLIT: msgspec.defstruct("Split", split, forbid_unknown_fields=True)}
        shapes |= {
            b"dataframe_records{": records,
            b"instances{": records,
            b"inputs{": records,
            b"instances[": rows,
            b"inputs[": rows,
        }
        names = {start: start[:-1].decode() for start in shapes}
        return {
            start: _decoder(msgspec.defstruct("Body", [(names[start], kind)], forbid_unknown_fields=True))
            for start, kind in shapes.items()
        }

    def _struct(self, title: str, kinds: Mapping[str, Any]) -> type[msgspec.Struct]:
        # Feature names need not be identifiers, so the attributes are numbered.
        attributes = {name: f"f{position}" for position, name in enumerate(kinds)}
        return msgspec.defstruct(
            title,
            [(attributes[name], kind) for name, kind in kinds.items()],
            rename={attribute: name for name, attribute in attributes.items()},
            forbid_unknown_fields=self._is_strict,
            gc=False,
        )


def _kind(feature: Feature) -> Any:
    """The type that one value is decoded into; what training did not see is looked for afterwards."""
    literal: Any = Literal
    if feature.personal is not None:
        # Its bounds are of what it becomes.
        return _TYPES[feature.type] | None if feature.nullable else _TYPES[feature.type]
    kind = _TYPES[feature.type] if feature.values is None else literal[feature.values]
    if feature.is_bounded:
        kind = Annotated[float, msgspec.Meta(ge=feature.minimum, le=feature.maximum)]
        kind = _whole_number(feature, kind) if feature.type == "integer" else kind
    return kind | None if feature.nullable else kind


def _whole_number(feature: Feature, as_float: Any) -> Any:
    """Digits without a fraction are read as they stand: as a float, 2^53 + 1 would be 2^53."""
    low = -LARGEST_INTEGER if feature.minimum is None else max(feature.minimum, -LARGEST_INTEGER)
    high = LARGEST_INTEGER if feature.maximum is None else min(feature.maximum, LARGEST_INTEGER)
    return Annotated[int, msgspec.Meta(ge=math.ceil(low), le=math.floor(high))] | as_float


def _list_of(kind: Any) -> Any:
    return GenericAlias(list, (kind,))


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    return msgspec.json.Decoder(kind)
