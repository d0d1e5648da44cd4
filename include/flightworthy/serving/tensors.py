"""One tensor of the Open Inference Protocol, out of JSON or out of bytes."""

from __future__ import annotations

import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import GenericAlias
from typing import Any, Final

import msgspec
import numpy as np
from numpy.typing import NDArray

from flightworthy.serving.batch import Column
from flightworthy.serving.problem import Problem

__all__ = ["Tensor", "read_binary", "read_json"]

_DTYPES: Final[Mapping[str, str]] = {
    "BOOL": "?",
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"FP{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
}
_PYTHON: Final[Mapping[str, Any]] = {"BOOL": bool, "BYTES": str}
_LONGEST = 1 << 31


@dataclass(frozen=True, slots=True)
class Tensor:
    """Values in row-major order, and where there is none."""

    name: str
    shape: Sequence[int]
    values: NDArray[Any]
    missing: NDArray[np.bool_] | None

    def column(self) -> Column | Problem:
        """As one feature's values: a tensor of shape [rows] or [rows, 1]."""
        if len(self.shape) not in {1, 2} or list(self.shape[1:]) not in ([], [1]):
            return _wrong(self.name, f"Expected the shape [rows] or [rows, 1], got {list(self.shape)}")
        return Column(self.values, self.missing)


def read_json(name: str, shape: Sequence[int], datatype: str, data: bytes) -> Tensor | Problem:
    """A tensor whose data is a JSON array, flat or nested as its shape; null is a gap."""
    count = _count(name, shape, datatype)
    if isinstance(count, Problem):
        return count
    kind: Any = _PYTHON.get(datatype, int if "INT" in datatype else float) | None
    is_nested = len(shape) == 2 and data.lstrip()[1:].lstrip().startswith(b"[")
    row: Any = GenericAlias(list, (kind,))
    try:
        decoded = msgspec.json.decode(data, type=GenericAlias(list, (row,)) if is_nested else row)
    except msgspec.ValidationError as error:
        return _wrong(f"{name}.data", str(error))
    if is_nested and any(len(each) != shape[1] for each in decoded):
        return _wrong(f"{name}.data", f"Expected rows of {shape[1]} values")
    values = [value for each in decoded for value in each] if is_nested else decoded
    if len(values) != count:
        return _wrong(f"{name}.data", f"Expected {count} values for the shape {list(shape)}, got {len(values)}")
    return _with_gaps(name, shape, datatype, values)


def _with_gaps(name: str, shape: Sequence[int], datatype: str, values: list[Any]) -> Tensor | Problem:
    missing = None
    if None in values:
        missing = np.array([value is None for value in values])
        filler: Any = "" if datatype == "BYTES" else 0
        values = [filler if value is None else value for value in values]
    try:
        array = np.array(values, dtype=object if datatype == "BYTES" else _DTYPES[datatype])
    except OverflowError:
        return _wrong(f"{name}.data", f"A value is out of the range of {datatype}")
    return Tensor(name, shape, array, missing)


def read_binary(name: str, shape: Sequence[int], datatype: str, data: bytes) -> Tensor | Problem:
    """A tensor out of little-endian bytes, row-major; text is preceded by its length."""
    count = _count(name, shape, datatype)
    if isinstance(count, Problem):
        return count
    if datatype == "BYTES":
        texts = _texts(data, count)
        return _wrong(name, texts, 400) if isinstance(texts, str) else Tensor(name, shape, texts, None)
    dtype = np.dtype(_DTYPES[datatype])
    if len(data) != count * dtype.itemsize:
        detail = f"Expected {count * dtype.itemsize} bytes for {list(shape)} of {datatype}, got {len(data)}"
        return _wrong(name, detail, 400)
    if datatype == "BOOL" and data.translate(None, b"\x00\x01"):
        return _wrong(name, "Expected booleans as the bytes 0 and 1")
    return Tensor(name, shape, np.frombuffer(data, dtype=dtype), None)


def _texts(data: bytes, count: int) -> NDArray[Any] | str:
    texts: list[str] = []
    place = 0
    try:
        while place < len(data):
            (length,) = struct.unpack_from("<I", data, place)
            text = data[place + 4 : place + 4 + length]
            if len(text) != length:
                return "A text is longer than the bytes that are left"
            texts.append(text.decode())
            place += 4 + length
    except (struct.error, UnicodeDecodeError) as error:
        return f"Expected texts in UTF-8, each behind its length: {error}"
    return np.array(texts, dtype=object) if len(texts) == count else f"Expected {count} texts, got {len(texts)}"


def _count(name: str, shape: Sequence[int], datatype: str) -> int | Problem:
    """How many values the shape asks for."""
    if datatype != "BYTES" and datatype not in _DTYPES:
        return _wrong(name, f"The datatype {datatype[:20]!r} is not read here; send FP64, INT64, BOOL or BYTES")
    if not shape or any(length < 0 for length in shape) or math.prod(shape) > _LONGEST:
        return _wrong(f"{name}.shape", f"Expected a shape of lengths from 0 up, got {list(shape)[:8]}")
    return math.prod(shape)


def _wrong(where: str, what: str, status: int = 422) -> Problem:
    return Problem(status=status, detail=what, field=f"inputs.{where}")
