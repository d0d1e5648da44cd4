"""What must be true of a partition before anybody learns from it: what the spec says of it, then the author's suite."""

from flightworthy.expectations.checking import Checked, StoredRows, Validator, check_expectations
from flightworthy.expectations.standing import standing_expectations
from flightworthy.expectations.suite import (
    EXPECTATIONS,
    Engine,
    Expectation,
    FailedExpectation,
    Suite,
    SuiteResult,
    suite_from,
)

__all__ = [
    "EXPECTATIONS",
    "Checked",
    "Engine",
    "Expectation",
    "FailedExpectation",
    "StoredRows",
    "Suite",
    "SuiteResult",
    "Validator",
    "check_expectations",
    "standing_expectations",
    "suite_from",
]
