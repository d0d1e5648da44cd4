"""The subset of requirements.lock that a model's server needs: what ``flightworthy[serving]`` reaches, as locked."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Final

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from flightworthy.errors import ReleaseRefused
from flightworthy.image import PYTHON

__all__ = ["server_requirements"]

Requires = Callable[[str], Sequence[str]]

_PINNED = re.compile(r"^(?P<name>[A-Za-z0-9._-]+)==(?P<version>[^ ;\\]+)(?: ; (?P<marker>[^\\]+?))? *\\?$")
_HASH = re.compile(r"--hash=(sha256:[0-9a-f]{64})")
_ENVIRONMENT: Final = {
    "implementation_name": "cpython",
    "os_name": "posix",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": f"{PYTHON}.0",
    "python_version": PYTHON,
    "sys_platform": "linux",
}
"""Where the server runs, whatever the machine is that builds its image."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Locked:
    version: str
    hashes: tuple[str, ...]


def server_requirements(
    lock: Path,
    *,
    machine: str = "x86_64",
    root: str = "flightworthy[serving,serving-skops]",
    requires: Requires | None = None,
) -> str:
    """A requirements file with hashes, for ``machine`` and the image's Python; the same lock gives the same text.

    ``requires``: the requirements of an installed package, by default its metadata. The environment is taken to be the
    lock's. Raises ReleaseRefused for a package that the server needs and the lock does not name.
    """
    environment = _ENVIRONMENT | {"platform_machine": machine}
    locked = _read(lock, environment)
    lines = []
    for name in sorted(_reached(root, requires or _installed, environment)):
        if name not in locked:
            raise ReleaseRefused(
                f"{lock.name} does not name {name}, which the server needs. Compile the lock again.", package=name
            )
        pinned = locked[name]
        lines.append(" \\\n    ".join([f"{name}=={pinned.version}", *(f"--hash={digest}" for digest in pinned.hashes)]))
    return "\n".join(lines) + "\n"


def _read(lock: Path, environment: dict[str, str]) -> dict[str, _Locked]:
    """The packages of ``lock`` that ``environment`` selects, by canonical name."""
    try:
        lines = lock.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise ReleaseRefused(f"No lock to install the server from: {error}.", lock=str(lock)) from error
    found: dict[str, _Locked] = {}
    for number, line in enumerate(lines):
        pinned = _PINNED.match(line)
        if pinned and (pinned["marker"] is None or Marker(pinned["marker"]).evaluate(environment)):
            hashes = tuple(_hashes(lines[number + 1 :]))
            found[canonicalize_name(pinned["name"])] = _Locked(version=pinned["version"], hashes=hashes)
    return found


def _hashes(lines: Sequence[str]) -> Iterator[str]:
    for line in lines:
        if not (digest := _HASH.search(line)):
            return
        yield digest[1]


def _reached(root: str, requires: Requires, environment: dict[str, str]) -> set[str]:
    """The names of all packages that the extras of ``root`` need in ``environment``.

    Not what ``root`` itself needs: its modules are in the build context, and those that are need the extra only.
    """
    start = Requirement(root)
    waiting = [each for extra in start.extras for each in _selected(requires(start.name), environment, extra)]
    seen: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        for extra in ["", *wanted.extras]:
            key = canonicalize_name(wanted.name), extra
            if key not in seen:
                seen.add(key)
                waiting.extend(_selected(requires(wanted.name), environment, extra))
    return {name for name, _ in seen}


def _selected(texts: Sequence[str], environment: dict[str, str], extra: str) -> Iterator[Requirement]:
    for text in texts:
        requirement = Requirement(text)
        marker = requirement.marker
        applies = marker is None or marker.evaluate(environment | {"extra": extra})
        # An extra's own requirements are those that its marker alone selects.
        only_by_extra = marker is not None and not marker.evaluate(environment | {"extra": ""})
        if applies and only_by_extra == bool(extra):
            yield requirement


def _installed(name: str) -> Sequence[str]:
    try:
        return metadata.requires(name) or []
    except metadata.PackageNotFoundError:
        raise ReleaseRefused(
            f"{name} is not installed here, so what the server needs cannot be told. Install the lock and Flightworthy "
            "itself into this environment.",
            package=name,
        ) from None
