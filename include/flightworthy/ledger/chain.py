"""What was decided, by whom and why: entries that are only ever appended, each holding the hash of the one before.

An entry can therefore not be changed, removed or moved without breaking every hash after it. What a chain cannot show
by itself is that its newest entries were cut off; whoever stores it keeps the newest hash beside it (``head``).
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from flightworthy.errors import LedgerBroken

RemarkAction = Literal["waived", "discarded", "held", "erased"]
"""About a model's data: what was refused is taken back in, is given up; what had passed is refused; rows of somebody
were taken out."""

Action = Literal["proposed", "shadowed", "advanced", "promoted", "withdrawn", "returning", "rolled_back", RemarkAction]

GENESIS = "0" * 64
"""The ``previous_hash`` of the first entry."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """A decision as its maker words it, before the store gives it its place in the chain.

    ``from_release`` and ``to_release`` say which release the model goes by, or would go by, before and after: a
    proposal goes from the champion to the challenger, a withdrawal from the challenger back to the champion.
    ``share`` is the challenger's part of the traffic after it, in percent; None in entries of before it was told.
    """

    model: str
    at: datetime
    actor: str
    action: Action
    from_release: str | None
    to_release: str | None
    generation: int
    reason: str
    evidence: tuple[str, ...] = ()
    share: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One decision in its place in the chain. ``generation`` is the one that the decision made.

    A remark, which is about data and moves no row, makes none: a model's remarks are counted down from -1.
    """

    seq: int
    model: str
    at: datetime
    actor: str
    action: Action
    from_release: str | None
    to_release: str | None
    generation: int
    reason: str
    evidence: tuple[str, ...]
    previous_hash: str
    hash: str
    share: int | None

    @property
    def is_remark(self) -> bool:
        return self.generation < 0


def digest_of(entry: Entry) -> str:
    """The hash that an entry with this content must carry: sha256 over its canonical JSON, without ``hash`` itself."""
    content = {
        "seq": entry.seq,
        "model": entry.model,
        "at": instant(entry.at),
        "actor": entry.actor,
        "action": entry.action,
        "from": entry.from_release,
        "to": entry.to_release,
        "generation": entry.generation,
        "reason": entry.reason,
        "evidence": list(entry.evidence),
        "previous_hash": entry.previous_hash,
    }
    if entry.share is not None:
        # Entries of 0.1 told none, and their hashes hold as they are.
        content["share"] = entry.share
    return hashlib.sha256(json.dumps(content, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def chain(draft: Draft, *, seq: int, previous_hash: str) -> Entry:
    """The draft as entry ``seq``, following the entry whose hash is given."""
    content = {
        "seq": seq,
        "model": draft.model,
        "at": draft.at,
        "actor": draft.actor,
        "action": draft.action,
        "from_release": draft.from_release,
        "to_release": draft.to_release,
        "generation": draft.generation,
        "reason": draft.reason,
        "evidence": draft.evidence,
        "share": draft.share,
        "previous_hash": previous_hash,
    }
    unsealed = Entry(**content, hash="")  # type: ignore[arg-type]
    return Entry(**content, hash=digest_of(unsealed))  # type: ignore[arg-type]


def verify(entries: Iterable[Entry], *, head: str | None = None) -> int:
    """Follow the whole chain in order; the number of entries if it holds.

    ``head``, where given, is the hash that the newest entry must have. Raises LedgerBroken that names the first entry
    which was changed, removed or moved.
    """
    last_hash, count = GENESIS, 0
    for count, entry in enumerate(entries, start=1):
        if entry.seq != count:
            raise _broken(count, f"entry {entry.seq} stands where entry {count} belongs; one was removed or moved")
        if entry.previous_hash != last_hash:
            raise _broken(count, f"entry {count} does not follow entry {count - 1} as it stands; one was replaced")
        if entry.hash != digest_of(entry):
            raise _broken(count, f"entry {count} ({entry.action} of {entry.model}) was changed after it was written")
        last_hash = entry.hash
    if head is not None and head != last_hash:
        raise _broken(
            count + 1,
            f"the newest entries are missing, or entry {count} was replaced: the chain ends at entry {count}, "
            "the head is another",
        )
    return count


def verify_evidence(entries: Iterable[Entry], body_of: Callable[[str], str | None]) -> int:
    """See that what each decision rests on is there and is what it was; the number of bodies if so.

    Raises LedgerBroken that names the first entry whose evidence was changed or removed.
    """
    seen: set[str] = set()
    for entry in entries:
        for digest in entry.evidence:
            body = body_of(digest)
            if body is None:
                raise _broken(entry.seq, f"the evidence {digest[:12]} of entry {entry.seq} was removed")
            if hashlib.sha256(body.encode()).hexdigest() != digest:
                raise _broken(entry.seq, f"the evidence {digest[:12]} of entry {entry.seq} was changed")
            seen.add(digest)
    return len(seen)


def instant(at: datetime) -> str:
    """An instant as text that sorts by time and reads the same everywhere: UTC with microseconds."""
    return at.astimezone(UTC).isoformat(timespec="microseconds")


def _broken(seq: int, what: str) -> LedgerBroken:
    advice = "Compare with the last export, and find out who can write to the database."
    return LedgerBroken(f"the ledger does not hold: {what}. {advice}", seq=seq)
