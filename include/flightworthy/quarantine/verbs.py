"""What a person may do with what was refused: take it back in, give it up; and refuse what had passed.

Each is a remark in the ledger first and then done: whoever is killed in between asks again, and it is not told twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from flightworthy.errors import Refused
from flightworthy.ledger import RemarkAction
from flightworthy.quarantine.choosing import Choice, rows_to_give_up, rows_to_take_back, spans
from flightworthy.quarantine.waiting import Discard, Quarantined, WaitingRow
from flightworthy.release import Cause, remark
from flightworthy.secrecy import masked

if TYPE_CHECKING:
    from flightworthy.dataset import PartitionVersion
    from flightworthy.release import ReleaseStore

__all__ = ["Decided", "QuarantineStore", "chosen", "discard", "hold", "release"]


class QuarantineStore(Protocol):
    """Where it waits."""

    def current(self, model: str) -> Mapping[str, PartitionVersion]: ...

    def quarantined(self, model: str) -> Sequence[Quarantined]: ...

    def quarantine(
        self, partition: PartitionVersion, *, reason: str, objections: Sequence[str], now: datetime
    ) -> Quarantined: ...

    def may_return(self, held: Quarantined) -> None:
        """Raise Refused where it cannot be taken back in: nobody could read it, or another content has come since."""

    def apart(self, held: Quarantined) -> Sequence[WaitingRow]:
        """The rows that were set aside, whatever became of them, in the order of their places."""

    def take_back(
        self, held: Quarantined, rows: Sequence[int], *, actor: str, reason: str, now: datetime
    ) -> PartitionVersion:
        """Make the content that it was refused from the current revision, as passed by a person. Idempotent.

        Where single rows wait, only the named ones go back; without any it ends what a crash had left of it.
        """

    def give_up(self, held: Quarantined, discard: Discard) -> None:
        """Mark it, or the rows that are named, as given up. Its rows stay. Idempotent."""


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What became of what waited."""

    rows: int | None
    """How many rows it was about; None if they could not be read."""
    left: int
    """How many of the partition's rows nobody has decided about."""
    partition: PartitionVersion | None
    """What is current by it; None where that did not change."""


def release(store: QuarantineStore, ledger: ReleaseStore, held: Quarantined, cause: Cause, choice: Choice) -> Decided:
    """Take it back in, or the rows that are chosen: they are current, and count as passed, by a person's word."""
    _check_reason(held.model, cause)
    store.may_return(held)
    apart = store.apart(held)
    rows = rows_to_take_back(held, apart, choice) if _is_of_rows(held, choice) else ()
    if held.is_whole or rows:
        _tell(ledger, held.model, "waived", _about(held, rows), cause)
    back = store.take_back(held, rows, actor=cause.actor, reason=cause.reason, now=cause.at)
    left = sum(row.state == "waits" and row.number not in rows for row in apart)
    return Decided(rows=held.rows if held.is_whole else len(rows), left=left, partition=back)


def discard(store: QuarantineStore, ledger: ReleaseStore, held: Quarantined, cause: Cause, choice: Choice) -> Decided:
    """Give it up, or the rows that are chosen: its interval goes without. Nothing is deleted, and nothing frozen."""
    _check_reason(held.model, cause)
    rows = rows_to_give_up(held, store.apart(held), choice) if _is_of_rows(held, choice) else None
    is_open = held.discarded is None if rows is None else bool(rows)
    if is_open:
        _tell(ledger, held.model, "discarded", _about(held, rows), cause)
        store.give_up(held, Discard(actor=cause.actor, reason=cause.reason, at=cause.at, rows=rows))
    left = 0 if rows is None else held.waiting - len(rows)
    return Decided(rows=held.rows if rows is None else len(rows), left=left, partition=None)


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


def _is_of_rows(held: Quarantined, choice: Choice) -> bool:
    if held.is_whole and not choice.is_all:
        raise Refused(
            f"partition {held.key} of {held.model} waits as a whole, and no rows of it can be chosen; nothing was "
            "changed. Leave --rows and --unmet out, or have the suite set rows aside (rows: quarantine).",
            model=held.model,
            key=held.key,
        )
    return not held.is_whole


def _about(held: Quarantined, rows: Sequence[int] | None = None) -> dict[str, Any]:
    # No objections: they quote values, and the ledger keeps what it has for ever.
    return {
        **({"chosen": spans(rows)} if rows else {}),
        "partition": held.key,
        "digest": held.digest,
        "rows": held.rows,
        "whole": held.is_whole,
        "quarantined_at": held.quarantined_at.isoformat(),
    }


def _tell(ledger: ReleaseStore, model: str, action: RemarkAction, about: Mapping[str, Any], cause: Cause) -> None:
    subject = f"partition {about['partition']} {about['digest']}"
    of_rows = f"rows {about['chosen']} of " if "chosen" in about else ""
    said = f"{of_rows}partition {about['partition']} ({about['digest'][:12]}): {cause.reason}"
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
