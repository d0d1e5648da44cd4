"""What a value in model.yaml may be: durations and sizes with units, shares, instants, cron expressions, names.

Each reader takes what YAML gave and either returns the value or raises ``ValueError`` whose text completes the sentence
``release.bake_time=5: …``: it says what is wrong and shows a value that would do.
"""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, Strict

__all__ = [
    "ColumnName",
    "ColumnNames",
    "Cron",
    "Duration",
    "Instant",
    "Label",
    "Scalar",
    "Share",
    "Size",
    "read_cron",
    "read_duration",
    "read_instant",
    "read_label",
    "read_names",
    "read_scalar",
    "read_share",
    "read_size",
    "sequence_of",
]

_DURATION = re.compile(r"(?P<count>[0-9]+(?:\.[0-9]+)?)(?P<unit>ms|s|m|h|d)")
_UNITS = {"ms": "milliseconds", "s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_LONGEST = timedelta(days=3650)
_SIZE = re.compile(r"(?P<count>[0-9]+(?:\.[0-9]+)?)(?P<unit>[KMGT]iB)")
_BYTES = {"KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_SHARE = re.compile(r"(?P<percent>[0-9]+(?:\.[0-9]+)?)\s?%")


def read_duration(written: Any) -> timedelta:
    """Read ``500ms``, ``5s``, ``10m``, ``2h`` or ``1d``; a number without a unit is refused rather than guessed."""
    if isinstance(written, timedelta):
        return written
    found = _DURATION.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        raise ValueError(_about_duration(written))
    try:
        length = timedelta(**{_UNITS[found["unit"]]: float(found["count"])})
    except OverflowError:
        length = timedelta.max
    if length > _LONGEST:
        raise ValueError("must be ten years at most")
    return length


def _about_duration(written: Any) -> str:
    if isinstance(written, str) and written.startswith("-"):
        return "must not be negative; write a duration like 5s, 10m, 2h or 1d"
    if isinstance(written, int | float) and not isinstance(written, bool):
        return (
            f"needs a unit; write {written}s, {written}m, {written}h or {written}d"
            if written >= 0
            else ("must not be negative, and needs a unit; write a duration like 5s, 10m, 2h or 1d")
        )
    return "must be a duration: a number and its unit, like 500ms, 5s, 10m, 2h or 1d"


def read_size(written: Any) -> int:
    """Read ``512KiB``, ``100MiB``, ``64GiB`` or ``1TiB`` as bytes; whether GB has 10^9 or 2^30 is not guessed."""
    found = _SIZE.fullmatch(written) if isinstance(written, str) else None
    if found is None:
        raise ValueError("must be a size: a number and its unit, like 512KiB, 100MiB, 64GiB or 1TiB")
    size = int(float(found["count"]) * _BYTES[found["unit"]])
    if size < 1:
        raise ValueError("must be more than nothing, like 100MiB")
    return size


def read_share(written: Any) -> float:
    """Read ``20%`` or ``0.2`` as 0.2. ``20`` alone is refused: nobody can tell whether it means 20 or 2,000 %."""
    if isinstance(written, str) and (found := _SHARE.fullmatch(written)):
        share = float(found["percent"]) / 100
    elif isinstance(written, int | float) and not isinstance(written, bool):
        share = float(written)
    else:
        raise ValueError("must be a share, like 20% or 0.2")
    if not 0 <= share <= 1:
        raise ValueError("must be between 0% and 100%, written like 20% or 0.2")
    return share


def read_instant(written: Any) -> datetime:
    """Read ``2025-01-06`` (midnight, UTC) or ``2025-01-06T07:00:00+01:00``; returned in UTC."""
    if isinstance(written, str):
        try:
            written = datetime.fromisoformat(written)
        except ValueError:
            raise ValueError("must be a date like 2025-01-06, or an instant like 2025-01-06T07:00:00Z") from None
    if isinstance(written, datetime):
        return written.replace(tzinfo=UTC) if written.tzinfo is None else written.astimezone(UTC)
    if isinstance(written, date):
        return datetime.combine(written, time.min, tzinfo=UTC)
    raise ValueError("must be a date like 2025-01-06, or an instant like 2025-01-06T07:00:00Z")


_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, _MONTHS),
    ("weekday", 0, 7, _WEEKDAYS),
)
_CRON_PART = re.compile(r"(?:\*|(?P<first>[0-9a-z]+)(?:-(?P<last>[0-9a-z]+))?)(?:/(?P<step>[0-9]{1,2}))?")


def read_cron(written: Any) -> str:
    """Check a cron expression of five fields (minute, hour, day, month, weekday), as Airflow's timetables read it."""
    fields = written.split() if isinstance(written, str) else []
    if len(fields) != len(_FIELDS):
        raise ValueError('must have five fields (minute hour day month weekday), like "0 0 * * 1" for Mondays')
    for text, (name, lowest, highest, names) in zip(fields, _FIELDS, strict=True):
        for part in text.lower().split(","):
            if not _reads_as_cron(part, lowest, highest, names):
                raise ValueError(
                    f"the {name} {text!r} must be *, or numbers from {lowest} to {highest}, like {lowest},{lowest + 1}"
                )
    return " ".join(fields)


def _reads_as_cron(part: str, lowest: int, highest: int, names: tuple[str, ...]) -> bool:
    found = _CRON_PART.fullmatch(part)
    if found is None or (found["step"] is not None and not 1 <= int(found["step"]) <= highest):
        return False
    if found["first"] is None:
        return True
    if found["step"] is not None and found["last"] is None:
        return False
    bounds = [_cron_number(text, names) for text in (found["first"], found["last"] or found["first"])]
    return lowest <= bounds[0] <= bounds[1] <= highest


def _cron_number(text: str, names: tuple[str, ...]) -> int:
    if text in names:
        return names.index(text) + (1 if names is _MONTHS else 0)
    return int(text) if text.isdigit() and len(text) <= 2 else -1


def read_scalar(written: Any) -> Any:
    """Accept what one YAML scalar can be, and no list or mapping."""
    if written is None or isinstance(written, bool | int | float | str):
        return written
    raise ValueError("must be a number, text, true, false or null")


def read_label(written: Any) -> Any:
    """Accept what the value of a target can be; a fraction is no label."""
    if isinstance(written, bool | int | str):
        return written
    raise ValueError("must be a value of the target: a whole number, text, true or false")


def read_names(written: Any) -> Any:
    """Accept a list of names, each once."""
    names = sequence_of(written)
    if isinstance(names, tuple):
        twice = sorted({str(name) for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"names {', '.join(twice)} more than once")
    return names


def sequence_of(written: Any) -> Any:
    """Let a YAML list stand for a tuple, which strict validation would refuse."""
    return tuple(written) if isinstance(written, list) else written


def _written_duration(length: timedelta) -> str:
    return f"{length.total_seconds():g}s"


Duration = Annotated[timedelta, BeforeValidator(read_duration), PlainSerializer(_written_duration, return_type=str)]
Share = Annotated[float, BeforeValidator(read_share)]
Size = Annotated[int, BeforeValidator(read_size)]
Instant = Annotated[datetime, BeforeValidator(read_instant)]
Cron = Annotated[str, BeforeValidator(read_cron)]
ColumnName = Annotated[str, Strict(), Field(min_length=1, max_length=200)]
ColumnNames = Annotated[tuple[ColumnName, ...], BeforeValidator(read_names)]
Scalar = Annotated[bool | int | float | str | None, BeforeValidator(read_scalar)]
Label = Annotated[bool | int | str, BeforeValidator(read_label)]
