"""Check digits of numbers that name a person: what a number must be, beyond its form, to be one.

Each function takes a text whose form its kind has seen to, and says whether its check holds.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = [
    "is_bsn",
    "is_card",
    "is_dni",
    "is_iban",
    "is_nhs",
    "is_nir",
    "is_pesel",
    "is_phone",
    "is_ssn",
    "is_steuer_id",
    "is_vin",
]

_DNI: Final = "TRWAGMYFPDXBNJZSQVHLCKE"
_IBAN_LENGTHS: Final = {
    "AD": 24, "AE": 23, "AL": 28, "AT": 20, "BA": 20, "BE": 16, "BG": 22, "CH": 21, "CY": 28, "CZ": 24, "DE": 22,
    "DK": 18, "EE": 20, "ES": 24, "FI": 18, "FO": 18, "FR": 27, "GB": 22, "GE": 22, "GI": 23, "GL": 18, "GR": 27,
    "HR": 21, "HU": 28, "IE": 22, "IL": 23, "IS": 26, "IT": 27, "LI": 21, "LT": 20, "LU": 20, "LV": 21, "MC": 27,
    "MD": 24, "ME": 22, "MK": 19, "MT": 31, "NL": 18, "NO": 15, "PL": 28, "PT": 25, "RO": 24, "RS": 22, "SA": 24,
    "SE": 24, "SI": 19, "SK": 24, "SM": 27, "TR": 26, "UA": 29, "VA": 22, "XK": 20,
}  # fmt: skip
_ISSUERS: Final = re.compile(
    r"4\d{12}(?:\d{3}|\d{6})?|5[1-5]\d{14}|2(?:22[1-9]|2[3-9]\d|[3-6]\d\d|7[01]\d|720)\d{12}|3[47]\d{13}"
    r"|3(?:0[0-5]|[68]\d)\d{11}|6(?:011|5\d\d)\d{12}|35(?:2[89]|[3-8]\d)\d{12}|62\d{14,17}"
)
_VIN_VALUES: Final = {**{str(digit): digit for digit in range(10)}, **dict(zip("ABCDEFGH", range(1, 9), strict=True))}
_VIN_VALUES.update(zip("JKLMN", range(1, 6), strict=True))
_VIN_VALUES.update({"P": 7, "R": 9, **dict(zip("STUVWXYZ", range(2, 10), strict=True))})
_VIN_WEIGHTS: Final = (8, 7, 6, 5, 4, 3, 2, 10, 0, 9, 8, 7, 6, 5, 4, 3, 2)


def is_card(text: str) -> bool:
    """A payment card: the length and first digits of an issuer, and Luhn's sum (ISO/IEC 7812)."""
    digits = re.sub(r"[ -]", "", text)
    if not _ISSUERS.fullmatch(digits):
        return False
    doubled = [int(each) * 2 for each in digits[-2::-2]]
    return (sum(map(int, digits[-1::-2])) + sum(each - 9 * (each > 9) for each in doubled)) % 10 == 0


def is_iban(text: str) -> bool:
    """A bank account by ISO 13616: the length of its country, and the remainder 1 of 97."""
    account = text.replace(" ", "").upper()
    if len(account) != _IBAN_LENGTHS.get(account[:2]):
        return False
    return int("".join(str(int(each, 36)) for each in account[4:] + account[:4])) % 97 == 1


def is_ssn(text: str) -> bool:
    """A US social security number as the SSA gives them out: no area 000, 666 or 9xx, no empty part."""
    area, group, serial = text.split("-")
    return area not in {"000", "666"} and area < "900" and group != "00" and serial != "0000"


def is_dni(text: str) -> bool:
    """A Spanish DNI or NIE: the letter is the number's remainder of 23."""
    number = text.upper().replace("-", "")
    return _DNI[int(number[:-1].translate(str.maketrans("XYZ", "012"))) % 23] == number[-1]


def is_nir(text: str) -> bool:
    """A French social security number: its last two digits are 97 less the remainder of the others."""
    number = text.upper().replace(" ", "").replace("2A", "19").replace("2B", "18")
    return 97 - int(number[:13]) % 97 == int(number[13:])


def is_steuer_id(text: str) -> bool:
    """A German tax identification number: ISO 7064, mod 11,10; one digit of the first ten comes two or three times."""
    digits = [int(each) for each in text]
    most = max(digits[:10].count(each) for each in digits[:10])
    product = 10
    for digit in digits[:10]:
        total = (digit + product) % 10 or 10
        product = total * 2 % 11
    return most in {2, 3} and (11 - product) % 10 == digits[10]


def is_bsn(text: str) -> bool:
    """A Dutch citizen service number: the eleven test with the weight -1 at its end."""
    digits = [int(each) for each in text]
    return any(digits) and (sum(digits[at] * (9 - at) for at in range(8)) - digits[8]) % 11 == 0


def is_nhs(text: str) -> bool:
    """An NHS number of England: the eleven test with weights from 10 to 2."""
    digits = [int(each) for each in re.sub(r"[ -]", "", text)]
    return any(digits) and (11 - sum(digits[at] * (10 - at) for at in range(9)) % 11) % 11 == digits[9]


def is_pesel(text: str) -> bool:
    """A Polish PESEL: a date of birth, and the weights 1, 3, 7, 9."""
    digits = [int(each) for each in text]
    month, day = int(text[2:4]) % 20, int(text[4:6])
    total = sum(digit * weight for digit, weight in zip(digits[:10], (1, 3, 7, 9) * 3, strict=False))
    return 1 <= month <= 12 and 1 <= day <= 31 and (10 - total % 10) % 10 == digits[10]


def is_vin(text: str) -> bool:
    """A vehicle identification number with the check digit that North America asks for (49 CFR 565)."""
    number = text.upper()
    total = sum(_VIN_VALUES[each] * weight for each, weight in zip(number, _VIN_WEIGHTS, strict=True))
    return "0123456789X"[total % 11] == number[8] and not number.isdigit()


def is_phone(text: str) -> bool:
    """A phone number as people write it: 8 to 15 digits (ITU E.164), and no date."""
    return 8 <= sum(map(str.isdigit, text)) <= 15 and not re.match(r"(19|20)\d\d[-. ]", text)
