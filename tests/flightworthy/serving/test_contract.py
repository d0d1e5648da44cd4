from __future__ import annotations

import copy
from typing import Any

import pytest

from flightworthy.errors import ArtifactRefused
from flightworthy.serving.batch import Batch, Column, from_columns, from_rows
from flightworthy.serving.contract_file import parse_contract

RAW: dict[str, Any] = {
    "model": "fraud",
    "features": [{"name": "age", "type": "number", "nullable": True}, {"name": "sex", "type": "category"}],
    "output": {"kind": "probability"},
}


def changed(**changes: Any) -> dict[str, Any]:
    return {**copy.deepcopy(RAW), **changes}


def test_a_contract_keeps_its_order_and_gives_a_matrix_of_floats_if_all_are_numbers() -> None:
    """Estimators take floats where they can, with NaN for what is missing, and objects where there are words."""
    contract = parse_contract(RAW)
    assert contract.names == ("age", "sex")
    assert contract.matrix([(1.0, "f"), (None, "m")]).dtype == object
    numbers = parse_contract(changed(features=RAW["features"][:1]))
    matrix = numbers.matrix([(1.0,), (None,)])
    assert matrix.dtype == float
    assert matrix[1, 0] != matrix[1, 0]


@pytest.mark.parametrize("rows", [1, 2, 50])
def test_numbers_alone_are_watched_as_well(rows: int) -> None:
    """Most models take nothing else; the edges of what was seen are inside, what is missing is neither."""
    seen = {"minimum": 0, "maximum": 1}
    features = [{"name": name, "type": "number", "nullable": True} for name in "abc"]
    contract = parse_contract(
        changed(features=[{**features[0], "seen": seen}, features[1], {**features[2], "seen": seen}])
    )
    fine = [(1.0, 7.0, 0.0)] * (rows - 1)
    for strange, names in [((0.0, -9.0, 1.0), ()), ((1.1, 0.0, None), ("a",)), ((-0.1, None, 2.0), ("a", "c"))]:
        batch = from_rows(contract, [*fine, strange])
        assert batch.flagged == names
        columns = {name: Column(batch.matrix[:, at]) for at, name in enumerate(contract.names)}
        by_column = from_columns(contract, columns, rows)
        assert isinstance(by_column, Batch)
        assert by_column.flagged == names


@pytest.mark.parametrize(
    "raw, why",
    [
        (changed(output={"kind": "text"}), "not a probability"),
        (changed(output=None), "not a probability"),
        (changed(features=[]), "no features"),
        (changed(features=[{"name": "age", "type": "date"}]), "known type"),
        (changed(features=[{"type": "number"}]), "without a name"),
        (changed(features=[RAW["features"][0]] * 2), "twice"),
        (changed(features=[{"name": 'a"b', "type": "number"}]), "quote"),
        (changed(features=[{"name": "a", "type": "category", "values": [1]}]), "not text"),
        (changed(features=[{"name": "a", "type": "category", "values": []}]), "not text"),
        (changed(requests={"out_of_range": "clip"}), "requests section"),
        (changed(features=[{"name": "a", "type": "number", "seen": {"minimum": 1}}]), "training saw of a"),
        (changed(features=[{"name": "a", "type": "category", "seen": {"values": []}}]), "training saw of a"),
        (
            changed(
                features=[{"name": "a", "type": "category", "seen": {"values": ["x"]}}],
                requests={"unseen_category": "missing"},
            ),
            "count as missing",
        ),
    ],
)
def test_a_contract_that_cannot_be_kept_is_refused_with_the_reason(raw: dict[str, Any], why: str) -> None:
    """At the start, not at the first request that meets it."""
    with pytest.raises(ArtifactRefused, match=why):
        parse_contract(raw)
