"""The exact input a model takes, read from its contract.json and turned into types that bodies are decoded into."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from flightworthy.errors import ArtifactRefused

__all__ = ["Contract", "Feature", "Flaw", "Policy", "Row", "parse_contract"]

TYPES = ("number", "integer", "category", "boolean")

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
    personal: bool = False
    """Whether it names a person: the prediction log then holds a pseudonym of it."""

    @property
    def is_bounded(self) -> bool:
        """Whether it has a range."""
        return self.minimum is not None or self.maximum is not None

    def range_flaw(self, lowest: float, highest: float) -> str | None:
        """What is wrong with values between these two; NaN stands for none."""
        if self.minimum is not None and lowest < self.minimum:
            return f"Expected a number >= {self.minimum:g}"
        if self.maximum is not None and highest > self.maximum:
            return f"Expected a number <= {self.maximum:g}"
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What becomes of input that the model was not trained on. As it stands, all of it is refused."""

    extra_features: Literal["refuse", "ignore"] = "refuse"
    out_of_range: Literal["refuse", "flag"] = "refuse"
    unseen_category: Literal["refuse", "missing"] = "refuse"

    @property
    def flags(self) -> bool:
        """Whether rows may be answered in spite of a value, which is then pointed at."""
        return self.out_of_range == "flag" or self.unseen_category == "missing"


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
    policy: Policy = Policy()
    entity_is_personal: bool = False
    threshold: float = 0.5
    names: tuple[str, ...] = field(init=False)
    integers: tuple[int, ...] = field(init=False)
    """Where the integer features are."""
    is_numeric: bool = field(init=False)
    """Whether all features are numbers, so that an estimator takes floats."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(feature.name for feature in self.features))
        integers = tuple(place for place, feature in enumerate(self.features) if feature.type == "integer")
        object.__setattr__(self, "integers", integers)
        object.__setattr__(self, "is_numeric", all(feature.type in {"number", "integer"} for feature in self.features))

    @property
    def has_personal(self) -> bool:
        """Whether anything that a request holds names a person."""
        return self.entity_is_personal or any(feature.personal for feature in self.features)

    def matrix(self, rows: Sequence[Row]) -> NDArray[Any]:
        """Rows in the contract's order as the estimator takes them: float if all are numbers, else object."""
        if self.is_numeric:
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
            if name not in self.names and self.policy.extra_features == "ignore":
                continue
            if name not in self.names:
                return Flaw(name=name, what=f"Column `{name}` is not a feature of this model")
            if given.count(name) > 1:
                return Flaw(name=name, what=f"Column `{name}` is there twice")
        return None

    def value_flaw(self, rows: Sequence[Row]) -> Flaw | None:
        """The first integer feature that holds no exact integer; all else was seen to while decoding."""
        for position in self.integers:
            feature = self.features[position]
            if len(rows) > 1 and _are_integers([row[position] for row in rows]):
                continue
            for index, row in enumerate(rows):
                if (wrong := _integer_flaw(row[position])) is not None:
                    endless = abs(row[position]) > sys.float_info.max
                    return Flaw(name=f"[{index}].{feature.name}", what=wrong, is_unreadable=endless)
        return None


def _are_integers(values: Sequence[Any]) -> bool:
    """Whether all are surely exact integers; one by one is ten times as slow, and tells which is not."""
    try:
        column = np.array(values, dtype=np.float64)
    except OverflowError:
        return False
    # Below the largest, since 2^53 + 1 becomes 2^53 in a float.
    fine = (np.abs(column) < _LARGEST_INTEGER) & (np.trunc(column) == column)
    return bool((fine | np.isnan(column)).all())


def _integer_flaw(value: Any) -> str | None:
    # The size first: a longer integer than a float holds cannot be asked whether it is one.
    if value is None or (abs(value) <= _LARGEST_INTEGER and float(value).is_integer()):
        return None
    return f"Expected an integer between -2^53 and 2^53, got {value!r:.40}"


def parse_contract(raw: Mapping[str, Any]) -> Contract:
    """Read the content of a contract.json. Raises ArtifactRefused when it promises what the server cannot hold."""
    output = raw.get("output")
    if not isinstance(output, Mapping) or output.get("kind") != "probability":
        raise _refusal("its output is not a probability")
    features = raw.get("features")
    if not isinstance(features, Sequence) or not features:
        raise _refusal("it names no features")
    contract = Contract(
        model=str(raw.get("model", "")),
        features=tuple(_feature(feature) for feature in features),
        policy=_policy(raw.get("requests", {})),
        entity_is_personal=raw.get("entity_is_personal", False) is True,
        threshold=float(output.get("threshold", 0.5)),
    )
    if len(set(contract.names)) != len(contract.names):
        raise _refusal("it names a feature twice")
    closed = [feature for feature in contract.features if feature.values is not None]
    if contract.policy.unseen_category == "missing" and not all(feature.nullable for feature in closed):
        raise _refusal("an unseen category is to count as missing where nothing may be missing")
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
        personal=raw.get("personal", False) is True,
    )


def _policy(raw: Any) -> Policy:
    try:
        return msgspec.convert(raw, Policy)
    except msgspec.ValidationError as error:
        raise _refusal(f"its requests section is unknown to this server: {error}") from error


def _refusal(why: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"contract.json cannot be served: {why}. Train and register the model again.", file="contract.json", why=why
    )
