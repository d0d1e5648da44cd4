"""What was decided, by whom and why: a chain of entries, proofs that it holds, and what it tells of an instant.

``chain`` is the entries and their hashes, ``standing`` what served at an instant, ``export`` the file for an auditor.
"""

from flightworthy.ledger.chain import (
    GENESIS,
    Action,
    Draft,
    Entry,
    RemarkAction,
    chain,
    digest_of,
    instant,
    verify,
    verify_evidence,
)
from flightworthy.ledger.export import Exported, exported, read_export
from flightworthy.ledger.standing import Serving, Standing, standing_at

__all__ = [
    "GENESIS",
    "Action",
    "Draft",
    "Entry",
    "Exported",
    "RemarkAction",
    "Serving",
    "Standing",
    "chain",
    "digest_of",
    "exported",
    "instant",
    "read_export",
    "standing_at",
    "verify",
    "verify_evidence",
]
