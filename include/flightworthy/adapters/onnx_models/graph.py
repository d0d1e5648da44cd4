"""What an ONNX file refers to, read before ONNX Runtime sees it, and without the onnx package, which no server has."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

__all__ = ["objection_to"]

DOMAINS: Final = frozenset({"", "ai.onnx.ml"})
"""The operators of the ONNX standard: arithmetic. Any other domain may be somebody's own code."""

_GRAPH, _OPSETS, _TRAINING, _FUNCTIONS = 7, 8, 20, 25  # fields of a model
_OPSET_DOMAIN: Final = 1
_EXTERNAL_DATA, _DATA_LOCATION = 13, 14  # fields of a tensor
_BYTES: Final = 2

# Field numbers of onnx.proto: where a tensor may be, from a graph down.
_CHILDREN: Final = {
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
    "tensor": {},
}


def objection_to(content: bytes) -> str:
    """Why this file is not loaded, or empty: it asks for operators of its own, or for other files.

    Raises ValueError for what is no protocol buffer.
    """
    # A tensor elsewhere says where by this word; without it the trees, which are large, need not be walked.
    may_refer = b"location" in content
    for number, _, value in _fields(content):
        if number in {_TRAINING, _FUNCTIONS}:
            return "brings functions of its own"
        if number == _OPSETS and isinstance(value, bytes):
            foreign = {_text(text) for field, _, text in _fields(value) if field == _OPSET_DOMAIN} - DOMAINS
            if foreign:
                return f"uses operators of {', '.join(sorted(foreign))}, which are not ONNX's own"
        if number == _GRAPH and isinstance(value, bytes) and may_refer and _refers("graph", value):
            return "keeps a tensor in another file"
    return ""


def _refers(kind: str, content: bytes) -> bool:
    """Whether a tensor somewhere in this message is in another file."""
    for number, wire, value in _fields(content):
        if kind == "tensor" and (number == _EXTERNAL_DATA or (number == _DATA_LOCATION and value != 0)):
            return True
        child = _CHILDREN[kind].get(number)
        if child and wire == _BYTES and isinstance(value, bytes) and _refers(child, value):
            return True
    return False


def _fields(content: bytes) -> Iterator[tuple[int, int, bytes | int]]:
    """The fields of one message: number, wire type, value."""
    at = 0
    while at < len(content):
        key, at = _varint(content, at)
        number, wire = key >> 3, key & 7
        if wire == 0:
            value, at = _varint(content, at)
            yield number, wire, value
            continue
        if wire == _BYTES:
            size, at = _varint(content, at)
        elif wire in {1, 5}:
            size = 8 if wire == 1 else 4
        else:
            raise ValueError(f"wire type {wire} at byte {at}")
        if at + size > len(content):
            raise ValueError(f"ends at byte {len(content)}, in the middle of a field")
        yield number, wire, content[at : at + size]
        at += size


def _varint(content: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(content) or shift > 63:
            raise ValueError(f"a number at byte {at} has no end")
        byte = content[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7


def _text(value: bytes | int) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
