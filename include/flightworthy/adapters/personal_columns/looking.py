"""Looks whether the cells, or the name, of a column that nobody declared point at people.

Certain kinds are looked for in every different text of a batch. Likely kinds, which are a matter of shares, in the
first 4,096 rows of a partition and then in every sixteenth: by the row's number, whatever batch it came in.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from flightworthy.personal import CERTAIN, LIKELY, Finding, Kind, Tally, kind_named, names_an_age

__all__ = ["Look"]

_ALL_OF: Final = 4_096
_ONE_OF: Final = 16
_LONG: Final = 10**8
"""Numbers below this have fewer digits than any identifier of digits alone."""
_OLDEST: Final = 125
"""What has more years is no person, or counts something else than years."""
_HINTS: Final = "|".join(f"(?:{kind.hint})" for kind in CERTAIN)
_CODE: Final = r"^[+(]?[0-9A-Za-z][0-9A-Za-z .:()/+-]{5,38}$"
"""What every likely kind is: no longer text, no word of letters alone (which the second form sees to)."""
_DIGITS: Final = "[0-9].*[0-9]|:.*:"


@dataclass(slots=True, kw_only=True)
class Look:
    """One partition's. ``leave_out`` are the columns of which somebody has said what they are."""

    leave_out: Collection[str]
    _rows: int = 0
    _tallies: dict[tuple[str, str], Tally] = field(default_factory=dict)

    def at(self, table: pa.Table) -> list[Finding]:
        """What the next rows, and those before, say of each column."""
        sampled = self._sampled(table.num_rows)
        self._rows += table.num_rows
        findings: list[Finding] = []
        for name in table.column_names:
            if name not in self.leave_out and table.num_rows:
                findings += self._of_column(name, table[name].combine_chunks(), sampled)
        return findings

    def _sampled(self, rows: int) -> pa.Array:
        numbers = np.arange(self._rows, self._rows + rows)
        return pa.array(np.flatnonzero((numbers < _ALL_OF) | (numbers % _ONE_OF == 0)))

    def _of_column(self, name: str, column: pa.Array, sampled: pa.Array) -> Iterator[Finding]:
        if pa.types.is_dictionary(column.type):
            column = pc.cast(column, column.type.value_type)
        yield from _by_name(name, column)
        if _is_text(column.type):
            yield from _certain(name, column)
            yield from self._likely(name, column.take(sampled))
        elif (digits := _digits(column, sampled)) is not None:
            yield from self._likely(name, digits)

    def _likely(self, name: str, cells: pa.Array) -> Iterator[Finding]:
        encoded = pc.cast(cells, pa.string()).dictionary_encode()
        different = encoded.dictionary
        codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
        present = (codes >= 0).astype(np.uint8).tobytes()
        trimmed = pc.utf8_trim_whitespace(different)
        form = pc.and_(pc.match_substring_regex(trimmed, _CODE), pc.match_substring_regex(trimmed, _DIGITS))
        places = np.flatnonzero(form.to_numpy(zero_copy_only=False))
        candidates = trimmed.take(pa.array(places))
        for kind in LIKELY:
            held = {int(places[place]): value for place, value in _holding(kind, candidates, f"^(?:{kind.form})$")}
            tally = self._tallies.setdefault((name, kind.name), Tally(kind=kind))
            hit = np.isin(codes, list(held)) if held else np.zeros(len(codes), dtype=bool)
            values = ((int(row), held[int(codes[row])]) for row in np.flatnonzero(hit))
            tally.add(present, hit.astype(np.uint8).tobytes(), values)
            if tally.believed is not None:
                cells_of_kind, seen = tally.believed
                yield Finding(column=name, kind=kind.name, by="content", cells=cells_of_kind, seen=seen)


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


def _certain(name: str, column: pa.Array) -> Iterator[Finding]:
    encoded = pc.cast(column, pa.string()).dictionary_encode()
    places = np.flatnonzero(pc.match_substring_regex(encoded.dictionary, _HINTS).to_numpy(zero_copy_only=False))
    if not len(places):
        return
    candidates = encoded.dictionary.take(pa.array(places))
    codes = pc.fill_null(encoded.indices, -1).to_numpy(zero_copy_only=False)
    for kind in CERTAIN:
        if held := [int(places[place]) for place, _ in _holding(kind, candidates, kind.form)]:
            cells = int(np.isin(codes, held).sum())
            yield Finding(column=name, kind=kind.name, by="content", cells=cells, seen=int((codes >= 0).sum()))


def _holding(kind: Kind, texts: pa.Array, form: str) -> Iterator[tuple[int, str]]:
    """The places, and texts, of a kind: by its form, then by what must hold of the part that has it."""
    matching = np.flatnonzero(pc.match_substring_regex(texts, form).to_numpy(zero_copy_only=False))
    if len(matching):
        pattern = re.compile(form)
        for place, text in zip(matching.tolist(), texts.take(pa.array(matching)).to_pylist(), strict=True):
            if any(kind.holds(found.group()) for found in pattern.finditer(text)):
                yield place, text


def _digits(column: pa.Array, sampled: pa.Array) -> pa.Array | None:
    """Whole numbers as text, if any is long enough to be somebody's; None if not."""
    if not (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)) or _largest(column) < _LONG:
        return None
    cells = column.take(sampled)
    if pa.types.is_floating(column.type):
        is_whole = pc.and_(pc.equal(cells, pc.round(cells)), pc.less(pc.abs(cells), 2.0**53))
        cells = pc.cast(pc.if_else(is_whole, cells, pa.scalar(None, cells.type)), pa.int64())
    return pc.cast(cells, pa.string())


def _largest(column: pa.Array) -> float:
    largest = pc.max(column).as_py()
    return float("-inf") if largest is None or largest != largest else float(largest)  # noqa: PLR0124 - NaN is not itself


def _by_name(name: str, column: pa.Array) -> Iterator[Finding]:
    seen = len(column) - column.null_count
    if not seen or pa.types.is_boolean(column.type):
        return
    is_number = pa.types.is_integer(column.type) or pa.types.is_floating(column.type)
    if is_number and names_an_age(name) and _largest(column) <= _OLDEST:
        old = pc.sum(pc.greater(column, 89)).as_py() or 0
        if old:
            yield Finding(column=name, kind="ages over 89", by="content", cells=old, seen=seen)
    kind = kind_named(name)
    # A column of 0 and 1 says whether there is one, and a person's name is no number.
    if kind is None or (is_number and (kind == "names" or _largest(column) <= 1)):
        return
    yield Finding(column=name, kind=kind, by="name", cells=seen, seen=seen)
