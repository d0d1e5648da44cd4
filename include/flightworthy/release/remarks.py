"""Decisions about a model's data: they stand in the ledger with the others, and move no row and no generation."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from flightworthy.ledger import Draft, Entry, RemarkAction
from flightworthy.release.rows import ReleaseStore
from flightworthy.release.transitions import Cause
from flightworthy.secrecy import masked


def remark(
    store: ReleaseStore, model: str, action: RemarkAction, *, subject: str, told: Mapping[str, Any], cause: Cause
) -> Entry:
    """Write it down, with what is ``told`` of its ``subject`` as evidence.

    Idempotent for whoever is killed and asks again: the newest remark about the subject stands if it is this one.
    """
    evidence = store.keep_evidence(json.dumps({**told, "subject": subject}, sort_keys=True))
    newest = _newest(store, model, subject)
    if newest is not None and newest.action == action and evidence in newest.evidence:
        return newest
    return store.remark(
        Draft(
            model=model, at=cause.at, actor=cause.actor, action=action, from_release=None, to_release=None,
            generation=0, reason=masked(cause.reason), evidence=(evidence, *cause.evidence),
        )
    )  # fmt: skip


def _newest(store: ReleaseStore, model: str, subject: str) -> Entry | None:
    remarks = (entry for entry in reversed(store.history(model)) if entry.is_remark)
    return next((entry for entry in remarks if subject in _subjects(store, entry)), None)


def _subjects(store: ReleaseStore, entry: Entry) -> list[str]:
    bodies = (store.evidence(digest) for digest in entry.evidence)
    return [json.loads(body).get("subject", "") for body in bodies if body is not None]
