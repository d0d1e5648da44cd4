"""What names a person: pseudonyms, what becomes of a cell, and what gives a column away."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightworthy.errors import Refused
from flightworthy.personal import (
    CERTAIN,
    LIKELY,
    Treatment,
    Way,
    fingerprint,
    kind_named,
    names_an_age,
    pseudonym,
    read_keys,
    treat,
)

KEY, OTHER = b"0123456789abcdef", b"fedcba9876543210"
KINDS = {kind.name: kind for kind in (*CERTAIN, *LIKELY)}


@given(st.one_of(st.text(), st.integers(), st.floats(allow_nan=False, allow_infinity=False)))
def test_a_pseudonym_of_a_pseudonym_is_itself_and_tells_nothing_of_the_value(value: object) -> None:
    """Rows may be treated twice: a golden request is a row of training that is sent again."""
    once = pseudonym(KEY, value)

    assert re.fullmatch("[0-9a-f]{32}", once)
    assert pseudonym(KEY, once) == once
    assert pseudonym(OTHER, value) != once
    assert pseudonym(OTHER, once) != once


def test_a_number_has_one_pseudonym_however_it_is_written() -> None:
    """In a file it is an integer, in a gappy column a float, in a request's head text."""
    assert pseudonym(KEY, 7) == pseudonym(KEY, 7.0) == pseudonym(KEY, "7")
    assert pseudonym(KEY, "07") != pseudonym(KEY, "7")


def test_a_text_in_a_pseudonym_s_form_gets_one_of_its_own() -> None:
    """An MD5 sum looks like a pseudonym, and is a person's all the same."""
    md5 = "5d41402abc4b2a76b9719d911017c592"

    assert pseudonym(KEY, md5) != md5


def test_keys_are_read_from_files_or_from_the_environment(tmp_path) -> None:
    """Of several files the first is the current key, the others are those of before; none is not an error here."""
    (tmp_path / "new").write_bytes(KEY + b"\n")
    (tmp_path / "old").write_bytes(OTHER)

    keys = read_keys({"FLIGHTWORTHY_PSEUDONYM_KEY_FILE": f"{tmp_path / 'new'}:{tmp_path / 'old'}"})

    assert keys is not None
    assert (keys.current, keys.former) == (KEY, (OTHER,))
    assert keys.known == {fingerprint(KEY): KEY, fingerprint(OTHER): OTHER}
    assert KEY.decode() not in repr(keys)
    assert read_keys({}) is None
    with pytest.raises(Refused, match="can be guessed"):
        read_keys({"FLIGHTWORTHY_PSEUDONYM_KEY": "short"})
    with pytest.raises(Refused, match="FLIGHTWORTHY_PSEUDONYM_KEY_FILE"):
        read_keys({"FLIGHTWORTHY_PSEUDONYM_KEY_FILE": str(tmp_path / "absent")})


@pytest.mark.parametrize(
    "treatment, value, becomes",
    [
        (Treatment(way=Way.BUCKET, size=5), 37, 35),
        (Treatment(way=Way.BUCKET, size=5), 37.5, 35.0),
        (Treatment(way=Way.BUCKET, size=10), -3, -10),
        (Treatment(way=Way.BUCKET, size=4, most=90), 89, 88),
        (Treatment(way=Way.BUCKET, size=4, most=90), 104, 90),
        (Treatment(way=Way.BUCKET, most=90), 93.0, 90.0),
        (Treatment(way=Way.PREFIX, size=3), "SW1A 1AA", "SW1"),
        (Treatment(way=Way.PREFIX, size=3), 90210, "902"),
        (Treatment(way=Way.ZIP3), "90210-1234", "902"),
        (Treatment(way=Way.ZIP3), "03601", "000"),
        (Treatment(way=Way.DATE), "1985-03-14", "1985"),
        (Treatment(way=Way.DATE, month=True), "1985-03-14T10:00:00", "1985-03"),
        (Treatment(way=Way.DATE, month=True), date(1985, 3, 14), date(1985, 3, 1)),
        (Treatment(way=Way.DATE), datetime(1985, 3, 14, 9, 5, tzinfo=UTC), datetime(1985, 1, 1, tzinfo=UTC)),
        (Treatment(way=Way.DROP), "anything", None),
    ],
)
def test_a_cell_becomes_coarser_and_stays_so(treatment: Treatment, value: object, becomes: object) -> None:
    """The type is kept where it can be; done twice it is done once; what is missing stays missing."""
    change = treat(treatment, None)

    assert change(value) == becomes
    assert type(change(value)) is type(becomes)
    assert change(change(value)) == becomes
    assert change(None) is None
    assert Treatment.told(treatment.tell()) == treatment


@pytest.mark.parametrize(
    "treatment, value",
    [
        (Treatment(way=Way.BUCKET, size=5), "4711"),
        (Treatment(way=Way.ZIP3), "4711"),
        (Treatment(way=Way.DATE), "14/03/1985"),
        (Treatment(way=Way.DATE, month=True), "1985"),
    ],
)
def test_a_cell_of_another_form_is_refused_without_being_told(treatment: Treatment, value: str) -> None:
    """The reason goes into logs, where the value must not."""
    with pytest.raises(ValueError, match=r"^is not a") as refused:
        treat(treatment, None)(value)
    assert value not in str(refused.value)


def test_without_a_key_there_is_no_pseudonym() -> None:
    """An empty key would make what anybody can try out."""
    with pytest.raises(ValueError, match="no key"):
        treat(Treatment(way=Way.PSEUDONYM), None)


@pytest.mark.parametrize(
    "kind, real, near",
    [
        ("e-mail addresses", "write to ada.l+x@example.co.uk!", "ada@home"),
        ("URLs", "see https://example.com/~ada", "a://"),
        ("bank accounts (IBAN)", "GB82 WEST 1234 5698 7654 32", "GB82 WEST 1234 5698 7654 33"),
        ("bank accounts (IBAN)", "DE89370400440532013000", "DE88370400440532013000"),
        ("MAC addresses", "00:1A:2b:3C:4D:5E", "10:20:30"),
        ("payment cards", "4111 1111 1111 1111", "4111 1111 1111 1112"),
        ("payment cards", "378282246310005", "9999999999999995"),
        ("phone numbers", "+49 30 901820-12", "2026-01-05 10:00"),
        ("phone numbers", "(202) 555-0143", "20-55-0143"),
        ("phone numbers", "202-555-0143", "2025550143"),
        ("US social security numbers", "219-09-9999", "987-65-4321"),
        ("Spanish identity numbers (DNI, NIE)", "12345678Z", "12345678A"),
        ("Spanish identity numbers (DNI, NIE)", "X1234567L", "X1234567M"),
        ("French social security numbers (NIR)", "2 55 08 14 168 025 38", "2 55 08 14 168 025 39"),
        ("UK national insurance numbers (NINO)", "AB 12 34 56 C", "AB 12 34 56 E"),
        ("NHS numbers", "943 476 5919", "943 476 5918"),
        ("German tax numbers (IdNr)", "86095742719", "86095742718"),
        ("Polish identity numbers (PESEL)", "44051401359", "44051401358"),
        ("Dutch citizen numbers (BSN)", "111222333", "111222334"),
        ("vehicle identification numbers", "1M8GDM9AXKP042788", "1M8GDM9A1KP042788"),
        ("IP addresses", "192.168.10.24", "1.2.3"),
        ("IP addresses", "2001:db8::ff00:42:8329", "10:30:00"),
    ],
)
def test_an_identifier_is_known_by_its_form_and_its_check_digits(kind: str, real: str, near: str) -> None:
    """And what only nearly is one is not."""
    assert holds(kind, real)
    assert not holds(kind, near)


def holds(name: str, text: str) -> bool:
    kind = KINDS[name]
    form = kind.form if kind in CERTAIN else f"^(?:{kind.form})$"
    return any(kind.holds(found.group()) for found in re.finditer(form, text))


@pytest.mark.parametrize(
    "column, kind",
    [
        ("FirstName", "names"),
        ("customer_name", "names"),
        ("home_address", "addresses and places smaller than a state"),
        ("zip", "addresses and places smaller than a state"),
        ("date_of_birth", "dates of a person's life"),
        ("phone_number_2", "phone or fax numbers"),
        ("E-Mail", "e-mail addresses"),
        ("NationalId", "social security or other national numbers"),
        ("patient_nbr", "medical record or health plan numbers"),
        ("PolicyNumber", "account, policy, certificate or licence numbers"),
        ("DeviceID", "vehicle or device identifiers"),
        ("client_ip", "network addresses"),
        ("photo", "biometrics or pictures"),
        ("AddressChange_Claim", None),
        ("phone_calls", None),
        ("has_email", None),
        ("name", None),
        ("tax", None),
        ("CustomerID", None),
        ("policy_type", None),
        ("encounter_id", None),
        ("StockCode", None),
    ],
)
def test_a_column_s_name_gives_it_away_as_a_whole_and_not_by_a_word_in_it(column: str, kind: str | None) -> None:
    """`address` is one; a change of address is a category of claims."""
    assert kind_named(column) == kind


def test_ages_are_known_by_their_name() -> None:
    """Of a vehicle they are nobody's."""
    assert all(map(names_an_age, ("Age", "patient_age", "age_in_years")))
    assert not any(map(names_an_age, ("AgeOfVehicle", "average", "AgeOfPolicyHolder")))
