"""The chapters of the tour: their order, and what becomes of a surprise."""

from __future__ import annotations

from typing import Any, cast

import pytest

from demo.airflow_api import AirflowAnswer
from demo.chapters import CHAPTERS
from demo.processes import ComponentDied
from demo.story import Chapter, NotAsExpected, Story

NOBODY = cast("Story", None)


def test_the_tour_has_seven_chapters_each_of_which_says_what_to_expect() -> None:
    """A reader follows it by these words; the eighth is the count."""
    assert [chapter.name for chapter in CHAPTERS] == [
        "New data", "A better version", "A broken partition", "A worse model", "Drift", "Rollback", "Backfill",
    ]  # fmt: skip
    assert all(chapter.expected for chapter in CHAPTERS)


@pytest.mark.parametrize("surprise", [AirflowAnswer("Airflow answered 500"), ComponentDied("mlflow died")])
def test_what_the_stack_says_is_what_was_not_expected(surprise: Exception) -> None:
    """The tour ends with the chapter, and tells it."""

    def acts(_: Any) -> str:
        raise surprise

    with pytest.raises(NotAsExpected, match=str(surprise)):
        Chapter(name="x", expected="y", acts=acts).play(NOBODY)
