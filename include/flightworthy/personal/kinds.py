"""The kinds of identifiers that a cell shows by its content: form, check digits, and how much of it is evidence.

A *certain* kind is looked for anywhere in a text, and one cell is enough: nothing else looks like it. A *likely* kind
must be the whole cell, and a share of the column: a code of the same form passes its check by chance, as one in ten
does where the check is a remainder of 11. ``form`` is of the regular expressions that RE2 and Python have in common.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from flightworthy.personal import numbers

__all__ = ["CERTAIN", "LIKELY", "Kind"]


def _any(_: str) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """``hint`` is a form that RE2 finds fast and that every cell of this kind has."""

    name: str
    """In the plural, as a message says it: ``e-mail addresses``."""
    hint: str
    form: str
    holds: Callable[[str], bool] = _any
    share: float = 0.0
    """The share of a column's cells from which it is a likely kind's; 0 where one cell is enough."""


CERTAIN: Final = (
    Kind(
        name="e-mail addresses",
        hint="@",
        form=r"[A-Za-z0-9._%+'-]+@[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,24}(?:[^A-Za-z0-9]|$)",
    ),
    Kind(name="URLs", hint=r"(?i:://|\bwww\.)", form=r"(?i:\b(?:https?|ftp)://|\bwww\.)[^\s/]+\.[^\s]+"),
    Kind(
        name="bank accounts (IBAN)",
        hint=r"(?i:\b[A-Z]{2}[0-9]{2} ?[A-Z0-9]{4} ?[A-Z0-9]{4})",
        form=r"(?i:\b[A-Z]{2}[0-9]{2}(?: ?[A-Z0-9]{4}){2,7}(?: ?[A-Z0-9]{1,3})?\b)",
        holds=numbers.is_iban,
    ),
    Kind(
        name="MAC addresses",
        hint=r"(?i:[0-9A-F]{2}[:-][0-9A-F]{2}[:-][0-9A-F]{2}[:-])",
        form=r"(?i:\b(?:[0-9A-F]{2}:){5}[0-9A-F]{2}\b|\b(?:[0-9A-F]{2}-){5}[0-9A-F]{2}\b)",
    ),
)
"""Looked for in every cell."""

_OCTET: Final = "(?:25[0-5]|2[0-4][0-9]|1[0-9][0-9]|[1-9]?[0-9])"

LIKELY: Final = (
    Kind(
        name="payment cards",
        hint=r"[0-9]{4}",
        form=r"[0-9]{13,19}|[0-9]{4}(?:[ -][0-9]{4}){3}|[0-9]{4}[ -][0-9]{6}[ -][0-9]{4,5}",
        holds=numbers.is_card,
        share=0.2,
    ),
    Kind(
        name="phone numbers",
        hint=r"[0-9]{2}",
        form=r"(?:\+|00)[0-9][0-9 ().-]{6,18}[0-9]|\(0?[1-9][0-9]{1,4}\) ?[0-9][0-9 .-]{4,10}[0-9]"
        r"|(?:1[ .-])?[2-9][0-9]{2}([ .-])[2-9][0-9]{2}[ .-][0-9]{4}|0[1-9][0-9]{1,4}[ /-][0-9][0-9 -]{4,9}[0-9]",
        holds=numbers.is_phone,
        share=0.2,
    ),
    Kind(
        name="US social security numbers",
        hint=r"-",
        form=r"[0-9]{3}-[0-9]{2}-[0-9]{4}",
        holds=numbers.is_ssn,
        share=0.2,
    ),
    Kind(
        name="Spanish identity numbers (DNI, NIE)",
        hint="[0-9]{7}",
        form=r"(?i:[XYZ0-9][0-9]{7}-?[A-HJ-NP-TV-Z])",
        holds=numbers.is_dni,
        share=0.2,
    ),
    Kind(
        name="French social security numbers (NIR)",
        hint="[0-9]{2}",
        form=r"(?i:[1278] ?[0-9]{2} ?(?:0[1-9]|1[0-2]|[2-9][0-9]) ?(?:[0-9]{2}|2[AB]) ?[0-9]{3} ?[0-9]{3} ?[0-9]{2})",
        holds=numbers.is_nir,
        share=0.2,
    ),
    Kind(
        name="UK national insurance numbers (NINO)",
        hint="[0-9]{2}",
        form=r"(?i:[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?[0-9]{2} ?[0-9]{2} ?[0-9]{2} ?[A-D])",
        share=0.5,
    ),
    Kind(
        name="NHS numbers",
        hint="[0-9]{3}",
        form=r"[0-9]{3}([ -])[0-9]{3}[ -][0-9]{4}",
        holds=numbers.is_nhs,
        share=0.5,
    ),
    Kind(
        name="German tax numbers (IdNr)", hint="[0-9]{11}", form="[1-9][0-9]{10}", holds=numbers.is_steuer_id, share=0.5
    ),
    Kind(name="Polish identity numbers (PESEL)", hint="[0-9]{11}", form="[0-9]{11}", holds=numbers.is_pesel, share=0.5),
    Kind(name="Dutch citizen numbers (BSN)", hint="[0-9]{9}", form="[0-9]{9}", holds=numbers.is_bsn, share=0.5),
    Kind(
        name="vehicle identification numbers",
        hint="[A-Za-z0-9]{17}",
        form="(?i:[A-HJ-NPR-Z0-9]{17})",
        holds=numbers.is_vin,
        share=0.5,
    ),
    Kind(
        name="IP addresses",
        hint=r"[0-9A-Fa-f][.:]",
        form=rf"{_OCTET}(?:\.{_OCTET}){{3}}|(?i:[0-9A-F]{{1,4}}(?::[0-9A-F]{{1,4}}){{7}}"
        r"|(?:[0-9A-F]{1,4}:){1,6}(?::[0-9A-F]{1,4}){1,6}|(?:[0-9A-F]{1,4}:){1,7}:)",
        share=0.5,
    ),
)
"""Looked for in whole cells, and believed by their share."""
