"""What model.yaml says, as types: a model's standing order. Files are read by ``flightworthy.adapters.spec_files``."""

from flightworthy.spec.in_service import Drift, Requests, Retention
from flightworthy.spec.inputs import Complete, Dataset, EventTime, Feature, KnownSince, Schedule, Source
from flightworthy.spec.learning import LOWER_IS_BETTER, METRICS, Evaluation, Gate, Training
from flightworthy.spec.personal import Personal, PersonalColumn
from flightworthy.spec.releasing import Approval, ReleasePlan, ShadowPlan
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
