"""Rows that engines read differently, left to themselves: gaps, odd names, text like numbers, times and truths."""

from __future__ import annotations

import math
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

import pyarrow as pa

__all__ = ["AWKWARD", "AWKWARD_CASES"]

AWKWARD = pa.table(
    {
        "dotted.name": [1, 2, 3, 4, 5, 6, 7, 8],
        "with space": ["a", "b", "c", "d", "e", "f", "g", "h"],
        "tick`ed": [1.5, None, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5],
        "const": [5.0] * 8,
        "zero": [0.0, -0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0],
        "inf": [math.inf, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0],
        "u64": pa.array([2**64 - 1, 2**63, 1, 2, 3, 4, 5, None], pa.uint64()),
        "one": [None] * 7 + [3.5],
        "nan": [math.nan, 1.0, 2.0, math.nan, 3.0, 4.0, 5.0, 6.0],
        "blank": ["", " ", None, "A", "a", "ß", "é", "e\u0301"],
        "emoji": ["👍", "👍🏽", "ab", "abc", None, "é", "\t", "\n"],
        "lines": ["a\nb", "b\n", "b", "a\r\nb", None, "a", "ab", "B"],
        "big": [1e20, 1e-5, 1.0, 123456789.0, 0.1, 1e15, 1e16, None],
        "at": [datetime(2026, 1, 1 + p, 12, 30, tzinfo=UTC) for p in range(8)],
        "naive": [datetime(2026, 1, 1 + p, 12, 30, tzinfo=UTC).replace(tzinfo=None) for p in range(8)],
        "born": [date(2000, 1, 1 + p) for p in range(7)] + [None],
        "flag": [True, False, True, None, False, False, True, True],
        "yes": [True] * 8,
        "num": [1, 2, 3, 4, 5, 6, 7, 8],
        "txt": ["1", "2", "3", "4", "5", "6", "7", "8"],
        "ga": [1, None, 3, None, 5, 6, 7, 8],
        "gb": [1, None, 3, 4, None, 6, 7, 9],
        "tie": ["a", "a", "b", "b", "c", None, None, None],
        "pa": ["x", "x", None, None, "y", "y", "z", None],
        "pb": [1, 1, None, None, 1, None, 2, 3],
        "sorted": ["a", "b", None, "c", "d", "e", "f", "g"],
        "js": ['{"a":1}', "NaN", "[1", "null", "1e999", '""', None, '{"a":1,"a":2}'],
        "dt": ["2026-01-01", "1/2/2026", "next week", "", "12", "99999999999999", None, "2026-02-30"],
        "x": [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8],
    }
)


def awkward_cases() -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Type, kwargs, and whether the rows meet it."""
    said: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
        "column_values_to_be_between": (
            [
                {"column": "dotted.name", "min_value": 1, "max_value": 8},
                {"column": "u64", "max_value": 18446744073709551614},
                {"column": "at", "min_value": "2026-01-01T00:00:00Z", "max_value": "2026-01-09T00:00:00Z"},
                {"column": "naive", "min_value": "2026-01-01T00:00:00"},
                {"column": "born", "min_value": "2000-01-01"},
                {"column": "born", "min_value": date(2000, 1, 1)},
                {"column": "num", "min_value": "1"},
                {"column": "flag", "min_value": 0, "max_value": 1},
                {"column": "yes", "min_value": 1, "max_value": 1},
                {
                    "column": "num",
                    "min_value": 5,
                    "row_condition": {"type": "comparison", "column": {"name": "num"}, "operator": ">", "parameter": 4},
                },
            ],
            [
                {"column": "inf", "max_value": 100},
                {"column": "at", "min_value": "2026-01-01", "max_value": "2026-01-09"},
                {"column": "at", "min_value": "2026-01-05T00:00:00Z"},
                {"column": "naive", "min_value": "2026-01-01", "max_value": "2026-01-09"},
                {"column": "naive", "min_value": "2026-01-02"},
                {"column": "born", "min_value": date(2000, 1, 2)},
                {"column": "txt", "min_value": "1", "max_value": "8"},
                {
                    "column": "num",
                    "min_value": 6,
                    "row_condition": {"type": "comparison", "column": {"name": "num"}, "operator": ">", "parameter": 4},
                },
            ],
        ),
        "column_values_to_not_be_null": (
            [{"column": "dotted.name"}, {"column": "nan", "mostly": 0.75}],
            [{"column": "tick`ed"}, {"column": "nan"}],
        ),
        "column_median_to_be_between": (
            [
                {"column": "dotted.name", "min_value": 4.5, "max_value": 4.5},
                {"column": "inf", "max_value": 100},
                {"column": "u64", "min_value": 4, "max_value": 4},
                {"column": "flag", "min_value": 1, "max_value": 1},
                {
                    "column": "num",
                    "min_value": 6.5,
                    "max_value": 6.5,
                    "row_condition": {"type": "comparison", "column": {"name": "num"}, "operator": ">", "parameter": 4},
                },
            ],
            [{"column": "naive", "min_value": "2026-01-01"}],
        ),
        "column_values_to_match_regex": (
            [
                {"column": "dotted.name", "regex": "^[1-8]$"},
                {"column": "blank", "regex": "(?i)^a|^.{0,2}$"},
                {"column": "lines", "regex": "(?m)^b$", "mostly": 0.4},
                {"column": "lines", "regex": "(?<!a)b", "mostly": 0.3},
                {"column": "flag", "regex": "^(True|False)$"},
                {"column": "born", "regex": "^2000-01-0[1-7]$"},
                {"column": "at", "regex": "^2026-01-0[1-8] 12:30:00"},
                {
                    "column": "txt",
                    "regex": "[5-8]",
                    "row_condition": {"type": "comparison", "column": {"name": "num"}, "operator": ">", "parameter": 4},
                },
            ],
            [
                {"column": "blank", "regex": r"^\w*$"},
                {"column": "blank", "regex": "^.?$"},
                {"column": "lines", "regex": "^b$", "mostly": 0.2},
                {"column": "lines", "regex": "b$"},
                {"column": "lines", "regex": "a.b", "mostly": 0.1},
                {"column": "big", "regex": "e"},
                {"column": "big", "regex": "e", "mostly": 0.5},
                {"column": "txt", "regex": r"^\d++$"},
            ],
        ),
        "column_max_to_be_between": (
            [
                {"column": "nan", "max_value": 6},
                {"column": "flag", "max_value": 1},
                {
                    "column": "num",
                    "min_value": 8,
                    "row_condition": {"type": "comparison", "column": {"name": "num"}, "operator": ">", "parameter": 4},
                },
            ],
            [
                {"column": "dotted.name", "max_value": 7},
                {"column": "inf", "max_value": 100},
                {"column": "u64", "max_value": 18446744073709551615, "min_value": 18446744073709551615},
                {"column": "txt", "max_value": "8"},
                {"column": "at", "max_value": "2026-01-09"},
                {"column": "naive", "max_value": "2026-01-09"},
            ],
        ),
        "column_values_to_be_unique": (
            [
                {"column": "with space"},
                {"column": "blank"},
                {"column": "ga"},
                {
                    "column": "tie",
                    "row_condition": {"type": "comparison", "column": {"name": "num"}, "operator": ">", "parameter": 4},
                },
            ],
            [{"column": "zero"}, {"column": "tie"}],
        ),
        "column_mean_to_be_between": (
            [
                {"column": "tick`ed", "min_value": 4, "max_value": 5},
                {"column": "u64", "min_value": 3.9e18, "max_value": 4e18},
                {"column": "nan", "min_value": 3.5, "max_value": 3.5},
                {"column": "yes", "min_value": 1, "max_value": 1},
            ],
            [{"column": "inf", "max_value": 100}, {"column": "born", "min_value": 0}],
        ),
        "column_pair_values_to_be_equal": (
            [
                {"column_A": "dotted.name", "column_B": "num"},
                {"column_A": "ga", "column_B": "gb", "ignore_row_if": "either_value_is_missing", "mostly": 0.8},
                {"column_A": "ga", "column_B": "gb", "ignore_row_if": "neither", "mostly": 0.5},
            ],
            [
                {"column_A": "num", "column_B": "txt"},
                {"column_A": "ga", "column_B": "gb"},
                {"column_A": "ga", "column_B": "gb", "ignore_row_if": "neither", "mostly": 0.6},
                {"column_A": "num", "column_B": "x"},
            ],
        ),
        "multicolumn_sum_to_equal": (
            [
                {"column_list": ["dotted.name", "num"], "sum_total": 2, "mostly": 0.1},
                {"column_list": ["ga", "gb"], "sum_total": 2, "mostly": 0.1},
                {"column_list": ["x", "num"], "sum_total": 1.1, "mostly": 0.1},
            ],
            [
                {"column_list": ["ga", "gb"], "sum_total": 4, "mostly": 0.12},
                {"column_list": ["flag", "num"], "sum_total": 2, "mostly": 0.2},
                {"column_list": ["txt", "num"], "sum_total": 2, "mostly": 0.1},
            ],
        ),
        "multicolumn_values_to_be_equal": (
            [{"column_list": ["dotted.name", "num"]}, {"column_list": ["ga", "gb"], "mostly": 0.5}],
            [{"column_list": ["num", "txt"]}],
        ),
        "compound_columns_to_be_unique": (
            [
                {"column_list": ["dotted.name", "with space"]},
                {"column_list": ["pa", "pb"], "ignore_row_if": "any_value_is_missing", "mostly": 0.5},
                {"column_list": ["pa", "pb"], "ignore_row_if": "never", "mostly": 0.5},
                {"column_list": ["pa", "pb"], "mostly": 0.65},
            ],
            [{"column_list": ["pa", "pb"]}],
        ),
        "column_distinct_values_to_be_in_set": (
            [{"column": "dotted.name", "value_set": [1, 2, 3, 4, 5, 6, 7, 8]}, {"column": "flag", "value_set": [1, 0]}],
            [],
        ),
        "column_value_z_scores_to_be_less_than": (
            [
                {"column": "const", "threshold": 1, "double_sided": True},
                {"column": "one", "threshold": 1, "double_sided": True},
            ],
            [],
        ),
        "column_stdev_to_be_between": (
            [{"column": "const", "min_value": 0, "max_value": 0}],
            [{"column": "one", "min_value": 0}, {"column": "inf", "max_value": 100}],
        ),
        "column_values_to_not_be_outliers": (
            [
                {"column": "const", "method": "iqr", "multiplier": 1.5},
                {"column": "one", "method": "std", "multiplier": 1.5},
            ],
            [],
        ),
        "column_unique_value_count_to_be_between": (
            [{"column": "zero", "max_value": 7}, {"column": "ga", "min_value": 6, "max_value": 6}],
            [],
        ),
        "column_values_to_be_in_set": (
            [
                {"column": "zero", "value_set": [0, 1, 2, 3, 4, 5, 6]},
                {"column": "u64", "value_set": [18446744073709551615, 9223372036854775808, 1, 2, 3, 4, 5]},
                {"column": "flag", "value_set": [1, 0]},
                {"column": "num", "value_set": [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0]},
                {"column": "num", "value_set": [True, 2, 3, 4, 5, 6, 7, 8]},
                {"column": "ga", "value_set": [1, 3, 5, 6, 7, 8, None]},
            ],
            [
                {"column": "blank", "value_set": ["", " ", "A", "a", "ß", "é"]},
                {"column": "flag", "value_set": ["True", "False"]},
                {"column": "num", "value_set": [1, 2, 3, 4, 5, 6, 7, 7.5]},
                {"column": "txt", "value_set": ["1", 2, "3", "4", "5", "6", "7", "8"]},
                {"column": "num", "value_set": []},
                {
                    "column": "born",
                    "value_set": [
                        date(2000, 1, 1),
                        date(2000, 1, 2),
                        date(2000, 1, 3),
                        date(2000, 1, 4),
                        date(2000, 1, 5),
                        date(2000, 1, 6),
                        date(2000, 1, 7),
                    ],
                },
                {
                    "column": "born",
                    "value_set": [
                        "2000-01-01",
                        "2000-01-02",
                        "2000-01-03",
                        "2000-01-04",
                        "2000-01-05",
                        "2000-01-06",
                        "2000-01-07",
                    ],
                },
            ],
        ),
        "column_sum_to_be_between": (
            [{"column": "flag", "min_value": 4, "max_value": 4}],
            [{"column": "u64", "min_value": 18446744073709551616, "max_value": 36893488147419103232}],
        ),
        "column_values_to_be_of_type": (
            [
                {"column": "ga", "type_": "float64"},
                {"column": "ga", "type_": "float"},
                {"column": "txt", "type_": "str"},
                {"column": "txt", "type_": "object"},
                {"column": "txt", "type_": "O"},
                {"column": "at", "type_": "Timestamp"},
                {"column": "naive", "type_": "datetime64[us]"},
                {"column": "naive", "type_": "datetime64"},
                {"column": "born", "type_": "date"},
                {"column": "born", "type_": "object"},
                {"column": "flag", "type_": "bool"},
                {"column": "flag", "type_": "object"},
                {"column": "yes", "type_": "bool"},
                {"column": "yes", "type_": "bool_"},
                {"column": "num", "type_": "int64"},
                {"column": "num", "type_": "int"},
                {"column": "one", "type_": "float64"},
            ],
            [
                {"column": "u64", "type_": "UInt64"},
                {"column": "ga", "type_": "int64"},
                {"column": "ga", "type_": "Int64"},
                {"column": "txt", "type_": "string"},
                {"column": "txt", "type_": "category"},
                {"column": "at", "type_": "datetime64[us, UTC]"},
                {"column": "at", "type_": "datetime64[ns, UTC]"},
                {"column": "at", "type_": "datetime64"},
                {"column": "at", "type_": "DatetimeTZDtype"},
                {"column": "naive", "type_": "Timestamp"},
                {"column": "born", "type_": "datetime"},
                {"column": "flag", "type_": "boolean"},
                {"column": "flag", "type_": "bool_"},
                {"column": "yes", "type_": "boolean"},
                {"column": "num", "type_": "int32"},
                {"column": "num", "type_": "float"},
            ],
        ),
        "column_type_to_be": (
            [
                {"column": "u64", "type_": "UInt64"},
                {"column": "ga", "type_": "float64"},
                {"column": "ga", "type_": "float"},
                {"column": "txt", "type_": "object"},
                {"column": "txt", "type_": "O"},
                {"column": "at", "type_": "datetime64[us, UTC]"},
                {"column": "naive", "type_": "datetime64[us]"},
                {"column": "naive", "type_": "datetime64"},
                {"column": "born", "type_": "object"},
                {"column": "flag", "type_": "object"},
                {"column": "yes", "type_": "bool"},
                {"column": "yes", "type_": "bool_"},
                {"column": "num", "type_": "int64"},
                {"column": "num", "type_": "int"},
                {"column": "one", "type_": "float64"},
            ],
            [
                {"column": "ga", "type_": "int64"},
                {"column": "ga", "type_": "Int64"},
                {"column": "txt", "type_": "str"},
                {"column": "txt", "type_": "string"},
                {"column": "txt", "type_": "category"},
                {"column": "at", "type_": "datetime64[ns, UTC]"},
                {"column": "at", "type_": "datetime64"},
                {"column": "at", "type_": "DatetimeTZDtype"},
                {"column": "at", "type_": "Timestamp"},
                {"column": "naive", "type_": "Timestamp"},
                {"column": "born", "type_": "date"},
                {"column": "born", "type_": "datetime"},
                {"column": "flag", "type_": "bool"},
                {"column": "flag", "type_": "boolean"},
                {"column": "flag", "type_": "bool_"},
                {"column": "yes", "type_": "boolean"},
                {"column": "num", "type_": "int32"},
                {"column": "num", "type_": "float"},
            ],
        ),
        "column_proportion_of_non_null_values_to_be_between": (
            [{"column": "nan", "min_value": 0.75, "max_value": 0.75}],
            [],
        ),
        "column_value_lengths_to_be_between": (
            [{"column": "emoji", "max_value": 3}, {"column": "flag", "min_value": 4, "max_value": 5}],
            [
                {"column": "blank", "min_value": 1},
                {"column": "emoji", "max_value": 1},
                {"column": "big", "max_value": 5},
                {"column": "big", "max_value": 11},
            ],
        ),
        "column_value_lengths_to_equal": (
            [{"column": "num", "value": 1}],
            [{"column": "born", "value": 10}, {"column": "at", "value": 25}, {"column": "naive", "value": 19}],
        ),
        "column_values_to_not_match_regex": ([], [{"column": "blank", "regex": r"\s"}]),
        "column_values_to_match_regex_list": ([{"column": "blank", "regex_list": ["^$", "."]}], []),
        "column_min_to_be_between": (
            [],
            [{"column": "born", "min_value": date(2000, 1, 1)}, {"column": "born", "min_value": "2000-01-01"}],
        ),
        "column_values_to_not_be_in_set": (
            [{"column": "ga", "value_set": [None]}, {"column": "num", "value_set": []}],
            [],
        ),
        "column_distinct_values_to_equal_set": (
            [{"column": "flag", "value_set": [True, False]}],
            [{"column": "tie", "value_set": ["a", "b", "c", None]}],
        ),
        "column_distinct_values_to_contain_set": (
            [{"column": "num", "value_set": [1.0, 8]}],
            [{"column": "tie", "value_set": ["a", None]}],
        ),
        "column_pair_values_a_to_be_greater_than_b": (
            [
                {"column_A": "gb", "column_B": "ga", "or_equal": True, "ignore_row_if": "either_value_is_missing"},
                {
                    "column_A": "gb",
                    "column_B": "ga",
                    "or_equal": True,
                    "ignore_row_if": "both_values_are_missing",
                    "mostly": 0.7,
                },
            ],
            [
                {"column_A": "gb", "column_B": "ga", "or_equal": True, "ignore_row_if": "neither", "mostly": 0.7},
                {"column_A": "num", "column_B": "txt"},
            ],
        ),
        "column_pair_values_to_be_in_set": (
            [
                {
                    "column_A": "pa",
                    "column_B": "pb",
                    "value_pairs_set": [["x", 1], ["y", 1], ["z", 2]],
                    "ignore_row_if": "either_value_is_missing",
                },
                {
                    "column_A": "pa",
                    "column_B": "pb",
                    "value_pairs_set": [["x", 1], ["y", 1], ["z", 2], ["y", None], [None, 3]],
                    "ignore_row_if": "both_values_are_missing",
                },
            ],
            [
                {
                    "column_A": "num",
                    "column_B": "txt",
                    "value_pairs_set": [[1, 1], [2, 2], [3, 3], [4, 4], [5, 5], [6, 6], [7, 7], [8, 8]],
                }
            ],
        ),
        "select_column_values_to_be_unique_within_record": (
            [
                {"column_list": ["ga", "gb"], "mostly": 0.3},
                {"column_list": ["ga", "gb"], "ignore_row_if": "never", "mostly": 0.3},
                {"column_list": ["num", "txt"]},
            ],
            [],
        ),
        "column_most_common_value_to_be_in_set": (
            [
                {"column": "tie", "value_set": ["a"], "ties_okay": True},
                {"column": "flag", "value_set": [True]},
                {"column": "num", "value_set": [1], "ties_okay": True},
            ],
            [{"column": "tie", "value_set": ["a"]}],
        ),
        "column_proportion_of_unique_values_to_be_between": (
            [{"column": "tie", "min_value": 0.6, "max_value": 0.6}],
            [],
        ),
        "column_values_to_be_increasing": (
            [{"column": "at", "strictly": True}, {"column": "born"}, {"column": "ga", "strictly": True}],
            [{"column": "sorted"}, {"column": "flag"}],
        ),
        "column_values_to_be_decreasing": ([], [{"column": "gb"}]),
        "column_values_to_be_json_parseable": (
            [{"column": "js", "mostly": 0.85}],
            [{"column": "js"}, {"column": "num"}],
        ),
        "column_values_to_match_json_schema": (
            [],
            [{"column": "js", "json_schema": {"type": "object"}, "mostly": 0.1}],
        ),
        "column_values_to_be_dateutil_parseable": (
            [{"column": "dt", "mostly": 0.4}],
            [{"column": "dt", "mostly": 0.5}],
        ),
        "column_values_to_match_strftime_format": (
            [{"column": "dt", "strftime_format": "%Y-%m-%d", "mostly": 0.1}],
            [{"column": "num", "strftime_format": "%Y"}],
        ),
        "column_kl_divergence_to_be_less_than": (
            [
                {
                    "column": "x",
                    "partition_object": {"bins": [0.0, 0.25, 0.5, 0.75, 1.0], "weights": [0.25, 0.25, 0.25, 0.25]},
                    "threshold": 0.2,
                },
                {
                    "column": "ga",
                    "partition_object": {"bins": [1, 3, 5, 8], "weights": [0.2, 0.2, 0.6]},
                    "threshold": 0.2,
                },
                {
                    "column": "flag",
                    "partition_object": {"values": [True, False], "weights": [0.6, 0.4]},
                    "threshold": 0.2,
                },
            ],
            [
                {
                    "column": "x",
                    "partition_object": {"bins": [0.0, 0.25, 0.5, 0.75, 1.0], "weights": [0.01, 0.01, 0.01, 0.97]},
                    "threshold": 0.2,
                },
                {"column": "tie", "partition_object": {"values": ["a", "b"], "weights": [0.5, 0.5]}, "threshold": 0.2},
            ],
        ),
        "column_values_to_be_in_type_list": (
            [
                {"column": "ga", "type_list": ["float64"]},
                {"column": "ga", "type_list": ["float"]},
                {"column": "txt", "type_list": ["str"]},
                {"column": "naive", "type_list": ["datetime64[us]"]},
                {"column": "born", "type_list": ["date"]},
                {"column": "flag", "type_list": ["bool"]},
                {"column": "yes", "type_list": ["bool"]},
                {"column": "yes", "type_list": ["bool_"]},
                {"column": "num", "type_list": ["int64"]},
                {"column": "num", "type_list": ["int"]},
                {"column": "one", "type_list": ["float64"]},
            ],
            [
                {"column": "ga", "type_list": ["int64"]},
                {"column": "ga", "type_list": ["Int64"]},
                {"column": "txt", "type_list": ["object"]},
                {"column": "txt", "type_list": ["O"]},
                {"column": "txt", "type_list": ["string"]},
                {"column": "txt", "type_list": ["category"]},
                {"column": "at", "type_list": ["datetime64[us, UTC]"]},
                {"column": "at", "type_list": ["datetime64[ns, UTC]"]},
                {"column": "at", "type_list": ["datetime64"]},
                {"column": "at", "type_list": ["DatetimeTZDtype"]},
                {"column": "at", "type_list": ["Timestamp"]},
                {"column": "naive", "type_list": ["datetime64"]},
                {"column": "naive", "type_list": ["Timestamp"]},
                {"column": "born", "type_list": ["object"]},
                {"column": "born", "type_list": ["datetime"]},
                {"column": "flag", "type_list": ["boolean"]},
                {"column": "flag", "type_list": ["object"]},
                {"column": "flag", "type_list": ["bool_"]},
                {"column": "yes", "type_list": ["boolean"]},
                {"column": "num", "type_list": ["int32"]},
                {"column": "num", "type_list": ["float"]},
            ],
        ),
        "table_columns_to_match_set": (
            [{"column_set": ["num", "dotted.name"], "exact_match": False}],
            [{"column_set": ["NUM"], "exact_match": False}],
        ),
        "column_to_exist": ([{"column": "dotted.name"}], [{"column": "NUM"}]),
    }
    for name, (sound, broken) in said.items():
        for kwargs, passes in [*((each, True) for each in sound), *((each, False) for each in broken)]:
            yield f"expect_{name}", kwargs, passes


AWKWARD_CASES = list(awkward_cases())
