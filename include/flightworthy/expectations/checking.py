"""The verb: check what nobody has checked yet, quarantine what is refused, and name what is left to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from flightworthy.dataset import DatasetVersion, PartitionVersion, Quarantined
from flightworthy.expectations.comparing import PartitionCounter, asked_of, compare, times_of
from flightworthy.expectations.standing import standing_expectations
from flightworthy.expectations.suite import Engine, Expectation, Suite, SuiteResult
from flightworthy.spec import Spec

__all__ = ["Checked", "Instruments", "StoredRows", "Validator", "check_expectations"]


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

    def record(self, version: DatasetVersion) -> None: ...

    def settle(self, version: DatasetVersion, left: DatasetVersion) -> None:
        """Whoever asked and got ``version`` gets from now on what its check ``left`` of it. Idempotent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check left."""

    version: DatasetVersion
    """The window without what was refused: train on this one."""
    results: tuple[SuiteResult, ...]
    """One per partition that was checked now, in time order."""
    quarantined: tuple[Quarantined, ...]

    one_class: str | None
    """Why the whole window teaches nothing, if all its labels are the same; a single partition may well be so."""

    @property
    def objections(self) -> tuple[str, ...]:
        """Why the run must end here. An older partition that was refused is only left out."""
        return tuple(
            each for refused in self.quarantined if refused.key == self.version.as_of for each in refused.objections
        ) + ((self.one_class,) if self.one_class else ())

    @property
    def result(self) -> SuiteResult | None:
        """What was said of the run's own partition; None if it had passed before."""
        return next((each for each in self.results if each.key == self.version.as_of), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Instruments:
    """Who looks at rows: one partition's, and several beside each other."""

    validator: Validator
    counter: PartitionCounter


def check_expectations(
    store: CheckedStore, instruments: Instruments, *, version: DatasetVersion, spec: Spec, suite: Suite, now: datetime
) -> Checked:
    """Check every partition of ``version`` that no suite has passed yet; refused ones go to quarantine.

    Run again after a crash it does what was left to do.
    """
    check = _Check(store=store, instruments=instruments, spec=spec, suite=suite, now=now)
    results, quarantined = [], []
    passed: list[PartitionVersion] = []
    held = {(each.key, each.digest): each for each in store.quarantined(version.model)}
    for partition in version.partitions:
        if (partition.key, partition.digest) in held:
            # A run that died after its quarantine: the answer is the same as it was then.
            quarantined.append(held[partition.key, partition.digest])
            continue
        if not store.has_passed(partition):
            result = check.result(partition, passed)
            results.append(result)
            if not result.passed:
                quarantined.append(_refuse(store, partition, result, now))
                continue
            store.mark_passed(partition, suite=suite.digest, now=now)
        passed.append(partition)
    left = _left(store, version, quarantined)
    checked = Checked(
        version=left,
        results=tuple(results),
        quarantined=tuple(quarantined),
        one_class=_one_class(store, left, spec.target),
    )
    if not checked.objections:
        store.settle(version, left)
    return checked


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    store: CheckedStore
    instruments: Instruments
    spec: Spec
    suite: Suite
    now: datetime

    def result(self, partition: PartitionVersion, before: Sequence[PartitionVersion]) -> SuiteResult:
        """What the suite says of a partition and, if it is well formed, how it looks beside those before it."""
        result = self.instruments.validator.validate(
            self.store.rows(partition),
            (*standing_expectations(self.spec, self.suite), *self.suite.expectations),
            engine=self.suite.engine,
            model=partition.model,
            key=partition.key,
            now=self.now,
        )
        # A column that is gone cannot be counted; and what the suite refuses is refused.
        return self._compared(partition, before, result) if result.passed and self.suite.comparisons else result

    def _compared(
        self, partition: PartitionVersion, before: Sequence[PartitionVersion], result: SuiteResult
    ) -> SuiteResult:
        comparisons = self.suite.comparisons
        reference = [file for each in before for file in self.store.rows(each).files]
        asked = asked_of(self.spec, comparisons)
        counts = self.instruments.counter.count(self.store.rows(partition).files, reference, asked)
        keys = [each.key for each in before]
        times = times_of(partition.key, keys, pattern=self.spec.source.partition, now=self.now)
        return replace(
            result,
            checked=result.checked + len(comparisons),
            failures=(*result.failures, *compare(counts, times, comparisons)),
        )


def _one_class(store: CheckedStore, version: DatasetVersion, target: str) -> str | None:
    if not version.partitions:
        return None
    labels = store.distinct(version, target)
    if len(labels) != 1:
        return None
    return (
        f"{target}: every label of the {len(version.partitions)} partitions up to {version.as_of} is {labels[0]!r}; "
        "nothing can be learnt from one class. Run again once the other has arrived, or widen dataset.window"
    )


def _refuse(store: CheckedStore, partition: PartitionVersion, result: SuiteResult, now: datetime) -> Quarantined:
    objections = result.objections
    failed = "1 expectation" if len(objections) == 1 else f"{len(objections)} expectations"
    more = f"; and {len(objections) - 3} more" if len(objections) > 3 else ""
    reason = f"{failed} of {result.checked} not met: {'; '.join(objections[:3])}{more}"
    return store.quarantine(partition, reason=reason, objections=objections, now=now)


def _left(store: CheckedStore, version: DatasetVersion, quarantined: Sequence[Quarantined]) -> DatasetVersion:
    refused = {(each.key, each.digest) for each in quarantined}
    kept = tuple(each for each in version.partitions if (each.key, each.digest) not in refused)
    left = replace(version, partitions=kept)
    store.record(left)
    return left
