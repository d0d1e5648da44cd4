"""One tree of errors, which crosses processes whole."""

from __future__ import annotations

import ast
import builtins
import pickle
from pathlib import Path

import pytest

from flightworthy import errors
from flightworthy.errors import FlightworthyError

ROOT = Path(__file__).parents[2]
KINDS = [getattr(errors, name) for name in errors.__all__]


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_survives_pickling(kind: type[FlightworthyError]) -> None:
    """Airflow carries errors between processes: type, message and facts arrive as they left."""
    error = kind("churn was left alone: expected generation 4, found 6.", expected=4, found=6)

    arrived = pickle.loads(pickle.dumps(error))

    assert type(arrived) is kind
    assert str(arrived) == "churn was left alone: expected generation 4, found 6."
    assert arrived.facts == {"expected": 4, "found": 6}


@pytest.mark.parametrize("kind", KINDS)
def test_an_error_is_in_the_tree_that_the_module_draws(kind: type[FlightworthyError]) -> None:
    """All derive from the root, and the drawing at the top of errors.py names them."""
    assert issubclass(kind, FlightworthyError)
    assert f" {kind.__name__}" in (errors.__doc__ or "")


def test_no_error_grows_beside_the_tree() -> None:
    """A class that derives from one of Python's own exceptions would slip past ``except FlightworthyError``."""
    own = {name for name, kind in vars(builtins).items() if isinstance(kind, type) and issubclass(kind, BaseException)}
    wild = [
        f"{path.relative_to(ROOT)}: {node.name}"
        for folder in (ROOT / "include" / "flightworthy", ROOT / "plugins")
        for path in folder.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(parent, ast.Name) and parent.id in own for parent in node.bases)
        and node.name != "FlightworthyError"
    ]

    assert not wild
