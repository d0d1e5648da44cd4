"""What served a model at an instant, and which decisions had made it so. Pure: entries in, an answer out."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from flightworthy.ledger.chain import Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Serving:
    """A release with its part of the traffic in percent, and the decision that gave it that.

    ``share`` is None where entries of before shares were told leave it open.
    """

    release: str
    share: int | None
    decided: Entry


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """Who had the traffic, as decided; the router follows a decision within a second. ``until`` is the next one."""

    champion: Serving | None
    challenger: Serving | None
    until: Entry | None


def standing_at(history: Iterable[Entry], at: datetime) -> Standing:
    """What was so at ``at``, by the entries of one model, oldest first. One made at that very instant counts."""
    champion: Entry | None = None
    challenger: Entry | None = None
    until: Entry | None = None
    for entry in history:
        if entry.is_remark:
            continue
        if entry.at > at:
            until = entry
            break
        if entry.action in ("promoted", "rolled_back"):
            champion, challenger = entry, None
        else:
            # A withdrawal leaves the champion as it was, with the decision that made it champion.
            challenger = None if entry.action == "withdrawn" else entry
    shown = None if challenger is None else _serving(challenger, share=_share(challenger))
    rest = 100 if shown is None else None if shown.share is None else 100 - shown.share
    return Standing(
        champion=None if champion is None else _serving(champion, share=rest), challenger=shown, until=until
    )


def _share(challenger: Entry) -> int | None:
    return challenger.share if challenger.action == "advanced" else 0


def _serving(entry: Entry, *, share: int | None) -> Serving:
    return Serving(release=str(entry.to_release), share=share, decided=entry)
