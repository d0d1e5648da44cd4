from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from flightworthy.adapters.array_metrics import ArrayMetrics
from flightworthy.adapters.reports import write_evaluation
from flightworthy.comparison import compare
from flightworthy.evaluation import Method, Scored, evaluate
from flightworthy.gates import decide
from flightworthy.review import Contender, Review
from flightworthy.spec import Gate, Spec
from flightworthy.training import TrainingRun
from tests.training_material import make_order, make_spec

EVIL = '<script>alert("x")</script>'
METHOD = Method(metrics=ArrayMetrics(), threshold=0.5, resamples=20, seed=7)


def make_scored(shift: float = 0.0) -> Scored:
    labels = [0, 1] * 30
    predictions = [min(1.0, 0.3 + 0.4 * label * (row % 3) / 2 + shift) for row, label in enumerate(labels)]
    return Scored(labels=labels, predictions=predictions, slices={"colour": [EVIL, "few"] * 5 + ["red"] * 50})


def make_contender(kind: Any, name: str, shift: float) -> Contender:
    theirs = make_scored(shift)
    return Contender(
        kind=kind,
        name=name,
        scored=theirs,
        evaluation=evaluate(theirs, METHOD),
        comparison=compare(make_scored(), theirs, METHOD),
    )


def make_review(*, with_champion: bool) -> Review:
    scored = make_scored()
    champion = make_contender("champion", "version 3", 0.05) if with_champion else None
    measured = evaluate(scored, METHOD)
    gates = [Gate(metric="roc_auc", at_least=1.0, not_worse_by=0.0), Gate(metric="recall", slice="colour", at_least=0)]
    return Review(
        decision=decide(gates, measured, champion and champion.evaluation, champion and champion.comparison),
        scored=scored,
        challenger=measured,
        opponent=champion,
        baseline=make_contender("baseline", f"{EVIL} alone", 0.1),
    )


def make_run(spec: Spec) -> TrainingRun:
    order = make_order(spec, params={"note": EVIL})
    return TrainingRun(
        model=spec.model,
        run_id="run-1",
        key=order.key,
        params=order.params,
        seed=7,
        runtime={},
        metrics={},
        lineage=order.lineage,
        artifact_uri="",
        artifact_digest="f" * 64,
    )


class Page(HTMLParser):
    """What a browser would fetch and run, and the text it would show."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.sources += [value or "" for name, value in attrs if name in {"src", "href"}]

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(params=[True, False], ids=["with champion", "first version"])
def page(request: pytest.FixtureRequest, tmp_path: Path) -> Page:
    spec = make_spec(description=EVIL)
    review = make_review(with_champion=request.param)
    path = tmp_path / "reports" / "evaluation.html"
    for _ in range(2):
        write_evaluation(path, spec=spec, run=make_run(spec), review=review)
    assert [found.name for found in path.parent.iterdir()] == ["evaluation.html"]
    read = Page()
    read.feed(path.read_text(encoding="utf-8"))
    return read


def test_the_report_fetches_nothing(page: Page) -> None:
    """Four plots, each in the page itself."""
    assert len(page.sources) == 4
    assert all(source.startswith("data:image/png;base64,") for source in page.sources)


def test_untrusted_text_is_shown_and_not_run(page: Page) -> None:
    """In a description, a parameter, and a value of a slice."""
    assert "script" not in page.tags
    assert page.text.count(EVIL) >= 3


def test_every_objection_every_metric_and_the_lineage_are_in_it(page: Page) -> None:
    """What a person needs to follow the decision."""
    assert "Refused." in page.text
    assert "roc_auc at least 1" in page.text
    assert "no evidence" in page.text
    for told in ("log_loss", "average_precision", "ddddd", "c0ffee", "fffff", "new_data"):
        assert told in page.text


def test_the_report_says_whom_the_challenger_was_compared_with(page: Page) -> None:
    """Or that there was nobody."""
    assert ("champion, version 3" in page.text) != ("there is no champion" in page.text)


def test_the_baseline_stands_beside_the_challenger(page: Page) -> None:
    """By its name, so that a reader sees what the model has to beat."""
    found = make_contender("baseline", "any", 0.1).evaluation.metrics["log_loss"]
    assert f"what {EVIL} alone predicts" in page.text
    assert f"{found.value:.4f} [{found.low:.4f}, {found.high:.4f}]" in page.text
    assert "better by" in page.text
