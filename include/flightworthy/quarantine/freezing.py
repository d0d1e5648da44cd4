"""A refused partition freezes what depends on it, until it is mended, taken back in or given up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from flightworthy.errors import PartitionRefused
from flightworthy.quarantine.waiting import Quarantined

if TYPE_CHECKING:
    from flightworthy.dataset import DatasetVersion

__all__ = ["QuarantineReader", "freezing", "frozen", "refuse_frozen", "refused_later"]


class QuarantineReader(Protocol):
    """Whoever knows what waits."""

    def quarantined(self, model: str) -> Sequence[Quarantined]:
        """Rows and partitions that were refused, in time order; also what a person has given up."""

    def refused(self, model: str) -> Sequence[Quarantined]:
        """Partitions that wait whole: nobody has given them up, and nothing was taken in for them since."""


def freezing(refused: Sequence[Quarantined], version: DatasetVersion, *, window: int) -> tuple[Quarantined, ...]:
    """Those of the refused partitions that a run depends on: they would be in its window, were they not refused."""
    keys = {each.key for each in version.partitions} | {held.key for held in refused} | {version.as_of}
    reach = sorted(key for key in keys if key <= version.as_of)[-window:]
    return tuple(held for held in refused if held.key in reach)


def refused_later(quarantined: Sequence[Quarantined], version: DatasetVersion) -> tuple[Quarantined, ...]:
    """Partitions of a dataset version that have been refused since it was made, given up or not."""
    within = {(each.key, each.digest) for each in version.partitions}
    return tuple(held for held in quarantined if held.is_whole and (held.key, held.digest) in within)


def refuse_frozen(store: QuarantineReader, version: DatasetVersion, *, window: int) -> None:
    """Raise PartitionRefused where nobody may learn from ``version``, or go live with what did."""
    held = {
        (each.key, each.digest): each
        for each in (
            *freezing(store.refused(version.model), version, window=window),
            *refused_later(store.quarantined(version.model), version),
        )
    }
    if held:
        raise frozen(version, tuple(held.values()))


def frozen(version: DatasetVersion, held: Sequence[Quarantined]) -> PartitionRefused:
    """The refusal of a run that depends on refused partitions: which, why, and what ends it."""
    keys = [each.key for each in held]
    names = f"{version.model} {keys[0]}" if len(keys) == 1 else f"{version.model} KEY"
    return PartitionRefused(
        f"Run {version.as_of} of {version.model} is frozen: {'; '.join(each.told for each in held)}. Nothing is "
        "trained or released on a window that holds a refused partition, and the champion serves on. Land a corrected "
        f"one, which the next run takes in; or take it back in with `flightworthy quarantine release {names} "
        "--reason …`, or give it up with `discard`; then clear this task.",
        model=version.model,
        partition=version.as_of,
        frozen=keys,
        objections=[each.told for each in held],
    )
