"""What was refused and waits, whom it freezes, and what a person may do with it.

``waiting`` is rows and partitions with their reasons, ``freezing`` who may not learn meanwhile, ``choosing`` which rows
a person means, ``verbs`` the ways out.
"""

from flightworthy.quarantine.freezing import QuarantineReader, freezing, frozen, refuse_frozen, refused_later
from flightworthy.quarantine.waiting import Discard, Quarantined, RefusedRows, WaitingRow

__all__ = [
    "Discard",
    "QuarantineReader",
    "Quarantined",
    "RefusedRows",
    "WaitingRow",
    "freezing",
    "frozen",
    "refuse_frozen",
    "refused_later",
]
