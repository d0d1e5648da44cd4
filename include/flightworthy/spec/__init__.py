"""What model.yaml says, as types: a model's standing order. Files are read by ``flightworthy.adapters.spec_files``."""

from flightworthy.spec.inputs import Complete, Dataset, EventTime, Feature, KnownSince, Schedule, Source
from flightworthy.spec.personal import Personal, PersonalColumn
from flightworthy.spec.sections import (
    LOWER_IS_BETTER,
    METRICS,
    Approval,
    Drift,
    Evaluation,
    Gate,
    ReleasePlan,
    Requests,
    Retention,
    ShadowPlan,
    Training,
)
from flightworthy.spec.standing import MODEL_NAME, Spec

__all__ = [
    "LOWER_IS_BETTER",
    "METRICS",
    "MODEL_NAME",
    "Approval",
    "Complete",
    "Dataset",
    "Drift",
    "Evaluation",
    "EventTime",
    "Feature",
    "Gate",
    "KnownSince",
    "Personal",
    "PersonalColumn",
    "ReleasePlan",
    "Requests",
    "Retention",
    "Schedule",
    "ShadowPlan",
    "Source",
    "Spec",
    "Training",
]
