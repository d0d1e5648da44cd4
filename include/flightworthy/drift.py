"""What the champion sees now against what it learnt from, and whether that is a reason to retrain.

A column counts as drifted where the difference is both larger than chance (after Holm's correction over all columns)
and large enough to matter (its score). Everything else here keeps that from becoming a storm of alarms: a minimum
sample, a share of the features, several looks in a row, a cool-down, and one open retrain per model.
Missing evidence never retrains; it is an objection that says what was missing.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

__all__ = [
    "ColumnDrift",
    "DriftPolicy",
    "DriftReport",
    "History",
    "Look",
    "RetrainDecision",
    "decide_retrain",
    "drifted",
    "holm",
    "look",
    "window_start",
]


@dataclass(frozen=True, slots=True, kw_only=True)
class ColumnDrift:
    """One column, then and now."""

    column: str
    kind: Literal["number", "category"]
    method: str
    """What ``score`` is, in words."""
    score: float
    """The size of the difference; NaN where it could not be computed, which never counts as drift."""
    threshold: float
    """The score from which a difference matters."""
    p_value: float
    """The chance of a difference as large as this if nothing had changed; before any correction."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftReport:
    """One look at the requests of a release, measured."""

    model: str
    release: str
    started_at: datetime
    ended_at: datetime
    requests: int
    reference_rows: int
    columns: tuple[ColumnDrift, ...]
    """The features that could be measured."""
    prediction: ColumnDrift | None
    """The predictions, then and now. Said to people; by itself it starts nothing."""
    unmeasured: Mapping[str, str]
    """Each feature that could not be measured, and why."""
    page: str
    """File name of the page that a person reads; empty where there was nothing to draw."""

    @property
    def features(self) -> int:
        return len(self.columns) + len(self.unmeasured)


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftPolicy:
    """When drift is a reason to retrain: the ``drift`` section of ``model.yaml``."""

    min_requests: int
    drifted_share: float
    """Share of all features, 0 to 1; those that could not be measured count as not drifted."""
    windows: int
    of_windows: int
    """``windows`` of the last ``of_windows`` looks must show drift; equal numbers mean looks in a row."""
    cool_down: timedelta
    significance: float
    """Chance of calling any column drifted in one look at data that did not change."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """What one look found and what was decided; one line of the scores that are kept."""

    at: datetime
    model: str
    release: str
    started_at: datetime
    ended_at: datetime
    requests: int
    conclusive: bool
    """Whether there was evidence enough. A look that was not is no part of ``windows``."""
    drifted: tuple[str, ...]
    drifted_share: float
    scores: Mapping[str, float]
    retrain: bool
    reasons: tuple[str, ...]
    page: str


@dataclass(frozen=True, slots=True, kw_only=True)
class History:
    """What happened to the model before this look."""

    looks: tuple[Look, ...]
    """Earlier looks, oldest first, over all releases of the model."""
    open_retrain: str | None
    """The run that is retraining the model now, if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RetrainDecision:
    """Whether to retrain, with everything that speaks for it and against it."""

    findings: tuple[str, ...]
    objections: tuple[str, ...]
    conclusive: bool
    drifted: tuple[str, ...]
    drifted_share: float

    @property
    def retrain(self) -> bool:
        return not self.objections

    @property
    def reasons(self) -> tuple[str, ...]:
        """What to tell a person, the objections first."""
        return (*self.objections, *self.findings)


def holm(p_values: Sequence[float]) -> tuple[float, ...]:
    """Holm's step-down adjustment (Scandinavian Journal of Statistics 6, 1979), in the order given.

    Rejecting where the result is at most ``a`` keeps the chance of even one false rejection among all at ``a``.
    A NaN is no evidence and becomes 1.
    """
    known = [p if p >= 0.0 else 1.0 for p in p_values]
    adjusted = [1.0] * len(known)
    highest = 0.0
    for rank, index in enumerate(sorted(range(len(known)), key=known.__getitem__)):
        highest = max(highest, min(1.0, known[index] * (len(known) - rank)))
        adjusted[index] = highest
    return tuple(adjusted)


def drifted(report: DriftReport, *, significance: float) -> tuple[ColumnDrift, ...]:
    """Columns whose difference is beyond chance and large enough to matter, the prediction among them."""
    measured = (*report.columns, report.prediction) if report.prediction else report.columns
    chances = holm([each.p_value for each in measured])
    return tuple(
        each
        for each, chance in zip(measured, chances, strict=True)
        if chance <= significance and each.score >= each.threshold
    )


def decide_retrain(policy: DriftPolicy, report: DriftReport, history: History, now: datetime) -> RetrainDecision:
    """Whether the drift in ``report`` starts a deployment. Pure: writes nothing, asks nobody."""
    found = drifted(report, significance=policy.significance)
    names = tuple(each.column for each in found if each is not report.prediction)
    share = len(names) / report.features if report.features else 0.0
    missing = tuple(_missing_evidence(policy, report))
    here = not missing and share >= policy.drifted_share
    objections = [
        *missing,
        *(_too_little(policy, report, names, share) if not missing and not here else ()),
        *(_too_rarely(policy, report, history) if here else ()),
        *_too_soon(policy, history, now),
    ]
    return RetrainDecision(
        findings=tuple(_findings(report, found, share)),
        objections=tuple(objections),
        conclusive=not missing,
        drifted=names,
        drifted_share=share,
    )


def look(report: DriftReport, decision: RetrainDecision, *, at: datetime) -> Look:
    """The look as it is kept: what the next decision and the trend page are made of."""
    measured = (*report.columns, report.prediction) if report.prediction else report.columns
    return Look(
        at=at,
        model=report.model,
        release=report.release,
        started_at=report.started_at,
        ended_at=report.ended_at,
        requests=report.requests,
        conclusive=decision.conclusive,
        drifted=decision.drifted,
        drifted_share=decision.drifted_share,
        scores={each.column: each.score for each in measured},
        retrain=decision.retrain,
        reasons=decision.reasons,
        page=report.page,
    )


def window_start(looks: Sequence[Look], release: str) -> datetime | None:
    """Where the next look at ``release`` starts: after its last conclusive one, so that few requests add up.

    None means that there was none; start when the release began to serve.
    """
    return max((each.ended_at for each in looks if each.release == release and each.conclusive), default=None)


def _missing_evidence(policy: DriftPolicy, report: DriftReport) -> list[str]:
    missing = []
    if not report.requests >= policy.min_requests:
        missing.append(
            f"{report.requests} requests were answered by {report.release} since {_utc(report.started_at)}; "
            f"{policy.min_requests} are needed to say anything. The next look counts them too"
        )
    if not report.columns:
        why = "; ".join(f"{column}: {reason}" for column, reason in report.unmeasured.items()) or "it has no features"
        missing.append(f"No feature of {report.model} could be measured ({why})")
    return missing


def _too_little(policy: DriftPolicy, report: DriftReport, names: Sequence[str], share: float) -> list[str]:
    found = f"{len(names)} of {report.features} features drifted ({share:.0%})"
    return [f"{found}; a retrain starts from {policy.drifted_share:.0%}"]


def _too_rarely(policy: DriftPolicy, report: DriftReport, history: History) -> list[str]:
    earlier = [each for each in history.looks if each.release == report.release and each.conclusive]
    recent = earlier[-(policy.of_windows - 1) :] if policy.of_windows > 1 else []
    seen = 1 + sum(each.drifted_share >= policy.drifted_share for each in recent)
    if seen >= policy.windows:
        return []
    return [f"{seen} of the last {len(recent) + 1} looks showed drift; {policy.windows} of {policy.of_windows} must"]


def _too_soon(policy: DriftPolicy, history: History, now: datetime) -> list[str]:
    objections = []
    last = max((each.at for each in history.looks if each.retrain), default=None)
    if last is not None and now - last < policy.cool_down:
        objections.append(
            f"Drift started a retrain at {_utc(last)}; the next may start at {_utc(last + policy.cool_down)}"
        )
    if history.open_retrain is not None:
        objections.append(f"{history.open_retrain} is retraining the model already")
    return objections


def _findings(report: DriftReport, found: Sequence[ColumnDrift], share: float) -> list[str]:
    findings = []
    features = [each for each in found if each is not report.prediction]
    if features:
        worst = sorted(features, key=lambda each: each.score / each.threshold, reverse=True)[:5]
        named = ", ".join(f"{each.column} ({each.score:.2f})" for each in worst)
        findings.append(f"{len(features)} of {report.features} features drifted ({share:.0%}), most of all {named}")
    if report.prediction is not None and report.prediction in found:
        findings.append(f"The predictions themselves drifted ({report.prediction.score:.2f})")
    if report.columns and report.unmeasured:
        named = "; ".join(f"{column}: {reason}" for column, reason in report.unmeasured.items())
        findings.append(f"Not measured, and counted as not drifted: {named}")
    return findings


def _utc(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
