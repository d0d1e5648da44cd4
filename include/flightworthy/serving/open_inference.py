"""The Open Inference Protocol, version 2, over HTTP: tensors in JSON or binary, one a feature, or one for them all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType
from numpy.typing import NDArray

from flightworthy.serving.batch import Column, from_columns
from flightworthy.serving.contract import Contract, Flaw
from flightworthy.serving.dialect import Headers, Question
from flightworthy.serving.observed import Identity
from flightworthy.serving.problem import Problem
from flightworthy.serving.protocol import check_rows
from flightworthy.serving.replies import BINARY, Reply
from flightworthy.serving.syntax import count_colons, explain, has_duplicate_keys, unreadable
from flightworthy.serving.tensors import Tensor, read_binary, read_json

__all__ = ["OUTPUT", "OpenInferenceDialect", "metadata"]

OUTPUT = "predictions"
_HEAD = b"inference-header-content-length"
_DATATYPES: Mapping[str, str] = {"number": "FP64", "integer": "INT64", "category": "BYTES", "boolean": "BOOL"}


class _Input(msgspec.Struct):
    name: str
    shape: list[int]
    datatype: str
    parameters: dict[str, Any] | UnsetType = UNSET
    data: Raw | UnsetType = UNSET


class _Output(msgspec.Struct):
    name: str
    parameters: dict[str, Any] | UnsetType = UNSET


class _Request(msgspec.Struct):
    inputs: list[_Input]
    id: str | UnsetType | None = UNSET
    parameters: dict[str, Any] | UnsetType = UNSET
    outputs: list[_Output] | UnsetType = UNSET


class OpenInferenceDialect:
    """``/v2/models/<name>/infer``."""

    def __init__(self, contract: Contract, identity: Identity, *, max_rows: int) -> None:
        self._contract = contract
        self._identity = identity
        self._max_rows = max_rows
        self._decoder = msgspec.json.Decoder(_Request)

    def read(self, headers: Headers, body: bytes, /) -> Question | Problem:
        """The batch of a request's tensors."""
        head = headers.get(_HEAD)
        if head is not None and not (head.isdigit() and len(head) < 12 and int(head) <= len(body)):
            detail = "Expected the length of the JSON part, within the body"
            return Problem(status=400, detail=detail, field=_HEAD.decode())
        split = len(body) if head is None else int(head)
        try:
            text = body[:split]
            request = self._decoder.decode(text)
            if (twice := has_duplicate_keys(text, keys=_colons(request), colons=0)) is not None:
                return Problem(status=400, detail=f"The key {twice!r} is there twice", field=twice)
            if (refused := _outputs_flaw(request)) is not None:
                return refused
            columns = self._columns(request, body[split:])
        except msgspec.ValidationError as error:
            return Problem(status=422, detail=str(error))
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            return explain(body[:split], error)
        except RecursionError as error:
            return unreadable(error)
        return columns if isinstance(columns, Problem) else self._question(request, columns)

    def _columns(self, request: _Request, binary: bytes) -> dict[str, Column] | Problem:
        given, names = [each.name for each in request.inputs], self._contract.names
        is_table = len(given) == 1 and given[0] not in names
        if not is_table and (flaw := self._contract.column_flaw(given)) is not None:
            return Problem(status=422, detail=flaw.what, field=f"inputs.{flaw.name}")
        tensors = _tensors(request, binary)
        if isinstance(tensors, Problem):
            return tensors
        if is_table:
            return self._table(tensors[0])
        columns = {}
        for tensor in tensors:
            column = tensor.column()
            if isinstance(column, Problem):
                return column
            columns[tensor.name] = column
        return columns

    def _table(self, tensor: Tensor) -> dict[str, Column] | Problem:
        """One tensor of all features, in the contract's order."""
        width = len(self._contract.names)
        if not self._contract.is_numeric or len(tensor.shape) != 2 or tensor.shape[1] != width:
            detail = f"Expected a tensor a feature, or, if all are numbers, one of shape [rows, {width}]"
            return Problem(status=422, detail=detail, field=f"inputs.{tensor.name}")
        if (problem := check_rows(tensor.shape[0], self._max_rows, f"inputs.{tensor.name}")) is not None:
            return problem
        values = tensor.values.reshape(tensor.shape)
        gaps = None if tensor.missing is None else tensor.missing.reshape(tensor.shape)
        return {
            name: Column(values[:, place], None if gaps is None else gaps[:, place])
            for place, name in enumerate(self._contract.names)
        }

    def _question(self, request: _Request, columns: dict[str, Column]) -> Question | Problem:
        lengths = {len(column.values) for column in columns.values()}
        if len(lengths) != 1:
            return Problem(status=422, detail=f"Expected tensors of one length, got {sorted(lengths)}", field="inputs")
        (rows,) = lengths
        if (problem := check_rows(rows, self._max_rows, "inputs")) is not None:
            return problem
        batch = from_columns(self._contract, columns, rows)
        if isinstance(batch, Flaw):
            return Problem(status=422, detail=batch.what, field=f"inputs.{batch.name}")
        return Question(batch, partial(self._reply, request.id, _wants_binary(request)))

    def _reply(self, request_id: str | UnsetType | None, binary: bool, predictions: NDArray[Any]) -> Reply:
        output = {"name": OUTPUT, "datatype": "FP64", "shape": [len(predictions)]}
        head = {"model_name": self._identity.model, "model_version": self._identity.version}
        if isinstance(request_id, str):
            head["id"] = request_id
        if not binary:
            return Reply(200, msgspec.json.encode({**head, "outputs": [{**output, "data": predictions.tolist()}]}))
        data = predictions.astype("<f8").tobytes()
        text = msgspec.json.encode({**head, "outputs": [{**output, "parameters": {"binary_data_size": len(data)}}]})
        return Reply(200, text + data, BINARY, ((_HEAD, b"%d" % len(text)),))


def metadata(contract: Contract, identity: Identity) -> dict[str, Any]:
    """A model's tensors, as the protocol describes them."""
    inputs = [
        {"name": feature.name, "datatype": _DATATYPES[feature.type], "shape": [-1]} for feature in contract.features
    ]
    return {
        "name": identity.model,
        "versions": [identity.version],
        "platform": "flightworthy",
        "inputs": inputs,
        "outputs": [{"name": OUTPUT, "datatype": "FP64", "shape": [-1]}],
    }


def _tensors(request: _Request, binary: bytes) -> list[Tensor] | Problem:
    """Every input; binary ones lie behind the JSON, in order and without a gap."""
    tensors: list[Tensor] = []
    place = 0
    for each in request.inputs:
        size = _parameter(each.parameters, "binary_data_size")
        if size is None:
            tensor = _plain(each)
        elif not isinstance(size, int) or not 0 <= size <= len(binary) - place or each.data is not UNSET:
            detail = "Expected as many bytes behind the JSON as binary_data_size says, and no data"
            return Problem(status=400, detail=detail, field=f"inputs.{each.name}")
        else:
            tensor = read_binary(each.name, each.shape, each.datatype, binary[place : place + size])
            place += size
        if isinstance(tensor, Problem):
            return tensor
        tensors.append(tensor)
    if place != len(binary):
        detail = f"{len(binary) - place} bytes behind the JSON belong to no tensor"
        return Problem(status=400, detail=detail, field="inputs")
    return tensors


def _plain(each: _Input) -> Tensor | Problem:
    if isinstance(each.data, UnsetType):
        detail = "Expected data, or parameters.binary_data_size"
        return Problem(status=422, detail=detail, field=f"inputs.{each.name}")
    return read_json(each.name, each.shape, each.datatype, bytes(each.data))


def _outputs_flaw(request: _Request) -> Problem | None:
    for output in request.outputs or ():
        if output.name != OUTPUT:
            return Problem(status=422, detail=f"The only output is {OUTPUT}", field=f"outputs.{output.name}")
        if _parameter(output.parameters, "classification"):
            detail = "There is no classification of outputs here; compare with the model's threshold"
            return Problem(status=422, detail=detail, field=f"outputs.{output.name}.parameters.classification")
    return None


def _wants_binary(request: _Request) -> bool:
    if request.outputs:
        return _parameter(request.outputs[0].parameters, "binary_data") is True
    return _parameter(request.parameters, "binary_data_output") is True


def _parameter(parameters: dict[str, Any] | UnsetType, name: str) -> Any:
    return parameters.get(name) if isinstance(parameters, dict) else None


def _colons(request: _Request) -> int:
    """How many colons the text of ``request`` has, if each of its keys is there once and none is unknown."""
    parts: list[Any] = [request, *request.inputs, *(request.outputs or ())]
    keys = sum(getattr(part, name) is not UNSET for part in parts for name in part.__struct_fields__)
    parameters = [part.parameters for part in parts if part.parameters is not UNSET]
    names = [request.id, *(part.name for part in parts[1:]), *(each.datatype for each in request.inputs)]
    data = [bytes(each.data) for each in request.inputs if each.data is not UNSET]
    inside = sum(name.count(":") for name in names if isinstance(name, str))
    inside += sum(count_colons(msgspec.json.encode(each)) for each in parameters)
    return keys + inside + sum(count_colons(each) for each in data)
