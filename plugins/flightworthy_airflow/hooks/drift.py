"""One look at what a model is asked: the prediction log against the champion's reference, scored and kept."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flightworthy.drift import DriftPolicy, Look
    from flightworthy.release import Release
    from flightworthy.spec import Spec
    from flightworthy_airflow.hooks.flightworthy import FlightworthyHook

__all__ = ["Looked", "look_at"]

_SIGNIFICANCE = 0.05
_SHOWN = 20
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Looked:
    """What a look found, and the page that a person reads: Evidently's, or the trend."""

    look: Look
    page: Path


def look_at(hook: FlightworthyHook, spec: Spec, champion: Release, *, until: datetime) -> Looked:
    """Compare what ``champion`` was asked before ``until`` with its reference, decide, and keep the scores.

    Idempotent by ``until``: a look that was kept is not taken again.
    """
    from flightworthy.adapters.drift_scores import DriftScores
    from flightworthy.adapters.evidently_drift import EvidentlyDrift
    from flightworthy.adapters.prediction_files import PredictionFiles
    from flightworthy.drift import History, decide_retrain, look, window_start
    from flightworthy.release import outcome

    folder = hook.reports(spec.model, "drift")
    scores = DriftScores(folder)
    looks = scores.looks()
    kept = next((each for each in looks if each.ended_at == until), None)
    if kept is None:
        store = hook.releases()
        began = outcome(store, champion.id)
        since = window_start(looks, champion.id) or (began.at if began else until)
        window = PredictionFiles(hook.places.home / "predictions").read(
            spec.model, since=since, until=until, release=champion.id
        )
        for line in window.broken[:_SHOWN]:
            log.warning("left out %s:%s, which is no prediction: %s", line.file, line.line, line.why)
        report = EvidentlyDrift(folder).report(
            Path(champion.artifact_uri) / "model" / "reference.parquet",
            window.frame,
            model=spec.model,
            release=champion.id,
            started_at=since,
            ended_at=until,
        )
        history = History(looks=looks, open_retrain=store.deployment(spec.model).challenger)
        decision = decide_retrain(policy_of(spec), report, history, until)
        kept = look(report, decision, at=hook.now())
        scores.append(kept)
    trend = scores.draw_trend()
    return Looked(look=kept, page=folder / kept.page if kept.page else trend)


def policy_of(spec: Spec) -> DriftPolicy:
    """The ``drift`` section as the domain takes it: so many looks in a row."""
    from flightworthy.drift import DriftPolicy

    return DriftPolicy(
        min_requests=spec.drift.min_requests,
        drifted_share=spec.drift.drifted_share,
        windows=spec.drift.windows,
        of_windows=spec.drift.windows,
        cool_down=spec.drift.cool_down,
        significance=_SIGNIFICANCE,
    )
