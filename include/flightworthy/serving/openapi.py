"""The OpenAPI 3.1 document of one model: its features with types, ranges and categories, and an example that works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from flightworthy.serving.contract import Contract, Feature
from flightworthy.serving.observed import Identity
from flightworthy.serving.scoring import Scorer
from flightworthy.serving.service import Limits

__all__ = ["document"]

_TYPES: Final[Mapping[str, str]] = {
    "number": "number",
    "integer": "integer",
    "category": "string",
    "boolean": "boolean",
}
_DATATYPES = ["BOOL", "BYTES", *(f"{kind}{bits}" for kind in ("INT", "UINT") for bits in (8, 16, 32, 64))]
_DATATYPES += ["FP16", "FP32", "FP64"]
_REFUSALS: Final[Mapping[str, str]] = {
    "400": "The body cannot be read",
    "408": "The request took too long to arrive",
    "413": "Too many bytes or rows",
    "415": "A content type that is not read here",
    "422": "The rows do not keep the model's contract; errors[0].field says where",
    "500": "The model failed or answered no probability; nothing of it was sent",
    "503": "The model is not ready",
}


def document(scorer: Scorer, identity: Identity, limits: Limits) -> dict[str, Any]:
    """As JSON types. The example is the first golden row, without what names a person, and its answer."""
    contract, golden, answer = scorer.contract, scorer.golden.rows[0], scorer.golden.predictions[0]
    row = {each.name: _stand_in(each) if each.personal else golden[each.name] for each in contract.features}
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"{identity.model} {identity.version}",
            "version": identity.version,
            "description": f"At most {limits.rows} rows and {limits.body_bytes} bytes a request.",
        },
        "paths": {
            "/invocations": {"post": _invocations(contract, row, answer)},
            f"/v2/models/{identity.model}/infer": {"post": _infer(contract, identity, row, answer)},
            f"/v2/models/{identity.model}": {"get": _page("The model's tensors", "Metadata")},
            "/v2": {"get": _page("The Open Inference Protocol's server metadata", "Metadata")},
            "/v2/health/live": {"get": _page("Whether the server lives", "Metadata")},
            "/v2/health/ready": {"get": _page("Whether to send traffic", "Metadata")},
            "/healthz": {"get": _page("Whether to send traffic, and what would answer it", "Health")},
            "/metrics": {"get": _text("Prometheus' page", "text/plain")},
            "/version": {"get": _text("The MLflow version whose protocol this is", "text/plain")},
        },
        "components": {"schemas": _schemas(contract, limits)},
    }


def _invocations(contract: Contract, row: Mapping[str, Any], answer: float) -> dict[str, Any]:
    shapes = ["Records", "Split", "Instances", "Inputs"]
    body = {
        "schema": {"oneOf": [_ref(name) for name in shapes]},
        "example": {"dataframe_records": [dict(row)]},
    }
    csv = {"schema": {"type": "string"}, "example": _csv(contract, row)}
    arrow = {"schema": {"type": "string", "format": "binary"}}
    found = {"schema": _ref("Predictions"), "example": {"predictions": [answer]}}
    return {
        "operationId": "score",
        "summary": "Score rows, in MLflow's protocol",
        "parameters": [
            {
                "name": "x-entity-id",
                "in": "header",
                "description": "Whom the row is about; the router keeps it on one side of a canary. The prediction log "
                "names it where it is at most 256 visible ASCII characters",
                "schema": {"type": "string"},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                "application/json": body,
                "text/csv": csv,
                "application/vnd.apache.arrow.stream": arrow,
            },
        },
        "responses": _responses({"application/json": found, "application/vnd.apache.arrow.stream": arrow}),
    }


def _infer(contract: Contract, identity: Identity, row: Mapping[str, Any], answer: float) -> dict[str, Any]:
    datatypes = {"number": "FP64", "integer": "INT64", "category": "BYTES", "boolean": "BOOL"}
    inputs = [
        {"name": each.name, "shape": [1], "datatype": datatypes[each.type], "data": [row[each.name]]}
        for each in contract.features
    ]
    output = {"name": "predictions", "datatype": "FP64", "shape": [1], "data": [answer]}
    found = {
        "schema": _ref("Inferred"),
        "example": {"model_name": identity.model, "model_version": identity.version, "outputs": [output]},
    }
    return {
        "operationId": "infer",
        "summary": "Score tensors, in the Open Inference Protocol",
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": _ref("Tensors"), "example": {"inputs": inputs}}},
        },
        "responses": _responses({"application/json": found}),
    }


def _schemas(contract: Contract, limits: Limits) -> dict[str, Any]:
    features = {feature.name: _feature(feature) for feature in contract.features}
    names = list(features)
    is_strict = contract.policy.extra_features == "refuse"
    record = {"type": "object", "properties": features, "required": names, "additionalProperties": not is_strict}
    row = {
        "type": "array",
        "prefixItems": [features[name] for name in names],
        "items": False,
        "minItems": len(names),
        "maxItems": len(names),
    }
    rows = {"minItems": 1, "maxItems": limits.rows}
    records, lists = {"type": "array", "items": _ref("Record"), **rows}, {"type": "array", "items": _ref("Row"), **rows}
    columns = {name: {"type": "array", "items": schema, **rows} for name, schema in features.items()}
    one_by_one = {"type": "object", "properties": columns, "required": names, "additionalProperties": not is_strict}
    split = {
        "type": "object",
        "properties": {
            "columns": {"const": names},
            "data": lists,
            "index": {"description": "As pandas writes it; not looked at"},
        },
        "required": ["columns", "data"],
        "additionalProperties": False,
    }
    return {
        "Record": record,
        "Row": {**row, "description": "Values in the order of the features"},
        "Records": _envelope("dataframe_records", records),
        "Split": _envelope("dataframe_split", split),
        "Instances": _envelope("instances", {"anyOf": [records, lists]}),
        "Inputs": _envelope("inputs", {"anyOf": [records, lists, one_by_one]}),
        "Predictions": _envelope(
            "predictions", {"type": "array", "items": {"type": "number", "minimum": 0, "maximum": 1}}
        ),
        "Tensors": _tensors(names),
        "Inferred": {"type": "object", "required": ["model_name", "outputs"]},
        "Metadata": {"type": "object"},
        "Health": {"type": "object", "required": ["status", "model", "version", "release"]},
        "Problem": _problem(),
    }


def _tensors(names: list[str]) -> dict[str, Any]:
    tensor = {
        "type": "object",
        "properties": {
            "name": {"type": "string", "description": f"A feature, or any name for all: {', '.join(names)}"[:500]},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1, "maxItems": 2},
            "datatype": {"enum": _DATATYPES},
            "data": {"type": "array"},
            "parameters": {"type": "object"},
        },
        "required": ["name", "shape", "datatype"],
    }
    output = {
        "type": "object",
        "properties": {"name": {"const": "predictions"}, "parameters": {"type": "object"}},
        "required": ["name"],
    }
    return {
        "type": "object",
        "properties": {
            "inputs": {"type": "array", "items": tensor, "minItems": 1},
            "id": {"type": ["string", "null"]},
            "parameters": {"type": "object"},
            "outputs": {"type": "array", "items": output},
        },
        "required": ["inputs"],
    }


def _problem() -> dict[str, Any]:
    error = {"type": "object", "properties": {"field": {"type": "string"}, "message": {"type": "string"}}}
    return {
        "type": "object",
        "properties": {
            "type": {"const": "about:blank"},
            "title": {"type": "string"},
            "status": {"type": "integer"},
            "detail": {"type": "string"},
            "error": {"type": "string"},
            "request_id": {"type": "string"},
            "errors": {"type": "array", "items": error},
        },
        "required": ["type", "title", "status", "detail", "request_id"],
    }


def _feature(feature: Feature) -> dict[str, Any]:
    kind = _TYPES[feature.type]
    schema: dict[str, Any] = {"type": [kind, "null"] if feature.nullable else kind}
    if feature.values is not None:
        schema["enum"] = [*feature.values, *([None] if feature.nullable else [])]
    if feature.type == "integer":
        schema |= {"minimum": -(2**53), "maximum": 2**53}
    bounds = {"minimum": feature.minimum, "maximum": feature.maximum}
    schema |= {name: bound for name, bound in bounds.items() if bound is not None}
    if feature.seen is not None and feature.seen.values is None:
        schema["description"] = f"Trained on {feature.seen.minimum:g} to {feature.seen.maximum:g}"
    return schema


def _stand_in(feature: Feature) -> Any:
    """A value that the contract takes, of nobody."""
    if feature.nullable:
        return None
    if feature.type == "category":
        return feature.values[0] if feature.values else "somebody"
    if feature.type == "boolean":
        return False
    return next((bound for bound in (feature.minimum, feature.maximum) if bound is not None), 0)


def _envelope(name: str, content: Mapping[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": {name: content}, "required": [name], "additionalProperties": False}


def _csv(contract: Contract, row: Mapping[str, Any]) -> str:
    cells = ["" if (value := row[name]) is None else str(value) for name in contract.names]
    quoted = [[f'"{cell}"' if set(cell) & set(',"\n') else cell for cell in line] for line in (contract.names, cells)]
    return "".join(",".join(line) + "\n" for line in quoted)


def _page(summary: str, schema: str) -> dict[str, Any]:
    content = {"application/json": {"schema": _ref(schema)}}
    return {"summary": summary, "responses": {"200": {"description": "As asked", "content": content}, **_unready()}}


def _text(summary: str, kind: str) -> dict[str, Any]:
    return {"summary": summary, "responses": {"200": {"description": "As asked", "content": {kind: {"schema": {}}}}}}


def _unready() -> dict[str, Any]:
    return {"503": {"description": "Not ready", "content": {"application/json": {"schema": {"type": "object"}}}}}


def _responses(content: Mapping[str, Any]) -> dict[str, Any]:
    problem = {"application/problem+json": {"schema": _ref("Problem")}}
    refusals = {status: {"description": words, "content": problem} for status, words in _REFUSALS.items()}
    return {"200": {"description": "A probability for each row", "content": dict(content)}, **refusals}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}
