"""What a spec says, and what it keeps of how that was written."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
from croniter import croniter  # type: ignore[import-untyped]  # its stubs are a package of their own
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from flightworthy.adapters.spec_files import load, load_all
from flightworthy.spec import (
    Approval,
    Dataset,
    Drift,
    Evaluation,
    EventTime,
    Feature,
    Gate,
    ReleasePlan,
    Schedule,
    Source,
    Spec,
    Training,
)
from flightworthy.spec.literals import looks_secret, meaning, names_a_secret, substitute
from flightworthy.spec.quantities import read_cron, read_duration, read_instant, read_share

MODELS = Path(__file__).parents[2] / "include/models"


@pytest.mark.parametrize("name", ["claims", "diagnosis"])
def test_the_models_that_ship_are_accepted_without_any_environment(name: str) -> None:
    """Defaults stand in for every variable."""
    spec = load(MODELS / name, {})
    assert spec.model == name
    assert spec.folder == MODELS / name
    assert len(spec.training.trials) == 2


def test_diagnosis_lists_the_features_of_scikit_learns_records() -> None:
    """Names are the dataset's own, with underscores for blanks, in its order."""
    from sklearn.datasets import load_breast_cancer

    names = [str(name).replace(" ", "_") for name in load_breast_cancer().feature_names]
    assert list(load(MODELS / "diagnosis", {}).features) == names


@pytest.mark.parametrize(
    "strategy, steps, warm_time",
    [
        ("canary", (10, 50, 100), None),
        ("blue-green", (100,), None),
        ("all-at-once", (100,), timedelta()),
    ],
)
def test_a_strategy_is_the_same_machine_with_fewer_steps(
    strategy: str, steps: tuple[int, ...], warm_time: timedelta | None
) -> None:
    """Its name says the steps, and what stays warm; a shadow may come before each."""
    plan = ReleasePlan.model_validate({"strategy": strategy, "shadow": {}})
    assert (plan.steps, plan.warm_time) == (steps, warm_time)
    assert plan.shadow is not None
    assert plan.shadow.max_flip_rate == 0.05


def test_variables_of_the_environment_move_the_source(tmp_path: Path) -> None:
    """Where data lies differs between machines; what is trained does not, and neither does the digest."""
    here = load(MODELS / "diagnosis", {"FLIGHTWORTHY_LANDING": "s3://landing"})
    there = load(MODELS / "diagnosis", {})
    assert here.source.uri == "s3://landing/diagnosis/{partition}.csv"
    assert here.config_digest == there.config_digest


def test_the_digest_ignores_spelling_and_notices_meaning(tmp_path: Path) -> None:
    """Comments, key order and written-out defaults change nothing; a threshold does."""
    text = (MODELS / "diagnosis/model.yaml").read_text()

    def digest(changed: str) -> str:
        (tmp_path / "diagnosis").mkdir(exist_ok=True)
        (tmp_path / "diagnosis/model.yaml").write_text(changed)
        return load(tmp_path / "diagnosis", {}).config_digest

    same = {
        digest(text),
        digest(f"# a comment\n{text}"),
        digest(text.replace("20%", "0.2").replace("60s", "1m").replace("  threshold: 0.5\n", "")),
    }
    assert len(same) == 1
    assert digest(text.replace("threshold: 0.5", "threshold: 0.4")) not in same


def test_who_approves_and_when_a_drill_is_due_make_no_version_another_one(tmp_path: Path) -> None:
    """The three ways to write an approval say what they say; nothing is trained again for any of them."""
    text = (MODELS / "diagnosis/model.yaml").read_text()

    def read(*said: str) -> Spec:
        (tmp_path / "diagnosis").mkdir(exist_ok=True)
        (tmp_path / "diagnosis/model.yaml").write_text(
            text.replace("release:\n", "\n  ".join(("release:", *said)) + "\n")
        )
        return load(tmp_path / "diagnosis", {})

    plain, one, other = read(), read("approval: one"), read("approval: not_the_author")
    two = read("approval: {of: [ada, grace], at_least: 2, within: 1d}", 'drill: "0 3 * * 1"')
    assert (plain.release.approval, plain.release.drill) == (None, None)
    assert one.release.approval == Approval()
    assert other.release.approval == Approval(not_the_author=True)
    assert two.release.approval == Approval(of=("ada", "grace"), at_least=2, within=timedelta(days=1))
    assert two.release.drill == "0 3 * * 1"
    assert len({spec.config_digest for spec in (plain, one, other, two)}) == 1


def test_how_large_a_file_may_be_is_said_in_units_and_makes_no_version_another_one(tmp_path: Path) -> None:
    """Each machine bounds what it reads; what is read stays the same."""
    text = (MODELS / "diagnosis/model.yaml").read_text()
    (tmp_path / "diagnosis").mkdir()
    (tmp_path / "diagnosis/model.yaml").write_text(text.replace("source:\n", "source:\n  largest: 1.5MiB\n"))
    plain, bounded = load(MODELS / "diagnosis", {}), load(tmp_path / "diagnosis", {})
    assert (plain.source.largest, bounded.source.largest) == (64 * 2**30, 3 * 2**19)
    assert plain.config_digest == bounded.config_digest


def test_the_order_of_features_is_part_of_the_digest(tmp_path: Path) -> None:
    """An estimator served on positions is another one when columns change places."""
    spec = load(MODELS / "diagnosis", {})
    turned = spec.model_copy(update={"features": dict(reversed(list(spec.features.items())))})
    assert turned.config_digest != spec.config_digest


def test_one_wrong_model_leaves_the_others_alone(tmp_path: Path) -> None:
    """A folder is read to its end; the wrong one is returned with its error, beside the right ones."""
    for name in ("claims", "diagnosis", "wrong"):
        (tmp_path / name).mkdir()
    for name in ("claims", "diagnosis"):
        (tmp_path / name / "model.yaml").write_text((MODELS / name / "model.yaml").read_text())
    (tmp_path / "wrong/model.yaml").write_text("model: wrong\n")
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "README.md").write_text("not a folder")
    specs = load_all(tmp_path, {})
    assert [spec.model for spec in specs.loaded] == ["claims", "diagnosis"]
    assert list(specs.refused) == ["wrong"]
    assert "model.yaml:1: owner: is missing" in str(specs.refused["wrong"])


def test_a_folder_that_is_not_there_holds_no_models(tmp_path: Path) -> None:
    """A DAG file must parse before the first model is made."""
    specs = load_all(tmp_path / "absent", {})
    assert (specs.loaded, specs.refused) == ((), {})


def test_a_spec_cannot_be_changed() -> None:
    """It is what a run decided by, and stays so."""
    spec = load(MODELS / "diagnosis", {})
    with pytest.raises(ValidationError):
        spec.model = "other"


def test_trials_are_the_combinations_of_the_search() -> None:
    """Fixed parameters are in each; nothing to search is one trial."""
    training = load(MODELS / "diagnosis", {}).training
    assert training.trials == ({"max_iter": 500, "C": 0.01}, {"max_iter": 500, "C": 1.0})
    assert training.model_copy(update={"search": {}}).trials == ({"max_iter": 500},)


def test_reading_specs_imports_no_vendor_and_takes_milliseconds() -> None:
    """Every DAG file and every task process waits for this."""
    program = """
import sys, time
from pathlib import Path
from flightworthy.adapters.spec_files import load_all
folder = Path(sys.argv[1])
load_all(folder, {})
start = time.perf_counter()
for _ in range(5):
    count = len(load_all(folder, {}).loaded)
print((time.perf_counter() - start) / 5 / count)
heavy = {"pandas", "numpy", "mlflow", "sklearn", "great_expectations", "evidently", "docker", "airflow", "sqlalchemy"}
print(sorted(heavy & set(sys.modules)))
"""
    run = subprocess.run(
        [sys.executable, "-c", program, str(MODELS)], capture_output=True, text=True, check=True,
        env={"PYTHONPATH": str(MODELS.parent)},
    )  # fmt: skip
    seconds, heavy = run.stdout.splitlines()
    assert heavy == "[]"
    assert float(seconds) < 0.05, "about 4 ms on a quiet machine"


# Quantities -----------------------------------------------------------------------------------------------------------

UNITS = {"ms": 0.001, "s": 1, "m": 60, "h": 3600, "d": 86400}


@given(count=st.integers(0, 3650), unit=st.sampled_from(sorted(UNITS)))
def test_a_duration_is_its_count_times_its_unit(count: int, unit: str) -> None:
    """Whole numbers of every unit are exact."""
    assert read_duration(f"{count}{unit}") == timedelta(milliseconds=round(count * UNITS[unit] * 1000))


@given(st.text() | st.integers() | st.floats() | st.booleans() | st.none())
def test_what_is_no_duration_is_refused_with_an_example(written: object) -> None:
    """Whatever is written, the answer is a duration or a sentence that shows one."""
    try:
        length = read_duration(written)
    except ValueError as refusal:
        sentence = str(refusal)
    else:
        sentence = "" if timedelta() <= length <= timedelta(days=3650) else "out of bounds"
    assert sentence == "" or any(word in sentence for word in ("5s", "needs a unit", "ten years"))


@given(st.integers(0, 1000))
def test_a_percentage_and_its_fraction_are_the_same_share(tenths: int) -> None:
    """12.5% is 0.125."""
    assert read_share(f"{tenths / 10}%") == pytest.approx(tenths / 1000)
    assert read_share(tenths / 1000) == pytest.approx(tenths / 1000)


@pytest.mark.parametrize("written", ["101%", "-1%", 20, -0.1, float("nan"), True, "half", None, "20 percent"])
def test_what_is_no_share_is_refused(written: object) -> None:
    """20 could mean 20 % or 2,000 %."""
    with pytest.raises(ValueError, match=r"20% or 0\.2"):
        read_share(written)


@given(st.lists(st.integers(1, 99), unique=True, max_size=8).map(sorted))
def test_growing_steps_that_end_at_100_are_accepted(steps: list[int]) -> None:
    """Any number of them."""
    assert ReleasePlan.model_validate({"steps": [*steps, 100]}).steps == (*steps, 100)


@given(st.lists(st.integers(-10, 200), max_size=8))
def test_all_other_steps_are_refused(steps: list[int]) -> None:
    """Steps are accepted exactly where they grow within 1 to 100 and end there."""
    good = steps[-1:] == [100] and steps[0] >= 1 and all(low < high for low, high in pairwise(steps))
    if good:
        ReleasePlan.model_validate({"steps": steps})
    else:
        with pytest.raises(ValidationError):
            ReleasePlan.model_validate({"steps": steps})


def test_a_date_is_midnight_in_utc_and_an_instant_keeps_its_moment() -> None:
    """Times are UTC inside."""
    assert read_instant("2025-01-06") == datetime(2025, 1, 6, tzinfo=UTC)
    assert read_instant("2025-01-06T07:00:00+01:00") == datetime(2025, 1, 6, 6, tzinfo=UTC)


FIELD = st.sampled_from(
    ["*", "0", "1", "5", "12", "31", "59", "7", "*/5", "1-5", "5-1", "1,3", "mon", "jan-mar", "x", "99", "*/0"]
)


@given(st.tuples(FIELD, FIELD, FIELD, FIELD, FIELD).map(" ".join))
def test_every_cron_that_is_accepted_is_one_that_airflow_reads(written: str) -> None:
    """What passes here must not fail while a DAG file is parsed; croniter is what Airflow asks."""
    try:
        accepted = read_cron(written)
    except ValueError:
        return
    assert croniter.is_valid(accepted)


# Literals -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text, value",
    [
        ("yes", "yes"), ("no", "no"), ("on", "on"), ("NO", "NO"), ("true", True), ("False", False), ("~", None),
        ("1e3", 1000.0), ("1.5", 1.5), ("-7", -7), ("007", 7), ("0o17", 15), ("0xFF", 255), ("1_000", "1_000"),
        ("2025-01-06", "2025-01-06"), ("12:30", "12:30"), (".5", 0.5), ("1.2.3", "1.2.3"), ("-.inf", float("-inf")),
    ],
)  # fmt: skip
def test_scalars_mean_what_yaml_1_2_says(text: str, value: object) -> None:
    """Countries are not booleans, times are not numbers of base sixty, underscores are not digits."""
    assert meaning(text) == value
    assert type(meaning(text)) is type(value)


@given(st.text())
def test_text_without_a_reference_is_left_as_it_is(text: str) -> None:
    """Only ${…} means anything."""
    if "${" not in text:
        assert substitute(text, {}) == text


def test_an_empty_variable_counts_as_unset() -> None:
    """As in a shell, and because an empty landing folder would be the root of the disk."""
    assert substitute("${A:-x}/${B:-}", {"A": ""}) == "x/"
    with pytest.raises(ValueError, match="environment variable A is not set"):
        substitute("${A}/x", {"A": ""})


def test_a_value_from_the_environment_is_not_read_for_references_again() -> None:
    """One pass: what a variable holds is data."""
    assert substitute("${A}", {"A": "${B}"}) == "${B}"


@pytest.mark.parametrize("key", ["password", "db_password", "apiKey", "AWS_SECRET", "sas_token", "privateKey", "Token"])
def test_keys_that_name_secrets_are_known(key: str) -> None:
    """In snake case, camel case and capitals."""
    assert names_a_secret(key)
    assert looks_secret("x", key=key)
    assert not looks_secret("${X}", key=key)
    assert looks_secret("${X:-x}", key=key)


@pytest.mark.parametrize("key", ["max_tokens", "tokenizer", "key", "primary_key", "secretary", "passes"])
def test_keys_that_only_resemble_secrets_are_let_through(key: str) -> None:
    """A hyperparameter is not a credential."""
    assert not names_a_secret(key)


def test_a_url_with_a_password_is_a_secret_unless_it_is_a_reference() -> None:
    """Credentials belong into connections or the environment."""
    assert looks_secret("postgresql://me:hunter2@db/x", key="uri")
    assert not looks_secret("postgresql://me:${PASSWORD}@db/x", key="uri")
    assert not looks_secret("s3://bucket/{partition}.csv", key="uri")


def test_every_key_is_described() -> None:
    """The descriptions are what `docs/model-yaml.md` and the schema show."""
    inner: tuple[type[BaseModel], ...] = (Dataset, Drift, Evaluation, EventTime, Feature, Gate, ReleasePlan, Schedule)
    parts: tuple[type[BaseModel], ...] = (Spec, Source, Training, *inner)
    silent = [f"{part.__name__}.{key}" for part in parts for key, field in fields(part) if not field.description]
    assert silent == []


def fields(part: type[BaseModel]) -> Iterable[tuple[str, FieldInfo]]:
    """The keys of a section."""
    return part.model_fields.items()
