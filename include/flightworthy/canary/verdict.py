"""How a bake ended, and the numbers behind it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from flightworthy.canary.samples import ArmCounts

__all__ = ["Finding", "Judgement", "Verdict"]


class Verdict(StrEnum):
    """How a bake ended."""

    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"
    INCONCLUSIVE = "inconclusive"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What one criterion found. A verdict of None: not measured, and the spec does not ask that it be."""

    criterion: str
    verdict: Verdict | None
    reason: str
    numbers: Mapping[str, float | int | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """A verdict with its numbers: those of the router, and each criterion's own."""

    verdict: Verdict
    reason: str
    challenger: ArmCounts | None
    champion: ArmCounts | None
    findings: tuple[Finding, ...] = ()
