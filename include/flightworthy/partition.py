"""Partitions: the slice of source data of one data interval, its key on the time axis, and who wakes a deployment.

A *partition key* is the start of a data interval written with the model's own pattern: ``2026-01-05``, ``1995-03``.
Keys are compared as strings, so a pattern is only accepted if the order of its strings is the order of time.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Final

from flightworthy.errors import SpecError

__all__ = [
    "PLACEHOLDER",
    "Arrivals",
    "IsWhole",
    "SourceFile",
    "arrivals",
    "check_pattern",
    "end_of",
    "fingerprints",
    "folder_of",
    "key_in",
    "key_of",
    "start_of",
    "unit_of",
    "uri_of",
]

PLACEHOLDER: Final = "{partition}"

# Instants whose order shows every usual mistake: day before month, a month's name, twelve hours, two-digit years.
_WITNESSES: Final = tuple(
    datetime(year, month, day, hour, minute, tzinfo=UTC)
    for year in (1969, 1994, 1999, 2000, 2026)
    for month in (1, 2, 4, 10, 12)
    for day in (1, 9, 28)
    for hour, minute in ((0, 0), (1, 30), (12, 5), (13, 0))
)


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFile:
    """One file in a model's source that holds (a part of) the partition ``key``.

    A partition may be several files (the parts of a Parquet folder), and one file may hold many partitions (the
    rows of a file picked by their event time); in both cases there is one `SourceFile` per key and file.
    """

    key: str
    uri: str
    size: int
    modified_at: datetime
    digest: str | None = None
    """Of the partition's rows, where somebody has read them: of many partitions in one file not all change with it."""

    @property
    def fingerprint(self) -> str:
        """Changes whenever the file was written again, or where there is a digest its rows are other ones.

        Without a digest it says nothing about whether the content changed.
        """
        if self.digest is not None:
            return self.digest
        return f"{self.size}@{self.modified_at.astimezone(UTC).isoformat()}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrivals:
    """What one look into a source found, by partition key and in time order."""

    fresh: tuple[str, ...]
    """Newer than every known key: these wake a deployment."""
    late: tuple[str, ...]
    """Never seen, yet older than the newest known key: late data, material for a backfill."""
    revised: tuple[str, ...]
    """A known key whose files changed: a revision, taken in by the next run that reads the key."""
    unsettled: tuple[str, ...]
    """Not whole yet, or newer than one that is still being written; the next look decides."""
    known: Mapping[str, str]
    """What to remember for the next look: key to the digest of its files' names, sizes and times, or of its rows."""


IsWhole = Callable[[str, Sequence[SourceFile]], bool]
"""Whether a key's files are all there, by some other evidence than that they do not change."""


def arrivals(
    files: Iterable[SourceFile],
    *,
    before: Iterable[SourceFile],
    known: Mapping[str, str],
    is_whole: IsWhole | None = None,
) -> Arrivals:
    """Compare this look (``files``) with the one before it and with what is ``known``.

    A key is settled when both looks saw the same files of the same size and time, so that a file that is still
    being uploaded wakes nobody, whatever the clocks of the two machines say; with ``is_whole``, when that says so.
    A new key waits for an older new one whose files are still changing: else that would be late for its own slowness.
    """
    files = tuple(files)
    parts, now, then = _parts(files), fingerprints(files), fingerprints(before)
    steady = {key for key, mark in now.items() if then.get(key) == mark}
    whole = (
        steady if is_whole is None else {key for key in now if known.get(key) == now[key] or is_whole(key, parts[key])}
    )
    newest = max(known, default="")
    moving = min((key for key in now if key > newest and key not in whole | steady), default=None)
    settled = {key: now[key] for key in now if key in whole and (moving is None or key < moving or key in known)}
    return Arrivals(
        fresh=tuple(key for key in settled if key > newest),
        late=tuple(key for key in settled if key <= newest and key not in known),
        revised=tuple(key for key in settled if key in known and settled[key] != known[key]),
        unsettled=tuple(key for key in now if key not in settled),
        known={**known, **settled},
    )


def fingerprints(files: Iterable[SourceFile]) -> dict[str, str]:
    """Of all files of each key together: a digest that changes whenever one of them was written again."""
    return {key: _digest(each) for key, each in _parts(files).items()}


def _parts(files: Iterable[SourceFile]) -> dict[str, list[SourceFile]]:
    parts: dict[str, list[SourceFile]] = {}
    for file in sorted(files, key=lambda each: (each.key, each.uri)):
        parts.setdefault(file.key, []).append(file)
    return parts


def _digest(files: Iterable[SourceFile]) -> str:
    marks = " ".join(f"{file.uri}#{file.fingerprint}" for file in files)
    return hashlib.sha256(marks.encode()).hexdigest()


def key_of(start: datetime, pattern: str) -> str:
    """The key of the data interval that starts at ``start`` (an aware instant; keys are written in UTC)."""
    if start.tzinfo is None:
        raise ValueError(f"the start of a data interval is an aware instant; {start!r} has no time zone")
    return _written(start.astimezone(UTC), pattern)


def start_of(key: str, pattern: str) -> datetime:
    """The instant that ``key`` stands for, in UTC. `ValueError` unless ``key`` is written exactly as `key_of` does."""
    start = datetime.strptime(key, pattern).replace(tzinfo=UTC)
    if _written(start, pattern) != key:
        # strptime is lenient: it reads 2026-1-5 with %Y-%m-%d, and such a key would sort after 2026-01-31.
        raise ValueError(f"partition key {key!r} is not written as {pattern!r} writes it: {_written(start, pattern)!r}")
    return start


def unit_of(pattern: str) -> str:
    """The longest of minute, hour and day of which every data interval has a whole number."""
    if re.search("%[MSfTXc]", pattern):
        return "minute"
    return "hour" if re.search("%[HIp]", pattern) else "day"


def end_of(key: str, pattern: str) -> datetime:
    """The first instant that belongs to a later key."""
    step = timedelta(**{f"{unit_of(pattern)}s": 1})
    at = start_of(key, pattern)
    while _written(at, pattern) == key:
        at += step
    return at


def check_pattern(pattern: str) -> None:
    """`SpecError` unless keys of this pattern can be read back and sort in the order of time."""
    keys = [_written(instant, pattern) for instant in _WITNESSES]
    problem = _problem_of(keys, pattern)
    if problem:
        raise SpecError(
            f"source.partition={pattern!r}: {problem}. Write the larger unit first and in digits: "
            "%Y, %Y-%m, %Y-%m-%d or %Y-%m-%dT%H",
            key="source.partition",
            pattern=pattern,
        )


def _problem_of(keys: list[str], pattern: str) -> str | None:
    if len(set(keys)) == 1:
        return "every data interval gets the same key"
    for earlier, later in pairwise(keys):
        if earlier > later:
            return f"{later!r} is later than {earlier!r} but sorts before it"
    for key in keys:
        try:
            start_of(key, pattern)
        except ValueError:
            return f"a key such as {key!r} cannot be read back"
    return None


def _written(start: datetime, pattern: str) -> str:
    # Some platforms write the year 999 as "999"; four digits keep the order of strings the order of time.
    return start.strftime(pattern.replace("%Y", f"{start.year:04d}"))


def uri_of(template: str, key: str) -> str:
    """Where the partition ``key`` lands."""
    return template.replace(PLACEHOLDER, key)


def folder_of(template: str) -> str:
    """The folder, without a ``*``, in which a partition's files or their folders lie."""
    return template.split("*", maxsplit=1)[0].rpartition("/")[0]


def key_in(uri: str, *, template: str, pattern: str) -> str | None:
    """The partition key that ``uri`` carries, or None if it is not one of the template's.

    ``template`` may hold ``*`` for what does not matter within one folder: ``landing/{partition}/*.parquet``.
    """
    found = _expression(template).fullmatch(uri)
    if found is None:
        return None
    key = found.group("partition")
    try:
        start_of(key, pattern)
    except ValueError:
        return None
    return key


def _expression(template: str) -> re.Pattern[str]:
    parts = re.split(r"(\{partition\}|\*)", template)
    seen = False
    written = []
    for part in parts:
        if part == PLACEHOLDER:
            written.append("(?P=partition)" if seen else "(?P<partition>[^/]+)")
            seen = True
        else:
            # A name that starts with a dot or an underscore is a file in the making (rsync, Spark).
            written.append(r"(?![._])[^/]*" if part == "*" else re.escape(part))
    return re.compile("".join(written))
