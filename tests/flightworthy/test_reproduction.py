"""When a training that was done again counts as the same."""

import math
import zipfile

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightworthy.adapters.artifact_content import content_of
from flightworthy.reproduction import Agreement, agreement, reproduction

AGREED = Agreement(rows=10, different=0, largest=0.0, flipped=0)
APART = Agreement(rows=10, different=1, largest=0.5, flipped=1)


@pytest.mark.parametrize(
    "remade, holdout, verdict, state",
    [
        ({"m": ("1", "1")}, APART, "identical", "same"),
        ({"m": ("9", "1")}, APART, "identical", "same content"),
        ({"m": ("9", "9")}, AGREED, "equivalent", "different"),
        ({"m": ("9", "9")}, APART, "different", "different"),
        ({}, APART, "different", "missing"),
        ({"m": ("1", "1"), "n": ("2", "2")}, APART, "different", "same"),
        ({"m": ("9", "9")}, Agreement(rows=0, different=0, largest=0.0, flipped=0), "different", "different"),
    ],
)
def test_the_verdict_goes_by_files_and_then_by_predictions(remade, holdout, verdict, state):
    """No rows to predict are no evidence that it is the same."""
    found = reproduction({"m": ("1", "1")}, remade, holdout, key_holds=True)
    assert (found.verdict, found.files["m"]) == (verdict, state)


def test_no_files_at_all_are_not_the_same():
    """There is nothing that would show it."""
    assert reproduction({}, {}, APART, key_holds=True).verdict == "different"


@given(st.lists(st.floats(0, 1), min_size=1))
def test_a_model_agrees_with_itself(predictions):
    """On every row, exactly."""
    assert agreement(predictions, predictions, threshold=0.5).different == 0


def test_a_row_that_differs_is_counted_and_so_is_a_number_that_is_none():
    """By how much at most, and how many labels flip; other numbers of rows agree on nothing."""
    assert agreement([0.1, 0.4, 0.9], [0.1, 0.6, 0.8], threshold=0.5) == Agreement(
        rows=3, different=2, largest=pytest.approx(0.2), flipped=1
    )
    assert agreement([math.nan], [math.nan], threshold=0.5).different == 1
    assert agreement([0.1], [0.1, 0.2], threshold=0.5).different == 2


def packed(folder, *, address, value=b"1", extra=b""):
    folder.mkdir()
    with zipfile.ZipFile(folder / "model.skops", "w") as file:
        file.writestr("schema.json", b'{"file": "%d.npy", "__id__": %d}' % (address, address) + extra)
        file.writestr(f"{address}.npy", value)
    return content_of(folder)["model.skops"]


def test_addresses_in_memory_are_no_content_and_everything_else_is(tmp_path):
    """Two writings of one model; another number in it; another word in its schema."""
    one = packed(tmp_path / "1", address=140163299904176)
    two = packed(tmp_path / "2", address=140163299919984)
    assert one[0] != two[0]
    assert one[1] == two[1]
    assert packed(tmp_path / "3", address=140163299919984, value=b"2")[1] != one[1]
    assert packed(tmp_path / "4", address=140163299919984, extra=b" ")[1] != one[1]


def test_what_names_the_run_is_left_out(tmp_path):
    """MLmodel, the manifest and the list of packages differ between any two runs."""
    for name in ("MLmodel", "manifest.json", "requirements.txt", "contract.json"):
        (tmp_path / name).write_text(name)
    assert list(content_of(tmp_path)) == ["contract.json"]
