"""What people and tasks may ask of a model's row, each one compare-and-swap with its ledger entry."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Literal

from flightworthy.errors import Conflict, ReleaseRefused
from flightworthy.ledger import Entry
from flightworthy.release.approval import NO_CONSENT, Consent, consented
from flightworthy.release.rebuilding import cannot_start
from flightworthy.release.rows import Deployment, Outcome, Phase, Release, ReleaseStore
from flightworthy.release.transitions import Cause, draft, requested, returned, way_back_from, withdrawn
from flightworthy.secrecy import masked

_WAYS_BACK = ("rolled_back", "returning", "withdrawn")


def propose(  # noqa: PLR0913 - what a decision is made on, and what it is written down with
    store: ReleaseStore,
    release: Release,
    *,
    actor: str,
    reason: str,
    now: datetime,
    again: bool = False,
    consent: Consent = NO_CONSENT,
) -> Deployment:
    """Ask for ``release`` to become champion; the row as it stands after.

    Idempotent: a release that is on its course, or is the champion, is left there. One that was withdrawn or rolled
    back stays so unless ``again``. Raises Conflict while another release of the model is on its course, and
    ReleaseRefused where the release's own rule asks for approvals that are not in the store, whatever came before.
    """
    row = store.deployment(release.model)
    if release.id in (row.champion, row.challenger):
        return row
    if row.phase is not Phase.STEADY:
        raise _busy(row, release.id)
    is_known = any(known.id == release.id for known in store.releases(release.model))
    ended = outcome(store, release.id) if is_known else None
    if ended is not None and not again:
        raise _ended_before(release, ended)
    evidence = consented(store, release, consent, actor=actor)
    store.add_release(release)
    if release.id in store.missing() and row.slot_of(release.id) is None:
        # It was packaged anew, since its image or its folder had gone; the content is what its name says.
        store.restock(release)
    if consent.emergency is not None and evidence:
        reason = f"EMERGENCY, without approval: {consent.emergency}; {reason}"
    after = requested(row, release.id, now)
    cause = Cause(actor=actor, reason=reason, at=now, evidence=evidence)
    return store.swap(row, after, draft(row, after, "proposed", cause))


def roll_back(  # noqa: PLR0913 - what is decided, and what it is written down with
    store: ReleaseStore,
    model: str,
    *,
    to: str | None = None,
    actor: str,
    reason: str,
    now: datetime,
    asked_in: str | None = None,
) -> Deployment:
    """Go back to the previous release, or to the release ``to``; the row as it stands after.

    ``asked_in`` names what asks, such as a task of a run, where that may be killed and ask again: the decision that it
    led to stands, whatever came since (``decided_in``). Without it, asking twice goes back twice.

    While a challenger is on its course this withdraws it. To a warm release it is one change of the row; a cold one is
    started again first (phase ``returning``), and the champion serves until it is healthy. Raises ReleaseRefused,
    having changed nothing, where it cannot be started, or the reason holds what looks like a secret.
    """
    if masked(reason) != reason:
        raise _tells_a_secret(model)
    row = store.deployment(model)
    if asked_in is not None and decided_in(store, model, asked_in) is not None:
        return row
    evidence = () if asked_in is None else (store.keep_evidence(_request(asked_in)),)
    cause = Cause(actor=actor, reason=reason, at=now, evidence=evidence)
    if row.challenger is not None:
        return _call_off(store, row, to, cause)
    target = to or row.previous
    if target is None or row.champion is None:
        raise _no_way_back(row)
    if target == row.champion:
        return row
    return _go_back(store, row, target, cause)


def decided_in(store: ReleaseStore, model: str, asked_in: str) -> Entry | None:
    """The rollback that ``asked_in`` led to; None if it led to none yet."""
    request = _request(asked_in)
    asked = (entry for entry in reversed(store.history(model)) if entry.action in _WAYS_BACK)
    return next((entry for entry in asked if request in map(store.evidence, entry.evidence)), None)


def outcome(store: ReleaseStore, release: str) -> Outcome | None:
    """How the latest course of a release ended; None while it is on it, or if it was never proposed."""
    found: Outcome | None = None
    for entry in store.history(store.release(release).model):
        if entry.action in ("proposed", "returning") and entry.to_release == release:
            found = None
        kind = _ending(entry, release)
        if kind is not None:
            found = Outcome(
                release_id=release, kind=kind, reason=entry.reason, generation=entry.generation, at=entry.at
            )
    return found


def arrived(store: ReleaseStore, model: str, target: str | None) -> Deployment | None:
    """The row once the router carries ``target``, to which a rollback decided to go; None while it does not yet.

    ``target`` is None where the first challenger was withdrawn and nothing serves. Raises ReleaseRefused where
    another release serves in its stead: it could not be started, or another decision came.
    """
    row, seen = store.deployment(model), store.observation(model)
    if row.phase is Phase.RETURNING:
        return None
    if row.champion != target:
        raise _not_returned(store, row, str(target))
    return row if seen is not None and seen.generation >= row.generation else None


def _go_back(store: ReleaseStore, row: Deployment, target: str, cause: Cause) -> Deployment:
    if (found := store.release(target)).model != row.model:
        raise ReleaseRefused(
            f"{target} is a release of {found.model}, not of {row.model}", release=target, model=row.model
        )
    seen = store.observation(row.model)
    is_warm = row.slot_of(target) is not None and seen is not None and target in seen.healthy
    if not is_warm and (why := store.missing().get(target)) is not None:
        raise cannot_start(row, found, why)
    if not is_warm:
        after = requested(row, target, cause.at, phase=Phase.RETURNING)
        return store.swap(row, after, draft(row, after, "returning", cause))
    after = returned(row, target, way_back_from(store.history(row.model), target), cause.at)
    return store.swap(row, after, draft(row, after, "rolled_back", cause))


def _not_returned(store: ReleaseStore, row: Deployment, target: str) -> ReleaseRefused:
    ended = outcome(store, target)
    why = ended.reason if ended else "another decision was made since"
    return ReleaseRefused(
        f"{row.model} did not go back to {target}: {why}. {row.champion} serves; "
        f"`flightworthy history {row.model}` shows what was decided, --to names another release.",
        model=row.model,
        release=target,
        champion=row.champion,
    )


def _request(asked_in: str) -> str:
    return json.dumps({"kind": "request", "asked_in": asked_in}, sort_keys=True)


def _call_off(store: ReleaseStore, row: Deployment, to: str | None, cause: Cause) -> Deployment:
    if row.phase is Phase.RETURNING and to in (None, row.challenger):
        return row
    if to not in (None, row.champion):
        raise _busy(row, str(to))
    after = withdrawn(row, cause.at)
    return store.swap(row, after, draft(row, after, "withdrawn", cause))


def _ending(entry: Entry, release: str) -> Literal["promoted", "withdrawn", "rolled_back"] | None:
    if entry.action == "withdrawn":
        return "withdrawn" if entry.from_release == release else None
    if entry.action not in ("promoted", "rolled_back"):
        return None
    if entry.to_release == release:
        return "promoted"
    return "rolled_back" if entry.action == "rolled_back" and entry.from_release == release else None


def conflict(before: Deployment, found: Deployment, winner: Entry | None) -> Conflict:
    """What the loser of two decisions on one row is told."""
    by = f"{winner.actor} {winner.action} {winner.to_release or 'nothing'}" if winner else "Another decision"
    return Conflict(
        f"{before.model} was left alone: expected generation {before.generation}, found {found.generation}. "
        f"{by} first; look at `flightworthy status {before.model}` and decide again.",
        model=before.model,
        expected=before.generation,
        found=found.generation,
        winner=winner.actor if winner else None,
    )


def _busy(row: Deployment, wanted: str) -> Conflict:
    return Conflict(
        f"{wanted} was not taken up: {row.challenger} is on its course ({row.phase}, "
        f"{row.challenger_share} % of traffic, generation {row.generation}). "
        f"Wait for its end and propose again, or withdraw it with `flightworthy rollback {row.model}`.",
        model=row.model,
        challenger=row.challenger,
        found=row.generation,
    )


def _tells_a_secret(model: str) -> ReleaseRefused:
    return ReleaseRefused(
        f"{model} was left alone: the reason holds what looks like a password, a token or a key, and the ledger keeps "
        "it for ever. Say it without, and change the secret if it was one.",
        model=model,
    )


def _no_way_back(row: Deployment) -> ReleaseRefused:
    why = f"no release before {row.champion} is left to go to" if row.champion else "nothing was ever released"
    return ReleaseRefused(
        f"{row.model} cannot go back: {why}. Name a release with --to, or deploy another version.",
        model=row.model,
        champion=row.champion,
    )


def _ended_before(release: Release, ended: Outcome) -> ReleaseRefused:
    what_next = (
        f"It served before: go back to it with `flightworthy rollback {release.model} --to {release.id}`."
        if ended.kind == "promoted"
        else "The same release gets the same answer; deploy another version, or deploy this one with `again`."
    )
    return ReleaseRefused(
        f"{release.id} was not taken up: it was {ended.kind.replace('_', ' ')} at {ended.at:%Y-%m-%d %H:%M} UTC "
        f"({ended.reason}). {what_next}",
        release=release.id,
        outcome=ended.kind,
    )
