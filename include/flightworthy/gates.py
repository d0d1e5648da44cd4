"""Gates: the rules a challenger must satisfy. A decision lists every objection, and missing evidence is one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

from flightworthy.comparison import Comparison, Worsening
from flightworthy.evaluation import Estimate, Evaluation
from flightworthy.spec import Gate

__all__ = ["Decision", "Objection", "decide"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Objection:
    """One reason for no. ``gate`` is the rule as a person would say it, ``reason`` what was found instead."""

    gate: str
    reason: str

    def __str__(self) -> str:
        return f"{self.gate}: {self.reason}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What the gates said. ``notes`` are what a reader should know although nobody objects."""

    objections: tuple[Objection, ...]
    notes: tuple[str, ...]

    @property
    def approved(self) -> bool:
        """True where no gate objects."""
        return not self.objections

    def pack(self) -> dict[str, Any]:
        """As JSON types."""
        return {"objections": [asdict(objection) for objection in self.objections], "notes": list(self.notes)}

    @classmethod
    def unpack(cls, packed: Mapping[str, Any]) -> Self:
        """What ``pack`` made."""
        return cls(
            objections=tuple(Objection(**objection) for objection in packed["objections"]),
            notes=tuple(packed["notes"]),
        )


def decide(
    gates: Sequence[Gate],
    challenger: Evaluation,
    champion: Evaluation | None,
    comparison: Comparison | None,
    *,
    baseline: Comparison | None = None,
) -> Decision:
    """Ask every gate.

    * ``at_least`` and ``at_most`` are held against the point estimate on the holdout; its interval is for the reader.
    * ``not_worse_by: m`` is a test of non-inferiority on the same holdout rows: the 95th percentile of the paired
      bootstrap of the worsening (champion minus challenger, or the reverse where lower is better) must not exceed m.
      A challenger that is merely not proven worse on few rows does not pass.
    * ``better_than_baseline: m`` is the same test against the baseline, the other way round: with 95 % confidence the
      challenger must be better by m at least. Without a ``baseline`` there is no evidence, and that is an objection.
    * Where there is no champion, comparisons with it are satisfied, and a note says so.
    * A gate with a slice must hold for each of its values. A metric or slice value without evidence is an objection,
      and so is having no gates: what compares with nothing, NaN too, never passes.
    """
    if not gates:
        return Decision(
            objections=(Objection(gate="no gates", reason="nothing was asked of the challenger; add gates"),), notes=()
        )
    objections: list[Objection] = []
    notes: list[str] = []
    for gate in gates:
        objections += _bounds(gate, challenger)
        objections += _bettering(gate, baseline)
        if gate.not_worse_by is None:
            continue
        if champion is None:
            notes.append(f"{_named(gate)} not worse by {gate.not_worse_by:g}: there is no champion to compare with")
        else:
            objections += _worsening(gate, challenger, comparison)
    return Decision(objections=tuple(objections), notes=tuple(notes))


def _bounds(gate: Gate, challenger: Evaluation) -> Iterator[Objection]:
    for where, estimate in _estimates(gate, challenger):
        if gate.at_least is not None:
            rule = f"{where} at least {gate.at_least:g}"
            if estimate is None:
                yield _no_evidence(rule)
            elif not estimate.value >= gate.at_least:
                yield Objection(gate=rule, reason=f"is {_told(estimate)}")
        if gate.at_most is not None:
            rule = f"{where} at most {gate.at_most:g}"
            if estimate is None:
                yield _no_evidence(rule)
            elif not estimate.value <= gate.at_most:
                yield Objection(gate=rule, reason=f"is {_told(estimate)}")


def _bettering(gate: Gate, baseline: Comparison | None) -> Iterator[Objection]:
    if gate.better_than_baseline is None:
        return
    rule = f"{gate.metric} better than the baseline's by {gate.better_than_baseline:g}"
    found = None if baseline is None else baseline.metrics.get(gate.metric)
    if found is None:
        yield _no_evidence(rule)
    elif not -found.bound >= gate.better_than_baseline:
        reason = f"is better by {-found.value:.4g}, with 95 % confidence by {-found.bound:.4g}"
        yield Objection(gate=rule, reason=reason)


def _worsening(gate: Gate, challenger: Evaluation, comparison: Comparison | None) -> Iterator[Objection]:
    for where, worsening in _worsenings(gate, challenger, comparison):
        rule = f"{where} not worse than the champion's by {gate.not_worse_by:g}"
        if worsening is None:
            yield _no_evidence(rule)
        elif gate.not_worse_by is None or not worsening.bound <= gate.not_worse_by:
            reason = f"is worse by {worsening.value:.4g}, and by up to {worsening.bound:.4g} with 95 % confidence"
            yield Objection(gate=rule, reason=reason)


def _estimates(gate: Gate, evaluation: Evaluation) -> Iterator[tuple[str, Estimate | None]]:
    if gate.slice is None:
        yield gate.metric, evaluation.metrics.get(gate.metric)
        return
    values = evaluation.slices.get(gate.slice, {})
    if not values:
        yield _named(gate), None
    for value, found in values.items():
        yield _named(gate, value), found.metrics.get(gate.metric)


def _worsenings(
    gate: Gate, challenger: Evaluation, comparison: Comparison | None
) -> Iterator[tuple[str, Worsening | None]]:
    if comparison is None:
        yield _named(gate), None
        return
    if gate.slice is None:
        yield gate.metric, comparison.metrics.get(gate.metric)
        return
    values = challenger.slices.get(gate.slice, {})
    if not values:
        yield _named(gate), None
    for value in values:
        yield _named(gate, value), comparison.slices.get(gate.slice, {}).get(value, {}).get(gate.metric)


def _named(gate: Gate, value: str | None = None) -> str:
    if gate.slice is None:
        return gate.metric
    return f"{gate.metric} where {gate.slice} is {value}" if value is not None else f"{gate.metric} by {gate.slice}"


def _no_evidence(rule: str) -> Objection:
    return Objection(gate=rule, reason="no evidence: too few rows, one class only, or not measured")


def _told(estimate: Estimate) -> str:
    return f"{estimate.value:.4g} (95 % interval {estimate.low:.4g} to {estimate.high:.4g})"
