"""What must be true of a partition before anybody learns from it: what the spec says of it, then the author's suite."""

from flightworthy.expectations import checkpoint_json, suite_json
from flightworthy.expectations.checking import Checked, check_expectations
from flightworthy.expectations.checkpoint import ACTIONS, Action, ActionOutcome, Connection, Connections
from flightworthy.expectations.comparing import Asked, Counts, PartitionCounter, Times, asked_of, compare, times_of
from flightworthy.expectations.instruments import Instruments, StoredRows, Validator
from flightworthy.expectations.ranking import Rank
from flightworthy.expectations.standing import standing_expectations
from flightworthy.expectations.suite import (
    COMPARISONS,
    EXPECTATIONS,
    ROW_EXPECTATIONS,
    Comparison,
    Engine,
    Expectation,
    FailedExpectation,
    OnRows,
    Suite,
    SuiteResult,
)
from flightworthy.expectations.suite_reading import NOTHING, suite_from

__all__ = [
    "ACTIONS",
    "COMPARISONS",
    "EXPECTATIONS",
    "NOTHING",
    "ROW_EXPECTATIONS",
    "Action",
    "ActionOutcome",
    "Asked",
    "Checked",
    "Comparison",
    "Connection",
    "Connections",
    "Counts",
    "Engine",
    "Expectation",
    "FailedExpectation",
    "Instruments",
    "OnRows",
    "PartitionCounter",
    "Rank",
    "StoredRows",
    "Suite",
    "SuiteResult",
    "Times",
    "Validator",
    "asked_of",
    "check_expectations",
    "checkpoint_json",
    "compare",
    "standing_expectations",
    "suite_from",
    "suite_json",
    "times_of",
]
