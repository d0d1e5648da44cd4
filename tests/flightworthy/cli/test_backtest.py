"""What past versions were worth, from the command line."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

from flightworthy.adapters.backtest_files import BacktestFiles
from tests.flightworthy.cli.conftest import Call, House
from tests.flightworthy.test_backtest import make_point

MODELS = Path(__file__).parents[3] / "include" / "models"
KEYS = ("2025-11-03", "2025-12-29", "2026-01-05")


def backfilled(house: House) -> None:
    shutil.copytree(MODELS / "diagnosis", house.models / "diagnosis")
    store = BacktestFiles(root=house.home / "backtests")
    for version, key in enumerate(KEYS, start=1):
        store.keep(replace(make_point(key, version=version), model="diagnosis"))


def test_every_interval_is_told_with_its_version_and_what_stood_beside_it(call: Call, house: House) -> None:
    """As a table for people, and whole as JSON."""
    backfilled(house)

    told, document = call("backtest", "diagnosis"), call("backtest", "diagnosis", "--json").document

    assert told.code == 0
    assert [line.split()[:2] for line in told.out.splitlines()[1:4]] == [
        [key, str(number)] for number, key in enumerate(KEYS, start=1)
    ]
    assert "baseline age alone" in told.out
    assert [point["measured"]["partition_key"] for point in document["points"]] == list(KEYS)
    assert document["points"][0]["measured"]["metrics"]["roc_auc"]["value"] == 0.8


def test_a_range_is_given_by_keys_or_by_how_they_begin(call: Call, house: House) -> None:
    """A year is all of its weeks, from either end."""
    backfilled(house)

    def keys(*words: str) -> list[str]:
        points = call("backtest", "diagnosis", *words, "--json").document["points"]
        return [point["measured"]["partition_key"] for point in points]

    assert keys("--to", "2025") == list(KEYS[:2])
    assert keys("--from", "2025-12") == list(KEYS[1:])
    assert keys("--from", "2025-12", "--to", "2025-12") == [KEYS[1]]


def test_where_nothing_was_backfilled_one_is_told_how(call: Call, house: House) -> None:
    """That is no error; a model that is not known is."""
    shutil.copytree(MODELS / "diagnosis", house.models / "diagnosis")

    told = call("backtest", "diagnosis")

    assert (told.code, "airflow backfill create --dag-id diagnosis.deploy" in told.out) == (0, True)
    assert call("backtest", "diagnosys").code == 1
