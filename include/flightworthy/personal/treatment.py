"""What becomes of one declared cell: a pseudonym, or something coarser that no longer points at one person.

Each function of a value is the same for the cell of a partition and for the value of a request, and doing it twice does
nothing more than doing it once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, Final

from flightworthy.personal.pseudonyms import pseudonym, text_of

__all__ = ["RESTRICTED_ZIP3", "Treatment", "Way", "treat"]

RESTRICTED_ZIP3: Final = frozenset((
    "036", "059", "063", "102", "203", "556", "692", "790", "821", "823",
    "830", "831", "878", "879", "884", "890", "893",
))  # fmt: skip
"""First three digits of ZIP codes under which 20,000 people or fewer live, by the census of 2000 (45 CFR 164.514)."""
_DATE: Final = re.compile(r"(?P<year>\d{4})(?:-(?P<month>\d{2}))?(?:-\d{2}(?:[T ].*)?)?")


class Way(StrEnum):
    """What becomes of a column."""

    PSEUDONYM = "pseudonym"
    """A keyed pseudonym: the same person can still be counted, joined and split by."""
    DROP = "drop"
    """Nothing of it is kept, not even its name."""
    BUCKET = "bucket"
    """A number becomes the lower end of its bucket, and the highest ones become one."""
    PREFIX = "prefix"
    """A text becomes its first characters."""
    ZIP3 = "zip3"
    """A US ZIP code becomes its first three digits, 000 where few people live."""
    DATE = "date"
    """A date becomes its year, or its month."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """``size``: the width of a bucket, or the length of a prefix; ``most``: from which number on all are one."""

    way: Way
    size: int | None = None
    most: int | None = None
    month: bool = False
    """Whether a date keeps its month."""

    @classmethod
    def told(cls, said: Mapping[str, Any]) -> Treatment:
        """What ``tell`` wrote. Raises ValueError or TypeError where it cannot be meant."""
        return cls(**{**said, "way": Way(said["way"])})

    def tell(self) -> dict[str, Any]:
        """As JSON types."""
        told = {"way": str(self.way), "size": self.size, "most": self.most, "month": self.month or None}
        return {name: value for name, value in told.items() if value is not None}


def treat(treatment: Treatment, key: bytes | None) -> Callable[[Any], Any]:
    """What a value becomes, as a function of it; None stays None.

    The function raises ValueError, without the value, where the value is not of a form that the treatment knows.
    Raises ValueError at once where a pseudonym is wanted and there is no key.
    """
    if treatment.way is Way.PSEUDONYM:
        if key is None:
            raise ValueError("there is no key to make pseudonyms with")
        return lambda value: None if value is None else pseudonym(key, value)
    if treatment.way is Way.DROP:
        return lambda _: None
    change = _CHANGES[treatment.way]
    return lambda value: None if value is None else change(treatment, value)


def _bucket(treatment: Treatment, value: Any) -> Any:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is not a number")  # noqa: TRY004 - of a person's cell, not of a programmer's argument
    kept = value if treatment.most is None else min(value, type(value)(treatment.most))
    if treatment.size is None or (treatment.most is not None and value >= treatment.most):
        return kept
    return type(value)(kept // treatment.size * treatment.size)


def _prefix(treatment: Treatment, value: Any) -> str:
    return text_of(value).strip()[: treatment.size]


def _zip3(_: Treatment, value: Any) -> str:
    text = text_of(value).strip()
    if not re.fullmatch(r"\d{3}|\d{5}(-?\d{4})?", text):
        raise ValueError("is not a ZIP code of five digits")
    return "000" if text[:3] in RESTRICTED_ZIP3 else text[:3]


def _date(treatment: Treatment, value: Any) -> Any:
    if isinstance(value, datetime):
        value = value.replace(hour=0, minute=0, second=0, microsecond=0)
    if isinstance(value, date):
        return value.replace(day=1) if treatment.month else value.replace(month=1, day=1)
    found = _DATE.fullmatch(text_of(value).strip())
    if found is None or (treatment.month and found["month"] is None):
        raise ValueError("is not a date written as 2026-01-05")
    return f"{found['year']}-{found['month']}" if treatment.month else found["year"]


_CHANGES: Final[Mapping[Way, Callable[[Treatment, Any], Any]]] = {
    Way.BUCKET: _bucket,
    Way.PREFIX: _prefix,
    Way.ZIP3: _zip3,
    Way.DATE: _date,
}
