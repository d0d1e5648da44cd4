"""Decisions about a model's data: they stand in the ledger with the others, and move no row and no generation."""

from __future__ import annotations

from flightworthy.ledger import Draft, Entry, RemarkAction
from flightworthy.release.rows import ReleaseStore
from flightworthy.release.transitions import Cause
from flightworthy.secrecy import masked


def remark(store: ReleaseStore, model: str, action: RemarkAction, *, body: str, cause: Cause) -> Entry:
    """Write it down, with ``body`` as its evidence.

    Idempotent for whoever is killed and asks again: the newest remark with this evidence stands if it says the same.
    """
    evidence = store.keep_evidence(body)
    for entry in reversed(store.history(model)):
        if entry.is_remark and evidence in entry.evidence:
            if entry.action == action:
                return entry
            break
    return store.remark(
        Draft(
            model=model, at=cause.at, actor=cause.actor, action=action, from_release=None, to_release=None,
            generation=0, reason=masked(cause.reason), evidence=(evidence, *cause.evidence),
        )
    )  # fmt: skip
