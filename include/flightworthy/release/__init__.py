"""A release: the course of a challenger to champion or refusal, and the one row per model that says where it stands.

Decisions are pure functions from row to row (``transitions``). The verbs write their result by compare-and-swap on
``generation``: of two decisions made on the same row one happens, and the other is told which. Making it so is the
deployer's work.
"""

from flightworthy.release.approval import (
    NO_CONSENT,
    Answer,
    ApprovalRule,
    Consent,
    objections_to,
    rule_of,
    subject_digest,
)
from flightworthy.release.drill import Drill, DrillResult, ask_drill
from flightworthy.release.healing import Healing, HealingKind
from flightworthy.release.proof import Proof, prove_all, proven
from flightworthy.release.rebuilding import how_to_rebuild
from flightworthy.release.remarks import remark
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
from flightworthy.release.verbs import arrived, conflict, decided_in, outcome, propose, roll_back

__all__ = [
    "NO_CONSENT",
    "NO_LIMITS",
    "Answer",
    "ApprovalRule",
    "Cause",
    "Consent",
    "Criterion",
    "Deployment",
    "Drill",
    "DrillResult",
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
    "ask_drill",
    "conflict",
    "decided_in",
    "draft",
    "entered",
    "how_to_rebuild",
    "objections_to",
    "outcome",
    "promoted",
    "propose",
    "prove_all",
    "proven",
    "release_id",
    "remark",
    "requested",
    "returned",
    "roll_back",
    "rule_of",
    "served",
    "shadowed",
    "subject_digest",
    "way_back_from",
    "withdrawn",
]
