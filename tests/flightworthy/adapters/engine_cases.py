"""Every expectation that the project documents, with arguments that the rows meet and arguments that they do not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Any

__all__ = ["BIG", "CASES", "ROWS"]

BIG = 2**53 + 1
ROWS = {
    "id": [1, 2, 3, 4, 5, 6, 7, 8],
    "twice": [1, 2, 3, 4, 5, 6, 7, 7],
    "age": [18, 25, 31, 44, 44, 52, 67, 90],
    "gaps": [1, None, 3, 4, None, 6, 7, 8],
    "huge": [BIG, None, BIG + 2, BIG + 4, 5, 6, 7, 8],
    "price": [1.5, 2.5, 2.5, 3.5, 4.0, 4.5, 5.5, 1000.0],
    "half": [0.5, None, 1.5, 2.5, None, 3.5, 4.5, 5.5],
    "down": [9, 8, 8, 5, 4, 3, 2, 1],
    "flag": [True, False, True, True, False, False, True, True],
    "perhaps": [True, None, True, True, False, None, True, True],
    "word": ["ab", "ab", "cd", "ef", "ab", "gh", "ij", "ab"],
    "some": ["ab", None, "cd", "ef", None, "gh", "ij", "ä"],
    "code": ["A-1", "A-2", "B-33", "C-4", "D-5", "E-6", "F-77", "x"],
    "day": ["2026-01-01", "2026-01-02", "2026-01-03", "2026-01-04", "2026-01-05", "2026-01-06", "2026-01-07", "nope"],
    "text": ["1", "2", "3", "4", "5", "6", "7", "8"],
    "json": ['{"a": 1}', '{"a": 2}', '{"a": 3}', "{}", '{"a": "x"}', '{"a": 5}', '{"a": 6}', "[1]"],
    "nothing": [None] * 8,
    "at": [datetime(2026, 1, 1 + place, tzinfo=UTC) for place in range(8)],
    "born": [date(2000, 1, 1 + place) for place in range(8)],
    "low": [0, 1, 2, 3, 4, 5, 6, 9],
    "high": [1, 2, 3, 4, 5, 6, 7, 8],
}
SCHEMA = {"type": "object", "properties": {"a": {"type": "integer"}}}
PAIRS = {"column_A": "high", "column_B": "low"}


def cases() -> Iterator[tuple[str, dict[str, Any], bool]]:
    """Type, kwargs, and whether the rows meet it."""
    said: dict[str, tuple[list[dict[str, Any]], list[dict[str, Any]]]] = {
        "column_distinct_values_to_be_in_set": (
            [
                {"column": "word", "value_set": ["ab", "cd", "ef", "gh", "ij", "kl"]},
                {"column": "flag", "value_set": [True, False]},
            ],
            [{"column": "word", "value_set": ["ab"]}, {"column": "text", "value_set": [1, 2, 3, 4, 5, 6, 7, 8]}],
        ),
        "column_distinct_values_to_contain_set": (
            [{"column": "word", "value_set": ["ab", "cd"]}],
            [{"column": "word", "value_set": ["zz"]}, {"column": "text", "value_set": [1]}],
        ),
        "column_distinct_values_to_equal_set": (
            [{"column": "flag", "value_set": [True, False]}],
            [{"column": "age", "value_set": [18]}],
        ),
        "column_kl_divergence_to_be_less_than": (
            [
                {
                    "column": "word",
                    "partition_object": {
                        "values": ["ab", "cd", "ef", "gh", "ij"],
                        "weights": [0.5, 0.125, 0.125, 0.125, 0.125],
                    },
                    "threshold": 0.1,
                }
            ],
            [
                {
                    "column": "word",
                    "partition_object": {
                        "values": ["ab", "cd", "ef", "gh", "ij"],
                        "weights": [0.01, 0.01, 0.01, 0.01, 0.96],
                    },
                    "threshold": 0.1,
                }
            ],
        ),
        "column_max_to_be_between": (
            [{"column": "age", "max_value": 90}, {"column": "gaps", "min_value": 8, "max_value": 8}],
            [
                {"column": "age", "max_value": 89},
                {"column": "text", "max_value": 9},
                {"column": "nothing", "max_value": 9},
            ],
        ),
        "column_mean_to_be_between": (
            [
                {"column": "age", "min_value": 40, "max_value": 50},
                {"column": "flag", "max_value": 0.7},
                {"column": "half", "min_value": 2.9},
            ],
            [
                {"column": "age", "min_value": 60},
                {"column": "text", "min_value": 0},
                {"column": "nothing", "min_value": 0},
            ],
        ),
        "column_median_to_be_between": (
            [
                {"column": "age", "min_value": 44, "max_value": 44},
                {"column": "price", "min_value": 3.7, "max_value": 3.8},
            ],
            [
                {"column": "gaps", "min_value": 6},
                {"column": "text", "min_value": 0},
                {"column": "nothing", "min_value": 0},
            ],
        ),
        "column_min_to_be_between": ([{"column": "age", "min_value": 18}], [{"column": "age", "min_value": 19}]),
        "column_most_common_value_to_be_in_set": (
            [{"column": "word", "value_set": ["ab"]}],
            [{"column": "word", "value_set": ["cd"]}, {"column": "age", "value_set": [18]}],
        ),
        "column_pair_values_a_to_be_greater_than_b": (
            [PAIRS | {"column_B": "low", "mostly": 0.8}],
            [PAIRS, {"column_A": "low", "column_B": "high", "or_equal": True}],
        ),
        "column_pair_values_to_be_equal": (
            [{"column_A": "id", "column_B": "high"}],
            [{"column_A": "id", "column_B": "twice"}],
        ),
        "column_pair_values_to_be_in_set": (
            [{"column_A": "id", "column_B": "high", "value_pairs_set": [[n, n] for n in range(1, 9)]}],
            [{"column_A": "id", "column_B": "high", "value_pairs_set": [[1, 1], [2, 3]]}],
        ),
        "column_proportion_of_non_null_values_to_be_between": (
            [{"column": "gaps", "min_value": 0.75}],
            [{"column": "gaps", "min_value": 0.76}, {"column": "nothing", "min_value": 0.1}],
        ),
        "column_proportion_of_unique_values_to_be_between": (
            [{"column": "id", "min_value": 1}, {"column": "gaps", "min_value": 1}],
            [{"column": "word", "min_value": 0.9}],
        ),
        "column_stdev_to_be_between": (
            [{"column": "id", "min_value": 2.44, "max_value": 2.45}],
            [{"column": "price", "max_value": 10}, {"column": "word", "max_value": 10}],
        ),
        "column_sum_to_be_between": (
            [{"column": "id", "min_value": 36, "max_value": 36}, {"column": "nothing", "min_value": 0, "max_value": 0}],
            [{"column": "half", "min_value": 100}, {"column": "word", "min_value": 1}],
        ),
        "column_to_exist": ([{"column": "id"}], [{"column": "ID"}, {"column": "flightworthy_position"}]),
        "column_type_to_be": ([{"column": "age", "type_": "int64"}], [{"column": "age", "type_": "float64"}]),
        "column_unique_value_count_to_be_between": (
            [{"column": "word", "min_value": 5, "max_value": 5}],
            [{"column": "nothing", "min_value": 1}, {"column": "age", "min_value": 8}],
        ),
        "column_value_lengths_to_be_between": (
            [{"column": "code", "min_value": 1, "max_value": 4}, {"column": "some", "min_value": 1, "max_value": 2}],
            [{"column": "code", "min_value": 2}],
        ),
        "column_value_lengths_to_equal": ([{"column": "word", "value": 2}], [{"column": "some", "value": 2}]),
        "column_value_z_scores_to_be_less_than": (
            [{"column": "age", "threshold": 3, "double_sided": True}],
            [
                {"column": "price", "threshold": 2, "double_sided": True},
                {"column": "word", "threshold": 2, "double_sided": True},
            ],
        ),
        "column_values_to_be_between": (
            [
                {"column": "age", "min_value": 18, "max_value": 90},
                {"column": "nothing", "min_value": 0},
                {"column": "huge", "min_value": 5, "max_value": BIG + 5},
            ],
            [
                {"column": "age", "min_value": 19},
                {"column": "text", "min_value": 0, "max_value": 9},
                {"column": "half", "max_value": 5.4},
                {"column": "age", "min_value": 18, "strict_min": True},
                {"column": "huge", "max_value": BIG + 3},
            ],
        ),
        "column_values_to_be_dateutil_parseable": (
            [{"column": "day", "mostly": 0.8}],
            [{"column": "day"}, {"column": "age"}],
        ),
        "column_values_to_be_decreasing": (
            [{"column": "down"}],
            [{"column": "down", "strictly": True}, {"column": "age"}],
        ),
        "column_values_to_be_in_set": (
            [
                {"column": "word", "value_set": ["ab", "cd", "ef", "gh", "ij"]},
                {"column": "flag", "value_set": [True, False]},
                {"column": "gaps", "value_set": [1, 3, 4, 6, 7, 8]},
                {"column": "nothing", "value_set": [1]},
                {"column": "word", "value_set": ["ab"], "mostly": 0.5},
            ],
            [
                {"column": "word", "value_set": ["ab"]},
                {"column": "text", "value_set": [1, 2, 3, 4, 5, 6, 7, 8]},
                {"column": "age", "value_set": ["18"]},
                {"column": "word", "value_set": ["ab"], "mostly": 0.51},
            ],
        ),
        "column_values_to_be_in_type_list": (
            [
                {"column": "age", "type_list": ["int64"]},
                {"column": "gaps", "type_list": ["float64"]},
                {"column": "huge", "type_list": ["Int64", "Int64Dtype"]},
                {"column": "word", "type_list": ["float64", "str"]},
                {"column": "perhaps", "type_list": ["bool"]},
                {"column": "nothing", "type_list": ["float64"]},
            ],
            [
                {"column": "age", "type_list": ["float64", "str"]},
                {"column": "gaps", "type_list": ["int64"]},
                {"column": "text", "type_list": ["int64", "float64"]},
                {"column": "age", "type_list": ["no such"]},
            ],
        ),
        "column_values_to_be_increasing": (
            [{"column": "id", "strictly": True}, {"column": "gaps"}, {"column": "age"}],
            [{"column": "age", "strictly": True}, {"column": "down"}],
        ),
        "column_values_to_be_json_parseable": (
            [{"column": "json"}],
            [{"column": "word"}],
        ),
        "column_values_to_be_null": ([{"column": "nothing"}, {"column": "gaps", "mostly": 0.25}], [{"column": "gaps"}]),
        "column_values_to_be_of_type": (
            [
                {"column": "age", "type_": "int64"},
                {"column": "price", "type_": "float"},
                {"column": "flag", "type_": "bool"},
                {"column": "word", "type_": "str"},
                {"column": "word", "type_": "object"},
            ],
            [
                {"column": "gaps", "type_": "int64"},
                {"column": "text", "type_": "int"},
                {"column": "age", "type_": "str"},
            ],
        ),
        "column_values_to_be_unique": (
            [{"column": "id"}, {"column": "gaps"}, {"column": "twice", "mostly": 0.75}],
            [{"column": "twice"}, {"column": "twice", "mostly": 0.8}, {"column": "word"}],
        ),
        "column_values_to_match_json_schema": (
            [{"column": "json", "json_schema": SCHEMA, "mostly": 0.75}],
            [{"column": "json", "json_schema": SCHEMA}, {"column": "word", "json_schema": SCHEMA}],
        ),
        "column_values_to_match_regex": (
            [
                {"column": "word", "regex": "^[a-j]{2}$"},
                {"column": "code", "regex": r"^[A-F]-\d+$|x"},
                {"column": "word", "regex": "(?=.b)|c|e|g|i"},
                {"column": "gaps", "regex": r"\.0$"},
            ],
            [
                {"column": "code", "regex": r"^[A-F]-\d$"},
                {"column": "some", "regex": r"^\w+$"},
                {"column": "age", "regex": "^[1-4]"},
                {"column": "word", "regex": "(?=zz)"},
            ],
        ),
        "column_values_to_match_regex_list": (
            [{"column": "word", "regex_list": ["^a", "^[c-j]"]}],
            [
                {"column": "word", "regex_list": ["^a", "^[c-j]"], "match_on": "all"},
                {"column": "word", "regex_list": ["^a", r"^\w\w$"], "match_on": "all"},
            ],
        ),
        "column_values_to_match_strftime_format": (
            [{"column": "day", "strftime_format": "%Y-%m-%d", "mostly": 0.8}],
            [{"column": "day", "strftime_format": "%Y-%m-%d"}, {"column": "day", "strftime_format": "%d.%m.%Y"}],
        ),
        "column_values_to_not_be_in_set": (
            [{"column": "word", "value_set": ["zz"]}, {"column": "text", "value_set": [1, 2]}],
            [{"column": "word", "value_set": ["ab"]}],
        ),
        "column_values_to_not_be_null": (
            [{"column": "id"}, {"column": "gaps", "mostly": 0.75}],
            [{"column": "gaps"}, {"column": "nothing", "mostly": 1e-9}],
        ),
        "column_values_to_not_be_outliers": (
            [
                {"column": "age", "method": "iqr", "multiplier": 1.5},
                {"column": "age", "method": "std", "multiplier": 3},
            ],
            [
                {"column": "price", "method": "iqr", "multiplier": 1.5},
                {"column": "price", "method": "std", "multiplier": 2},
            ],
        ),
        "column_values_to_not_match_regex": (
            [{"column": "word", "regex": "z"}, {"column": "word", "regex": r"\Wz"}],
            [{"column": "word", "regex": "b$"}, {"column": "word", "regex": r"\wb$"}],
        ),
        "column_values_to_not_match_regex_list": (
            [{"column": "word", "regex_list": ["z", "y"]}, {"column": "word", "regex_list": ["z", r"(?<=.)a"]}],
            [{"column": "word", "regex_list": ["z", "a"]}, {"column": "word", "regex_list": ["z", r"(?<=.)b"]}],
        ),
        "compound_columns_to_be_unique": (
            [{"column_list": ["word", "id"]}],
            [{"column_list": ["word", "flag"]}],
        ),
        "multicolumn_sum_to_equal": (
            [{"column_list": ["id", "high"], "sum_total": 2, "mostly": 0.125}],
            [{"column_list": ["id", "high"], "sum_total": 2}],
        ),
        "multicolumn_values_to_be_equal": (
            [{"column_list": ["id", "high"]}],
            [{"column_list": ["id", "twice"]}],
        ),
        "select_column_values_to_be_unique_within_record": (
            [{"column_list": ["id", "price"]}],
            [{"column_list": ["id", "high"]}, {"column_list": ["id", "low", "high"]}],
        ),
        "table_column_count_to_be_between": ([{"min_value": 21, "max_value": 21}], [{"max_value": 20}]),
        "table_column_count_to_equal": ([{"value": 21}], [{"value": 22}]),
        "table_columns_to_match_ordered_list": ([{"column_list": list(ROWS)}], [{"column_list": sorted(ROWS)}]),
        "table_columns_to_match_set": (
            [{"column_set": sorted(ROWS), "exact_match": True}],
            [{"column_set": ["id"], "exact_match": True}, {"column_set": ["ID"], "exact_match": False}],
        ),
        "table_row_count_to_be_between": ([{"min_value": 8, "max_value": 8}], [{"min_value": 9}]),
        "table_row_count_to_equal": ([{"value": 8}], [{"value": 0}]),
    }
    for name, (sound, broken) in said.items():
        for kwargs, passes in [*((each, True) for each in sound), *((each, False) for each in broken)]:
            yield f"expect_{name}", kwargs, passes


CASES = list(cases())
