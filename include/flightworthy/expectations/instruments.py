"""What a check works with: who looks at rows, and where they are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from flightworthy.dataset import DatasetVersion, PartitionVersion
from flightworthy.expectations.checkpoint import Action
from flightworthy.expectations.comparing import PartitionCounter
from flightworthy.expectations.suite import Engine, Expectation, SuiteResult
from flightworthy.known import KnownSince, Odd, RowTimes
from flightworthy.quarantine import Quarantined, RefusedRows

__all__ = ["CheckedStore", "Instruments", "StoredRows", "Validator"]


class StoredRows(Protocol):
    """A partition's rows where they lie."""

    @property
    def files(self) -> Sequence[Any]:
        """Paths of the Parquet files that hold them."""

    @property
    def columns(self) -> Sequence[str]: ...

    def frame(self) -> Any:
        """All of them in memory, for an engine that has to."""


class Validator(Protocol):
    """Whoever runs expectations."""

    def validate(
        self,
        rows: StoredRows,
        expectations: Sequence[Expectation],
        *,
        engine: Engine,
        model: str,
        key: str,
        now: datetime,
    ) -> SuiteResult:
        """Check every expectation on the rows; what cannot be evaluated (a column is gone) has failed."""

    def publish(self, result: SuiteResult, actions: Sequence[Action]) -> SuiteResult:
        """Write the report of a result that stands and take its actions; none that fails ends the check or is silent.

        Returns the result with both. Repeated, it writes the same report and takes the actions again.
        """

    def pick(self, rows: StoredRows, expectations: Sequence[Expectation], *, engine: Engine) -> Sequence[Sequence[int]]:
        """Of each expectation the places of the rows that do not meet it, counted from 0 and growing.

        All are about single rows, and of columns that are there.
        """


class CheckedStore(Protocol):
    """What checking needs of a `flightworthy.dataset.DatasetStore`."""

    def rows(self, partition: PartitionVersion) -> StoredRows: ...

    def distinct(self, version: DatasetVersion, column: str) -> Sequence[Any]: ...

    def quarantined(self, model: str) -> Sequence[Quarantined]: ...

    def has_passed(self, partition: PartitionVersion) -> bool: ...

    def mark_passed(self, partition: PartitionVersion, *, suite: str, now: datetime) -> None: ...

    def quarantine(
        self, partition: PartitionVersion, *, reason: str, objections: Sequence[str], now: datetime
    ) -> Quarantined: ...

    def refused(self, model: str) -> Sequence[Quarantined]:
        """Partitions that wait whole: nobody has given them up, and nothing was taken in for them since."""

    def part(self, partition: PartitionVersion, places: Sequence[int]) -> PartitionVersion:
        """Write ``partition`` without the rows at ``places``; it is a revision once they are set aside. Idempotent."""

    def forget(self, kept: PartitionVersion) -> None:
        """Take away what was parted in vain."""

    def set_aside(
        self, partition: PartitionVersion, kept: PartitionVersion, refused: RefusedRows, *, reason: str, now: datetime
    ) -> Quarantined:
        """Have ``kept`` go on for ``partition``, whose other rows wait. No row is lost, at whatever instant it dies."""

    def go_on(self, held: Quarantined, *, now: datetime) -> PartitionVersion: ...

    def unknown_rows(self, partition: PartitionVersion, known_since: KnownSince, *, by: datetime) -> int: ...

    def odd_times(self, partition: PartitionVersion, times: RowTimes) -> Sequence[Odd]:
        """Rows known since what is no time; since before they happened; and by now, though they lack their label."""

    def record(self, version: DatasetVersion) -> None: ...

    def settle(self, version: DatasetVersion, left: DatasetVersion) -> None:
        """Whoever asked and got ``version`` gets from now on what its check ``left`` of it. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """Who looks at rows: one partition's, and several beside each other."""

    validator: Validator
    counter: PartitionCounter
