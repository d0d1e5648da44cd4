"""What can be said of a train.py without running it."""

from __future__ import annotations

import ast
from pathlib import Path

__all__ = ["problems_of_code"]

_EXPECTED = "must define train(frame, params, seed) at its top level, which returns a fitted classifier"


def problems_of_code(file: Path) -> list[str]:
    """Tell whether it is Python that defines, assigns or imports ``train``, callable with three arguments."""
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"), filename=str(file))
    except FileNotFoundError:
        return [f"{file.name}:1: is missing; it {_EXPECTED}"]
    except SyntaxError as error:
        return [f"{file.name}:{error.lineno or 1}: is not Python: {error.msg}"]
    except ValueError as error:
        return [f"{file.name}:1: is not Python: {error}"]
    for statement in tree.body:
        if isinstance(statement, ast.FunctionDef) and statement.name == "train":
            return _problems_of_call(file, statement)
    return [] if any("train" in _names(statement) for statement in tree.body) else [f"{file.name}:1: {_EXPECTED}"]


def _problems_of_call(file: Path, function: ast.FunctionDef) -> list[str]:
    asked = function.args
    names = [argument.arg for argument in (*asked.posonlyargs, *asked.args)]
    most = len(names) if asked.vararg is None else 3
    needs_more = any(default is None for default in asked.kw_defaults)
    if len(names) - len(asked.defaults) <= 3 <= most and not needs_more:
        return []
    return [f"{file.name}:{function.lineno}: train({', '.join(names)}) is called with frame, params, seed"]


def _names(statement: ast.stmt) -> set[str]:
    """What a statement binds, other than by ``def``."""
    if isinstance(statement, ast.ImportFrom | ast.Import):
        return {alias.asname or alias.name for alias in statement.names}
    if isinstance(statement, ast.Assign):
        return {target.id for target in statement.targets if isinstance(target, ast.Name)}
    return set()
