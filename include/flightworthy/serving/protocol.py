"""MLflow's scoring protocol: a body in one of its five shapes becomes rows in the contract's order, or a problem."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from flightworthy.serving import csv_body
from flightworthy.serving.contract import Contract, Row
from flightworthy.serving.problem import Problem
from flightworthy.serving.shapes import SPLIT, Shapes
from flightworthy.serving.syntax import count_colons, explain, has_duplicate_keys, holds_endless_integer, unreadable

__all__ = ["Protocol", "check_rows"]

_WHERE = re.compile(r"^(?P<what>.*) - at `\$(?P<path>.*)`$", re.DOTALL)
_CELL = re.compile(r"^\[(?P<row>\d+)\]\[(?P<column>\d+)\]$")
_FORMATS = ("dataframe_split", "dataframe_records", "instances", "inputs")
_GLANCE = re.compile(
    rb'\s*\{\s*"(?:(?P<name>dataframe_records|instances|inputs)"\s*:\s*\[\s*(?P<first>[\[{])|dataframe_split"\s*:\s*\{)'
)


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


class _Found(msgspec.Struct, frozen=True):
    """Rows, where they were, and how many keys and how many colons inside of text were decoded with them."""

    path: str
    rows: list[Row]
    keys: int
    colons: int


class Protocol:
    """Reads bodies for one contract. Holds no state between requests but compiled decoders."""

    def __init__(self, contract: Contract, *, max_rows: int = 10_000) -> None:
        self.contract = contract
        self.max_rows = max_rows
        self._shapes = Shapes(contract)
        self._envelope = msgspec.json.Decoder(_Envelope)
        self._split = msgspec.json.Decoder(_Split)
        self._colons_in_names = sum(name.count(":") for name in contract.names)
        self._texts = tuple(place for place, feature in enumerate(contract.features) if feature.type == "category")

    def read(self, content_type: str, body: bytes) -> list[Row] | Problem:
        """Rows with their values in the contract's order, or why there are none."""
        kind = content_type.partition(";")[0].strip().lower()
        if kind == "application/json":
            return self._json(body)
        if kind == "text/csv":
            rows = self._csv(body)
            return rows if isinstance(rows, Problem) else self._checked("csv", rows)
        detail = f"Send application/json, text/csv or application/vnd.apache.arrow.stream; got {kind or 'nothing'!r}"
        return Problem(status=415, detail=detail, field="content-type")

    def _checked(self, path: str, rows: list[Row]) -> list[Row] | Problem:
        """What no decoder sees: how many rows there are, and integers that are not."""
        if (problem := check_rows(len(rows), self.max_rows, path)) is not None:
            return problem
        if (flaw := self.contract.value_flaw(rows)) is not None:
            return Problem(status=400 if flaw.is_unreadable else 422, detail=flaw.what, field=f"{path}{flaw.name}")
        treated = self.contract.treated.rows(rows)
        if isinstance(treated, tuple):
            where, what = treated
            return Problem(status=422, detail=what, field=f"{path}{where}")
        return treated

    def _json(self, body: bytes) -> list[Row] | Problem:
        found = self._at_a_glance(body) or self._step_by_step(body)
        if isinstance(found, Problem):
            return found
        if (twice := has_duplicate_keys(body, keys=1 + found.keys, colons=found.colons)) is not None:
            return _duplicate(twice)
        return self._checked(found.path, found.rows)

    def _at_a_glance(self, body: bytes) -> _Found | None:
        """The common shapes in one pass. Whatever is the matter with a body, the longer way says it better."""
        seen = _GLANCE.match(body)
        if seen is None:
            return None
        start = SPLIT if seen["name"] is None else seen["name"] + seen["first"]
        if (decoder := self._shapes.whole.get(start)) is None:
            return None
        try:
            (content,) = msgspec.structs.astuple(decoder.decode(body))
        except (ValueError, RecursionError):
            return None
        if start == SPLIT:
            if content.columns != self.contract.names:
                return None
            return self._of_split(content.data, content.index, self._colons_in_names)
        name = seen["name"].decode()
        return self._of_records(name, content) if seen["first"] == b"{" else self._of_lists(name, content)

    def _step_by_step(self, body: bytes) -> _Found | Problem:
        envelope = _decode(self._envelope.decode, body, _Where(""))
        if isinstance(envelope, Problem):
            return envelope
        given = [name for name in _FORMATS if getattr(envelope, name) is not UNSET]
        if len(given) != 1:
            return Problem(status=422, detail=f"Expected exactly one of {', '.join(_FORMATS)}; got {given or 'none'}")
        part = bytes(getattr(envelope, given[0]))
        return self._from_split(part) if given[0] == "dataframe_split" else self._from_list(given[0], part)

    def _from_split(self, part: bytes) -> _Found | Problem:
        split = _decode(self._split.decode, part, _Where("dataframe_split"))
        if isinstance(split, Problem):
            return split
        if (flaw := self.contract.column_flaw(split.columns)) is not None:
            return Problem(status=422, detail=flaw.what, field=f"dataframe_split.columns.{flaw.name}")
        data = bytes(split.data)
        rows = _decode(self._shapes.rows(split.columns).decode, data, _Where("dataframe_split.data", split.columns))
        if isinstance(rows, Problem):
            return rows
        colons = sum(name.count(":") for name in split.columns)
        return self._of_split(self._ordered(split.columns, rows), split.index, colons)

    def _from_list(self, name: str, part: bytes) -> _Found | Problem:
        start = part.lstrip()
        if name == "inputs" and start.startswith(b"{"):
            return self._from_columns(part)
        if name != "dataframe_records" and not start[1:].lstrip().startswith(b"{"):
            names = self.contract.names
            rows = _decode(self._shapes.rows(names).decode, part, _Where(name, names))
            return rows if isinstance(rows, Problem) else self._of_lists(name, rows)
        records = _decode(self._shapes.records.decode, part, _Where(name))
        return records if isinstance(records, Problem) else self._of_records(name, records)

    def _from_columns(self, part: bytes) -> _Found | Problem:
        columns = _decode(self._shapes.columns.decode, part, _Where("inputs"))
        if isinstance(columns, Problem):
            return columns
        values = msgspec.structs.astuple(columns)
        lengths = {len(column) for column in values}
        if len(lengths) != 1:
            detail = f"Expected columns of one length, got {sorted(lengths)}"
            return Problem(status=422, detail=detail, field="inputs")
        rows = list(zip(*values, strict=True))
        return _Found("inputs", rows, len(values), self._colons_in_names + self._colons_in(rows))

    def _of_split(self, rows: list[Row], index: Raw | UnsetType, colons: int) -> _Found:
        """Rows in the contract's order, and how many colons are in the names of their columns."""
        colons += self._colons_in(rows) + (0 if index is UNSET else count_colons(bytes(index)))
        return _Found("dataframe_split.data", rows, 2 + (index is not UNSET), colons)

    def _of_records(self, path: str, records: list[Any]) -> _Found:
        rows = [msgspec.structs.astuple(record) for record in records]
        colons = len(rows) * self._colons_in_names + self._colons_in(rows)
        return _Found(path, rows, len(rows) * len(self.contract.names), colons)

    def _of_lists(self, path: str, rows: list[Row]) -> _Found:
        return _Found(path, rows, 0, self._colons_in(rows))

    def _colons_in(self, rows: list[Row]) -> int:
        """Colons of texts; numbers have none."""
        if not self._texts:
            return 0
        return sum(row[place].count(":") for place in self._texts for row in rows if row[place] is not None)

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


def check_rows(rows: int, most: int, path: str) -> Problem | None:
    """Some, and not too many."""
    if not rows:
        return Problem(status=422, detail="Expected at least one row, got none", field=path)
    if rows > most:
        return Problem(status=413, detail=f"At most {most} rows a request, got {rows}", field=path)
    return None


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
