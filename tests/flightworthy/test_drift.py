"""Drift that matters starts one retrain; everything else starts none and says why."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as some

from flightworthy.drift import (
    ColumnDrift,
    DriftPolicy,
    DriftReport,
    History,
    Look,
    decide_retrain,
    drifted,
    holm,
    look,
    window_start,
)

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
POLICY = DriftPolicy(
    min_requests=200, drifted_share=0.3, windows=1, of_windows=1, cool_down=timedelta(hours=6), significance=0.05
)
NOTHING_BEFORE = History(looks=(), open_retrain=None)


def column(name: str, *, score: float = 0.02, p_value: float = 0.5) -> ColumnDrift:
    return ColumnDrift(column=name, kind="number", method="distance", score=score, threshold=0.1, p_value=p_value)


def moved(name: str) -> ColumnDrift:
    return column(name, score=0.6, p_value=1e-9)


def report(*columns: ColumnDrift, requests: int = 500, **more: object) -> DriftReport:
    facts = {
        "model": "diagnosis",
        "release": "diagnosis-2-1a2b3c4d",
        "started_at": NOW - HOUR,
        "ended_at": NOW,
        "requests": requests,
        "reference_rows": 2000,
        "columns": columns,
        "prediction": None,
        "unmeasured": {},
        "page": "",
    }
    return DriftReport(**{**facts, **more})  # type: ignore[arg-type]


def looks(*shares: float, release: str = "diagnosis-2-1a2b3c4d") -> tuple[Look, ...]:
    """Conclusive looks of past hours that asked for nothing, the newest an hour ago."""
    first = look(report(column("a")), decide_retrain(POLICY, report(column("a")), NOTHING_BEFORE, NOW), at=NOW)
    return tuple(
        replace(first, release=release, at=NOW - back * HOUR, ended_at=NOW - back * HOUR, drifted_share=share)
        for back, share in zip(range(len(shares), 0, -1), shares, strict=True)
    )


def test_drift_in_enough_features_retrains_and_names_the_worst() -> None:
    """Two of three features moved: retrain, with their names and the share among the reasons."""
    decision = decide_retrain(POLICY, report(moved("age"), moved("bmi"), column("sex")), NOTHING_BEFORE, NOW)

    assert decision.retrain
    assert decision.drifted == ("age", "bmi")
    assert decision.findings == ("2 of 3 features drifted (67%), most of all age (0.60), bmi (0.60)",)


def test_too_few_requests_say_nothing() -> None:
    """Even total drift among 12 requests does not retrain, and the look is not conclusive."""
    decision = decide_retrain(POLICY, report(moved("age"), requests=12), NOTHING_BEFORE, NOW)

    assert not decision.retrain
    assert not decision.conclusive
    assert decision.objections[0].startswith("12 requests were answered by diagnosis-2-1a2b3c4d since 2026-01-05 11:00")
    assert "200 are needed" in decision.objections[0]


def test_nothing_measured_never_retrains() -> None:
    """Without one measured feature there is no evidence; the reasons are named."""
    decision = decide_retrain(POLICY, report(unmeasured={"age": "no values in the requests"}), NOTHING_BEFORE, NOW)

    assert not decision.retrain
    assert decision.objections == ("No feature of diagnosis could be measured (age: no values in the requests)",)


def test_features_without_evidence_count_as_not_drifted() -> None:
    """One drifted of one measured is 100 %, but of four features only a quarter."""
    nothing = dict.fromkeys("bcd", "not in the prediction log")

    decision = decide_retrain(POLICY, report(moved("a"), unmeasured=nothing), NOTHING_BEFORE, NOW)

    assert not decision.retrain
    assert decision.drifted_share == 0.25
    assert decision.objections == ("1 of 4 features drifted (25%); a retrain starts from 30%",)
    assert decision.findings[-1].startswith("Not measured, and counted as not drifted: b: not in the prediction log")


@pytest.mark.parametrize("nan_in", ["score", "p_value"])
def test_a_score_that_is_not_a_number_is_no_drift(nan_in: str) -> None:
    """NaN fails every comparison, so it must never look like drift."""
    broken = replace(moved("age"), **{nan_in: float("nan")})

    assert not decide_retrain(POLICY, report(broken), NOTHING_BEFORE, NOW).retrain


def test_a_difference_beyond_chance_but_tiny_is_no_drift() -> None:
    """With a million requests everything is significant; the size of the difference decides."""
    assert drifted(report(column("age", score=0.03, p_value=1e-12)), significance=0.05) == ()


def test_a_large_difference_within_chance_is_no_drift() -> None:
    """With few requests distances are large by accident."""
    assert drifted(report(column("age", score=0.4, p_value=0.2)), significance=0.05) == ()


def test_thirty_columns_get_no_thirty_chances_of_a_false_alarm() -> None:
    """One column of thirty at p = 0.01 is what chance gives; Holm asks for 0.05 / 30."""
    columns = [column("lucky", score=0.5, p_value=0.01), *(column(f"c{i}") for i in range(29))]

    assert drifted(report(*columns), significance=0.05) == ()
    assert drifted(report(columns[0]), significance=0.05) == (columns[0],)


def test_a_drifted_prediction_is_said_and_starts_nothing() -> None:
    """Predictions follow features; alone they are worth a sentence."""
    decision = decide_retrain(POLICY, report(column("age"), prediction=moved("prediction")), NOTHING_BEFORE, NOW)

    assert not decision.retrain
    assert decision.drifted == ()
    assert decision.findings == ("The predictions themselves drifted (0.60)",)


def test_k_of_n_looks_must_agree() -> None:
    """Two of the last three looks; the looks of another release are about another reference."""
    policy = replace(POLICY, windows=2, of_windows=3)
    now = report(moved("age"))

    assert not decide_retrain(policy, now, NOTHING_BEFORE, NOW).retrain
    assert decide_retrain(policy, now, History(looks=looks(1.0, 0.0), open_retrain=None), NOW).retrain
    too_long_ago = History(looks=looks(1.0, 0.0, 0.0), open_retrain=None)
    assert decide_retrain(policy, now, too_long_ago, NOW).objections == (
        "1 of the last 3 looks showed drift; 2 of 3 must",
    )
    another = History(looks=looks(1.0, 1.0, release="diagnosis-1-00000000"), open_retrain=None)
    assert not decide_retrain(policy, now, another, NOW).retrain


def test_inconclusive_looks_are_not_counted() -> None:
    """A look at too few requests neither supports nor interrupts a row of drifted looks."""
    policy = replace(POLICY, windows=2, of_windows=2)
    quiet = replace(looks(0.0)[0], conclusive=False)
    history = History(looks=(replace(looks(1.0)[0], ended_at=NOW - 2 * HOUR), quiet), open_retrain=None)

    assert decide_retrain(policy, report(moved("age")), history, NOW).retrain


def test_after_a_retrain_the_next_one_waits() -> None:
    """Within the cool-down drift is seen and said, and starts nothing; after it, it does."""
    asked = replace(looks(1.0)[0], retrain=True, at=NOW - 5 * HOUR, release="diagnosis-1-00000000")
    history = History(looks=(asked,), open_retrain=None)

    early = decide_retrain(POLICY, report(moved("age")), history, NOW)

    assert early.objections == (
        "Drift started a retrain at 2026-01-05 07:00 UTC; the next may start at 2026-01-05 13:00 UTC",
    )
    assert early.findings
    assert decide_retrain(POLICY, report(moved("age")), history, NOW + HOUR).retrain


def test_one_open_retrain_per_model() -> None:
    """While a retrain runs, drift starts no second one."""
    history = History(looks=(), open_retrain="asset_triggered__2026-01-05")

    decision = decide_retrain(POLICY, report(moved("age")), history, NOW)

    assert decision.objections == ("asset_triggered__2026-01-05 is retraining the model already",)
    assert decision.reasons == (*decision.objections, *decision.findings)


def test_all_objections_are_listed_at_once() -> None:
    """Too few requests, a cool-down and an open retrain are three reasons, not the first of three."""
    asked = replace(looks(1.0)[0], retrain=True)
    history = History(looks=(asked,), open_retrain="run-7")

    assert len(decide_retrain(POLICY, report(moved("age"), requests=3), history, NOW).objections) == 3


def test_requests_add_up_over_looks_that_said_nothing() -> None:
    """The next window starts after the last conclusive look at the release, so a quiet model is judged too, later."""
    measured, quiet = looks(0.0, 0.0)
    seen = (measured, replace(quiet, conclusive=False))

    assert window_start(seen, measured.release) == measured.ended_at
    assert window_start(seen, "diagnosis-3-ffffffff") is None


def test_holm_is_the_textbook_example() -> None:
    """Four tests at 0.01, 0.04, 0.03, 0.005 become 0.03, 0.06, 0.06, 0.02."""
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx((0.03, 0.06, 0.06, 0.02))
    assert holm([]) == ()


@given(some.lists(some.floats(0, 1), max_size=40))
def test_holm_never_makes_a_chance_smaller_and_keeps_the_order(chances: list[float]) -> None:
    """Adjusted chances are at least the raw ones, at most Bonferroni's, and in the same order."""
    adjusted = holm(chances)

    assert all(raw <= after <= min(1.0, raw * len(chances)) for raw, after in zip(chances, adjusted, strict=True))
    by_chance = [after for _, after in sorted(zip(chances, adjusted, strict=True))]
    assert by_chance == sorted(by_chance)


@given(some.floats(0, 1), some.integers(0, 400), some.integers(0, 10))
def test_evidence_below_any_bound_never_retrains(share: float, requests: int, count: int) -> None:
    """Whatever the policy: no measured feature, too few requests or too small a share is a no."""
    policy = replace(POLICY, drifted_share=share)
    columns = [moved(f"m{i}") for i in range(count)] + [column(f"s{i}") for i in range(10 - count)]

    decision = decide_retrain(policy, report(*columns, requests=requests), NOTHING_BEFORE, NOW)

    assert decision.retrain == (requests >= 200 and count / 10 >= share)
    assert decision.retrain or decision.objections
