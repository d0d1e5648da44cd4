"""The verb: check what nobody has checked yet, quarantine what is refused, and name what is left to learn from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from flightworthy.dataset import DatasetVersion, PartitionVersion
from flightworthy.expectations.comparing import asked_of, compare, times_of
from flightworthy.expectations.dating import dating_expectations, dating_failures, row_times
from flightworthy.expectations.instruments import CheckedStore, Instruments
from flightworthy.expectations.parting import asking, refused_rows, too_few
from flightworthy.expectations.standing import standing_expectations
from flightworthy.expectations.suite import Expectation, FailedExpectation, Suite, SuiteResult
from flightworthy.known import Odd
from flightworthy.quarantine import Quarantined, freezing
from flightworthy.spec import Spec

__all__ = ["Checked", "check_expectations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """What a check left."""

    version: DatasetVersion
    """The window without what was refused: train on this one."""
    results: tuple[SuiteResult, ...]
    """One per partition that was checked now, in time order; of what went on, where rows were set aside."""
    quarantined: tuple[Quarantined, ...]
    """Partitions of the window that were refused, now or before."""
    parted: tuple[Quarantined, ...]
    """Rows that were set aside now; the rest of their partition is in ``version``."""
    frozen: tuple[Quarantined, ...]
    """Older partitions of the window that wait whole, so that nothing may be learnt from the rest of it either."""
    classes: str | None
    """Why its labels teach nothing: one class, or not the two declared. A single partition may well have one class."""

    @property
    def objections(self) -> tuple[str, ...]:
        """Why the run must end here."""
        own = (each for refused in self.quarantined if refused.key == self.version.as_of for each in refused.objections)
        older = (each.told for each in self.frozen)
        return (*own, *older, *((self.classes,) if self.classes else ()))

    @property
    def result(self) -> SuiteResult | None:
        """What was said of the run's own partition; None if it had passed before."""
        return next((each for each in self.results if each.key == self.version.as_of), None)


def check_expectations(
    store: CheckedStore, instruments: Instruments, *, version: DatasetVersion, spec: Spec, suite: Suite, now: datetime
) -> Checked:
    """Check every partition of ``version`` that no suite has passed yet; refused ones go to quarantine.

    Where the suite says so, only their refused rows do. Run again after a crash it does what was left to do.
    """
    check = _Check(store=store, instruments=instruments, spec=spec, suite=suite, now=now)
    held = {(each.key, each.digest): each for each in store.quarantined(version.model)}
    for partition in version.partitions:
        known = held.get((partition.key, partition.digest))
        if known is not None and known.is_whole:
            # A run that died after its quarantine: the answer is the same as it was then.
            check.quarantined.append(known)
        else:
            check.look(partition if known is None else store.go_on(known, now=now), known)
    refused = freezing(store.refused(version.model), version, window=spec.dataset.window)
    left = _left(store, version, check.passed)
    checked = Checked(
        version=left,
        results=tuple(check.results),
        quarantined=tuple(check.quarantined),
        parted=tuple(check.parted),
        frozen=tuple(each for each in refused if each.key != version.as_of),
        classes=_classes(store, left, spec),
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
    passed: list[PartitionVersion] = field(default_factory=list)
    results: list[SuiteResult] = field(default_factory=list)
    quarantined: list[Quarantined] = field(default_factory=list)
    parted: list[Quarantined] = field(default_factory=list)

    def look(self, partition: PartitionVersion, parted: Quarantined | None) -> None:
        """Let it pass, set some of its rows aside, or put all of it into quarantine; some may have been before."""
        if not self.store.has_passed(partition):
            result = replace(self._result(partition), set_aside=None if parted is None else parted.reason)
            if not result.passed:
                kept, result = self._part(partition, result)
                if kept is None:
                    self._publish(result)
                    self.quarantined.append(_refuse(self.store, partition, result, self.now))
                    return
                partition = kept
            self._publish(result)
            self.store.mark_passed(partition, suite=self.suite.digest, now=self.now)
        self.passed.append(partition)

    def _publish(self, result: SuiteResult) -> None:
        # Before the verdict is written: a crash between the two tells it again, and never keeps it to itself.
        self.results.append(self.instruments.validator.publish(result, self.suite.actions))

    @property
    def _expectations(self) -> tuple[Expectation, ...]:
        return (*standing_expectations(self.spec, self.suite), *self.suite.expectations)

    def _result(self, partition: PartitionVersion) -> SuiteResult:
        """What the suite says of a partition and, if it is well formed, how it looks beside those before it."""
        result = self.instruments.validator.validate(
            self.store.rows(partition),
            self._expectations,
            engine=self.suite.engine,
            model=partition.model,
            key=partition.key,
            now=self.now,
        )
        asked, odd = self._dating(partition)
        result = _and(result, [each.type for each in asked], dating_failures(asked, odd, rows=partition.rows))
        # A column that is gone cannot be counted; and what the suite refuses is refused.
        return self._compared(partition, result) if result.passed and self.suite.comparisons else result

    def _dating(self, partition: PartitionVersion) -> tuple[Sequence[Expectation], Sequence[Odd]]:
        """What is asked of the times of rows, if anything is, and which rows do not meet it."""
        times = row_times(self.spec, partition.key, self.now)
        if times is None or not set(times.known_since.looked_at) <= set(self.store.rows(partition).columns):
            return (), ()
        return dating_expectations(self.spec, self.suite, times), self.store.odd_times(partition, times)

    def _compared(self, partition: PartitionVersion, result: SuiteResult) -> SuiteResult:
        comparisons = self.suite.comparisons
        reference = [file for each in self.passed for file in self.store.rows(each).files]
        asked = asked_of(self.spec, comparisons)
        counts = self.instruments.counter.count(self.store.rows(partition).files, reference, asked)
        keys = [each.key for each in self.passed]
        times = times_of(partition.key, keys, pattern=self.spec.source.partition, now=self.now)
        return _and(result, list(comparisons), compare(counts, times, comparisons))

    def _part(self, partition: PartitionVersion, result: SuiteResult) -> tuple[PartitionVersion | None, SuiteResult]:
        """What goes on without the rows that are refused, with its own result; or None, with all that is objected."""
        rows = self.store.rows(partition)
        asked = asking(self._expectations, rows.columns)
        dating, odd = self._dating(partition)
        dated = asking(dating, rows.columns)
        if self.suite.keep_at_least is None or not (asked or dated):
            return None, result
        places = self.instruments.validator.pick(rows, asked, engine=self.suite.engine)
        of_times = [each.places for each in odd if dated]
        refused = refused_rows((*asked, *dated), (*places, *of_times), rows=partition.rows)
        if not refused.places:
            return None, result
        if (why := too_few(refused, rows=partition.rows, keep_at_least=self.suite.keep_at_least)) is not None:
            return None, replace(result, parting=why)
        kept = self.store.part(partition, refused.places)
        without = self._result(kept)
        if not without.passed:
            self.store.forget(kept)
            why = f"without these {len(refused.places)} rows it fails too: {'; '.join(without.objections)}"
            return None, replace(result, parting=why)
        reason = f"{len(refused.places)} of {partition.rows} rows: {'; '.join(refused.objections)}"
        self.parted.append(self.store.set_aside(partition, kept, refused, reason=reason, now=self.now))
        return kept, replace(without, set_aside=reason)


def _classes(store: CheckedStore, version: DatasetVersion, spec: Spec) -> str | None:
    if not version.partitions:
        return None
    labels = [label for label in store.distinct(version, spec.target) if label is not None]
    window, seen = f"the {len(version.partitions)} partitions up to {version.as_of}", ", ".join(map(repr, labels))
    if len(labels) == 1:
        return (
            f"{spec.target}: every label of {window} is {seen}; nothing can be learnt from one class. Run again once "
            f"the other has arrived, or widen dataset.window; positive in model.yaml is {spec.positive!r}"
        )
    if labels and spec.positive not in labels:
        return (
            f"{spec.target}: the labels of {window} are {seen}, and none is {spec.positive!r}, which positive in "
            "model.yaml declares: no row would count as positive. Name the label that means it there, or have the "
            f"source write {spec.positive!r}"
        )
    if len(labels) > 2:
        return (
            f"{spec.target}: the labels of {window} are {seen}, and all but {spec.positive!r}, which positive in "
            "model.yaml declares, would count as one class. Land the partitions again in which it is written otherwise"
        )
    return None


def _and(result: SuiteResult, asked: Sequence[str], failures: Sequence[FailedExpectation]) -> SuiteResult:
    """The result with what was asked besides the suite."""
    return replace(
        result,
        checked=result.checked + len(asked),
        failures=(*result.failures, *failures),
        besides=(*result.besides, *asked),
    )


def _refuse(store: CheckedStore, partition: PartitionVersion, result: SuiteResult, now: datetime) -> Quarantined:
    objections = result.objections
    failed = "1 expectation" if len(objections) == 1 else f"{len(objections)} expectations"
    more = f"; and {len(objections) - 3} more" if len(objections) > 3 else ""
    reason = f"{failed} of {result.checked} not met: {'; '.join(objections[:3])}{more}"
    return store.quarantine(partition, reason=reason, objections=objections, now=now)


def _left(store: CheckedStore, version: DatasetVersion, passed: Sequence[PartitionVersion]) -> DatasetVersion:
    """What is left of a version; where rows were set aside, others of a partition are unknown yet than of the whole."""
    cutoff = version.cutoff
    if cutoff is not None:
        asked = {each.digest for each in version.partitions}
        counts = {
            each.digest: cutoff.unknown.get(each.digest, 0)
            if each.digest in asked
            else store.unknown_rows(each, cutoff.known_since, by=cutoff.by)
            for each in passed
        }
        unknown = {digest: count for digest, count in counts.items() if count}
        cutoff = replace(cutoff, unknown=unknown) if unknown else None
    left = replace(version, partitions=tuple(passed), cutoff=cutoff)
    store.record(left)
    return left
