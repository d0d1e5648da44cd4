"""``flightworthy validate``: everything that is wrong with the models' files, at once."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flightworthy.cli.answers import Answer, Exit
from flightworthy.cli.settings import Settings
from flightworthy.cli.train_code import problems_of_code
from flightworthy.cli.words import json_flag
from flightworthy.errors import Refused, SpecError

if TYPE_CHECKING:
    from flightworthy.expectations import Suite
    from flightworthy.spec import Spec

__all__ = ["arguments", "problems_of", "run"]


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("models", nargs="*", metavar="MODEL", help="names of models; all of them if none is given")
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Check the named models, or all. Nothing of the models' own code is run."""
    names = asked.models or settings.folders()
    if not names:
        raise Refused(
            f"{settings.models} holds no models; `flightworthy new NAME` makes one", folder=str(settings.models)
        )
    if outside := [name for name in names if Path(name).name != name]:
        raise Refused(f"{outside[0]!r} is a path; give the name of a model in {settings.models}", model=outside[0])
    found = {name: problems_of(settings.models / name, settings) for name in dict.fromkeys(names)}
    models = [{"model": name, "valid": not said, "problems": said} for name, said in found.items()]
    good = not any(found.values())
    return Answer(
        document={"valid": good, "models": models},
        text="\n".join(_told(name, settings.models / name, said) for name, said in found.items()),
        exit=Exit.DONE if good else Exit.REFUSED,
    )


def problems_of(folder: Path, settings: Settings) -> list[str]:
    """Every problem of a model's three files, a line each."""
    from flightworthy.adapters import spec_files
    from flightworthy.adapters.spec_files.suites import load_suite

    said: list[str] = []
    spec = _tried(lambda: spec_files.load(folder, settings.environ), said)
    if not folder.is_dir():
        return said
    suite = _tried(lambda: load_suite(folder, settings.environ), said)
    if spec is not None and suite is not None:
        said += _strangers(spec, suite)
    if suite is not None and suite.expectations:
        # Two seconds, which a person who asks what is wrong rather waits now than after the next deployment.
        from flightworthy.adapters.gx_suites.configured import misunderstood

        said += misunderstood(suite.expectations)
    said += problems_of_code(folder / "train.py")
    return said


def _tried(read: Callable[[], Any], said: list[str]) -> Any:
    try:
        return read()
    except SpecError as error:
        said += error.facts["problems"]
        return None


def _strangers(spec: Spec, suite: Suite) -> Iterator[str]:
    """Expectations about columns that no partition has."""
    from flightworthy.expectations.standing import standing_expectations

    (exact, *_) = standing_expectations(spec, suite)
    known = set(exact.kwargs["column_set"])
    for expectation in suite.expectations:
        for column in expectation.columns:
            if column not in known:
                yield (
                    f"{expectation.file}:{expectation.line}: {column} is no column of {spec.model}: it is neither "
                    "feature, target nor entity; add it to other_columns if the source has it"
                )


def _told(name: str, folder: Path, said: list[str]) -> str:
    if not said:
        return f"{name}: valid"
    lines = "\n".join(f"  {line}" for line in said)
    return f"{name}: {len(said)} problem{'s' if len(said) > 1 else ''} in {folder}\n{lines}"
