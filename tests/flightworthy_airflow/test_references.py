"""What travels between tasks is what the next one expects, or is refused by name."""

from __future__ import annotations

import json

import pytest

from flightworthy.errors import Refused
from flightworthy_airflow.references import DatasetReference, VersionReference, pack, unpack

DATASET = DatasetReference(
    model="churn", partition="2026-01-05", partition_digest="a" * 64, dataset_digest="b" * 64, rows=10, intent="manual"
)


def test_a_reference_survives_the_way_through_json() -> None:
    """XCom keeps JSON; what comes out is what went in."""
    assert unpack(DatasetReference, json.loads(json.dumps(pack(DATASET)))) == DATASET


@pytest.mark.parametrize("wrong", [None, "b" * 64, {}, {**pack(DATASET), "extra": 1}])
def test_anything_else_is_refused_and_says_what_was_expected(wrong: object) -> None:
    """A task that was handed the wrong thing must not guess."""
    with pytest.raises(Refused, match="expected a VersionReference with the fields"):
        unpack(VersionReference, wrong)
