"""Nothing that names a person is written anywhere, whatever becomes of the partition that holds it."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from airflow.sdk.exceptions import AirflowFailException

from flightworthy.adapters.mlflow_tracking.connection import MlflowConnection
from flightworthy.adapters.mlflow_tracking.runs import MlflowRuns
from flightworthy.personal import pseudonym
from flightworthy_airflow.hooks.mlflow import MlflowHook
from tests.flightworthy_airflow.conftest import MODEL, MONDAY, NEXT_MONDAY, SUITE, Line, by_hand
from tests.training_material import make_frame

KEY = "a key of the tests, long enough"
PERSONAL = {
    "columns": {
        "customer": "pseudonym",
        "nickname": "pseudonym",
        "mail": "drop",
        "born": {"date": "year"},
        "postcode": {"prefix": 2},
    }
}
FEATURES = {
    "age": {"type": "integer"},
    "income": {"type": "number", "nullable": True},
    "nickname": {"type": "category", "nullable": True},
}

TRAIN = """
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder


def train(frame, params, seed):
    words = (OneHotEncoder(handle_unknown="ignore"), ["nickname"])
    model = make_pipeline(make_column_transformer(words, remainder=SimpleImputer()), LogisticRegression(**params))
    return model.fit(frame[["age", "income", "nickname"]], frame["bought"])
"""


def people(rows: int, *, seed: int) -> Any:
    """Rows in which every cell that names a person can be found again."""
    frame = make_frame(rows, seed=seed)[["customer", "age", "income", "bought"]]
    return frame.assign(
        customer=[f"Zephyrine-{seed}-{n}" for n in range(rows)],
        nickname=[f"Quackenbush-{n % 5}" for n in range(rows)],
        mail=[f"zephyrine{n}@canary.example" for n in range(rows)],
        born=[f"19{60 + n % 30}-07-{1 + n % 28:02d}" for n in range(rows)],
        postcode=[f"XQ{n % 10}7 4KW" for n in range(rows)],
    )


CANARIES = (b"Zephyrine", b"zephyrine", b"Quackenbush", b"canary.example", b"-07-1", b"7 4KW")


@pytest.fixture
def private_line(line: Line, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> Line:
    """The line of a model that declares whom its rows name, and has the key in its connection."""
    caplog.set_level(logging.DEBUG)
    line.say(features=FEATURES, personal=PERSONAL)
    (line.models / MODEL / "train.py").write_text(TRAIN)
    suite = {**SUITE, "other_columns": ["born", "postcode"]}
    (line.models / MODEL / "suite.yaml").write_text(yaml.safe_dump(suite))
    extra = {"home": str(line.home), "models": str(line.models)}
    connection = {"conn_type": "generic", "password": KEY, "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_FLIGHTWORTHY_DEFAULT", json.dumps(connection))
    return line


def land(line: Line, frame: Any, key: str = MONDAY) -> None:
    folder = line.home / "landing" / MODEL
    folder.mkdir(parents=True, exist_ok=True)
    frame.to_csv(folder / f"{key}.csv", index=False)


def told(*folders: Path) -> Iterator[tuple[Path, bytes]]:
    """Every file that was written, unpacked where it is Parquet."""
    for path in (path for folder in folders for path in sorted(folder.rglob("*")) if path.is_file()):
        if "landing" in path.parts:
            continue
        content = path.read_bytes()
        if path.suffix == ".parquet":
            from pyarrow import parquet

            content += json.dumps(parquet.read_table(path).to_pydict(), default=str).encode()
        yield path, content


def leaks(*written: tuple[Path, bytes]) -> list[str]:
    return [f"{path}: {canary!r}" for path, content in written for canary in CANARIES if canary in content]


def test_none_of_it_is_in_any_file_log_or_record_of_a_line_that_trains(
    private_line: Line,
    mlflow_server: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """Partitions, manifests, Data Docs, the model's files, MLflow's runs and what the tasks log and hand on."""
    runs = MlflowRuns(connection=MlflowConnection(uri=mlflow_server))
    monkeypatch.setattr(MlflowHook, "runs", lambda _: runs)
    land(private_line, people(240, seed=5))

    dataset = private_line.check(by_hand(), private_line.ingest(by_hand()))
    run = private_line.train(by_hand(), dataset)

    artifact = runs.download(_unpacked(run), tmp_path / "artifact")
    files = dict(told(private_line.home, artifact))
    assert any(path.name == "data.parquet" for path in files)
    assert any("data_docs" in path.parts for path in files)
    assert any(path.name == "contract.json" for path in files)
    known = pseudonym(KEY.encode(), "Zephyrine-5-0").encode()
    assert any(known in content for content in files.values()), "nothing was written that could have leaked"
    record = runs.connection.client.get_run(run["run_id"])
    out, err = capfd.readouterr()
    said = [("log", caplog.text), ("streams", out + err), ("record", str(record.to_dictionary())), ("xcom", str(run))]
    said += [("dataset", str(dataset))]
    assert leaks(*files.items(), *((Path(name), text.encode()) for name, text in said)) == []


def _unpacked(run: Any) -> Any:
    from flightworthy.training import TrainingRun

    return TrainingRun.unpack(run)


def test_none_of_it_is_in_what_a_refused_partition_leaves(
    private_line: Line, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    """Quarantine with its reason, Data Docs with what was unexpected, and the message of the task that failed."""
    doubled = people(240, seed=5).assign(customer="Zephyrine-5-0", nickname=None)
    land(private_line, doubled)
    dataset = private_line.ingest(by_hand())

    with pytest.raises(AirflowFailException) as refused:
        private_line.check(by_hand(), dataset)

    assert pseudonym(KEY.encode(), "Zephyrine-5-0") in str(refused.value)
    files = dict(told(private_line.home))
    assert any("quarantine" in path.parts and path.name == "reason.json" for path in files)
    out, err = capfd.readouterr()
    said = [("log", caplog.text), ("streams", out + err), ("failure", str(refused.value))]
    assert leaks(*files.items(), *((Path(name), text.encode()) for name, text in said)) == []


@pytest.mark.parametrize("fault", ["undeclared", "gone", "ragged", "unwritten", "key"])
def test_none_of_it_is_in_what_a_partition_leaves_that_was_not_taken_in(
    private_line: Line,
    fault: str,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:
    """A column nobody declared, one that is gone, a row too long, a cell of another form, no key: no row is written."""
    frame = people(240, seed=5)
    if fault == "undeclared":
        frame = frame.assign(contact=frame["mail"])
    elif fault == "gone":
        frame = frame.rename(columns={"mail": "electronic"})
    elif fault == "unwritten":
        frame.loc[7, "born"] = "the 14-07-1985"
    elif fault == "key":
        extra = {"home": str(private_line.home), "models": str(private_line.models)}
        connection = {"conn_type": "generic", "extra": extra}
        monkeypatch.setenv("AIRFLOW_CONN_FLIGHTWORTHY_DEFAULT", json.dumps(connection))
    land(private_line, frame)
    if fault == "ragged":
        with (private_line.home / "landing" / MODEL / f"{MONDAY}.csv").open("a") as file:
            file.write("Zephyrine-5-999,1,2,3,4,5,6,7,8,9,zephyrine@canary.example\n")

    with pytest.raises(AirflowFailException) as refused:
        private_line.ingest(by_hand())

    files = dict(told(private_line.home))
    assert not [path for path in files if path.suffix == ".parquet"]
    out, err = capfd.readouterr()
    said = [("log", caplog.text), ("streams", out + err), ("failure", str(refused.value))]
    assert leaks(*files.items(), *((Path(name), text.encode()) for name, text in said)) == []


def test_another_key_is_refused_before_half_of_the_rows_go_by_it(
    private_line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else the same person would be two, on two sides of the split."""
    land(private_line, people(240, seed=5))
    private_line.ingest(by_hand())
    extra = {"home": str(private_line.home), "models": str(private_line.models)}
    connection = {"conn_type": "generic", "password": f"{KEY}, and another one", "extra": extra}
    monkeypatch.setenv("AIRFLOW_CONN_FLIGHTWORTHY_DEFAULT", json.dumps(connection))
    land(private_line, people(240, seed=6), NEXT_MONDAY)

    with pytest.raises(AirflowFailException, match="hold pseudonyms of the key"):
        private_line.ingest(by_hand())

    assert not list((private_line.home / "datasets").rglob(f"{NEXT_MONDAY}/*"))


def test_whoever_was_erased_stays_out_when_the_same_file_is_taken_in_again(private_line: Line) -> None:
    """The file still holds them; the partition that is made of it stands as the erasure left it."""
    from datetime import UTC, datetime

    from flightworthy.adapters.dataset_files import DatasetErasure, DatasetFiles
    from flightworthy.erasure import person_named
    from flightworthy.personal import Keys

    land(private_line, people(240, seed=5))
    private_line.check(by_hand(), private_line.ingest(by_hand()))
    store, now = DatasetFiles(root=private_line.home / "datasets"), datetime.now(UTC)
    person = person_named("Zephyrine-5-17", Keys(current=KEY.encode()), model=MODEL)
    erasure = DatasetErasure(root=store.root)
    erasure.list_erased(MODEL, person, now=now)
    (gone,) = erasure.erase(MODEL, person, column="customer", now=now)

    again = private_line.ingest(by_hand())

    assert (again["rows"], again["partition_digest"]) == (239, gone.replaced_by)
    assert len(store.revisions(MODEL, MONDAY)) == 1
    assert store.has_passed(store.current(MODEL)[MONDAY])
    land(private_line, people(240, seed=5), NEXT_MONDAY)
    assert private_line.ingest(by_hand())["rows"] == 2 * 239
