"""What the engines cannot be made to agree on is asked of none: it has failed, with the reason.

Known only when the rows are there, since a suite names columns and not their types.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping
from typing import Final

import numpy as np
import pandas as pd

from flightworthy.adapters.gx_suites.parquet_columns import Column
from flightworthy.expectations import Expectation

__all__ = ["disagreement"]

_OF_TIMES: Final = frozenset(
    f"expect_column_{name}"
    for name in (
        "distinct_values_to_be_in_set",
        "distinct_values_to_contain_set",
        "distinct_values_to_equal_set",
        "max_to_be_between",
        "mean_to_be_between",
        "median_to_be_between",
        "min_to_be_between",
        "most_common_value_to_be_in_set",
        "pair_values_to_be_in_set",
        "value_lengths_to_be_between",
        "value_lengths_to_equal",
        "values_to_be_in_set",
        "values_to_not_be_in_set",
    )
)
_OF_LARGEST: Final = frozenset(f"expect_column_{name}_to_be_between" for name in ("max", "min", "sum"))
_BETWEEN: Final = "expect_column_values_to_be_between"


def disagreement(expectation: Expectation, columns: Mapping[str, Column]) -> str | None:
    """Why the engines would answer differently; None where they would not."""
    about = [columns[name] for name in expectation.columns if name in columns]
    for each in about:
        if _is_time(each) and expectation.type in _OF_TIMES:
            return (
                f"{each.name} holds times, which the engines compare differently with what a suite can say. "
                f"Use {_BETWEEN}, with instants such as 2026-01-31T00:00:00"
            )
        if expectation.type == _BETWEEN and _is_instant(each) and any(map(_is_day, _bounds(expectation))):
            return f"{each.name} holds instants, and a bound is a day. Write it as 2026-01-31T00:00:00"
        if str(each.dtype).lower() == "uint64" and expectation.type in _OF_LARGEST:
            return f"{each.name} holds numbers beyond 64 bits with a sign, of which the engines make different sums"
    return None


def _is_time(column: Column) -> bool:
    return _is_instant(column) or isinstance(column.example, dt.date)


def _is_instant(column: Column) -> bool:
    return isinstance(column.dtype, pd.DatetimeTZDtype) or (
        isinstance(column.dtype, np.dtype) and column.dtype.kind == "M"
    )


def _bounds(expectation: Expectation) -> list[object]:
    return [expectation.kwargs.get(name) for name in ("min_value", "max_value")]


def _is_day(bound: object) -> bool:
    if isinstance(bound, str):
        return len(bound) <= len("2026-01-31")
    return isinstance(bound, dt.date) and not isinstance(bound, dt.datetime)
