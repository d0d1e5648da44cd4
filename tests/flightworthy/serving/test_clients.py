"""Clients written by others, for other servers, against a real process of ours."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
import requests
import tritonclient.http as triton
from tritonclient.utils import InferenceServerException

from tests.flightworthy.serving.making import golden_rows
from tests.flightworthy.serving.running import serving

TYPES = {"amount": "FP64", "items": "INT64", "country": "BYTES", "is_new": "BOOL"}
DTYPES = {"FP64": np.float64, "INT64": np.int64, "BYTES": np.object_, "BOOL": np.bool_}


@pytest.fixture(scope="module")
def port(fraud: Path) -> Iterator[int]:
    with serving(fraud) as (_, port):
        yield port


@pytest.fixture
def client(port: int) -> Iterator[triton.InferenceServerClient]:
    client = triton.InferenceServerClient(f"127.0.0.1:{port}")
    yield client
    client.close()


def tensors(rows: list[dict[str, Any]], *, binary: bool) -> list[triton.InferInput]:
    inputs = []
    for name, datatype in reversed(TYPES.items()):
        values = np.array([row[name] for row in rows], dtype=DTYPES[datatype])
        tensor = triton.InferInput(name, list(values.shape), datatype)
        tensor.set_data_from_numpy(values, binary_data=binary)
        inputs.append(tensor)
    return inputs


def test_mlflow_s_own_client_of_models_serve_works_unchanged(port: int, fraud: Path) -> None:
    """The client with which MLflow itself asks ``mlflow models serve``: readiness, version, a frame, an array."""
    from mlflow.pyfunc.scoring_server.client import ScoringServerClient

    rows, predictions = golden_rows(fraud)
    client = ScoringServerClient("127.0.0.1", port)
    client.wait_server_ready(timeout=10)
    assert client.get_version() == "3.17.2"
    answer = client.invoke(pd.DataFrame(rows))
    assert answer.get_predictions()[0].tolist() == pytest.approx(predictions, abs=1e-12)
    with pytest.raises(Exception, match="missing required field `country`|Column `country` is missing"):
        client.invoke(pd.DataFrame(rows).drop(columns="country"))


@pytest.mark.parametrize("orient", ["split", "records"])
def test_requests_as_mlflow_s_docs_write_them_work_unchanged(port: int, fraud: Path, orient: str) -> None:
    """``requests.post`` with pandas' own way of spelling a frame."""
    rows, predictions = golden_rows(fraud)
    frame = pd.DataFrame(rows)
    body = {f"dataframe_{orient}": frame.to_dict(orient=orient)}  # type: ignore[call-overload]
    answer = requests.post(f"http://127.0.0.1:{port}/invocations", json=body, timeout=10)
    assert answer.json() == {"predictions": pytest.approx(predictions, abs=1e-12)}


def test_csv_as_pandas_writes_it_works_unchanged(port: int, fraud: Path) -> None:
    """Booleans are True and False there."""
    rows, predictions = golden_rows(fraud)
    answer = requests.post(
        f"http://127.0.0.1:{port}/invocations",
        data=pd.DataFrame(rows).to_csv(index=False),
        headers={"content-type": "text/csv"},
        timeout=10,
    )
    assert answer.json() == {"predictions": pytest.approx(predictions, abs=1e-12)}


@pytest.mark.parametrize("binary", [True, False])
def test_triton_s_client_gets_the_answers_of_training(
    client: triton.InferenceServerClient, fraud: Path, binary: bool
) -> None:
    """A tensor a feature, in any order; binary, as the client sends and wants by default, and as JSON."""
    rows, predictions = golden_rows(fraud)
    outputs = [triton.InferRequestedOutput("predictions", binary_data=binary)]
    for asked in (None, outputs):
        found = client.infer("fraud", tensors(rows, binary=binary), outputs=asked, request_id="mine")
        assert found.as_numpy("predictions").tolist() == pytest.approx(predictions, abs=1e-12)
        assert found.get_response()["id"] == "mine"
        assert found.get_response()["model_version"] == "3"
    assert client.infer("fraud", tensors(rows, binary=binary), model_version="3").as_numpy("predictions") is not None


def test_triton_s_client_learns_what_there_is(client: triton.InferenceServerClient) -> None:
    """Liveness, readiness, the server's and the model's metadata; with a version and without."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready("fraud")
    assert client.is_model_ready("fraud", "3")
    assert not client.is_model_ready("fraud", "4")
    assert not client.is_model_ready("other")
    assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
    found = client.get_model_metadata("fraud", "3")
    assert {each["name"]: each["datatype"] for each in found["inputs"]} == TYPES
    assert found["versions"] == ["3"]
    assert [each["name"] for each in found["outputs"]] == ["predictions"]


def test_triton_s_client_is_told_what_is_wrong(client: triton.InferenceServerClient, fraud: Path) -> None:
    """It looks for ``error``, and shows the field's name to its caller."""
    inputs = tensors(golden_rows(fraud)[0], binary=True)
    with pytest.raises(InferenceServerException, match="`is_new` is missing"):
        client.infer("fraud", inputs[1:])
    with pytest.raises(InferenceServerException, match="no model or no version"):
        client.infer("other", inputs)
    with pytest.raises(InferenceServerException, match="without compression"):
        client.infer("fraud", inputs, request_compression_algorithm="gzip")


def test_pyarrow_sends_a_table_and_reads_one(port: int, fraud: Path) -> None:
    """Text as words or as a dictionary, which is what pandas makes of categories; JSON unless Arrow is asked for."""
    rows, predictions = golden_rows(fraud)
    frame = pd.DataFrame(rows)[["country", "is_new", "items", "amount"]]
    kind = {"content-type": "application/vnd.apache.arrow.stream"}
    url = f"http://127.0.0.1:{port}/invocations"
    for table in (pa.Table.from_pandas(frame), pa.Table.from_pandas(frame.astype({"country": "category"}))):
        stream = io.BytesIO()
        with pa.ipc.new_stream(stream, table.schema) as writer:
            writer.write_table(table, max_chunksize=3)
        answer = requests.post(url, data=stream.getvalue(), headers=kind, timeout=10)
        assert answer.json() == {"predictions": pytest.approx(predictions, abs=1e-12)}
        found = requests.post(url, data=stream.getvalue(), headers={**kind, "accept": kind["content-type"]}, timeout=10)
        assert found.headers["content-type"] == kind["content-type"]
        read = pa.ipc.open_stream(found.content).read_all()
        assert read.to_pydict() == {"predictions": answer.json()["predictions"]}
