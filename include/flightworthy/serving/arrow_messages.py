"""A walk over the messages of an Arrow IPC stream, before anything is unpacked: how many rows, and in what form.

Only what the flatbuffers of a message's head say is read: its type, the length of its body, a record batch's rows and
whether its buffers are compressed. (Arrow's Message.fbs; a table's fields are found by its vtable.)
"""

from __future__ import annotations

import struct
from typing import Final

from flightworthy.serving.problem import Problem

__all__ = ["check_messages"]

_DICTIONARY_BATCH: Final = 2
_RECORD_BATCH: Final = 3
_CONTINUES: Final = 0xFFFFFFFF


def check_messages(body: bytes) -> int | Problem:
    """The rows that a stream says it holds, or why it is not read: it is none, or compressed."""
    try:
        return _rows(body)
    except (struct.error, IndexError):
        return _unreadable("it is cut off")


def _rows(body: bytes) -> int | Problem:
    place = rows = 0
    while place < len(body):
        mark, size = struct.unpack_from("<Ii", body, place)
        if mark != _CONTINUES or size < 0:
            return _unreadable("a message does not begin as one")
        if size == 0:
            break
        message = _Table(body, place + 8)
        batch = _batch(message)
        if batch is not None and batch.has(3):
            detail = "Send the stream without compression: its size is what limits it"
            return Problem(status=415, detail=detail, field="arrow")
        rows += batch.length(0) if batch is not None and message.byte(1) == _RECORD_BATCH else 0
        place += 8 + size + message.length(3)
    return rows


def _batch(message: _Table) -> _Table | None:
    """What says how long a message's columns are, if it brings any; a dictionary's is inside its own."""
    kind = message.byte(1)
    if kind not in {_RECORD_BATCH, _DICTIONARY_BATCH}:
        return None
    return message.table(2) if kind == _RECORD_BATCH else message.table(2).table(1)


def _unreadable(why: str) -> Problem:
    return Problem(status=400, detail=f"The body is not a stream of Arrow record batches: {why}", field="arrow")


class _Table:
    """A flatbuffers table that ``reference`` points at. Raises IndexError or struct.error where it is none."""

    def __init__(self, body: bytes, reference: int) -> None:
        self._body = body
        self._start = reference + int(struct.unpack_from("<I", body, reference)[0])
        self._fields = self._start - int(struct.unpack_from("<i", body, self._start)[0])
        if self._fields < 0:
            raise IndexError(self._fields)
        self._size = int(struct.unpack_from("<H", body, self._fields)[0])

    def _at(self, field: int) -> int:
        """Where a field is, or 0 where it is left out."""
        entry = 4 + 2 * field
        if entry + 2 > self._size:
            return 0
        offset = int(struct.unpack_from("<H", self._body, self._fields + entry)[0])
        return self._start + offset if offset else 0

    def has(self, field: int) -> bool:
        return self._at(field) != 0

    def byte(self, field: int) -> int:
        place = self._at(field)
        return self._body[place] if place else 0

    def long(self, field: int) -> int:
        place = self._at(field)
        return int(struct.unpack_from("<q", self._body, place)[0]) if place else 0

    def length(self, field: int) -> int:
        """A long that must not lead back. Raises IndexError."""
        if (found := self.long(field)) < 0:
            raise IndexError(found)
        return found

    def table(self, field: int) -> _Table:
        place = self._at(field)
        if not place:
            raise IndexError(field)
        return _Table(self._body, place)
