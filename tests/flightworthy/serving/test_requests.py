"""FAULTS.md, bad inputs 39, 41 and 42, where the model's ``requests`` say what becomes of them: in every protocol."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest
from starlette.testclient import TestClient

from flightworthy.artifact import CONTRACT, canonical, seal
from flightworthy.errors import ArtifactRefused
from flightworthy.personal import pseudonym
from flightworthy.serving.app import Limits, Service, create_app
from flightworthy.serving.contract_file import parse_contract
from flightworthy.serving.observed import Identity
from flightworthy.serving.prediction_log import PredictionLog
from flightworthy.serving.problem import Problem
from flightworthy.serving.protocol import Protocol
from flightworthy.serving.scoring import load_scorer
from tests.flightworthy.serving.making import with_requests

ROW = {"amount": 5.0, "items": 2, "country": "NL", "is_new": True}
DATATYPES = {"amount": "FP64", "items": "INT64", "country": "BYTES", "is_new": "BOOL", "age": "FP64"}
Start = Callable[..., TestClient]


@pytest.fixture
def start(fraud: Path, tmp_path: Path) -> Iterator[Start]:
    """Starts the fraud model with a policy; it writes a prediction log into tmp_path/log."""
    with ExitStack() as running:

        def started(**policy: str) -> TestClient:
            scorer = load_scorer(with_requests(fraud, tmp_path / "model", **policy))
            identity = Identity(model="fraud", version="3", release="fraud-3-abcdef01", arm=None)
            log = PredictionLog(tmp_path / "log", contract=scorer.contract, stamp={})
            return running.enter_context(TestClient(create_app(Service(scorer, identity, log=log, limits=Limits()))))

        yield started


def records(rows: list[dict[str, Any]]) -> tuple[str, bytes, str]:
    return "/invocations", json.dumps({"dataframe_records": rows}).encode(), "application/json"


def split(rows: list[dict[str, Any]]) -> tuple[str, bytes, str]:
    table = {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]}
    return "/invocations", json.dumps({"dataframe_split": table}).encode(), "application/json"


def columns(rows: list[dict[str, Any]]) -> tuple[str, bytes, str]:
    return (
        "/invocations",
        json.dumps({"inputs": {name: [row[name] for row in rows] for name in rows[0]}}).encode(),
        "application/json",
    )


def csv(rows: list[dict[str, Any]]) -> tuple[str, bytes, str]:
    return "/invocations", pd.DataFrame(rows).to_csv(index=False).encode(), "text/csv"


def arrow(rows: list[dict[str, Any]]) -> tuple[str, bytes, str]:
    stream, table = io.BytesIO(), pa.Table.from_pylist(rows)
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    return "/invocations", stream.getvalue(), "application/vnd.apache.arrow.stream"


def tensors(rows: list[dict[str, Any]]) -> tuple[str, bytes, str]:
    inputs = [
        {"name": name, "shape": [len(rows)], "datatype": DATATYPES[name], "data": [row[name] for row in rows]}
        for name in rows[0]
    ]
    return "/v2/models/fraud/infer", json.dumps({"inputs": inputs}).encode(), "application/json"


PROTOCOLS = [records, split, columns, csv, arrow, tensors]
in_every_protocol = pytest.mark.parametrize("said", PROTOCOLS, ids=lambda each: each.__name__)
one_or_many = pytest.mark.parametrize("rows", [1, 40])
Said = Callable[[list[dict[str, Any]]], tuple[str, bytes, str]]


def ask(client: TestClient, said: Said, *rows: dict[str, Any]) -> Any:
    path, body, kind = said(list(rows))
    return client.post(path, content=body, headers={"content-type": kind})


def predictions(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    found = answer.json()
    return found["predictions"] if "predictions" in found else found["outputs"][0]["data"]


def flagged(client: TestClient) -> dict[str, int]:
    name = "flightworthy_flagged_requests_total"
    lines = [line for line in client.get("/metrics").text.splitlines() if line.startswith(name + "{")]
    return {line.split('"')[1]: int(line.split()[-1]) for line in lines}


def logged(client: TestClient, folder: Path) -> list[dict[str, Any]]:
    client.__exit__()
    lines = [line for path in (folder / "log").iterdir() for line in path.read_text().splitlines()]
    return [json.loads(line)["features"] for line in lines]


@in_every_protocol
@one_or_many
def test_what_training_did_not_see_is_answered_and_counted(start: Start, said: Said, rows: int) -> None:
    """41 and 42, unless the model says otherwise: below, above, another word; once a request, whatever its rows."""
    client = start()
    fine = [ROW] * (rows - 1)
    assert len(predictions(ask(client, said, ROW, *fine))) == rows
    assert flagged(client) == {}
    assert len(predictions(ask(client, said, {**ROW, "amount": 6.5}, *fine))) == rows
    assert len(predictions(ask(client, said, {**ROW, "items": -1}, *fine))) == rows
    assert len(predictions(ask(client, said, {**ROW, "country": "FR", "items": 9}, *fine))) == rows
    assert flagged(client) == {"amount": 1, "items": 2, "country": 1}


@in_every_protocol
@pytest.mark.parametrize("strange", [{"amount": 6.5}, {"items": 5}, {"country": "FR"}])
@one_or_many
def test_what_training_did_not_see_may_be_refused(start: Start, said: Said, strange: Any, rows: int) -> None:
    """Then it is a 422 that names the feature, and the edges of what was seen are still answered."""
    client = start(out_of_range="refuse", unseen_category="refuse")
    answer = ask(client, said, {**ROW, **strange}, *[ROW] * (rows - 1))
    assert answer.status_code == 422
    (name,) = strange
    assert name in answer.json()["errors"][0]["field"]
    edges = [{**ROW, "amount": amount, "items": items} for amount, items in ((0.0, 0), (6.0, 4))]
    assert len(predictions(ask(client, said, *edges))) == 2


@in_every_protocol
def test_what_training_did_not_see_may_be_accepted(start: Start, said: Said) -> None:
    """Answered, and not worth a count."""
    client = start(out_of_range="accept", unseen_category="accept")
    predictions(ask(client, said, {"amount": 900.0, "items": 99, "country": "FR", "is_new": True}))
    assert flagged(client) == {}


@pytest.mark.parametrize("bounds", [{"minimum": 0}, {"maximum": 1e300}, {"minimum": -0.5, "maximum": 2**53}, {}])
def test_an_integer_with_a_bound_keeps_all_its_digits(bounds: Any) -> None:
    """2^53 + 1 is no float, and is not taken for 2^53; nor is a bound of a fraction rounded the wrong way."""
    feature = {"name": "items", "type": "integer", **bounds}
    protocol = Protocol(parse_contract({"features": [feature], "output": {"kind": "probability"}}))

    def read(value: Any) -> Any:
        return protocol.read("application/json", json.dumps({"instances": [[value]]}).encode())

    assert read(2**53) == [(2**53,)]
    assert read(3.0) == [(3,)]
    assert read(0) == [(0,)]
    assert isinstance(read(2**53 + 1), Problem)
    assert isinstance(read(2.5), Problem)
    assert isinstance(read(-1), Problem) == ("minimum" in bounds)


@in_every_protocol
@pytest.mark.parametrize("policy", ["accept", "flag"])
def test_what_model_yaml_rules_out_is_refused_whatever_the_policy(start: Start, said: Said, policy: str) -> None:
    """A minimum or maximum that somebody wrote is no observation: 1000 is the most that an amount may be."""
    answer = ask(start(out_of_range=policy), said, {**ROW, "amount": 1000.5})
    assert answer.status_code == 422
    assert "amount" in answer.json()["errors"][0]["field"]


@in_every_protocol
@one_or_many
def test_an_unseen_category_may_count_as_missing(start: Start, tmp_path: Path, said: Said, rows: int) -> None:
    """Answered as if there were none, counted, and written into the log as what was scored."""
    client = start(unseen_category="missing")
    known = [ROW] * (rows - 1)
    strange = predictions(ask(client, said, {**ROW, "country": "FR"}, *known))
    without = predictions(ask(client, records, {**ROW, "country": None}, *known))
    assert strange == without
    assert flagged(client) == {"country": 1}
    assert [row["country"] for row in logged(client, tmp_path)] == [None, *["NL"] * (rows - 1)] * 2


@in_every_protocol
def test_an_extra_feature_may_be_ignored(start: Start, said: Said) -> None:
    """39: then it is as if it had not been sent; by itself it is a 422."""
    client = start(extra_features="ignore")
    assert predictions(ask(client, said, {"age": 3.0, **ROW})) == predictions(ask(client, said, ROW))


@in_every_protocol
def test_an_extra_feature_is_refused_by_itself(start: Start, said: Said) -> None:
    """39: named, in every protocol."""
    answer = ask(start(), said, {"age": 3.0, **ROW})
    assert answer.status_code == 422
    assert "age" in answer.json()["errors"][0]["field"]


def test_a_model_that_takes_only_what_it_was_fitted_on_makes_a_422_of_another_word(start: Start) -> None:
    """An encoder that raises is the client's word at fault; the same failure over known words is the model's."""

    class Picky:
        def predict(self, rows: Any) -> Any:
            raise ValueError("Found unknown categories")

    client = start()
    object.__setattr__(client.app._endpoint._service.scorer, "predictor", Picky())  # type: ignore[attr-defined]
    answer = ask(client, records, {**ROW, "country": "FR"})
    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (422, "country")
    assert ask(client, records, ROW).status_code == 500
    assert ask(client, records, {**ROW, "amount": 7.0}).status_code == 500


@pytest.mark.parametrize("nullable", [True, False])
def test_the_openapi_document_shows_nobody_s_data(fraud: Path, tmp_path: Path, nullable: bool) -> None:
    """Its example is a row of training, but for what is declared as personal; it works all the same."""
    folder = with_requests(fraud, tmp_path / "model")
    contract = json.loads((folder / CONTRACT).read_bytes())
    for feature in contract["features"]:
        treatment = {"amount": {"way": "bucket", "size": 10}, "country": {"way": "pseudonym"}}.get(feature["name"])
        feature.update({} if treatment is None else {"personal": treatment, "nullable": nullable})
    (folder / CONTRACT).write_bytes(canonical(contract))
    seal(folder)
    scorer = load_scorer(folder, key=b"0123456789abcdef")
    identity = Identity(model="fraud", version="3", release="fraud-3-abcdef01", arm=None)
    with TestClient(create_app(Service(scorer, identity, log=None, limits=Limits()))) as client:
        document = client.get("/openapi.json").json()
        asked = document["paths"]["/invocations"]["post"]["requestBody"]["content"]["application/json"]["example"]
        # This model takes no gap where its contract, changed here, allows one.
        assert nullable or client.post("/invocations", json=asked).status_code == 200
    (row,) = asked["dataframe_records"]
    assert (row["amount"], row["country"]) == ((None, None) if nullable else (0, "somebody"))
    assert row["items"] == scorer.golden.rows[0]["items"]


def test_the_openapi_document_tells_what_is_refused_and_what_was_seen(start: Start) -> None:
    """A bound where it is one, and words where it is only known."""
    found = start(unseen_category="refuse").get("/openapi.json").json()["components"]["schemas"]["Record"]["properties"]
    assert found["country"]["enum"] == ["DE", "NL", None]
    assert found["amount"] == {"type": "number", "minimum": 0, "maximum": 1000, "description": "Trained on 0 to 6"}


@in_every_protocol
@one_or_many
def test_what_names_a_person_is_asked_and_kept_as_it_was_trained_on(
    fraud: Path, tmp_path: Path, said: Said, rows: int
) -> None:
    """A pseudonym and the lower end of a bucket; a row that was treated already, as golden requests are, stays so."""
    folder, key = with_requests(fraud, tmp_path / "model"), b"0123456789abcdef"
    contract = json.loads((folder / CONTRACT).read_bytes())
    treatments = {"country": {"way": "pseudonym"}, "items": {"way": "bucket", "size": 10, "most": 20}}
    for feature in contract["features"]:
        feature.update({"personal": treatments[feature["name"]]} if feature["name"] in treatments else {})
        feature.pop("seen", None)
    (folder / CONTRACT).write_bytes(canonical(contract))
    seal(folder)
    scorer = load_scorer(folder, key=key)
    identity = Identity(model="fraud", version="3", release="fraud-3-abcdef01", arm=None)
    log = PredictionLog(tmp_path / "log", contract=scorer.contract, stamp={})
    client = TestClient(create_app(Service(scorer, identity, log=log, limits=Limits()))).__enter__()

    raw = ask(client, said, *[{**ROW, "items": 17}] * rows)
    treated = ask(client, said, *[{**ROW, "items": 10, "country": pseudonym(key, ROW["country"])}] * rows)

    assert predictions(raw) == predictions(treated)
    kept = logged(client, tmp_path)
    assert len(kept) == 2 * rows
    assert {(row["items"], row["country"]) for row in kept} == {(10, pseudonym(key, ROW["country"]))}


@in_every_protocol
def test_a_request_is_held_to_what_a_personal_value_becomes(fraud: Path, tmp_path: Path, said: Said) -> None:
    """The bounds are of the stored values, and a value that cannot be treated is refused without being repeated."""
    folder = with_requests(fraud, tmp_path / "model")
    contract = json.loads((folder / CONTRACT).read_bytes())
    treatments = {"country": {"way": "date"}, "items": {"way": "bucket", "size": 10}}
    for feature in contract["features"]:
        feature.update({"personal": treatments[feature["name"]]} if feature["name"] in treatments else {})
        feature.update({"minimum": 10} if feature["name"] == "items" else {})
        feature.pop("seen", None)
    (folder / CONTRACT).write_bytes(canonical(contract))
    seal(folder)
    identity = Identity(model="fraud", version="3", release="fraud-3-abcdef01", arm=None)
    with TestClient(create_app(Service(load_scorer(folder), identity, log=None, limits=Limits()))) as client:
        assert ask(client, said, {**ROW, "items": 17, "country": "2026-01-05"}).status_code == 200
        low = ask(client, said, {**ROW, "items": 9, "country": "2026-01-05"})
        odd = ask(client, said, {**ROW, "items": 17, "country": "the fifth"})
    assert (low.status_code, odd.status_code) == (422, 422)
    assert "items" in low.text
    assert "country" in odd.text
    assert "fifth" not in odd.text


def test_a_contract_with_a_treatment_that_nobody_knows_is_not_served(fraud: Path, tmp_path: Path) -> None:
    """Rather than scoring and logging a person as they are."""
    folder = with_requests(fraud, tmp_path / "model")
    contract = json.loads((folder / CONTRACT).read_bytes())
    contract["features"][0]["personal"] = True
    (folder / CONTRACT).write_bytes(canonical(contract))
    seal(folder)
    with pytest.raises(ArtifactRefused, match="names a person"):
        load_scorer(folder)
