"""What model.yaml says, as types: a model's standing order. Files are read by ``flightworthy.adapters.spec_files``."""

from flightworthy.spec.inputs import Dataset, EventTime, Feature, Schedule, Source
from flightworthy.spec.sections import (
    LOWER_IS_BETTER,
    METRICS,
    Drift,
    Evaluation,
    Gate,
    ReleasePlan,
    Requests,
    Retention,
    Training,
)
from flightworthy.spec.standing import MODEL_NAME, Spec

__all__ = [
    "LOWER_IS_BETTER",
    "METRICS",
    "MODEL_NAME",
    "Dataset",
    "Drift",
    "Evaluation",
    "EventTime",
    "Feature",
    "Gate",
    "ReleasePlan",
    "Requests",
    "Retention",
    "Schedule",
    "Source",
    "Spec",
    "Training",
]
