"""Rows of the prediction log as columns, with the very values that the lines hold; or why they cannot be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, Any

import pyarrow as pa
from pyarrow import parquet

from flightworthy.adapters.prediction_files.lines import PREDICTION, instant

__all__ = ["Shape", "write_rows"]

_EXACT = 2**53
"""Beside fractions an integer becomes a float too; above this it would become another number."""
_LONG = 2**63
_BATCH_ROWS = 1_000
"""Turned into columns at a stretch: Arrow lets no other thread run meanwhile."""
_GROUP_BATCHES = 50
"""Batches in a row group of Parquet, which bounds the memory."""

_TYPES: Mapping[str, tuple[pa.DataType, tuple[type, ...]]] = {
    "request_id": (pa.string(), (str,)),
    "entity": (pa.string(), (str, type(None))),
    "release": (pa.string(), (str,)),
    "version": (pa.string(), (str,)),
    "arm": (pa.string(), (str, type(None))),
    PREDICTION: (pa.float64(), (int, float)),
    "latency_ms": (pa.float64(), (int, float, type(None))),
}
_ORDER = ("at", "request_id", "entity", "release", "version", "arm", "features", PREDICTION, "latency_ms")
_SCALARS: Mapping[type, pa.DataType] = {
    bool: pa.bool_(), int: pa.int64(), float: pa.float64(), str: pa.string(),
}  # fmt: skip


class Shape:
    """The types of a file's columns, learnt row by row before any is written: the log does not carry its contract."""

    def __init__(self) -> None:
        self._features: dict[str, set[type]] = {}
        self._longest: dict[str, int] = {}

    def flaw_of(self, row: Mapping[str, Any]) -> str | None:
        """Take a row in; or say what of it no column would give back as it was."""
        if unknown := sorted(row.keys() - set(_ORDER)):
            return f"{unknown[0]} is unknown to this version"
        for name, (_, kinds) in _TYPES.items():
            value = row.get(name)
            if type(value) not in kinds or not _can_be_written(value):
                return f"{name} is no {kinds[0].__name__} that can be kept"
        features = row["features"]
        self._features = self._features or {name: set() for name in features}
        if not features or self._features.keys() != features.keys():
            return "its features are not those of the lines before"
        flaws = (self._feature_flaw(name, value) for name, value in features.items() if value is not None)
        return next((flaw for flaw in flaws if flaw is not None), None)

    def schema(self) -> pa.Schema:
        """The columns of all rows that were taken in."""
        features = pa.struct([(name, _type_of(kinds)) for name, kinds in self._features.items()])
        types = {name: kind for name, (kind, _) in _TYPES.items()}
        types |= {"at": pa.timestamp("us", tz="UTC"), "features": features}
        return pa.schema([(name, types[name]) for name in _ORDER])

    def _feature_flaw(self, name: str, value: Any) -> str | None:
        kind, kinds = type(value), self._features[name]
        if kind not in _SCALARS or not _can_be_written(name) or not _can_be_written(value):
            return f"the feature {name!r} is nothing that can be kept"
        kinds.add(kind)
        if kind is int:
            self._longest[name] = max(abs(value), self._longest.get(name, 0))
        if len(kinds) > 1 and kinds != {int, float}:
            return f"the feature {name} is {' here and '.join(sorted(each.__name__ for each in kinds))} there"
        if self._longest.get(name, 0) >= (_EXACT if float in kinds else _LONG):
            return f"the feature {name} holds an integer too long for its column"
        return None


def write_rows(rows: Iterable[Mapping[str, Any]], schema: pa.Schema, sink: IO[bytes]) -> None:
    """Write rows that a Shape took in as Parquet. Memory does not grow with their number."""
    left = iter(rows)
    with parquet.ParquetWriter(sink, schema, compression="zstd") as writer:
        while batches := list(islice(_batches(left, schema), _GROUP_BATCHES)):
            writer.write_table(pa.Table.from_batches(batches, schema))


def _batches(rows: Iterator[Mapping[str, Any]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    while batch := list(islice(rows, _BATCH_ROWS)):
        yield pa.RecordBatch.from_pylist([{**row, "at": instant(row)} for row in batch], schema)


def _type_of(kinds: set[type]) -> pa.DataType:
    if not kinds:
        return pa.null()
    return _SCALARS[float if float in kinds else next(iter(kinds))]


def _can_be_written(value: Any) -> bool:
    """False for half of a surrogate pair, which JSON can name and UTF-8 cannot."""
    if not isinstance(value, str) or value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True
