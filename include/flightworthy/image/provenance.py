"""The provenance of a packaged version: an in-toto statement with SLSA's predicate, of what it was made from.

Nothing in it is looked up: it says what the registry, the lock and the engine have on record, and holds no time.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Final

from flightworthy.image.built import Image
from flightworthy.image.facts import Facts
from flightworthy.image.recipe import BASE_IMAGE

__all__ = ["PROVENANCE", "Byproduct", "provenance"]

PROVENANCE: Final = "provenance.json"
_COMMIT: Final = re.compile(r"[0-9a-f]{40,64}")
_BASE: Final = "org.opencontainers.image.base.digest"


@dataclass(frozen=True, slots=True, kw_only=True)
class Byproduct:
    """Another document about the same version."""

    name: str
    sha256: str


def provenance(facts: Facts, *, context_digest: str, image: Image | None, byproduct: Byproduct) -> dict[str, Any]:
    """The statement as JSON types. Without an image, which a process needs none of, its subject is the artifact."""
    origin = facts.origin
    subjects = [{"name": f"{origin.model}@{origin.version}", "digest": {"sha256": origin.artifact_digest}}]
    if image is not None:
        subjects.append({"name": image.tag, "digest": {"sha256": image.digest.removeprefix("sha256:")}})
    definition = {
        "buildType": "urn:flightworthy:model-version:1",
        "externalParameters": {
            "model": origin.model,
            "version": origin.version,
            "params": dict(sorted(facts.params.items())),
            "seed": facts.seed,
            "config": facts.config_digest,
        },
        "internalParameters": {"intent": facts.intent, "mlflowRun": facts.run_id, "context": context_digest},
        "resolvedDependencies": list(_dependencies(facts, image)),
    }
    details = {
        "builder": {"id": "urn:flightworthy:containerize", "version": {"flightworthy": _own_version()}},
        "metadata": {"invocationId": facts.airflow_run_id},
        "byproducts": [{"name": byproduct.name, "digest": {"sha256": byproduct.sha256}}],
    }
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subjects,
        "predicateType": "https://slsa.dev/provenance/v1",
        "predicate": {"buildDefinition": definition, "runDetails": details},
    }


def _dependencies(facts: Facts, image: Image | None) -> Iterator[dict[str, Any]]:
    origin = facts.origin
    yield from _named("dataset", origin.dataset_digest)
    yield from _named("code of the model's folder", facts.code_digest)
    yield from _named("requirements.lock", origin.lock_digest)
    yield from _named("model.yaml", facts.config_digest)
    commit, _, changed = origin.code_commit.partition("+")
    if _COMMIT.fullmatch(commit):
        annotations: Mapping[str, Any] = {"annotations": {"changed": True}} if changed else {}
        yield {"name": "checkout of the models", "digest": {"gitCommit": commit}, **annotations}
    if image is not None:
        for base in _named("base image", image.labels.get(_BASE, "").removeprefix("sha256:")):
            yield {**base, "uri": f"pkg:docker/{BASE_IMAGE.replace(':', '@')}"}


def _named(name: str, sha256: str) -> Iterator[dict[str, Any]]:
    if sha256:
        yield {"name": name, "digest": {"sha256": sha256}}


def _own_version() -> str:
    try:
        return version("flightworthy")
    except PackageNotFoundError:
        return "unknown"
