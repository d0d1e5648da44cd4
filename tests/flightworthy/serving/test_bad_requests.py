"""FAULTS.md, bad inputs 35 to 46: each is refused with its status, the field and a request id, and never a trace."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from flightworthy.serving.app import Service

JSON = {"content-type": "application/json"}
ROW = {"amount": 5, "items": 2, "country": "NL", "is_new": True}


def refused(
    client: TestClient, body: bytes | str, status: int, headers: dict[str, str] | None = None
) -> dict[str, Any]:
    answer = client.post("/invocations", content=body, headers=headers or JSON)
    problem = answer.json()
    assert answer.status_code == status, problem
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["request_id"] == answer.headers["x-request-id"]
    assert "Traceback" not in answer.text
    return dict(problem)


def field(problem: dict[str, Any]) -> str:
    return str(problem["errors"][0]["field"])


def records(**changes: Any) -> str:
    return json.dumps({"dataframe_records": [{**ROW, **changes}]})


@pytest.mark.parametrize(
    "body",
    [
        "",
        "{",
        "amount=5",
        '{"instances": [1,}',
        "\xff\xfe",
        '\ufeff{"instances": []}',
        '{"instances": [[5, 2, "\\ud800", true]]}',
        "{} {}",
    ],
)
def test_a_body_that_is_not_json_is_a_400(client: TestClient, body: str) -> None:
    """35: whatever is no JSON is unreadable, not wrong."""
    refused(client, body.encode("latin-1", "replace"), 400)


@pytest.mark.parametrize("token", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize(
    "template, where",
    [
        (
            '{"dataframe_records": [{"amount": %s, "items": 2, "country": "NL", "is_new": true}]}',
            "dataframe_records[0].",
        ),
        (
            '{"dataframe_split": {"columns": ["items", "amount", "country", "is_new"], "data": [[2, %s, null, true]]}}',
            "dataframe_split.data[0]",
        ),
        ('{"inputs": {"amount": [%s], "items": [2], "country": ["NL"], "is_new": [true]}}', "inputs.amount"),
    ],
)
def test_not_a_number_is_a_422_that_names_the_value(client: TestClient, token: str, template: str, where: str) -> None:
    """36: Python's own JSON reader would take these tokens."""
    assert field(refused(client, template % token, 422)).startswith(where)


@pytest.mark.parametrize(
    "body",
    [
        '{"instances": [], "instances": []}',
        '{"dataframe_records": [{"amount": 5, "amount": 6, "items": 2, "country": "NL", "is_new": true}]}',
        '{"dataframe_records": [{"amount": 5, "\\u0061mount": 6, "items": 2, "country": "NL", "is_new": true}]}',
        '{"dataframe_records": [{"amount": 5, "amount": 6, "items": 2, "country": "\\u004eL", "is_new": true}]}',
        '{"dataframe_split": {"columns": ["amount", "items", "country", "is_new"], "data": [], "data": []}}',
        '{"inputs": {"amount": [5], "amount": [6], "items": [2], "country": ["NL"], "is_new": [true]}}',
        '{"instances": [{"amount": 5, "items": 2, "country": "NL", "is_new": false, "is_new": true}]}',
    ],
)
def test_a_key_that_is_there_twice_is_a_400(client: TestClient, body: str) -> None:
    """37: the last one would win silently; which one the client meant cannot be known."""
    assert "twice" in refused(client, body, 400)["detail"]


@pytest.mark.parametrize("name", list(ROW))
def test_a_missing_feature_is_a_422_that_names_it(client: TestClient, name: str) -> None:
    """38: in every shape that names its columns."""
    rest = {key: value for key, value in ROW.items() if key != name}
    assert field(refused(client, json.dumps({"dataframe_records": [ROW, rest]}), 422)) == f"dataframe_records[1].{name}"
    assert field(refused(client, json.dumps({"instances": [rest]}), 422)) == f"instances[0].{name}"
    assert field(refused(client, json.dumps({"inputs": {k: [v] for k, v in rest.items()}}), 422)) == f"inputs.{name}"
    split = {"dataframe_split": {"columns": list(rest), "data": [list(rest.values())]}}
    assert field(refused(client, json.dumps(split), 422)) == f"dataframe_split.columns.{name}"


def test_an_extra_feature_is_a_422_that_names_it(client: TestClient) -> None:
    """39: a name that is not in the contract is a client that means another model."""
    extra = {**ROW, "age": 3}
    assert field(refused(client, records(age=3), 422)) == "dataframe_records[0].age"
    split = {"dataframe_split": {"columns": list(extra), "data": [list(extra.values())]}}
    assert field(refused(client, json.dumps(split), 422)) == "dataframe_split.columns.age"
    twice = {"dataframe_split": {"columns": [*ROW, "items"], "data": [[*ROW.values(), 2]]}}
    assert field(refused(client, json.dumps(twice), 422)) == "dataframe_split.columns.items"
    assert refused(client, json.dumps({"instances": [[*ROW.values(), 1]]}), 422)["errors"]


@pytest.mark.parametrize(
    "change",
    [
        *({"amount": "5"}, {"amount": True}, {"amount": [5]}, {"amount": {"a": 1}}),
        *({"items": "2"}, {"items": 2.5}, {"items": 2**53 + 1}, {"items": True}),
        *({"country": 5}, {"is_new": 1}, {"is_new": "true"}),
    ],
)
def test_a_value_of_another_type_is_a_422_that_names_it(client: TestClient, change: dict[str, Any]) -> None:
    """40: nothing is converted in silence."""
    assert field(refused(client, records(**change), 422)) == f"dataframe_records[0].{next(iter(change))}"


@pytest.mark.parametrize("name", ["amount", "items", "is_new"])
def test_null_where_the_contract_wants_a_value_is_a_422(client: TestClient, name: str) -> None:
    """Null is a value of its own: welcome only where the model was trained on gaps."""
    assert field(refused(client, records(**{name: None}), 422)) == f"dataframe_records[0].{name}"
    assert client.post("/invocations", content=records(country=None), headers=JSON).status_code == 200


@pytest.mark.parametrize("amount", [-0.5, 1000.01])
def test_a_value_out_of_range_is_a_422(client: TestClient, amount: float) -> None:
    """41: the range is the contract's own."""
    assert field(refused(client, records(amount=amount), 422)) == "dataframe_records[0].amount"


def test_an_unseen_category_is_a_422(client: TestClient) -> None:
    """42: a closed category has the values it was trained on."""
    assert field(refused(client, records(country="FR"), 422)) == "dataframe_records[0].country"


@pytest.mark.parametrize(
    "body",
    [
        *('{"instances": []}', '{"instances": null}', '{"dataframe_records": []}', "{}", "[]", "3", '{"rows": []}'),
        '{"dataframe_split": {"columns": [], "data": []}}',
        '{"inputs": {"amount": [], "items": [], "country": [], "is_new": []}}',
    ],
)
def test_a_request_without_rows_is_a_422(client: TestClient, body: str) -> None:
    """43: there is nothing to answer."""
    refused(client, body, 422)


@pytest.mark.parametrize("rows", ["[[null, null]]", '[[5, 2, "NL", true]]', "[[]]", "[1]", "[null]"])
def test_records_without_names_are_a_422(client: TestClient, rows: str) -> None:
    """``dataframe_records`` takes objects; lists of values belong into ``instances``."""
    problem = refused(client, f'{{"dataframe_records": {rows}}}', 422)
    assert field(problem) == "dataframe_records[0]"


def test_columns_of_unequal_length_are_a_422(client: TestClient) -> None:
    """They make no rows."""
    body = {"inputs": {"amount": [1, 2], "items": [2], "country": ["NL"], "is_new": [True]}}
    assert field(refused(client, json.dumps(body), 422)) == "inputs"


def test_two_shapes_in_one_request_are_a_422(client: TestClient) -> None:
    """Which of them is meant cannot be known."""
    refused(client, json.dumps({"instances": [ROW], "dataframe_records": [ROW]}), 422)


def test_too_many_rows_are_a_413(client: TestClient) -> None:
    """44: by count, also when they are few bytes."""
    refused(client, json.dumps({"instances": [list(ROW.values())] * 6}), 413)


def test_too_many_bytes_are_a_413_chunked_or_not(client: TestClient) -> None:
    """44: a chunked body names no length, so what arrives is counted."""
    refused(client, b" " * 5000, 413)
    answer = client.post("/invocations", content=iter([b" " * 1000] * 5), headers=JSON)
    assert "content-length" not in answer.request.headers
    assert answer.status_code == 413
    assert answer.headers["connection"] == "close"


def test_another_method_path_or_content_type_says_which_would_do(client: TestClient) -> None:
    """45: 405 names the methods, 415 the types, 404 the paths."""
    answer = client.get("/invocations")
    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")
    assert client.get("/other/invocations").status_code == 404
    assert "/invocations" in client.get("/other").json()["detail"]
    astray = client.get("/healthz/", headers={"host": "elsewhere.example"}, follow_redirects=False)
    assert (astray.status_code, "location" in astray.headers) == (404, False)
    for kind in ["application/xml", "application/json-seq", "", "text/html; charset=utf-8"]:
        refused(client, records(), 415, {"content-type": kind})
    assert client.post("/invocations", content=records(), headers={"content-type": "Application/JSON; charset=utf-8"})


@pytest.mark.parametrize("depth", [2000, 4000])
def test_deep_nesting_is_a_400(client: TestClient, depth: int) -> None:
    """46: the reader's stack is not the client's to spend."""
    refused(client, '{"instances": ' + "[" * depth, 400)


def test_an_endless_integer_is_a_400(client: TestClient) -> None:
    """46: no float is that large."""
    refused(client, '{"instances": [[%s, 1, "NL", true]]}' % ("9" * 400), 400)
    refused(client, '{"instances": [[1, %s, "NL", true]]}' % ("9" * 3000), 400)


def test_a_failing_model_is_a_500_without_its_trace(client: TestClient, service: Service, capfd: Any) -> None:
    """The trace is in the server's log, under the request id."""

    class Broken:
        def predict(self, rows: Any) -> Any:
            raise RuntimeError("secret inside")

    object.__setattr__(service.scorer, "predictor", Broken())
    problem = refused(client, records(), 500)
    assert "secret" not in json.dumps(problem)
    logged = capfd.readouterr().err
    assert "secret inside" in logged
    assert problem["request_id"] in logged


def test_a_client_s_own_text_is_quoted_short(client: TestClient) -> None:
    """A refusal does not send a page of the client's own value back."""
    assert len(refused(client, records(country="x" * 3000), 422)["detail"]) <= 300
