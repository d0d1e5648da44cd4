from __future__ import annotations

import math
from collections.abc import Mapping

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightworthy.comparison import Comparison, Worsening
from flightworthy.evaluation import Estimate, Evaluation, SliceEvaluation
from flightworthy.gates import Decision, decide
from flightworthy.spec import Gate

NUMBERS = st.floats(allow_nan=True, allow_infinity=True)


def make_evaluation(slices: Mapping[str, Mapping[str, float]] | None = None, **metrics: float) -> Evaluation:
    """``slices``: value of sex → metric → value; an empty mapping is a value without evidence."""
    values = {
        value: SliceEvaluation(rows=40, positives=20, metrics=_estimates(found))
        for value, found in (slices or {}).items()
    }
    return Evaluation(
        rows=100,
        positives=40,
        metrics=_estimates(metrics),
        slices={"sex": values} if slices is not None else {},
        calibration=(),
    )


def _estimates(metrics: Mapping[str, float]) -> dict[str, Estimate]:
    return {name: Estimate(value=value, low=value - 0.1, high=value + 0.1) for name, value in metrics.items()}


def make_comparison(bound: float, metric: str = "log_loss") -> Comparison:
    return Comparison(rows=100, metrics={metric: Worsening(value=bound - 0.01, bound=bound)}, slices={})


def test_a_challenger_that_satisfies_every_gate_is_approved() -> None:
    """A bound that is met exactly is met."""
    gates = [Gate(metric="roc_auc", at_least=0.9), Gate(metric="log_loss", at_most=0.2)]
    decision = decide(gates, make_evaluation(roc_auc=0.9, log_loss=0.2), None, None)
    assert decision.approved
    assert decision.objections == decision.notes == ()


def test_every_objection_is_listed_with_what_was_asked_and_what_was_found() -> None:
    """The first no does not hide the others."""
    gates = [
        Gate(metric="roc_auc", at_least=0.9),
        Gate(metric="log_loss", at_most=0.2, not_worse_by=0.05),
        Gate(metric="recall", slice="sex", at_least=0.6),
    ]
    challenger = make_evaluation({"f": {"recall": 0.5}, "m": {"recall": 0.7}}, roc_auc=0.8, log_loss=0.3)
    decision = decide(gates, challenger, challenger, make_comparison(0.08))
    assert not decision.approved
    assert [str(objection) for objection in decision.objections] == [
        "roc_auc at least 0.9: is 0.8 (95 % interval 0.7 to 0.9)",
        "log_loss at most 0.2: is 0.3 (95 % interval 0.2 to 0.4)",
        "log_loss not worse than the champion's by 0.05: is worse by 0.07, and by up to 0.08 with 95 % confidence",
        "recall where sex is f at least 0.6: is 0.5 (95 % interval 0.4 to 0.6)",
    ]


def test_no_gates_is_an_objection() -> None:
    """Nobody passes by forgetting to ask."""
    assert not decide([], make_evaluation(roc_auc=1.0), None, None).approved


@given(value=NUMBERS, floor=st.floats(0, 1))
def test_whatever_is_not_at_least_the_floor_is_refused(value: float, floor: float) -> None:
    """NaN included: it compares with nothing."""
    decision = decide([Gate(metric="roc_auc", at_least=floor)], make_evaluation(roc_auc=value), None, None)
    assert decision.approved == (not math.isnan(value) and value >= floor)


@given(bound=NUMBERS, margin=st.floats(0, 1))
def test_whatever_is_not_proven_within_the_margin_is_refused(bound: float, margin: float) -> None:
    """The bound decides, not the point estimate."""
    known = make_evaluation(log_loss=0.3)
    decision = decide([Gate(metric="log_loss", not_worse_by=margin)], known, known, make_comparison(bound))
    assert decision.approved == (not math.isnan(bound) and bound <= margin)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=4),
    st.dictionaries(st.sampled_from(["roc_auc", "recall"]), NUMBERS),
)
def test_one_more_gate_never_turns_a_no_into_a_yes(floors: list[float], metrics: dict[str, float]) -> None:
    """Objections only add up."""
    gates = [Gate(metric="roc_auc", at_least=floor) for floor in floors]
    challenger = make_evaluation(**metrics)
    found = [len(decide(gates[: count + 1], challenger, None, None).objections) for count in range(len(gates))]
    assert found == sorted(found)


def test_a_metric_that_was_not_measured_is_an_objection() -> None:
    """For floor, ceiling and comparison alike."""
    gate = Gate(metric="f1", at_least=0.1, at_most=0.9, not_worse_by=0.1)
    known = make_evaluation(roc_auc=0.9)
    decision = decide([gate], known, known, make_comparison(0.0))
    assert len(decision.objections) == 3
    assert all("no evidence" in objection.reason for objection in decision.objections)


def test_a_champion_that_was_not_compared_with_is_an_objection() -> None:
    """There is a champion, so silence about it is no comparison."""
    known = make_evaluation(log_loss=0.3)
    assert not decide([Gate(metric="log_loss", not_worse_by=0.1)], known, known, None).approved


def test_without_a_champion_comparisons_are_satisfied_and_a_note_says_so() -> None:
    """The first version has nobody to be worse than."""
    decision = decide([Gate(metric="log_loss", not_worse_by=0.1)], make_evaluation(log_loss=0.3), None, None)
    assert decision.approved
    assert decision.notes == ("log_loss not worse by 0.1: there is no champion to compare with",)


@pytest.mark.parametrize("slices", [None, {}, {"f": {}}, {"f": {"recall": 0.9}, "m": {}}])
def test_a_slice_without_evidence_is_an_objection_to_the_gate_that_names_it(
    slices: Mapping[str, Mapping[str, float]] | None,
) -> None:
    """Few rows, one class, or a slice that was never made."""
    gate = Gate(metric="recall", slice="sex", at_least=0.5)
    decision = decide([gate], make_evaluation(slices, recall=0.9), None, None)
    assert len(decision.objections) == 1
    assert "no evidence" in decision.objections[0].reason


def test_a_slice_is_compared_with_the_champion_value_by_value() -> None:
    """A value that the comparison lacks is an objection."""
    gate = Gate(metric="recall", slice="sex", not_worse_by=0.1)
    known = make_evaluation({"f": {"recall": 0.9}, "m": {"recall": 0.9}})
    compared = Comparison(rows=80, metrics={}, slices={"sex": {"f": {"recall": Worsening(value=0.0, bound=0.05)}}})
    decision = decide([gate], known, known, compared)
    assert [objection.gate for objection in decision.objections] == [
        "recall where sex is m not worse than the champion's by 0.1"
    ]
    assert len(decide([gate], make_evaluation({}), known, compared).objections) == 1
    assert len(decide([gate], known, known, None).objections) == 1


def test_a_decision_survives_the_way_between_processes() -> None:
    """Packed and unpacked it is equal."""
    decision = decide([], make_evaluation(), None, None)
    assert Decision.unpack(decision.pack()) == decision


def test_a_challenger_must_beat_the_baseline_beyond_doubt() -> None:
    """Better on average is not enough where chance explains it; without a baseline there is no evidence."""
    gates = [Gate(metric="log_loss", better_than_baseline=0.02)]
    challenger = make_evaluation(log_loss=0.2)

    assert decide(gates, challenger, None, None, baseline=make_comparison(-0.02)).approved
    refused = decide(gates, challenger, None, None, baseline=make_comparison(-0.01))
    assert [str(each) for each in refused.objections] == [
        "log_loss better than the baseline's by 0.02: is better by 0.02, with 95 % confidence by 0.01"
    ]
    (unknown,) = decide(gates, challenger, None, None).objections
    assert "no evidence" in unknown.reason


@given(bound=NUMBERS, margin=st.floats(0, 1))
def test_whatever_is_not_proven_better_than_the_baseline_is_refused(bound: float, margin: float) -> None:
    """NaN included."""
    gates = [Gate(metric="log_loss", better_than_baseline=margin)]
    decision = decide(gates, make_evaluation(log_loss=0.2), None, None, baseline=make_comparison(bound))
    assert decision.approved == (not math.isnan(bound) and -bound >= margin)
