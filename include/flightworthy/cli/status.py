"""``flightworthy status``: a row per model, what was refused lately, and which arrivals are not done with."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from flightworthy.cli.answers import Answer, Exit, table, when
from flightworthy.cli.arrivals import HEADS, arrival_document, arrival_row
from flightworthy.cli.history import healing_document
from flightworthy.cli.known import all_models, known_model
from flightworthy.cli.settings import Settings
from flightworthy.cli.trained_on import Tainted, tainted_releases
from flightworthy.cli.waiting_rows import discard_document
from flightworthy.cli.words import json_flag
from flightworthy.ledger import instant

if TYPE_CHECKING:
    from flightworthy.arrival import Arrival
    from flightworthy.quarantine import Discard
    from flightworthy.release import Deployment, Drill, Observation, ReleaseStore

__all__ = ["arguments", "run"]

_LAST = 5
_FAILED_LATELY = timedelta(days=7)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Refusal:
    model: str
    kind: str
    what: str
    reason: str
    at: datetime
    discarded: Discard | None = None

    def document(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "what": self.what,
            "reason": self.reason,
            "at": instant(self.at),
            "discarded": discard_document(self.discarded),
        }

    @property
    def told(self) -> tuple[object, ...]:
        """A line of the table."""
        given_up = self.discarded
        if given_up is None:
            return self.model, when(self.at), self.kind, self.what, self.reason
        reason = f"{self.reason} (given up by {given_up.actor}: {given_up.reason})"
        return self.model, when(self.at), "given up", self.what, reason


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("model", nargs="?", metavar="MODEL", help="a model's name; all models if none is given")
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Show one model or all."""
    store = settings.releases()
    try:
        models = [known_model(asked.model, settings, store)] if asked.model else all_models(settings, store)
        rows = {model: store.deployment(model) for model in models}
        seen = {model: store.observation(model) for model in models}
        refusals = {model: _refusals(model, settings, store) for model in models}
        healings = {model: store.healings(model, limit=_LAST) for model in models}
        drills = {model: store.last_drill(model) for model in models}
        tainted = {model: tainted_releases(row, settings, store) for model, row in rows.items()}
    finally:
        store.close()
    arrivals = _arrivals(models, settings)
    document = {
        "models": [
            {
                **_row_document(row, seen[model]),
                "refusals": [each.document() for each in refusals[model]],
                "healings": [healing_document(each) for each in healings[model]],
                "drill": _drill_document(drills[model]),
                "refused_later": [each.document() for each in tainted[model]],
                "arrivals": [arrival_document(each) for each in arrivals[model]],
            }
            for model, row in rows.items()
        ]
    }
    lately = [each for model in models for each in refusals[model]]
    last = [drill for drill in drills.values() if drill is not None]
    text = _text(rows, seen, lately, last) + _tainted_text([each for model in models for each in tainted[model]])
    return Answer(document=document, text=text + _arrived(arrivals), exit=Exit.DONE)


def _arrivals(models: Sequence[str], settings: Settings) -> dict[str, list[Arrival]]:
    """What waits, is with a run, or was with one that failed lately; of each model the newest."""
    with closing(settings.arrivals()) as store:
        failed = store.failed(since=datetime.now(UTC) - _FAILED_LATELY)
        found = [*failed, *store.taken(), *store.waiting()]
    return {model: [each for each in found if each.model == model][-_LAST:] for model in models}


def _refusals(model: str, settings: Settings, store: ReleaseStore) -> list[_Refusal]:
    """Partitions in quarantine and releases that were withdrawn, the newest first."""
    found = [
        _Refusal(model=model, kind="withdrawn", what=str(entry.from_release), reason=entry.reason, at=entry.at)
        for entry in store.history(model)
        if entry.action == "withdrawn"
    ]
    if (settings.home / "datasets" / model / "quarantine").is_dir():
        found += [
            _Refusal(
                model=model,
                kind="quarantined",
                what=each.key,
                reason=each.reason,
                at=each.quarantined_at,
                discarded=each.discarded,
            )
            for each in settings.datasets().quarantined(model)
        ]
    return sorted(found, key=lambda each: each.at, reverse=True)[:_LAST]


def _row_document(row: Deployment, seen: Observation | None) -> dict[str, Any]:
    return {
        "model": row.model,
        "champion": row.champion,
        "previous": row.previous,
        "challenger": row.challenger,
        "share": row.challenger_share,
        "phase": str(row.phase),
        "since": None if row.since_at is None else instant(row.since_at),
        "generation": row.generation,
        "observed": None
        if seen is None
        else {
            "generation": seen.generation,
            "healthy": list(seen.healthy),
            "note": seen.note,
            "at": instant(seen.at),
        },
    }


def _drill_document(drill: Drill | None) -> dict[str, Any] | None:
    if drill is None:
        return None
    return {
        "release": drill.release,
        "passed": drill.passed,
        "reason": drill.reason,
        "seconds": None if drill.took_time is None else drill.took_time.total_seconds(),
        "asked_by": drill.asked_by,
        "asked_at": instant(drill.asked_at),
        "ended_at": None if drill.ended_at is None else instant(drill.ended_at),
    }


def _drill_row(drill: Drill) -> tuple[object, ...]:
    how = "not done yet" if drill.passed is None else "passed" if drill.passed else "failed"
    took = None if drill.took_time is None else f"{drill.took_time.total_seconds():.1f} s"
    return drill.model, when(drill.ended_at or drill.asked_at), how, took, drill.release, drill.reason or None


def _text(
    rows: dict[str, Deployment],
    seen: dict[str, Observation | None],
    refusals: list[_Refusal],
    drills: list[Drill],
) -> str:
    if not rows:
        return "there are no models yet; `flightworthy new NAME` makes one"
    heads = ("MODEL", "CHAMPION", "PREVIOUS", "CHALLENGER", "SHARE", "PHASE", "SINCE (UTC)", "TRAFFIC")
    told = table(heads, [_row(row, seen[model]) for model, row in rows.items()])
    if drills:
        told += "\n\n" + table(("DRILLED", "AT (UTC)", "HOW", "TOOK", "WHAT", "REASON"), map(_drill_row, drills))
    if refusals:
        told += "\n\n" + table(("REFUSED", "AT (UTC)", "HOW", "WHAT", "REASON"), [each.told for each in refusals])
    return told


def _tainted_text(tainted: list[Tainted]) -> str:
    if not tainted:
        return ""
    heads = ("TRAINED ON", "RELEASE", "WHICH IS", "REFUSED (UTC)", "REASON")
    rows = [
        (each.held.key, each.release, each.role, when(each.held.quarantined_at), each.held.reason) for each in tainted
    ]
    return "\n\n" + table(heads, rows)


def _arrived(arrivals: Mapping[str, Sequence[Arrival]]) -> str:
    told = [(model, *arrival_row(each)) for model, found in arrivals.items() for each in found]
    return f"\n\n{table(('ARRIVED', *HEADS), told)}" if told else ""


def _row(row: Deployment, seen: Observation | None) -> tuple[object, ...]:
    share = f"{row.challenger_share} %" if row.challenger else None
    phase = row.phase if row.generation else "never released"
    return (
        row.model,
        row.champion,
        _previous(row, seen),
        row.challenger,
        share,
        phase,
        when(row.since_at),
        _traffic(row, seen),
    )


def _previous(row: Deployment, seen: Observation | None) -> str | None:
    is_cold = row.previous is not None and seen is not None and row.previous not in seen.healthy
    return f"{row.previous} (cold)" if is_cold else row.previous


def _traffic(row: Deployment, seen: Observation | None) -> str:
    if not row.generation:
        return "-"
    if seen is None or seen.generation < row.generation:
        return "not yet as decided"
    return seen.note or "as decided"
