"""Types in pandas' words: on the engines that count in place, the library compares with their own types instead.

Its three expectations about types look a name up among an engine's types; no provider can stand between. So they are
replaced by subclasses, which differ only where a column's type is one of ours.
"""

from __future__ import annotations

import inspect
from typing import Any, Final

import numpy as np
import pandas as pd
from great_expectations.expectations import registry
from great_expectations.expectations.core.expect_column_type_to_be import ExpectColumnTypeToBe
from great_expectations.expectations.core.expect_column_values_to_be_in_type_list import (
    ExpectColumnValuesToBeInTypeList,
)
from great_expectations.expectations.core.expect_column_values_to_be_of_type import ExpectColumnValuesToBeOfType
from great_expectations.expectations.metrics.column_map_metrics.column_values_of_type import ColumnValuesOfType

from flightworthy.adapters.gx_suites.parquet_columns import Column

__all__ = ["ColumnType", "type_of"]

_ANY_OBJECT: Final = ("object", "object_", "O")


class ColumnType:
    """What an engine says of a column's type; prints as pandas' name of it."""

    column: Column

    def __str__(self) -> str:
        return type(self).__name__


def type_of(column: Column) -> ColumnType:
    """A type named as pandas names it; the library shows the name of its class."""
    name = str(column.dtype) if column.example is None else type(column.example).__name__
    return type(name, (ColumnType,), {"column": column})()  # type: ignore[no-any-return] # a class made here


def _told(theirs: Any, expectation: Any, actual: ColumnType, expected: Any) -> Any:
    """As on pandas: the type of the column, or of each of its values where pandas keeps Python's own objects."""
    column = actual.column
    by_value = column.dtype == np.dtype(object) and theirs is not ExpectColumnTypeToBe and expected is not None
    if not by_value or expected in _ANY_OBJECT:
        return theirs._validate_pandas(expectation, column.dtype, expected)  # noqa: SLF001 # the rule itself
    names = [expected] if isinstance(expected, str) else expected
    # Nothing but gaps: pandas finds no value of another type.
    meets = column.example is None or any(_is_of(column.example, each) for each in names)
    return {"success": meets, "result": {"observed_value": str(actual)}}


def _is_of(example: object, expected: str) -> bool:
    if hasattr(pd, f"{expected}Dtype"):
        return (
            False  # Int64 and its like are types of columns, which the library does not know; no single value has one
        )
    of_type: Any = inspect.unwrap(ColumnValuesOfType._pandas)  # noqa: SLF001 # the rule itself, not a copy
    return bool(of_type(ColumnValuesOfType, pd.Series([example], dtype=object), type_=expected).all())


def _in_words_of_pandas(theirs: Any) -> None:
    def _validate_spark(self: Any, actual_column_type: Any, **kwargs: Any) -> Any:
        if not isinstance(actual_column_type, ColumnType):
            return theirs._validate_spark(self, actual_column_type, **kwargs)  # noqa: SLF001 # what it replaces
        return _told(theirs, self, actual_column_type, *kwargs.values())

    def _validate_sqlalchemy(self: Any, actual_column_type: Any, **kwargs: Any) -> Any:
        if not isinstance(actual_column_type, ColumnType):
            return theirs._validate_sqlalchemy(self, actual_column_type, **kwargs)  # noqa: SLF001 # as above
        kwargs.pop("execution_engine")
        return _told(theirs, self, actual_column_type, *kwargs.values())

    # Its successor has its name, and the library would warn of each thing that it replaces.
    registry._registered_expectations.pop(theirs.expectation_type)  # noqa: SLF001
    registry._registered_renderers.pop(theirs.expectation_type)  # noqa: SLF001
    replaced = {"_validate_spark": _validate_spark, "_validate_sqlalchemy": _validate_sqlalchemy}
    type(theirs)(theirs.__name__, (theirs,), {**replaced, "__module__": __name__})


for _each in (ExpectColumnTypeToBe, ExpectColumnValuesToBeOfType, ExpectColumnValuesToBeInTypeList):
    _in_words_of_pandas(_each)
