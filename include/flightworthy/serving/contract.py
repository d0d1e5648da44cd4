"""The exact input a model takes, read from its contract.json and turned into types that bodies are decoded into."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from types import GenericAlias
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from flightworthy.errors import ArtifactRefused

__all__ = ["Contract", "Feature", "Flaw", "Row", "Shapes", "parse_contract"]

TYPES: Mapping[str, Any] = {"number": float, "integer": int | float, "category": str, "boolean": bool}
"""An integer may be written 3.0, as pandas does for a column with gaps; see ``Contract.value_flaw``."""

Row = tuple[Any, ...]
_UNSPEAKABLE = re.compile(r'["\\\x00-\x1f]')
_LARGEST_INTEGER = 2**53
"""Above it two integers share one float64, which is what an estimator computes with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Feature:
    """One input column. ``values`` closes a category; None leaves it open."""

    name: str
    type: str
    nullable: bool
    values: tuple[str, ...] | None
    minimum: float | None
    maximum: float | None

    @property
    def decoded(self) -> Any:
        """The type that one value of this feature is decoded into."""
        literal: Any = Literal
        kind = TYPES[self.type] if self.values is None else literal[self.values]
        if self.minimum is not None or self.maximum is not None:
            kind = Annotated[float, msgspec.Meta(ge=self.minimum, le=self.maximum)]
        return kind | None if self.nullable else kind


@dataclass(frozen=True, slots=True, kw_only=True)
class Flaw:
    """What is wrong with an input, and the name of the column or value that is. Unreadable: no client can mean it."""

    name: str
    what: str
    is_unreadable: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What a request must hold: these features, no more and no fewer, in any order."""

    model: str
    features: tuple[Feature, ...]
    names: tuple[str, ...] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(feature.name for feature in self.features))

    def matrix(self, rows: Sequence[Row]) -> NDArray[Any]:
        """Rows in the contract's order as the estimator takes them: float if all are numbers, else object."""
        numeric = all(feature.type in {"number", "integer"} for feature in self.features)
        if numeric:
            return np.array(rows, dtype=np.float64)
        matrix = np.empty((len(rows), len(self.features)), dtype=object)
        matrix[:] = rows
        return matrix

    def column_flaw(self, given: Sequence[str]) -> Flaw | None:
        """What keeps a table's columns from being this model's: one is missing, unknown, or there twice."""
        if len(given) == len(self.names) and set(given) == set(self.names):
            return None
        for name in self.names:
            if name not in given:
                return Flaw(name=name, what=f"Column `{name}` is missing")
        for name in given:
            if name not in self.names:
                return Flaw(name=name, what=f"Column `{name}` is not a feature of this model")
            if given.count(name) > 1:
                return Flaw(name=name, what=f"Column `{name}` is there twice")
        return None

    def value_flaw(self, rows: Sequence[Row]) -> Flaw | None:
        """The first integer feature that holds no exact integer; all else was seen to while decoding."""
        for position, feature in enumerate(self.features):
            if feature.type != "integer":
                continue
            for index, row in enumerate(rows):
                if (wrong := _integer_flaw(row[position])) is not None:
                    endless = abs(row[position]) > sys.float_info.max
                    return Flaw(name=f"[{index}].{feature.name}", what=wrong, is_unreadable=endless)
        return None


def _integer_flaw(value: Any) -> str | None:
    # The size first: a longer integer than a float holds cannot be asked whether it is one.
    if value is None or (abs(value) <= _LARGEST_INTEGER and float(value).is_integer()):
        return None
    return f"Expected an integer between -2^53 and 2^53, got {value!r:.40}"


class Shapes:
    """Decoders for the shapes that rows come in: a list of objects, a list of lists, an object of lists."""

    def __init__(self, contract: Contract) -> None:
        self._kinds = {feature.name: feature.decoded for feature in contract.features}
        self.record = self._struct("Record", self._kinds)
        self.records = msgspec.json.Decoder(_list_of(self.record))
        columns = {name: _list_of(kind) for name, kind in self._kinds.items()}
        self.columns = msgspec.json.Decoder(self._struct("Columns", columns))
        # Clients keep to a few column orders; the bound keeps those who do not from filling the memory.
        self.rows: Callable[[tuple[str, ...]], msgspec.json.Decoder[list[Row]]] = lru_cache(64)(self._rows)

    def rows_type(self, order: tuple[str, ...]) -> Any:
        """Rows as lists, their values in this order of the contract's names."""
        return _list_of(GenericAlias(tuple, tuple(self._kinds[name] for name in order)))

    def _rows(self, order: tuple[str, ...]) -> msgspec.json.Decoder[list[Row]]:
        return msgspec.json.Decoder(self.rows_type(order))

    @staticmethod
    def _struct(title: str, kinds: Mapping[str, Any]) -> type[msgspec.Struct]:
        # Feature names need not be identifiers, so the attributes are numbered.
        attributes = {name: f"f{position}" for position, name in enumerate(kinds)}
        return msgspec.defstruct(
            title,
            [(attributes[name], kind) for name, kind in kinds.items()],
            rename={attribute: name for name, attribute in attributes.items()},
            forbid_unknown_fields=True,
            gc=False,
        )


def _list_of(kind: Any) -> Any:
    return GenericAlias(list, (kind,))


def parse_contract(raw: Mapping[str, Any]) -> Contract:
    """Read the content of a contract.json. Raises ArtifactRefused when it promises what the server cannot hold."""
    output = raw.get("output")
    if not isinstance(output, Mapping) or output.get("kind") != "probability":
        raise _refusal("its output is not a probability")
    features = raw.get("features")
    if not isinstance(features, Sequence) or not features:
        raise _refusal("it names no features")
    contract = Contract(model=str(raw.get("model", "")), features=tuple(_feature(feature) for feature in features))
    if len(set(contract.names)) != len(contract.names):
        raise _refusal("it names a feature twice")
    return contract


def _feature(raw: Any) -> Feature:
    if not isinstance(raw, Mapping) or not isinstance(raw.get("name"), str) or raw.get("type") not in TYPES:
        raise _refusal(f"it holds a feature without a name or a known type: {raw!r:.200}")
    if _UNSPEAKABLE.search(raw["name"]):
        raise _refusal(f"the feature {raw['name']!r} has a quote, a backslash or a control character in its name")
    values = raw.get("values")
    if values is not None and not (values and all(isinstance(value, str) for value in values)):
        raise _refusal(f"the values of {raw['name']} are not text")
    return Feature(
        name=raw["name"],
        type=raw["type"],
        nullable=bool(raw.get("nullable", False)),
        values=None if values is None else tuple(values),
        minimum=raw.get("minimum"),
        maximum=raw.get("maximum"),
    )


def _refusal(why: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"contract.json cannot be served: {why}. Train and register the model again.", file="contract.json", why=why
    )
