"""What is to be trained, from what and why, and the key by which the same work is known."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flightworthy.artifact import digest_of
from flightworthy.personal import Treatment
from flightworthy.spec import Spec

__all__ = ["Lineage", "Param", "TrainingOrder", "content_key", "contract_of"]

Param = bool | int | float | str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Lineage:
    """What a training run is made from, and why it was asked for. Digests are hex sha256.

    ``partition_key``, ``intent``, ``airflow_run_id`` and ``code_commit`` say who asked and from where; two runs that
    differ only in these are the same work.
    """

    dataset_digest: str
    partition_key: str
    code_commit: str
    code_digest: str
    lock_digest: str
    config_digest: str
    intent: str
    airflow_run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TrainingOrder:
    """One trial (a point of the spec's search) to be trained: what, from what, and why."""

    spec: Spec
    params: Mapping[str, Param]
    lineage: Lineage

    @property
    def key(self) -> str:
        """The content key of this work."""
        spec = self.spec
        return content_key(
            dataset_digest=self.lineage.dataset_digest,
            code_digest=self.lineage.code_digest,
            params=self.params,
            seed=spec.training.seed,
            lock_digest=self.lineage.lock_digest,
            config={
                "contract": contract_of(spec),
                "target": spec.target,
                "validation": spec.dataset.validation,
                "holdout": spec.dataset.holdout,
            },
        )


def content_key(
    *,
    dataset_digest: str,
    code_digest: str,
    params: Mapping[str, Param],
    seed: int,
    lock_digest: str,
    config: Mapping[str, Any],
) -> str:
    """sha256 that names a piece of training work: equal keys, equal results. The order of mappings is of no account."""
    return digest_of(
        {
            "dataset": dataset_digest,
            "code": code_digest,
            "params": dict(params),
            "seed": seed,
            "lock": lock_digest,
            "config": dict(config),
        }
    )


def contract_of(spec: Spec) -> dict[str, Any]:
    """What a request to the model must hold and what it answers; becomes contract.json.

    What the training rows say is added there: the classes, and of each feature what was seen.
    """
    return {
        "model": spec.model,
        "entity": spec.entity,
        "entity_is_personal": spec.treatment(spec.entity) is not None,
        "features": [
            {"name": name, **feature.model_dump(mode="json", exclude_none=True), **_treated(spec.treatment(name))}
            for name, feature in spec.features.items()
        ],
        "requests": spec.requests.model_dump(mode="json"),
        "output": {
            "kind": "probability",
            "positive": spec.positive,
            "threshold": spec.evaluation.threshold,
        },
    }


def _treated(treatment: Treatment | None) -> dict[str, Any]:
    return {} if treatment is None else {"personal": treatment.tell()}
