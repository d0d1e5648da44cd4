"""Throwing away from the command line."""

from __future__ import annotations

import shutil
from pathlib import Path

from tests.flightworthy.cli.conftest import Call, House

MODELS = Path(__file__).parents[3] / "include" / "models"


def test_what_would_go_is_said_and_then_goes(call: Call, house: House, tmp_path: Path) -> None:
    """Six champions of long ago, of which five stay; a model whose files are wrong keeps everything."""
    shutil.copytree(MODELS / "diagnosis", house.models / "diagnosis")
    (house.models / "broken").mkdir()
    for version in range(1, 8):
        house.promote(version)
    folder = house.home / "releases" / "diagnosis"
    would = call("prune", "--dry-run", "--json").document
    (model,) = would["models"]
    assert [each["name"] for each in model["pruned"]] == ["diagnosis-1-abcdef01", "diagnosis-2-abcdef01"]
    assert would["refused"].keys() == {"broken"}
    assert "WOULD GO" in call("prune", "diagnosis", "--dry-run").out
    assert house.store.missing() == {}
    told = call("prune", "diagnosis")
    assert told.code == 0
    assert "5 newer ones served, and it not since 2026-01-05" in told.out
    assert set(house.store.missing()) == {"diagnosis-1-abcdef01", "diagnosis-2-abcdef01"}
    assert call("prune", "diagnosis").out == "there is nothing that retention lets go\n"
    assert not folder.exists()


def test_a_model_without_a_folder_cannot_be_pruned(call: Call, house: House) -> None:
    """Its retention is not known."""
    house.promote(1)
    assert call("prune", "diagnosis").code == 1
    assert call("prune", "diagnosys").code == 1


def test_rows_are_let_go_only_where_a_registry_tells_what_is_needed(call: Call, house: House) -> None:
    """Without one all stay, and the answer says why."""
    folder = shutil.copytree(MODELS / "diagnosis", house.models / "diagnosis")
    text = (folder / "model.yaml").read_text()
    (folder / "model.yaml").write_text(f"{text}\nretention: {{data: 30d}}\n")
    told = call("prune", "--dry-run", "--json").document["models"][0]["data"]
    assert told["gone"] == []
    assert "Set MLFLOW_TRACKING_URI" in told["kept_since"]
    assert "No rows of diagnosis were let go" in call("prune").out
