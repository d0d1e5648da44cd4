"""The ledger as a store has it, read whole and proven: by itself, by its evidence, and by the rows that it explains."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flightworthy.errors import LedgerBroken, Unavailable
from flightworthy.ledger import Entry, verify, verify_evidence
from flightworthy.release.rows import Deployment, ReleaseStore
from flightworthy.release.transitions import served

_TRIES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A ledger that holds: its entries and the hash of the newest one."""

    entries: tuple[Entry, ...]
    head: str


def proven(store: ReleaseStore) -> Proof:
    """All entries, of all models, as a chain that holds. Raises LedgerBroken."""
    proof, _ = _read(store)
    return proof


def prove_all(store: ReleaseStore) -> tuple[Proof, int]:
    """The chain, and that evidence and rows agree with it; the number of evidence bodies. Raises LedgerBroken."""
    proof, rows = _read(store)
    bodies = verify_evidence(proof.entries, store.evidence)
    for row in rows:
        _explained(row, [entry for entry in proof.entries if entry.model == row.model])
    return proof, bodies


def _read(store: ReleaseStore) -> tuple[Proof, Sequence[Deployment]]:
    """Entries and rows of one moment: no decision was written while they were read."""
    for _ in range(_TRIES):
        head, entries, rows = store.head(), store.history(), store.deployments()
        if store.head() == head:
            verify(entries, head=head)
            return Proof(entries=tuple(entries), head=head), rows
    raise Unavailable("the ledger grew each time it was read; ask again when fewer decisions are made at once")


def _explained(row: Deployment, history: Sequence[Entry]) -> None:
    """See that the row is what its decisions made."""
    decisions = [entry for entry in history if not entry.is_remark]
    newest = decisions[-1] if decisions else None
    made = newest.generation if newest else 0
    champion = standing[-1] if (standing := served(history)) else None
    if row.generation != made:
        why = f"it is at generation {row.generation}, and the newest entry made {made}"
    elif row.champion != champion:
        why = f"its champion is {row.champion}, and the entries made {champion} champion"
    elif newest is not None and newest.share is not None and row.challenger_share != newest.share:
        why = f"its challenger has {row.challenger_share} % of traffic, and the newest entry gave it {newest.share} %"
    else:
        return
    raise LedgerBroken(
        f"the row of {row.model} is not what was decided: {why}. It was changed past the ledger; "
        "find out who can write to the database.",
        model=row.model,
        seq=newest.seq if newest else 0,
    )
