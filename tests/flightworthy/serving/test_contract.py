from __future__ import annotations

import copy
from typing import Any

import pytest

from flightworthy.errors import ArtifactRefused
from flightworthy.serving.contract import parse_contract

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
    ],
)
def test_a_contract_that_cannot_be_kept_is_refused_with_the_reason(raw: dict[str, Any], why: str) -> None:
    """At the start, not at the first request that meets it."""
    with pytest.raises(ArtifactRefused, match=why):
        parse_contract(raw)
