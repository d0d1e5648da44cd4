"""Reads model.yaml files into specs, by PyYAML; errors name the line of everything that is wrong."""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from flightworthy.adapters.spec_files.nodes import NotYaml, compose
from flightworthy.adapters.spec_files.reader import written
from flightworthy.errors import SpecError
from flightworthy.spec import Spec
from flightworthy.spec.reading import spec_error, spec_from
from flightworthy.spec.written import Problem, Written

__all__ = ["FILE", "Specs", "load", "load_all", "read", "read_text", "refusal", "syntax"]

FILE = "model.yaml"
_LONGEST = 256 * 1024


@dataclass(frozen=True, slots=True, kw_only=True)
class Specs:
    """The models of a folder: those that can run, and why each of the others cannot."""

    loaded: tuple[Spec, ...]
    refused: Mapping[str, SpecError]
    """By the name of the model's folder."""


def load(path: Path, environ: Mapping[str, str]) -> Spec:
    """Read one model: ``path`` is its folder or its model.yaml. Raises ``SpecError`` with everything that is wrong."""
    file = path if path.name == FILE else path / FILE
    return spec_from(read(file, environ), folder=file.parent.absolute())


def load_all(folder: Path, environ: Mapping[str, str], *, only: str | None = None) -> Specs:
    """Read every model of a folder, or ``only`` one, in the order of names; a wrong file leaves the others alone."""
    loaded, refused = [], {}
    with _collecting_later():
        for model in sorted(path for path in folder.glob(only or "[!._]*") if path.is_dir()):
            try:
                loaded.append(load(model, environ))
            except SpecError as error:
                refused[model.name] = error
    return Specs(loaded=tuple(loaded), refused=refused)


@contextmanager
def _collecting_later() -> Iterator[None]:
    """Reading makes many small objects and no cycles; to look for some in between takes a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def read(file: Path, environ: Mapping[str, str]) -> Written:
    """Read any YAML file of a model without judging its keys. Raises ``SpecError`` where there is nothing to read."""
    text = read_text(file)
    try:
        root = compose(text)
    except NotYaml as error:
        raise refusal(file, syntax(error)) from None
    if root is None:
        raise refusal(file, Problem(line=1, at="", message="is empty; `flightworthy new` shows what belongs in it"))
    return written(root, file=file.name, environ=environ)


def read_text(file: Path) -> str:
    """The text of a model's file. Raises ``SpecError`` where there is none."""
    try:
        if file.stat().st_size > _LONGEST:
            raise refusal(file, Problem(line=1, at="", message=f"is larger than {_LONGEST // 1024} KiB"))
        return file.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        message = f"is missing; {file.parent} is no model without it (`flightworthy new` makes one)"
    except UnicodeDecodeError as error:
        message = f"is not UTF-8 (byte {error.start}); save it as UTF-8"
    except OSError as error:
        message = f"cannot be read: {error.strerror}"
    raise refusal(file, Problem(line=1, at="", message=message))


def refusal(file: Path, problem: Problem) -> SpecError:
    """One thing that keeps a file from being read at all."""
    return spec_error(file.name, [problem], folder=file.parent)


def syntax(error: NotYaml) -> Problem:
    """What is no YAML, and where."""
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is None:
        return Problem(line=1, at="", message=f"is not YAML: {str(error).splitlines()[0]}")
    said = " ".join(part for part in (error.context, error.problem) if part)
    if "cannot start any token" in said:
        said = "a tab or another character that cannot stand here; indent with spaces"
    return Problem(line=mark.line + 1, at="", message=f"column {mark.column + 1}: is not YAML: {said}")
