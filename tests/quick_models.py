"""The models as they ship, released in a moment: served by processes, with a short bake."""

from __future__ import annotations

import shutil
from pathlib import Path

import yaml

ROOT = Path(__file__).parents[1]
QUICK = {"target": "process", "steps": [50, 100], "bake_time": "1s"}


def quick_models(folder: Path) -> Path:
    """A copy of include/models for FLIGHTWORTHY_MODELS.

    The release plan of diagnosis differs, and claims does not wake where its file lies on this machine.
    """
    models = folder / "include" / "models"
    shutil.copytree(ROOT / "include" / "models", models, ignore=shutil.ignore_patterns("__pycache__", "test_*"))
    shutil.copy(ROOT / "requirements.lock", folder)
    for model, section, changes in (("diagnosis", "release", QUICK), ("claims", "source", {"watched": False})):
        file = models / model / "model.yaml"
        said = yaml.safe_load(file.read_text(encoding="utf-8"))
        said[section] |= changes
        file.write_text(yaml.safe_dump(said, sort_keys=False), encoding="utf-8")
    return models
