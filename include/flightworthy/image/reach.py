"""Which modules a model's server needs: those that its imports reach, and no others."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from flightworthy.runtime import PARTS, parts_of

__all__ = ["server_modules"]


def server_modules(package: Path, runtime: str) -> list[str]:
    """The files of ``package`` that ``flightworthy.serving`` reaches by its imports, relative and sorted.

    Of the adapters of runtimes only those of ``runtime``: the server imports no other.
    """
    found: set[str] = set()
    left_out = {f"{package.name}.adapters.{part}_models" for part in set(PARTS) - set(parts_of(runtime))}
    waiting = [f"{package.name}.serving.__main__"]
    while waiting:
        module = waiting.pop()
        if ".".join(module.split(".")[:3]) in left_out:
            continue
        for path in _files_of(package, module):
            if path not in found:
                found.add(path)
                waiting.extend(_imported(package.name, (package / path).read_text(encoding="utf-8")))
    return sorted(found)


def _files_of(package: Path, module: str) -> Iterator[str]:
    """A module's own file, and the ``__init__`` of each package that it is in."""
    parts = module.split(".")[1:]
    places = [Path(*parts[:depth], "__init__.py") for depth in range(len(parts) + 1)]
    if parts:
        places.append(Path(*parts[:-1], f"{parts[-1]}.py"))
    yield from (place.as_posix() for place in places if (package / place).is_file())


def _imported(root: str, source: str) -> Iterator[str]:
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # What is imported from a package may be a module of it.
            names = [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
        else:
            names = []
        yield from (name for name in names if name == root or name.startswith(f"{root}."))
