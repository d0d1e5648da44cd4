"""Which models there are, and what somebody is told who names another."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

from flightworthy.errors import Refused

if TYPE_CHECKING:
    from flightworthy.cli.settings import Settings
    from flightworthy.release import ReleaseStore

__all__ = ["all_models", "known_model", "model_with_folder"]


def all_models(settings: Settings, store: ReleaseStore) -> list[str]:
    """Every model that has a folder or ever had a decision."""
    return sorted({*settings.folders(), *(row.model for row in store.deployments())})


def known_model(model: str, settings: Settings, store: ReleaseStore) -> str:
    """Return the name; raise Refused, with the nearest known one, if there is no such model."""
    known = all_models(settings, store)
    return _known(model, known, f"{settings.models} has no such folder, and nothing was ever decided about it")


def model_with_folder(model: str, settings: Settings) -> str:
    """The same for a command that asks no database: a model that has no folder any more is none to it."""
    return _known(model, settings.folders(), f"{settings.models} has no such folder")


def _known(model: str, known: list[str], why: str) -> str:
    if model in known:
        return model
    close = difflib.get_close_matches(model, known, n=1)
    hint = f"did you mean {close[0]}?" if close else f"known are {', '.join(known) or 'none yet'}"
    raise Refused(f"there is no model {model!r}: {why}; {hint}", model=model, known=known)
