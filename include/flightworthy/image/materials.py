"""The bill of materials of a packaged version, in CycloneDX 1.6: the model with its card, and every package beside it.

Written out here rather than through CycloneDX's own library, which knows no model cards; that library's strict
validator is what the tests hold it against. It depends on its inputs alone: no time, and a serial number made of them.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from flightworthy.artifact import digest_of
from flightworthy.evaluation import Estimate
from flightworthy.image.facts import Facts
from flightworthy.image.packages import Wheel

__all__ = ["BILL_OF_MATERIALS", "bill_of_materials"]

BILL_OF_MATERIALS: Final = "bom.cdx.json"
_NAMESPACE: Final = uuid.UUID("8f0d9be2-6f0c-5c59-9c35-6a1f0f9b6d1e")
"""Of our serial numbers: the same content has the same one."""


def bill_of_materials(facts: Facts, packages: Iterable[Wheel]) -> dict[str, Any]:
    """The document as JSON types. Of a package that was not collected, ``sha256`` and ``file`` are empty."""
    listed = sorted(packages, key=lambda wheel: wheel.name)
    model = _model(facts)
    written = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {
            "component": {
                "type": "application",
                "bom-ref": "release",
                "name": facts.origin.release,
                "version": facts.origin.version,
                "description": f"Model {facts.origin.model} with the server that answers for it",
            },
            "lifecycles": [{"phase": "build"}],
        },
        "components": [model, *_data(facts), *(_package(wheel) for wheel in listed)],
        "dependencies": [
            {"ref": "release", "dependsOn": [model["bom-ref"], *(_purl(wheel) for wheel in listed)]},
            {"ref": model["bom-ref"], "dependsOn": [data["bom-ref"] for data in _data(facts)]},
        ],
    }
    return {"serialNumber": f"urn:uuid:{uuid.uuid5(_NAMESPACE, digest_of(written))}", **written}


def _model(facts: Facts) -> dict[str, Any]:
    origin = facts.origin
    properties = {
        "io.flightworthy:code-commit": origin.code_commit,
        "io.flightworthy:code-digest": facts.code_digest,
        "io.flightworthy:config-digest": facts.config_digest,
        "io.flightworthy:lock-digest": origin.lock_digest,
        "io.flightworthy:target": facts.target,
        "io.flightworthy:seed": facts.seed,
        **{f"io.flightworthy:param:{name}": value for name, value in facts.params.items()},
        **{f"io.flightworthy:feature:{name}": kind for name, kind in facts.features.items()},
    }
    return {
        "type": "machine-learning-model",
        "bom-ref": f"model:{origin.model}@{origin.version}",
        "name": origin.model,
        "version": origin.version,
        "supplier": {"name": facts.owner},
        **({"description": facts.description} if facts.description else {}),
        # The artifact's digest is the one of its manifest, which names the digest of every file.
        "hashes": _hashes(origin.artifact_digest),
        "modelCard": _card(facts),
        "properties": _properties(properties),
    }


def _card(facts: Facts) -> dict[str, Any]:
    about = facts.description or f"Predicts {facts.target}"
    return {
        "modelParameters": {
            "approach": {"type": "supervised"},
            "task": "binary classification",
            "datasets": [{"ref": data["bom-ref"]} for data in _data(facts)],
            "inputs": [{"format": f"{name}: {kind}"} for name, kind in facts.features.items()],
            "outputs": [{"format": f"probability of {facts.target}"}],
        },
        "quantitativeAnalysis": {"performanceMetrics": [*_metrics(facts)]},
        "considerations": {
            "useCases": [about],
            "technicalLimitations": [
                "Answers requests that fulfil its contract, and refuses others.",
                "Learnt from the named dataset only; whether requests still resemble it is monitored as drift.",
            ],
        },
    }


def _metrics(facts: Facts) -> Iterator[dict[str, Any]]:
    for name, value in sorted(facts.metrics.items()):
        yield {"type": name, "value": repr(value), "slice": "validation"}
    if (worth := facts.worth) is not None:
        yield from (_estimated(name, found) for name, found in sorted(worth.metrics.items()))
        for name, found in sorted(worth.baseline_metrics.items()):
            yield _estimated(f"{name} of the baseline: {worth.baseline}", found)


def _estimated(kind: str, found: Estimate) -> dict[str, Any]:
    interval = {"lowerBound": repr(found.low), "upperBound": repr(found.high)}
    return {"type": kind, "value": repr(found.value), "slice": "holdout", "confidenceInterval": interval}


def _data(facts: Facts) -> list[dict[str, Any]]:
    digest = facts.origin.dataset_digest
    if not digest:
        return []
    data = {"bom-ref": f"dataset:{digest}", "type": "dataset", "name": f"{facts.origin.model} {digest[:12]}"}
    return [
        {
            "type": "data",
            "bom-ref": data["bom-ref"],
            "name": data["name"],
            "version": digest,
            "hashes": _hashes(digest),
            "data": [{"type": "dataset", "name": data["name"]}],
        }
    ]


def _package(wheel: Wheel) -> dict[str, Any]:
    properties = {"io.flightworthy:wheel": wheel.file, "io.flightworthy:only": wheel.only}
    return {
        "type": "library",
        "bom-ref": _purl(wheel),
        "name": wheel.name,
        "version": wheel.version,
        "purl": _purl(wheel),
        **({"hashes": _hashes(wheel.sha256)} if wheel.sha256 else {}),
        **({"properties": _properties(properties)} if any(properties.values()) else {}),
    }


def _purl(wheel: Wheel) -> str:
    return f"pkg:pypi/{wheel.name}@{wheel.version.replace('+', '%2B')}"


def _hashes(sha256: str) -> list[dict[str, str]]:
    return [{"alg": "SHA-256", "content": sha256}]


def _properties(said: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in sorted(said.items()) if value]
