"""Training, addressed by content: the same data, code, parameters and environment are never trained twice."""

from flightworthy.training.order import Lineage, Param, TrainingOrder, content_key, contract_of
from flightworthy.training.runs import RunStore, TrainingRun, choose
from flightworthy.training.trial import train
from flightworthy.training.workshop import Artifacts, Frames, ModelCode, Packager, Workshop

__all__ = [
    "Artifacts",
    "Frames",
    "Lineage",
    "ModelCode",
    "Packager",
    "Param",
    "RunStore",
    "TrainingOrder",
    "TrainingRun",
    "Workshop",
    "choose",
    "content_key",
    "contract_of",
    "train",
]
