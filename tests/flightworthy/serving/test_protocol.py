from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from flightworthy.serving.contract import Contract, Feature
from flightworthy.serving.problem import Problem
from flightworthy.serving.protocol import Protocol
from tests.flightworthy.serving.making import golden_rows

ORDER = ("amount", "items", "country", "is_new")
"""The contract's, in which rows without names are read."""


def as_csv(rows: list[dict[str, Any]]) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def shapes(rows: list[dict[str, Any]]) -> dict[str, tuple[str, str]]:
    """The same rows in every shape of the protocol, columns shuffled where they are named."""
    turned = [dict(reversed(row.items())) for row in rows]
    columns = list(turned[0])
    bodies = {
        "records": {"dataframe_records": turned},
        "split": {"dataframe_split": {"columns": columns, "data": [list(row.values()) for row in turned]}},
        "split with pandas' index": {
            "dataframe_split": {"index": [0, 1], "columns": columns, "data": [list(row.values()) for row in turned]}
        },
        "instances": {"instances": turned},
        "instances as lists": {"instances": [[row[name] for name in ORDER] for row in rows if ORDER[0] in row]},
        "inputs": {"inputs": rows},
        "inputs as columns": {"inputs": {name: [row[name] for row in rows] for name in columns}},
    }
    texts = {name: (json.dumps(body), "application/json") for name, body in bodies.items()}
    return texts | {"csv": (as_csv(turned), "text/csv; charset=utf-8")}


@pytest.mark.parametrize("shape", list(shapes([{"a": 1}])))
def test_every_shape_gets_the_answer_that_training_gave(client: TestClient, fraud: Path, shape: str) -> None:
    """MLflow's four JSON shapes and CSV, in any order of columns."""
    rows, predictions = golden_rows(fraud)
    body, kind = shapes(rows[:5])[shape]
    answer = client.post("/invocations", content=body, headers={"content-type": kind})
    assert answer.json() == {"predictions": pytest.approx(predictions[:5], abs=1e-12)}


def test_an_integer_may_be_written_as_pandas_writes_it(client: TestClient) -> None:
    """A column with gaps is a float column to pandas, and 2.0 is the integer 2."""
    rows = [[5, 2, "NL", True], [5, 2.0, "NL", True]]
    answer = client.post("/invocations", json={"instances": rows}).json()["predictions"]
    assert answer[0] == answer[1]


def test_an_empty_csv_cell_is_null(client: TestClient) -> None:
    """Where null is allowed the row is answered, elsewhere it is refused like any null."""
    headers = {"content-type": "text/csv"}
    fine = client.post("/invocations", content="amount,items,country,is_new\n5,2,,true\n", headers=headers)
    assert fine.status_code == 200
    refused = client.post("/invocations", content="amount,items,country,is_new\n,2,NL,true\n", headers=headers)
    assert refused.status_code == 422
    assert refused.json()["errors"][0]["field"] == "csv[0].amount"


@pytest.mark.parametrize(
    "text, status",
    [
        ("", 422),
        ("amount,items,country,is_new\n", 422),
        ("amount,items,country\n5,2,NL\n", 422),
        ("amount,items,country,is_new,age\n5,2,NL,true,1\n", 422),
        ("amount,items,country,is_new\n5,2,NL\n", 422),
        ("amount,items,country,is_new\n5,2,NL,true,1\n", 422),
        ("amount,items,country,is_new\nnan,2,NL,true\n", 422),
        ("amount,items,country,is_new\n1e999,2,NL,true\n", 422),
        ("amount,items,country,is_new\n1_0,2,NL,true\n", 422),
        ("amount,items,country,is_new\n5,2.5,NL,true\n", 422),
        ("amount,items,country,is_new\n5,2,FR,true\n", 422),
        ("amount,items,country,is_new\n5,2,NL,1\n", 422),
        ('amount,items,country,is_new\n5,2,"NL,true\n', 400),
    ],
)
def test_a_csv_body_keeps_the_same_contract(client: TestClient, text: str, status: int) -> None:
    """No cell is guessed at, no column is filled up or cut off."""
    answer = client.post("/invocations", content=text, headers={"content-type": "text/csv"})
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"


def test_csv_that_is_not_utf_8_is_a_400(client: TestClient) -> None:
    """Another encoding would be read as other words."""
    body = "amount,items,country,is_new\n5,2,NL,true\n".encode("utf-16")
    assert client.post("/invocations", content=body, headers={"content-type": "text/csv"}).status_code == 400


SPLITS = [
    '{"dataframe_split": {"columns": ["a:b", "n", "c"], "data": [["x:y", 3, null], [null, 4.0, 0.5]]}}',
    ' {"dataframe_split" : {"index": ["0:0", 1], "columns": ["a:b", "n", "c"], "data": [["x", 3, 1.5], ["y", 4, 2]]}}',
    '{"dataframe_split": {"columns": ["c", "a:b", "n"], "data": [[null, "x:y", 3]]}}',
    '{"dataframe_split": {"columns": ["a:b", "n", "c"], "data": []}}',
    '{"dataframe_split": {"columns": ["a:b", "n", "c"], "data": [["x", 3]]}}',
    '{"dataframe_split": {"columns": ["a:b", "n", "c"], "data": [["x", 3.5, 1]]}}',
    '{"dataframe_split": {"columns": ["a:b", "n", "c"], "data": [["x", 3, "1"]]}}',
    '{"dataframe_split": {"columns": ["a:b", "n", "c"], "data": [["x", 3, NaN]]}}',
    '{"dataframe_split": {"columns": ["a:b", "n"], "data": [["x", 3]]}}',
    '{"dataframe_split": {"columns": ["a:b", "n", "n"], "data": [["x", 3, 1]]}}',
    '{"dataframe_split": {"columns": ["a:b", "n", "d"], "data": [["x", 3, 1]]}}',
    '{"dataframe_split": {"columns": "a:b", "data": [["x", 3, 1]]}}',
    '{"dataframe_split": {"columns": ["a:b", "n", "c"], "data": [["x", 3, 1]], "data": [["x", 3, 1]]}}',
    '{"dataframe_split": {"columns": ["a:b", "n", "c"], "data": [["x", 3, 1]], "name": "t"}}',
    '{"dataframe_split": {"columns": ["a:b", "n", "c"], "data": [["x", 3, 1]]}, "inputs": []}',
    '{"dataframe_split": {"columns": ["a:b", "n", "c"], "data": [["x", 3, 1]]}',
    '{"dataframe_split": {"columns": ["a:b", "n", "c"]}}',
]


@pytest.mark.parametrize("body", SPLITS)
def test_a_body_read_at_a_glance_is_read_as_step_by_step(body: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same rows, and for each fault the same words: the short way may only be faster."""
    plain = {"nullable": True, "values": None, "minimum": None, "maximum": None}
    kinds = {"a:b": "category", "n": "integer", "c": "number"}
    features = tuple(Feature(name=name, type=kind, **plain) for name, kind in kinds.items())  # type: ignore[arg-type]
    protocol = Protocol(Contract(model="m", features=features))
    found = protocol.read("application/json", body.encode())
    monkeypatch.setattr(protocol, "_at_a_glance", lambda _: None)
    assert found == protocol.read("application/json", body.encode())
    assert isinstance(found, Problem) == (body not in SPLITS[:3])


def test_columns_in_the_contracts_order_are_read_at_a_glance(monkeypatch: pytest.MonkeyPatch) -> None:
    """What pandas sends, in one pass; another order takes the longer way."""
    plain = {"nullable": True, "values": None, "minimum": None, "maximum": None}
    features = tuple(Feature(name=name, type="number", **plain) for name in "ab")  # type: ignore[arg-type]
    protocol = Protocol(Contract(model="m", features=features))
    taken = []
    longer = protocol._step_by_step
    monkeypatch.setattr(protocol, "_step_by_step", lambda body: taken.append(body) or longer(body))
    for columns, row in (("ab", [1, 2]), ("ba", [2, 1])):
        body = json.dumps({"dataframe_split": {"columns": list(columns), "data": [row]}}).encode()
        assert protocol.read("application/json", body) == [(1.0, 2.0)]
    assert len(taken) == 1


def test_names_and_values_may_hold_colons_and_quotes() -> None:
    """Duplicate keys are found by counting colons, which must not mistake those of a name or a value for a key's."""
    names = ["a:b", "don't {say}", "plain"]
    plain = {"nullable": True, "values": None, "minimum": None, "maximum": None}
    features = tuple(Feature(name=name, type="category", **plain) for name in names)  # type: ignore[arg-type]
    protocol = Protocol(Contract(model="m", features=features))
    for value in ["x:y", 'q"q', "\\", "é", None]:
        row = dict.fromkeys(names, value)
        for body in [{"instances": [row, row]}, {"inputs": {name: [value] for name in names}}]:
            rows = protocol.read("application/json", json.dumps(body).encode())
            assert not isinstance(rows, Problem), rows
            assert rows[0] == (value, value, value)
    twice = '{"instances": [{"a:b": "1", "a:b": "2", "don\'t {say}": "", "plain": ""}]}'
    problem = protocol.read("application/json", twice.encode())
    assert isinstance(problem, Problem)
    assert problem.status == 400
