"""What travels between tasks: small typed references (digests, numbers, URIs), never data.

Each is a frozen dataclass; ``pack`` makes the JSON that XCom keeps, ``unpack`` makes the dataclass again and refuses
anything else, so that a task that was handed the wrong thing says so instead of guessing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from flightworthy.errors import Refused

__all__ = ["DatasetReference", "EvaluationReference", "VersionReference", "pack", "unpack"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class DatasetReference:
    """A dataset version, seen from the partition whose run made it."""

    model: str
    partition: str
    partition_digest: str
    dataset_digest: str
    rows: int
    intent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationReference:
    """The chosen training run (packed), what the gates said of it (packed), and the report that a person reads."""

    model: str
    run: Mapping[str, Any]
    decision: Mapping[str, Any]
    metrics: Mapping[str, float]
    champion_metrics: Mapping[str, float] | None
    worth: Mapping[str, Any]
    """What stays with the version (packed): its metrics with their intervals, and the baseline's."""
    report: str
    backtest: Mapping[str, Any] | None
    """What a backfill keeps of it (packed); None in any other run."""
    intent: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VersionReference:
    """A registered model version."""

    model: str
    version: int
    is_new: bool
    is_challenger: bool
    intent: str


def pack(reference: Any) -> dict[str, Any]:
    """The JSON form of a reference."""
    return dataclasses.asdict(reference)


def unpack(kind: type[T], packed: Any) -> T:
    """The reference again. Raises ``Refused`` when ``packed`` is not one of ``kind``."""
    names = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]
    if not isinstance(packed, Mapping) or set(packed) != names:
        found = sorted(packed) if isinstance(packed, Mapping) else type(packed).__name__
        raise Refused(
            f"expected a {kind.__name__} with the fields {sorted(names)}, found {found}. "
            "Pass on what the task before returned, unchanged.",
            expected=kind.__name__,
            found=found,
        )
    return kind(**packed)
