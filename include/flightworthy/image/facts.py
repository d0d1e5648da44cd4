"""What is told about a packaged version in its bill of materials and its provenance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flightworthy.image.context import Origin

if TYPE_CHECKING:
    from flightworthy.baseline import Worth

__all__ = ["Facts"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Where a version comes from and what it is; digests are sha256 in hex. Empty where nothing is known."""

    origin: Origin
    owner: str
    description: str
    target: str
    features: Mapping[str, str]
    """The type of each column that the model is given."""
    params: Mapping[str, str]
    seed: str
    metrics: Mapping[str, float]
    """On the validation rows, with the model as it is served."""
    worth: Worth | None
    """On the holdout, with the baseline beside it."""
    code_digest: str
    config_digest: str
    intent: str
    run_id: str
    airflow_run_id: str
