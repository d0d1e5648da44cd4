"""What differs between two versions of a model: data, parameters, code, environment, metrics, decision. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

__all__ = ["Difference", "Origin", "difference", "packages_of"]

_PACKAGE = re.compile(r"^(?P<name>[A-Za-z0-9][A-Za-z0-9._-]*)==(?P<version>[^\s;\\]+)", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """What a version was made of, and what came out. What is not known any more is None, and never taken for equal."""

    version: int
    dataset_digest: str
    partitions: Mapping[str, str] | None
    """Key → digest."""
    rows: int | None
    params: Mapping[str, Any]
    code_commit: str
    code_digest: str
    config_digest: str
    lock_digest: str
    packages: Mapping[str, str] | None
    metrics: Mapping[str, float]
    decision: str
    objections: Sequence[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """Of the later version against the earlier one. In mappings a value is (earlier, later), None where it has none.

    ``unknown`` says what could not be compared, and why. ``files`` are those of the model's folder that differ.
    """

    dataset: tuple[str, str] | None
    rows: tuple[int | None, int | None]
    partitions_added: Sequence[str]
    partitions_removed: Sequence[str]
    partitions_changed: Sequence[str]
    params: Mapping[str, tuple[Any, Any]]
    commit: tuple[str, str] | None
    code_differs: bool
    files: Sequence[str]
    config_differs: bool
    lock: tuple[str, str] | None
    packages: Mapping[str, tuple[str | None, str | None]]
    metrics: Mapping[str, tuple[float | None, float | None]]
    decision: tuple[str, str]
    objections: tuple[Sequence[str], Sequence[str]]
    unknown: Sequence[str]

    @property
    def same_work(self) -> bool:
        """Whether both were made of the same data, parameters, code and environment."""
        return not (self.dataset or self.params or self.code_differs or self.config_differs or self.lock)


def difference(one: Origin, other: Origin, *, files: Sequence[str] | None) -> Difference:
    """Compare; ``files`` are those that git says differ, None where it does not know the commits."""
    before, after = one.partitions or {}, other.partitions or {}
    packages = (one.packages or {}, other.packages or {}) if one.packages and other.packages else ({}, {})
    return Difference(
        dataset=_pair(one.dataset_digest, other.dataset_digest),
        rows=(one.rows, other.rows),
        partitions_added=sorted(after.keys() - before.keys()),
        partitions_removed=sorted(before.keys() - after.keys()),
        partitions_changed=sorted(key for key in before.keys() & after.keys() if before[key] != after[key]),
        params=_changes(one.params, other.params),
        commit=_pair(one.code_commit, other.code_commit),
        code_differs=one.code_digest != other.code_digest,
        files=files or [],
        config_differs=one.config_digest != other.config_digest,
        lock=_pair(one.lock_digest, other.lock_digest),
        packages=_changes(*packages),
        metrics={name: (one.metrics.get(name), other.metrics.get(name)) for name in {**one.metrics, **other.metrics}},
        decision=(one.decision, other.decision),
        objections=(one.objections, other.objections),
        unknown=[*_unknown(one, other), *_unknown_files(one, other, files)],
    )


def packages_of(lock: str) -> dict[str, str]:
    """Name → version of every package that a requirements lock pins."""
    return {found["name"].lower(): found["version"] for found in _PACKAGE.finditer(lock)}


def _unknown(one: Origin, other: Origin) -> list[str]:
    said = []
    for origin in (one, other):
        if origin.partitions is None:
            said.append(f"which partitions version {origin.version} learnt from: its dataset version is gone")
        if origin.packages is None and one.lock_digest != other.lock_digest:
            said.append(f"the packages of version {origin.version}: its lock is neither at its commit nor here now")
    return said


def _unknown_files(one: Origin, other: Origin, files: Sequence[str] | None) -> list[str]:
    if files is not None or (one.code_digest, one.config_digest) == (other.code_digest, other.config_digest):
        return []
    return ["which files of the model's folder differ: a version is of edits that no commit holds, or git lacks it"]


def _pair(one: str, other: str) -> tuple[str, str] | None:
    return None if one == other else (one, other)


def _changes(one: Mapping[str, Any], other: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    names = sorted(one.keys() | other.keys())
    return {name: (one.get(name), other.get(name)) for name in names if one.get(name) != other.get(name)}
