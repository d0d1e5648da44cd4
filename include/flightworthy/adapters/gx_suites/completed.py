"""The library's own result, completed by what was refused without asking its engines."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping
from typing import Any

from great_expectations.checkpoint.checkpoint import CheckpointResult
from great_expectations.core.expectation_validation_result import ExpectationValidationResult
from great_expectations.expectations.expectation_configuration import ExpectationConfiguration
from great_expectations.expectations.metadata_types import FailureSeverity

from flightworthy.expectations import FailedExpectation

__all__ = ["completed", "refused"]


def refused(failure: FailedExpectation, kwargs: Mapping[str, Any]) -> ExpectationValidationResult:
    """A failure of ours in the library's form: whoever reads a result of theirs finds it there."""
    return ExpectationValidationResult(
        success=False,
        expectation_config=ExpectationConfiguration(
            type=failure.expectation, kwargs=dict(kwargs), severity=FailureSeverity(failure.severity)
        ),
        result={},
        exception_info={
            "raised_exception": True, "exception_message": failure.observed, "exception_traceback": "",
        },
    )  # fmt: skip


def completed(ran: CheckpointResult, more: Iterable[ExpectationValidationResult], *, met: int) -> CheckpointResult:
    """A run's result with ``more`` that failed, and ``met`` of which the library knows nothing; ``ran`` stays."""
    ((identifier, before),) = ran.run_results.items()
    result = copy.copy(before)
    result.results = [*before.results, *more]
    failed = sum(not each.success for each in result.results)
    evaluated = len(result.results) + met
    result.success = not failed
    result.statistics = {
        "evaluated_expectations": evaluated,
        "successful_expectations": evaluated - failed,
        "unsuccessful_expectations": failed,
        "success_percent": 100 * (evaluated - failed) / evaluated if evaluated else None,
    }
    return CheckpointResult(
        run_id=ran.run_id, run_results={identifier: result}, checkpoint_config=ran.checkpoint_config
    )
