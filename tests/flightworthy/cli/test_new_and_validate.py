"""Models made and checked from the command line."""

from __future__ import annotations

import json
import os
import re
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

from flightworthy.adapters import spec_files
from flightworthy.dataset import ingest
from flightworthy.expectations import Instruments, check_expectations, suite_from
from flightworthy.known import Ask
from flightworthy.training import Lineage, TrainingOrder
from tests.flightworthy.cli.conftest import NOW, Call, House

ROOT = Path(__file__).parents[3]


def test_the_models_that_ship_are_valid(call: Call) -> None:
    """All four, with suite and training code."""
    told = call("validate", "--json", environ={"FLIGHTWORTHY_MODELS": str(ROOT / "include/models")})
    ship = ("claims", "diagnosis", "readmission", "repurchase")
    assert told.document == {
        "valid": True,
        "models": [{"model": name, "valid": True, "problems": []} for name in ship],
    }


def test_a_new_model_is_valid(call: Call, house: House) -> None:
    """From the first minute."""
    made = call("new", "churn", "--json")
    assert made.code == 0
    assert made.document["files"] == ["README.md", "model.yaml", "sample.py", "suite.yaml", "test_churn.py", "train.py"]
    told = call("validate", "churn")
    assert (told.code, told.out) == (0, "churn: valid\n")
    assert not any("@" in line for line in (house.models / "churn/train.py").read_text().splitlines())


@pytest.mark.slow
def test_a_new_model_passes_its_own_tests(call: Call, house: House) -> None:
    """Under the same rules as ours: warnings are errors."""
    call("new", "claims-2025")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-c", str(ROOT / "pyproject.toml"),
         str(house.models / "claims-2025")],
        cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "FLIGHTWORTHY_LANDING": "landing"},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "4 passed" in done.stdout


@pytest.mark.slow
def test_a_new_model_goes_through_the_real_line(call: Call, house: House, tmp_path: Path) -> None:
    """Its sample lands, is ingested and passes its expectations; what it trains becomes an artifact and is measured."""
    from flightworthy.adapters.dataset_files import DatasetFiles
    from flightworthy.adapters.gx_suites import GxSuites
    from flightworthy.adapters.model_code import ModelFolders
    from flightworthy.adapters.partition_counts import DuckdbCounts
    from flightworthy.adapters.partition_files import PartitionFiles
    from flightworthy.packaging import model_artifacts
    from tests.training_material import frames_of

    call("new", "churn")
    folder = house.models / "churn"
    runpy.run_path(str(folder / "sample.py"))["write"](tmp_path / "landing/churn")
    spec = spec_files.load(folder, {"FLIGHTWORTHY_LANDING": str(tmp_path / "landing")})
    suite = suite_from(spec_files.read(folder / "suite.yaml", {}), folder=folder)
    store = DatasetFiles(root=house.home / "datasets")
    ask = Ask(model="churn", key=None, window=2, as_of=None, known_since=None)
    ingested = ingest(PartitionFiles.of(spec), store, ask, now=NOW)
    instruments = Instruments(validator=GxSuites(reports=tmp_path / "reports"), counter=DuckdbCounts())
    checked = check_expectations(store, instruments, version=ingested.version, spec=spec, suite=suite, now=NOW)
    assert checked.objections == ()
    frame = store.frame(checked.version)
    lineage = Lineage(
        dataset_digest=checked.version.digest, partition_key=checked.version.as_of, code_commit="", code_digest="",
        lock_digest="", config_digest=spec.config_digest, intent="manual", airflow_run_id="",
    )  # fmt: skip
    order = TrainingOrder(spec=spec, params=spec.training.trials[0], lineage=lineage)
    (tmp_path / "artifact").mkdir()
    model_artifacts().write(
        tmp_path / "artifact", order, ModelFolders(models=house.models).fit(order, frame), frames_of(frame)
    )
    assert len(model_artifacts().score(tmp_path / "artifact", spec, frame).predictions) == 600


def test_a_new_model_leaves_an_existing_folder_alone(call: Call, house: House) -> None:
    """Whatever is in it."""
    (house.models / "churn").mkdir()
    (house.models / "churn/notes.txt").write_text("mine")
    told = call("new", "churn")
    assert told.code == 1
    assert "exists; choose another name" in told.err
    assert [path.name for path in (house.models / "churn").iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("name", ["../x", "/tmp/x", "Churn", "", "a__b", "-x", "x" * 64, "churn\n", ".hidden"])
def test_a_name_that_is_no_name_makes_nothing(call: Call, house: House, name: str) -> None:
    """It would become a path."""
    told = call("new", "--", name)
    assert told.code == 1
    assert "is no name for a model" in told.err
    assert list(house.models.iterdir()) == []


def test_everything_that_is_wrong_with_all_files_is_listed(call: Call, house: House) -> None:
    """Spec, suite and code of one model; the other stays valid."""
    call("new", "churn")
    call("new", "fraud")
    folder = house.models / "churn"
    spec = (folder / "model.yaml").read_text().replace("bake_time: 5m", "bake_time: 5")
    (folder / "model.yaml").write_text(spec.replace("[10, 50, 100]", "[10, 50, 40, 100]"))
    (folder / "suite.yaml").write_text(
        "rows: {minimum: 0}\nexpectations:\n  - {type: expect_colum_to_exist, kwargs: {}}\n"
    )
    (folder / "train.py").write_text("def train(frame):\n    return frame\n")
    told = call("validate", "--json")
    assert told.code == 1
    churn, fraud = told.document["models"]
    assert fraud == {"model": "fraud", "valid": True, "problems": []}
    assert [problem.split(":")[0] for problem in churn["problems"]] == [
        "model.yaml", "model.yaml", "suite.yaml", "suite.yaml", "train.py",
    ]  # fmt: skip
    lines = call("validate").out.splitlines()
    assert lines[0] == f"churn: 5 problems in {folder}"
    assert lines[-1] == "fraud: valid"


def test_an_expectation_about_a_column_that_is_not_there_is_a_problem(call: Call, house: House) -> None:
    """A typo would otherwise be found when the first partition is refused."""
    call("new", "churn")
    suite = house.models / "churn/suite.yaml"
    suite.write_text(suite.read_text().replace("column: age", "column: aeg"))
    told = call("validate", "churn", "--json")
    (problem,) = told.document["models"][0]["problems"]
    assert problem.startswith("suite.yaml:8: aeg is no column of churn")


# Suites of before have it, and it is the only form that every engine reads.
@pytest.mark.filterwarnings("ignore:.*deprecated as of GX Core")
def test_an_expectation_that_cannot_be_asked_is_a_problem(call: Call, house: House) -> None:
    """Each would be found by the first partition otherwise, and some of them would send it into quarantine."""
    call("new", "churn")
    between, matched = "expect_column_values_to_be_between", "expect_column_values_to_match_regex"
    condition = {"row_condition": 'col("age" == 1', "condition_parser": "great_expectations"}
    wrong: list[tuple[str, dict[str, object], str]] = [
        (between, {"column": "age", "min_value": 18, "mostly": 2}, "does not take these kwargs: mostly"),
        (between, {"column": "age", "min_value": 18, "foo": 1}, "does not take these kwargs: foo"),
        (between, {"column": "age", "min_value": 40, "max_value": 3}, "min_value (40) is above max_value (3); no"),
        (between, {"column": "age", "min_value": 18, **condition}, "unable to parse condition"),
        (matched, {"column": "channel", "regex": "["}, "'[' is no regular expression: unterminated"),
        ("expect_column_values_to_not_be_null", {}, "column field required"),
    ]
    suite = {"name": "churn", "expectations": [{"type": name, "kwargs": kwargs} for name, kwargs, _ in wrong]}
    (house.models / "churn/suite.json").write_text(json.dumps(suite, indent=1))
    told = call("validate", "churn", "--json")
    problems = told.document["models"][0]["problems"]
    assert told.code == 1
    assert len(problems) == len(wrong)
    for (name, _, said), problem in zip(wrong, problems, strict=True):
        assert re.match(rf"suite\.json:\d+: {name}: ", problem)
        assert said in problem


@pytest.mark.parametrize(
    "code, told",
    [
        (None, "train.py:1: is missing; it must define train(frame, params, seed)"),
        ("x = (", "train.py:1: is not Python: '(' was never closed"),
        ("x = 1\n", "train.py:1: must define train(frame, params, seed) at its top level"),
        ("\ndef train(a, b):\n    pass\n", "train.py:2: train(a, b) is called with frame, params, seed"),
        ("def train(a, b, c, d):\n    pass\n", "train.py:1: train(a, b, c, d) is called with"),
        ("def train(a, b, c, *, d):\n    pass\n", "train.py:1: train(a, b, c) is called with"),
        ("def train(a, b, c, d=1, *, e=2):\n    pass\n", None),
        ("def train(*everything):\n    pass\n", None),
        ("from mine import train\n", None),
        ("train = print\n", None),
        ("import os\nos._exit(7)\ndef train(a, b, c):\n    pass\n", None),
    ],
)
def test_training_code_is_looked_at_and_never_run(call: Call, house: House, code: str | None, told: str | None) -> None:
    """Whether it defines what is called; the last case would end this process."""
    call("new", "churn")
    file = house.models / "churn/train.py"
    file.unlink() if code is None else file.write_text(code)
    problems = call("validate", "churn", "--json").document["models"][0]["problems"]
    if told is None:
        assert problems == []
    else:
        assert [problem[: len(told)] for problem in problems] == [told]


def test_a_model_that_is_not_there_is_said_to_be_missing(call: Call) -> None:
    """By the message of a missing file."""
    told = call("validate", "churn")
    assert told.code == 1
    assert "model.yaml:1: is missing" in told.out


def test_a_path_is_no_model(call: Call) -> None:
    """Models are named, and lie in one folder."""
    told = call("validate", "../churn")
    assert told.code == 1
    assert "is a path" in told.err


def test_no_models_at_all_is_a_refusal(call: Call) -> None:
    """A check that checked nothing must not look like a success."""
    told = call("validate")
    assert told.code == 1
    assert "holds no models" in told.err
