"""Which of the rows that wait a person means: by their numbers, by what they do not meet, or all of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from flightworthy.errors import Refused
from flightworthy.quarantine.waiting import Quarantined, WaitingRow

__all__ = ["ALL", "Choice", "rows_to_give_up", "rows_to_take_back", "spans"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """Rows that are named in both ways are meant; none of both means all that wait."""

    numbers: tuple[range, ...] | None
    unmet: tuple[str, ...]
    """How reasons begin, such as ``age: values to be between``."""

    @property
    def is_all(self) -> bool:
        return self.numbers is None and not self.unmet

    def names(self, number: int) -> bool:
        """Whether a row with this number is meant, or would be by its reasons."""
        return self.numbers is None or any(number in span for span in self.numbers)


ALL = Choice(numbers=None, unmet=())


def rows_to_take_back(held: Quarantined, rows: Sequence[WaitingRow], choice: Choice) -> tuple[int, ...]:
    """Those of the chosen rows that are apart. By what they do not meet only such as have no other reason.

    What was given up is taken back by its number, or where nothing else is left. Raises Refused.
    """
    named = _named(held, rows, choice)
    open_rows = [row for row in named if row.state == "waits" or choice.numbers is not None]
    if choice.is_all and not open_rows:
        open_rows = named
    chosen = [row for row in open_rows if not choice.unmet or all(_begins(each, choice) for each in row.reasons)]
    if open_rows and not chosen:
        raise Refused(
            f"no row of partition {held.key} of {held.model} was taken back in: rows "
            f"{spans([row.number for row in open_rows])} do not meet other expectations either. "
            "Name those too, or choose the rows by their numbers with --rows.",
            model=held.model,
            key=held.key,
            rows=[row.number for row in open_rows],
        )
    return tuple(row.number for row in chosen if row.state != "taken back")


def rows_to_give_up(held: Quarantined, rows: Sequence[WaitingRow], choice: Choice) -> tuple[int, ...]:
    """Those of the chosen rows that wait; by what they do not meet, whatever else they do not. Raises Refused."""
    named = _named(held, rows, choice)
    back = [row.number for row in named if row.state == "taken back"]
    if back and choice.numbers is not None:
        raise Refused(
            f"rows {spans(back)} of partition {held.key} of {held.model} are in it again: they were taken back in, and "
            f"cannot be given up. `flightworthy quarantine hold {held.model} {held.key}` refuses the partition.",
            model=held.model,
            key=held.key,
            rows=back,
        )
    return tuple(row.number for row in named if row.state == "waits")


def spans(numbers: Sequence[int]) -> str:
    """``3, 7-9``: growing numbers, runs of them in short."""
    runs = [list(run) for _, run in groupby(enumerate(numbers), key=lambda each: each[1] - each[0])]
    return ", ".join(_span(range(run[0][1], run[-1][1] + 1)) for run in runs)


def _span(span: range) -> str:
    return f"{span.start}-{span.stop - 1}" if span.stop - span.start > 1 else str(span.start)


def _strangers(named: Iterable[range], known: Iterable[int]) -> Iterator[range]:
    """What is named and not known, in spans: a slip of the pen names more numbers than memory holds."""
    merged: list[range] = []
    for span in sorted(named, key=lambda each: each.start):
        if merged and span.start <= merged[-1].stop:
            merged[-1] = range(merged[-1].start, max(span.stop, merged[-1].stop))
        else:
            merged.append(span)
    numbers = sorted(known)
    for span in merged:
        start = span.start
        for number in (each for each in numbers if each in span):
            if start < number:
                yield range(start, number)
            start = number + 1
        if start < span.stop:
            yield range(start, span.stop)


def _named(held: Quarantined, rows: Sequence[WaitingRow], choice: Choice) -> list[WaitingRow]:
    """The rows that have one of the numbers, and at least one of the reasons."""
    if strange := [_span(each) for each in _strangers(choice.numbers or (), (row.number for row in rows))]:
        raise Refused(
            f"rows {', '.join(strange)} of partition {held.key} of {held.model} were never set aside; nothing was "
            f"changed. `flightworthy quarantine show {held.model} {held.key}` prints those that were, with their "
            "numbers.",
            model=held.model,
            key=held.key,
            rows=strange,
        )
    known = sorted({reason for row in rows for reason in row.reasons})
    for text in choice.unmet:
        if not text.strip() or not any(reason.startswith(text) for reason in known):
            raise Refused(
                f"no row of partition {held.key} of {held.model} waits because of {text!r}; nothing was changed. "
                f"They wait because of: {'; '.join(known)}.",
                model=held.model,
                key=held.key,
                reasons=known,
            )
    return [
        row
        for row in rows
        if choice.names(row.number) and (not choice.unmet or any(_begins(reason, choice) for reason in row.reasons))
    ]


def _begins(reason: str, choice: Choice) -> bool:
    return reason.startswith(choice.unmet)
