"""A release: the course of a challenger to champion or refusal, and the one row per model that says where it stands.

Decisions are pure functions from row to row (``transitions``). The verbs write their result by compare-and-swap on
``generation``: of two decisions made on the same row one happens, and the other is told which. Making it so is the
deployer's work.
"""

from flightworthy.release.healing import Healing, HealingKind
from flightworthy.release.proof import Proof, prove_all, proven
from flightworthy.release.rebuilding import how_to_rebuild
from flightworthy.release.rows import (
    NO_LIMITS,
    Criterion,
    Deployment,
    Limits,
    Observation,
    Outcome,
    Phase,
    Release,
    ReleaseStore,
    Shadow,
    Slot,
    Strategy,
    Target,
    release_id,
)
from flightworthy.release.transitions import (
    Cause,
    draft,
    entered,
    promoted,
    requested,
    returned,
    served,
    shadowed,
    way_back_from,
    withdrawn,
)
from flightworthy.release.verbs import arrived, conflict, outcome, propose, roll_back

__all__ = [
    "NO_LIMITS",
    "Cause",
    "Criterion",
    "Deployment",
    "Healing",
    "HealingKind",
    "Limits",
    "Observation",
    "Outcome",
    "Phase",
    "Proof",
    "Release",
    "ReleaseStore",
    "Shadow",
    "Slot",
    "Strategy",
    "Target",
    "arrived",
    "conflict",
    "draft",
    "entered",
    "how_to_rebuild",
    "outcome",
    "promoted",
    "propose",
    "prove_all",
    "proven",
    "release_id",
    "requested",
    "returned",
    "roll_back",
    "served",
    "shadowed",
    "way_back_from",
    "withdrawn",
]
