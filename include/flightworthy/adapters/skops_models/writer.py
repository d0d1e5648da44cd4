"""Keep a fitted scikit-learn estimator without pickle, if it holds nothing but types that the server trusts."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import skops.io

from flightworthy.adapters.skops_models.reader import STEPS, TRUSTED_TYPES
from flightworthy.artifact import MODEL
from flightworthy.spec import Feature
from flightworthy.training import Packager

__all__ = ["SkopsPackager", "SkopsStepsPackager"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SkopsPackager:
    """Implements ``training.Packager`` for whole estimators."""

    runtime: str = "skops"
    tolerance: float = 1e-9
    """The same code on the same numbers; linear algebra may add them up in another order for another count of rows."""
    forms: tuple[str, ...] = ("",)

    def write(self, folder: Path, features: Mapping[str, Feature], estimator: Any, form: str) -> str:
        """Write model.skops; empty, or why a server would not load it."""
        return _dump(estimator, folder / MODEL)


@dataclass(frozen=True, slots=True, kw_only=True)
class SkopsStepsPackager:
    """Implements ``training.Packager`` for pipelines: all steps but the last by skops, the last as ``last`` does."""

    last: Packager
    tolerance: float = 1e-9
    forms: tuple[str, ...] = ("",)

    @property
    def runtime(self) -> str:
        """Both, in the order in which rows go through them."""
        return f"skops+{self.last.runtime}"

    def write(self, folder: Path, features: Mapping[str, Feature], estimator: Any, form: str) -> str:
        """Write steps.skops and the last step's own file; empty, or why that cannot be."""
        steps: list[Any] = getattr(estimator, "steps", [])
        if len(steps) < 2:
            return "is no pipeline that prepares rows"
        problem = self.last.write(folder, features, steps[-1][1], form)
        return f"ends in what {problem}" if problem else _dump(estimator[:-1], folder / STEPS)


def _dump(estimator: Any, path: Path) -> str:
    try:
        skops.io.dump(estimator, path, compression=zipfile.ZIP_DEFLATED)
    # Whatever the estimator's own parts raise while they are looked at.
    except Exception as error:  # noqa: BLE001
        return f"cannot be written by skops ({type(error).__name__}: {error})"
    untrusted = sorted(set(skops.io.get_untrusted_types(file=path)) - set(TRUSTED_TYPES))
    return f"holds types that a server does not load: {', '.join(untrusted)}" if untrusted else ""
