"""``flightworthy new``: a folder that is a model, valid and tested from the first minute."""

from __future__ import annotations

import argparse
import os
import re
import shutil
import tempfile
from importlib import resources
from pathlib import Path

from flightworthy.cli.answers import Answer, Exit
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import json_flag
from flightworthy.errors import Refused

__all__ = ["arguments", "run"]

_FILES = ("README.md", "model.yaml", "sample.py", "suite.yaml", "train.py", "test_model.py")


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("name", metavar="NAME", help="lower-case letters and digits, with single - or _ between")
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Write the files of a new model; an existing folder is left alone."""
    from flightworthy.cli.validate import problems_of

    name = _name(asked.name)
    folder = settings.models / name
    if folder.exists():
        raise Refused(f"{folder} exists; choose another name, or remove it first", folder=str(folder))
    files = _write(name, folder)
    if problems := problems_of(folder, settings):
        raise Refused(f"{folder} was made, but is not valid: {'; '.join(problems)}", folder=str(folder))
    return Answer(
        document={"model": name, "folder": str(folder), "files": files},
        text=f"{folder}\n" + "\n".join(f"  {file}" for file in files) + f"\n\nNext: pytest {folder}",
        exit=Exit.DONE,
    )


def _name(asked: str) -> str:
    from flightworthy.spec import MODEL_NAME

    if not re.fullmatch(MODEL_NAME, asked) or len(asked) > 63 or asked.endswith("\n"):
        raise Refused(
            f"{asked!r} is no name for a model: use up to 63 lower-case letters and digits, with single - or _ "
            "between; it names paths, DAGs and images",
            model=asked,
        )
    return asked


def _write(name: str, folder: Path) -> list[str]:
    """Fill a folder beside the place, then move it there: Airflow never parses half a model."""
    module = name.replace("-", "_")
    words = {"@model@": name, "@module@": module, "@folder@": os.path.relpath(folder)}
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".new-") as scratch:
        making = Path(scratch) / name
        making.mkdir()
        for file in _FILES:
            text = (resources.files("flightworthy.cli") / "skeleton" / f"{file}.txt").read_text(encoding="utf-8")
            for word, meaning in words.items():
                text = text.replace(word, meaning)
            (making / file.replace("test_model", f"test_{module}")).write_text(text, encoding="utf-8")
        shutil.move(making, folder)
    return sorted(path.name for path in folder.iterdir())
