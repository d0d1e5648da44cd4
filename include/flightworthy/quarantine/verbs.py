"""What a person may do with what was refused: take it back in, give it up; and refuse what had passed.

Each is a remark in the ledger first and then done: whoever is killed in between asks again, and it is not told twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from flightworthy.errors import Refused
from flightworthy.ledger import RemarkAction
from flightworthy.quarantine.waiting import Discard, Quarantined
from flightworthy.release import Cause, remark
from flightworthy.secrecy import masked

if TYPE_CHECKING:
    from flightworthy.dataset import PartitionVersion
    from flightworthy.release import ReleaseStore

__all__ = ["QuarantineStore", "chosen", "discard", "hold", "release"]


class QuarantineStore(Protocol):
    """Where it waits."""

    def current(self, model: str) -> Mapping[str, PartitionVersion]: ...

    def quarantined(self, model: str) -> Sequence[Quarantined]: ...

    def quarantine(
        self, partition: PartitionVersion, *, reason: str, objections: Sequence[str], now: datetime
    ) -> Quarantined: ...

    def may_return(self, held: Quarantined) -> None:
        """Raise Refused where it cannot be taken back in: nobody could read it, or another content has come since."""

    def take_back(self, held: Quarantined, *, actor: str, reason: str, now: datetime) -> PartitionVersion:
        """Make the content that it was refused from the current revision, as passed by a person. Idempotent."""

    def give_up(self, held: Quarantined, discard: Discard) -> None:
        """Mark it as given up. Its rows stay. Idempotent."""


def chosen(store: QuarantineStore, model: str, key: str, *, digest: str = "", given_up: bool = True) -> Quarantined:
    """What waits of the partition ``key``. Raises Refused where nothing does, or more than one thing."""
    waiting = [
        held
        for held in store.quarantined(model)
        if held.key == key and held.digest.startswith(digest) and (given_up or held.discarded is None)
    ]
    if len(waiting) == 1:
        return waiting[0]
    if not waiting:
        known = sorted({held.key for held in store.quarantined(model)})
        raise Refused(
            f"nothing of partition {key} of {model} waits in quarantine; "
            + (f"there is something of {', '.join(known)}" if known else "nothing of this model does"),
            model=model,
            key=key,
            known=known,
        )
    digests = [held.digest[:12] for held in waiting]
    raise Refused(
        f"{len(waiting)} contents of partition {key} of {model} wait: {', '.join(digests)}; name one with --digest",
        model=model,
        key=key,
        digests=digests,
    )


def release(store: QuarantineStore, ledger: ReleaseStore, held: Quarantined, cause: Cause) -> PartitionVersion:
    """Take it back in: the partition as it was delivered is current, and counts as passed, by a person's word."""
    _check_reason(held.model, cause)
    store.may_return(held)
    _tell(ledger, held.model, "waived", _about(held), cause)
    return store.take_back(held, actor=cause.actor, reason=cause.reason, now=cause.at)


def discard(store: QuarantineStore, ledger: ReleaseStore, held: Quarantined, cause: Cause) -> Quarantined:
    """Give it up: it freezes nothing any more, and its interval goes without it. Nothing is deleted."""
    _check_reason(held.model, cause)
    if held.discarded is not None:
        return held
    _tell(ledger, held.model, "discarded", _about(held), cause)
    given_up = Discard(actor=cause.actor, reason=cause.reason, at=cause.at)
    store.give_up(held, given_up)
    return replace(held, discarded=given_up)


def hold(store: QuarantineStore, ledger: ReleaseStore, model: str, key: str, cause: Cause) -> Quarantined:
    """Refuse a partition that had passed; it waits from now on, and freezes what depends on it."""
    _check_reason(model, cause)
    partition = store.current(model).get(key)
    if partition is None:
        raise Refused(
            f"{model} has no partition {key} that could be refused: it waits in quarantine already, or was never "
            f"taken in; `flightworthy quarantine list {model}` shows what waits",
            model=model,
            key=key,
        )
    about = {"partition": key, "digest": partition.digest, "rows": partition.rows}
    _tell(ledger, model, "held", about, cause)
    said = f"{cause.actor}: {cause.reason}"
    return store.quarantine(partition, reason=said, objections=(said,), now=cause.at)


def _about(held: Quarantined) -> dict[str, Any]:
    # No objections: they quote values, and the ledger keeps what it has for ever.
    return {
        "partition": held.key,
        "digest": held.digest,
        "rows": held.rows,
        "whole": held.is_whole,
        "quarantined_at": held.quarantined_at.isoformat(),
    }


def _tell(ledger: ReleaseStore, model: str, action: RemarkAction, about: Mapping[str, Any], cause: Cause) -> None:
    subject = f"partition {about['partition']} {about['digest']}"
    said = f"partition {about['partition']} ({about['digest'][:12]}): {cause.reason}"
    remark(ledger, model, action, subject=subject, told=about, cause=replace(cause, reason=said))


def _check_reason(model: str, cause: Cause) -> None:
    if not cause.reason.strip():
        raise Refused("a decision about quarantine needs a reason: whoever reads the ledger asks for it", model=model)
    if masked(cause.reason) != cause.reason:
        raise Refused(
            f"the quarantine of {model} was left alone: the reason holds what looks like a password, a token or a key, "
            "and the ledger keeps it for ever. Say it without, and change the secret if it was one.",
            model=model,
        )
