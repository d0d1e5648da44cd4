"""MLflow's scoring protocol: a body in one of its five shapes becomes rows in the contract's order, or a problem."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from flightworthy.serving import csv_body
from flightworthy.serving.contract import Contract, Row, Shapes
from flightworthy.serving.problem import Problem
from flightworthy.serving.syntax import explain, has_duplicate_keys, holds_endless_integer, unreadable

__all__ = ["Protocol"]

_WHERE = re.compile(r"^(?P<what>.*) - at `\$(?P<path>.*)`$", re.DOTALL)
_CELL = re.compile(r"^\[(?P<row>\d+)\]\[(?P<column>\d+)\]$")
_FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")


class _Envelope(msgspec.Struct, forbid_unknown_fields=True):
    dataframe_split: Raw | UnsetType = UNSET
    dataframe_records: Raw | UnsetType = UNSET
    instances: Raw | UnsetType = UNSET
    inputs: Raw | UnsetType = UNSET


class _Split(msgspec.Struct, forbid_unknown_fields=True):
    columns: tuple[str, ...]
    data: Raw
    index: Raw | UnsetType = UNSET  # pandas writes one; it names no feature


@dataclass(frozen=True, slots=True)
class _Where:
    """A part of the body: its path, and the feature order if its rows are plain lists."""

    path: str
    order: tuple[str, ...] = ()


class Protocol:
    """Reads bodies for one contract. Holds no state between requests but compiled decoders."""

    def __init__(self, contract: Contract, *, max_rows: int = 10_000) -> None:
        self.contract = contract
        self.max_rows = max_rows
        self._shapes = Shapes(contract)
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._split = msgspec.json.Decoder(_Split)
        self._colons_in_names = sum(name.count(":") for name in contract.names)

    def read(self, content_type: str, body: bytes) -> list[Row] | Problem:
        """Rows with their values in the contract's order, or why there are none."""
        kind = content_type.partition(";")[0].strip().lower()
        if kind == "application/json":
            return self._json(body)
        if kind == "text/csv":
            return self._checked("csv", self._csv(body))
        detail = f"Send application/json or text/csv; got {kind or 'no content type'!r}"
        return Problem(status=415, detail=detail, field="content-type")

    def _checked(self, path: str, rows: list[Row] | Problem) -> list[Row] | Problem:
        """What no decoder sees: how many rows there are, and integers that are not."""
        if isinstance(rows, Problem):
            return rows
        if not rows:
            return Problem(status=422, detail="Expected at least one row, got none", field=path)
        if len(rows) > self.max_rows:
            return Problem(status=413, detail=f"At most {self.max_rows} rows a request, got {len(rows)}")
        if (flaw := self.contract.value_flaw(rows)) is not None:
            return Problem(status=400 if flaw.is_unreadable else 422, detail=flaw.what, field=f"{path}{flaw.name}")
        return rows

    def _json(self, body: bytes) -> list[Row] | Problem:
        envelope = _decode(self._envelope.decode, body, _Where(""))
        if isinstance(envelope, Problem):
            return envelope
        given = [name for name in _FORMATS if getattr(envelope, name) is not UNSET]
        if len(given) != 1:
            return Problem(status=422, detail=f"Expected exactly one of {', '.join(_FORMATS)}; got {given or 'none'}")
        part = bytes(getattr(envelope, given[0]))
        if (twice := has_duplicate_keys(body, keys=1, colons=part.count(b":"))) is not None:
            return _duplicate(twice)
        if given[0] == "dataframe_split":
            return self._checked("dataframe_split.data", self._from_split(part))
        return self._checked(given[0], self._from_list(given[0], part))

    def _from_split(self, part: bytes) -> list[Row] | Problem:
        where = _Where("dataframe_split")
        split = _decode(self._split.decode, part, where)
        if isinstance(split, Problem):
            return split
        if (flaw := self.contract.column_flaw(split.columns)) is not None:
            return Problem(status=422, detail=flaw.what, field=f"dataframe_split.columns.{flaw.name}")
        data, index = bytes(split.data), b"" if split.index is UNSET else bytes(split.index)
        inside = data.count(b":") + index.count(b":") + sum(name.count(":") for name in split.columns)
        if (twice := has_duplicate_keys(part, keys=2 + (split.index is not UNSET), colons=inside)) is not None:
            return _duplicate(twice)
        rows = _decode(self._shapes.rows(split.columns).decode, data, _Where("dataframe_split.data", split.columns))
        return rows if isinstance(rows, Problem) else self._ordered(split.columns, rows)

    def _from_list(self, name: str, part: bytes) -> list[Row] | Problem:
        start = part.lstrip()
        if name == "inputs" and start.startswith(b"{"):
            return self._from_columns(part)
        if name != "dataframe_records" and not start[1:].lstrip().startswith(b"{"):
            names = self.contract.names
            plain: list[Row] | Problem = _decode(self._shapes.rows(names).decode, part, _Where(name, names))
            return plain
        records = _decode(self._shapes.records.decode, part, _Where(name))
        if isinstance(records, Problem):
            return records
        rows = [msgspec.structs.astuple(record) for record in records]
        return self._unless_duplicate(part, rows, keys=len(rows))

    def _from_columns(self, part: bytes) -> list[Row] | Problem:
        columns = _decode(self._shapes.columns.decode, part, _Where("inputs"))
        if isinstance(columns, Problem):
            return columns
        values = msgspec.structs.astuple(columns)
        lengths = {len(column) for column in values}
        if len(lengths) != 1:
            detail = f"Expected columns of one length, got {sorted(lengths)}"
            return Problem(status=422, detail=detail, field="inputs")
        return self._unless_duplicate(part, list(zip(*values, strict=True)), keys=1)

    def _unless_duplicate(self, part: bytes, rows: list[Row], *, keys: int) -> list[Row] | Problem:
        """``keys``: how often the text spells all the feature names."""
        inside = keys * self._colons_in_names
        inside += sum(value.count(":") for row in rows for value in row if isinstance(value, str))
        twice = has_duplicate_keys(part, keys=keys * len(self.contract.names), colons=inside)
        return rows if twice is None else _duplicate(twice)

    def _ordered(self, order: tuple[str, ...], rows: list[Row]) -> list[Row]:
        if order == self.contract.names:
            return rows
        positions = [order.index(name) for name in self.contract.names]
        return [tuple([row[position] for position in positions]) for row in rows]

    def _csv(self, body: bytes) -> list[Row] | Problem:
        table = csv_body.parse(body, self.contract)
        if isinstance(table, Problem):
            return table
        kind = self._shapes.rows_type(table.order)
        where = _Where("csv", table.order)
        rows = _decode(lambda _: msgspec.convert(table.rows, kind), body, where)
        return rows if isinstance(rows, Problem) else self._ordered(table.order, rows)


def _decode(decode: Callable[[bytes], Any], part: bytes, where: _Where) -> Any:
    """What ``decode`` makes of ``part``, or the problem that it names."""
    try:
        return decode(part)
    except msgspec.ValidationError as error:
        return _violation(str(error), part, where)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        return explain(part, error)
    except RecursionError as error:
        return unreadable(error)


def _violation(message: str, part: bytes, where: _Where) -> Problem:
    found = _WHERE.match(message)
    what, path = (found["what"], found["path"]) if found else (message, "")
    if "out of range" in what and holds_endless_integer(part):
        return Problem(status=400, detail="The body holds an integer too long to be a number")
    return Problem(status=422, detail=what, field=_field(what, path, where))


def _field(what: str, path: str, where: _Where) -> str | None:
    cell = _CELL.match(path)
    if cell and where.order:
        path = f"[{cell['row']}].{where.order[int(cell['column'])]}"
    # msgspec names the object that lacks a field or has one too many; the field itself is in the message.
    named = re.search(r"(?:required|unknown) field `(.*)`", what, re.DOTALL)
    path = f"{path}.{named[1]}" if named else path
    return f"{where.path}{path}".removeprefix(".") or None


def _duplicate(name: str) -> Problem:
    return Problem(status=400, detail=f"The key {name!r} is there twice", field=name)
