"""Whether a training that was done again gave the same: file by file, else prediction by prediction. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

__all__ = ["Agreement", "FileState", "Reproduction", "Verdict", "agreement", "reproduction"]

Verdict = Literal["identical", "equivalent", "different"]
FileState = Literal["same", "same content", "different", "missing", "new"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Agreement:
    """How far two models agree on the same rows: how many predictions differ, by how much at most, and labels flip."""

    rows: int
    different: int
    largest: float
    flipped: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Reproduction:
    """``identical``: every file has the same content. ``equivalent``: every prediction is the same, files differ."""

    verdict: Verdict
    files: Mapping[str, FileState]
    holdout: Agreement
    key_holds: bool
    """Whether data, code, parameters, seed, lock and contract are what the version's content key names."""


def agreement(recorded: Sequence[float], remade: Sequence[float], *, threshold: float) -> Agreement:
    """Compare predictions row by row, exactly. Models that answer for other numbers of rows agree on none."""
    if len(recorded) != len(remade):
        count = max(len(recorded), len(remade))
        return Agreement(rows=count, different=count, largest=1.0, flipped=count)
    pairs = list(zip(recorded, remade, strict=True))
    return Agreement(
        rows=len(pairs),
        # NaN differs from everything, itself too: no evidence is no agreement.
        different=sum(was != now for was, now in pairs),
        largest=max((abs(was - now) for was, now in pairs), default=0.0),
        flipped=sum((was >= threshold) != (now >= threshold) for was, now in pairs),
    )


def reproduction(
    recorded: Mapping[str, tuple[str, str]],
    remade: Mapping[str, tuple[str, str]],
    holdout: Agreement,
    *,
    key_holds: bool,
) -> Reproduction:
    """Judge. Files are given as name → (digest of the bytes, digest of the content)."""
    files = {name: _state(recorded.get(name), remade.get(name)) for name in sorted({*recorded, *remade})}
    if files and all(state in ("same", "same content") for state in files.values()):
        verdict: Verdict = "identical"
    else:
        verdict = "equivalent" if holdout.rows and not holdout.different else "different"
    return Reproduction(verdict=verdict, files=files, holdout=holdout, key_holds=key_holds)


def _state(recorded: tuple[str, str] | None, remade: tuple[str, str] | None) -> FileState:
    if recorded is None or remade is None:
        return "new" if recorded is None else "missing"
    if recorded[0] == remade[0]:
        return "same"
    return "same content" if recorded[1] == remade[1] else "different"
