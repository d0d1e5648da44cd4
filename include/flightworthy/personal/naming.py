"""Identifiers that only a column's name gives away: names, addresses, dates of birth, numbers that look like any other.

A name is taken apart into words, and words that only say whose or which one are taken off: ``customer_email_1`` is
``email``, and ``AddressChange`` is not ``address``. What is left must be an identifier's name as a whole.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["kind_named", "names_an_age"]

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_WHOSE: Final = frozenset((
    "applicant", "beneficiary", "billing", "borrower", "child", "client", "contact", "customer", "debtor", "donor",
    "driver", "employee", "father", "guest", "holder", "home", "insured", "main", "mother", "my", "owner", "parent",
    "patient", "payer", "person", "personal", "policyholder", "primary", "private", "secondary", "shipping",
    "spouse", "student", "subscriber", "user", "visitor", "work",
))  # fmt: skip
_WHICH: Final = frozenset((
    "code", "col", "column", "current", "field", "full", "id", "no", "nr", "nbr", "num", "number", "primary", "raw",
    "text", "txt", "value",
))  # fmt: skip

_NAMES: Final[dict[str, str]] = {
    "names": (
        "name=whose | full name | first name | firstname | last name | lastname | surname | family name | given "
        "name | forename | middle name | maiden name | fullname | christian name | nachname | vorname | nom | "
        "prenom | apellido | apellidos"
    ),
    "addresses and places smaller than a state": (
        "address=whose | street | street address | street name | house number | home address | postal address | "
        "mailing address | address line | zip | zipcode | zip code | postal code | postcode | post code | plz | "
        "latitude | longitude | lat | lon | lng | gps | geolocation | coordinates"
    ),
    "dates of a person's life": (
        "dob | birth date | birthdate | birthday | date of birth | born | born on | born at | geburtsdatum | date "
        "of death | death date | deceased on | admission date | date of admission | admit date | discharge date | "
        "date of discharge"
    ),
    "phone or fax numbers": (
        "phone | phone number | telephone | telephone number | tel | mobile number | mobile phone | cell phone | "
        "cellphone | msisdn | fax | fax number | telefon | telefax"
    ),
    "e-mail addresses": ("email | e mail | mail address | email address | e mail address"),
    "social security or other national numbers": (
        "ssn | social security | social security number | national=bare | national insurance | nino | passport | "
        "passport number | tax=bare | tin=bare | nir | dni | nie | nif | bsn | pesel | curp | cpf | aadhaar | "
        "personnummer | identity card | nhs | nhs number"
    ),
    "medical record or health plan numbers": (
        "mrn | medical record | medical record number | health record | patient=bare | chart number | health plan "
        "| health insurance | member=bare | medicare=bare | medicaid=bare | mbi"
    ),
    "account, policy, certificate or licence numbers": (
        "account=bare | account number | bank account | iban | credit card | card number | creditcard | debit "
        "card | policy=bare | policy number | insurance number | license=bare | licence=bare | license number | "
        "licence number | driving licence | driver license | certificate number"
    ),
    "vehicle or device identifiers": (
        "vin | license plate | licence plate | number plate | plate number | registration plate | serial number | "
        "device=bare | device serial | imei | imsi | iccid | idfa | gaid | advertising=bare | android=bare | udid"
    ),
    "network addresses": (
        "ip | ip address | ipv4 | ipv6 | ip addr | mac | mac address | mac addr | url | homepage | website"
    ),
    "biometrics or pictures": (
        "fingerprint | finger print | voiceprint | voice print | retina | iris scan | face image | photo | "
        "photograph | picture | biometric"
    ),
}
"""``=whose``: only after a word that says whose; ``=bare``: only with a word that says that it is a number or an id."""


def _read(told: str, mark: str) -> frozenset[str]:
    words = [each.strip() for each in told.split("|")]
    return frozenset(each.removesuffix(mark) for each in words if each.endswith(mark) or (not mark and "=" not in each))


_PLAIN: Final = {kind: _read(told, "") for kind, told in _NAMES.items()}
_OWNED: Final = {kind: _read(told, "=whose") for kind, told in _NAMES.items()}
_NUMBERED: Final = {kind: _read(told, "=bare") for kind, told in _NAMES.items()}


def kind_named(column: str) -> str | None:
    """What a column of this name holds, by its name alone; None where the name says nothing of it."""
    words = [word.lower() for word in _WORD.findall(column)]
    while words and words[-1].isdigit():
        words.pop()
    whole = " ".join(words)
    stem = words[: _without_tail(words)]
    is_numbered = len(stem) < len(words)
    owned = " ".join(stem[_owners(stem) :])
    is_owned = _owners(stem) > 0
    for kind, plain in _PLAIN.items():
        if whole in plain or " ".join(words[_owners(words) :]) in plain or owned in plain:
            return kind
        if is_owned and owned in _OWNED[kind]:
            return kind
        if is_numbered and (owned in _NUMBERED[kind] or " ".join(stem) in _NUMBERED[kind]):
            return kind
    return None


def names_an_age(column: str) -> bool:
    """Whether a column holds ages of people: then those over 89 point at few."""
    words = [word.lower() for word in _WORD.findall(column)]
    while len(words) > 1 and words[-1] in {"years", "yrs", "in", "at"}:
        words.pop()
    return words[_owners(words) :] == ["age"]


def _without_tail(words: list[str]) -> int:
    """Where the words end that only say which one it is; at least one word stays."""
    end = len(words)
    while end > 1 and words[end - 1] in _WHICH:
        end -= 1
    return end


def _owners(words: list[str]) -> int:
    """How many words at the beginning say whose it is; at least one word stays."""
    count = 0
    while count < len(words) - 1 and words[count] in _WHOSE:
        count += 1
    return count
