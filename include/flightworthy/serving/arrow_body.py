"""An Arrow IPC stream as a request or an answer: columns become NumPy arrays where they lie, read by nanoarrow.

Takes integers, floats, booleans and text, also as dictionaries, in any order of columns; not compressed, because a
small body could then be any number of rows. Buffers are validated by nanoarrow before they are looked at.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import nanoarrow
import numpy as np
from nanoarrow._utils import NanoarrowException  # it has no public name
from nanoarrow.ipc import InputStream, StreamWriter
from numpy.typing import NDArray

from flightworthy.serving.arrow_messages import check_messages
from flightworthy.serving.batch import Batch, Column, from_columns
from flightworthy.serving.contract import Contract, Flaw
from flightworthy.serving.problem import Problem
from flightworthy.serving.protocol import check_rows

__all__ = ["read", "write"]

_NUMBERS = frozenset("cCsSiIlLefg")
"""Arrow's format letters of fixed-width numbers: int8 to uint64, float16 to float64."""
_TEXTS = frozenset("uU")
_BOOLEAN = "b"
_WIDEST_TEXT = 1 << 24
"""Bytes that the texts of one column may take when they are laid out side by side."""


def read(contract: Contract, body: bytes, *, max_rows: int) -> Batch | Problem:
    """The batch of a stream, or why there is none."""
    said = check_messages(body)
    problem = said if isinstance(said, Problem) else check_rows(said, max_rows, "arrow")
    if problem is not None:
        return problem
    try:
        with InputStream.from_readable(body) as source, nanoarrow.c_array_stream(source) as stream:
            names = tuple(str(child.name) for child in stream.get_schema().children)
            if (flaw := contract.column_flaw(names)) is not None:
                return _refusal(flaw)
            parts = list(stream)
            found = {
                name: _joined([_column(part.child(names.index(name))) for part in parts]) for name in contract.names
            }
    except (NanoarrowException, ValueError) as error:
        return Problem(status=400, detail=f"The body is not a stream of Arrow record batches: {error}")
    columns = {name: column for name, column in found.items() if isinstance(column, Column)}
    for name, column in found.items():
        if isinstance(column, str):
            return _refusal(Flaw(name=name, what=column))
    batch = from_columns(contract, columns, sum(part.length for part in parts))
    return _refusal(batch) if isinstance(batch, Flaw) else batch


def write(predictions: NDArray[Any]) -> bytes:
    """A stream of one column, ``predictions``."""
    values = np.ascontiguousarray(predictions, dtype=np.float64)
    column = nanoarrow.c_array(values, nanoarrow.float64())
    schema = nanoarrow.struct({"predictions": nanoarrow.float64()})
    table = nanoarrow.c_array_from_buffers(schema, len(values), [None], null_count=0, children=[column])
    text = io.BytesIO()
    with StreamWriter.from_writable(text) as writer:
        writer.write_array(table)
    return text.getvalue()


def _refusal(flaw: Flaw) -> Problem:
    return Problem(status=422, detail=flaw.what, field=f"arrow.{flaw.name}")


def _column(array: Any) -> Column | str:
    """A column's values and gaps, or why they are not read."""
    kind, view = array.schema.format, array.view()
    missing = _missing(view)
    if array.dictionary is not None:
        words = _column(array.dictionary)
        if isinstance(words, str):
            return words
        return _looked_up(words, _numbers(view), missing)
    if kind in _NUMBERS:
        return Column(_numbers(view), missing)
    if kind == _BOOLEAN:
        return Column(_bits(view, 1), missing)
    if kind in _TEXTS:
        texts = _texts(view, missing)
        return texts if isinstance(texts, str) else Column(texts, missing)
    return f"Arrow's type {kind!r} is not read here; cast the column to what the feature is"


def _missing(view: Any) -> NDArray[np.bool_] | None:
    return None if view.null_count == 0 or not len(view.buffer(0)) else ~_bits(view, 0)


def _numbers(view: Any) -> NDArray[Any]:
    return np.asarray(view.buffer(1))[view.offset : view.offset + view.length]


def _bits(view: Any, place: int) -> NDArray[np.bool_]:
    packed = np.frombuffer(view.buffer(place), dtype=np.uint8)
    return np.unpackbits(packed, bitorder="little")[view.offset : view.offset + view.length].astype(bool)


def _looked_up(words: Column, indices: NDArray[Any], missing: NDArray[np.bool_] | None) -> Column | str:
    if missing is not None:
        indices = np.where(missing, 0, indices)
    if len(indices) and not (int(indices.min()) >= 0 and int(indices.max()) < len(words.values)):
        return "An index points outside of its dictionary"
    gone = None if words.missing is None else words.missing[indices]
    return Column(words.values[indices], gone if missing is None else missing if gone is None else missing | gone)


def _texts(view: Any, missing: NDArray[np.bool_] | None) -> NDArray[Any] | str:
    """Text as objects; each distinct word is decoded once, however many rows it is in."""
    offsets = np.asarray(view.buffer(1))[view.offset : view.offset + view.length + 1].astype(np.int64)
    data = np.frombuffer(view.buffer(2), dtype=np.uint8)
    starts, lengths = offsets[:-1], np.diff(offsets)
    if missing is not None:
        lengths = np.where(missing, 0, lengths)
    width = int(lengths.max(initial=0))
    if not width:
        return np.full(len(lengths), "", dtype=object)
    if width * len(lengths) > _WIDEST_TEXT:
        return f"A text of {width} bytes is too long among {len(lengths)} rows"
    # One row of bytes a text, cut to the same width: NumPy then finds the distinct ones. NUL would be cut off.
    reach = np.arange(width)
    inside = reach < lengths[:, None]
    padded = np.where(inside, data[np.where(inside, starts[:, None] + reach, 0)], 0).astype(np.uint8)
    if bool((padded == 0)[inside].any()):
        return "A text holds a NUL character"
    words, places = np.unique(np.ascontiguousarray(padded).view(f"S{width}").ravel(), return_inverse=True)
    return np.array([word.decode() for word in words.tolist()], dtype=object)[places]


def _joined(parts: Sequence[Column | str]) -> Column | str:
    """The parts one after another, or the first reason why one was not read."""
    columns = [part for part in parts if isinstance(part, Column)]
    if len(columns) < len(parts):
        return next(part for part in parts if isinstance(part, str))
    if len(columns) == 1:
        return columns[0]
    values = np.concatenate([column.values for column in columns])
    if all(column.missing is None for column in columns):
        return Column(values)
    gaps = [np.zeros(len(each.values), bool) if each.missing is None else each.missing for each in columns]
    return Column(values, np.concatenate(gaps))
