"""Whether a column is of a type that an author names: in pandas' words, on whichever engine."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pandas as pd
from great_expectations.expectations.core.expect_column_values_to_be_in_type_list import (
    ExpectColumnValuesToBeInTypeList,
)
from great_expectations.expectations.metrics.column_map_metrics.column_values_of_type import ColumnValuesOfType

from flightworthy.adapters.gx_suites.parquet_columns import Column

__all__ = ["PandasTypes", "type_of"]


class _Named(type):
    """A class of which a `Column` is an instance if its type is the named one."""

    expected: str

    def __instancecheck__(cls, column: Any) -> bool:
        if not isinstance(column, ColumnType):
            return False
        return _is_of(column.column, cls.expected)


class ColumnType:
    """What the engine says of a column's type; prints as pandas' name of it."""

    column: Column

    def __str__(self) -> str:
        return type(self).__name__


def type_of(column: Column) -> ColumnType:
    """A type named as pandas names it; the library shows the name of its class."""
    name = str(column.dtype) if column.example is None else type(column.example).__name__
    return type(name, (ColumnType,), {"column": column})()  # type: ignore[no-any-return] # a class made here


class PandasTypes:
    """Stands where the library looks a type's name up in a dialect: every name is a class to compare with."""

    __name__ = "flightworthy.pandas_types"

    def __getattr__(self, name: str) -> _Named:
        if name.startswith("_") or name in {"dialect", "dialects", "sa"}:
            raise AttributeError(name)
        return _Named(name, (), {"expected": name})


def _is_of(column: Column, expected: str) -> bool:
    if column.dtype != np.dtype(object):
        expectation: Any = ExpectColumnValuesToBeInTypeList(column=column.name, type_list=[expected])
        answer = expectation._validate_pandas(column.dtype, [expected])  # noqa: SLF001 # the rule itself, not a copy
        return bool(answer["success"])
    if column.example is None:
        return True  # nothing but gaps: pandas finds no value of another type
    examples = pd.Series([column.example], dtype=object)
    of_type: Any = inspect.unwrap(ColumnValuesOfType._pandas)  # noqa: SLF001 # as above
    return expected in {"object", "object_", "O"} or bool(of_type(ColumnValuesOfType, examples, type_=expected).all())
