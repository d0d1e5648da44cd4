"""Whom a challenger is compared with: who serves now, or, for a backfill, who did at the end of its interval."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from datetime import datetime

    from flightworthy.release import Release
    from flightworthy.review import Opponent
    from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
    from flightworthy_airflow.hooks.mlflow import MlflowHook

__all__ = ["champion_at", "champion_now", "opponent_then"]


def champion_now(hook: FlightworthyHook, mlflow: MlflowHook, model: str, scratch: Path) -> Opponent | None:
    """The release that serves, with its artifact in ``scratch``. Raises ArtifactRefused where MLflow lost it."""
    champion = hook.champion(model)
    return None if champion is None else _champion(mlflow, champion, scratch)


def champion_at(hook: FlightworthyHook, model: str, at: datetime) -> str | None:
    """The release that served at ``at``, by the ledger."""
    from flightworthy.backtest import served_at

    return served_at(hook.releases().history(model), at)


def opponent_then(
    hook: FlightworthyHook, mlflow: MlflowHook, model: str, partition: str, *, at: datetime, scratch: Path
) -> Opponent | None:
    """Who served at ``at``; where nobody did, the version of the interval before ``partition``, if it is there yet.

    Raises ArtifactRefused where MLflow lost the champion of that time.
    """
    from flightworthy.backtest import predecessor_of
    from flightworthy.review import Opponent

    served = champion_at(hook, model, at)
    if served is not None:
        return _champion(mlflow, hook.releases().release(served), scratch)
    registry = mlflow.registry()
    before = predecessor_of(registry.versions(model), partition)
    if before is None:
        return None
    return Opponent(
        kind="predecessor",
        name=f"version {before.version}, of {before.tags['partition_key']}",
        version=before.version,
        folder=registry.download(before, scratch),
    )


def _champion(mlflow: MlflowHook, champion: Release, scratch: Path) -> Opponent:
    from flightworthy.review import Opponent

    return Opponent(
        kind="champion",
        name=f"version {champion.version}",
        version=int(champion.version),
        folder=mlflow.download_release(champion, scratch),
    )
