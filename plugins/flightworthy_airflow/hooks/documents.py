"""What is written about a packaged version: its bill of materials and its provenance, beside it and in MLflow."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flightworthy.image import BuildContext, Facts, Image, Wheel
    from flightworthy.registry import ModelVersion
    from flightworthy.spec import Spec
    from flightworthy_airflow.hooks.mlflow import MlflowHook

__all__ = ["describe_contents", "describe_origin", "facts_of"]


def facts_of(mlflow: MlflowHook, spec: Spec, version: ModelVersion, context: BuildContext) -> Facts:
    """What the registry, the training run and the spec have on record."""
    from flightworthy.baseline import Worth
    from flightworthy.image import Facts

    run = mlflow.runs().find(spec.model, version.key)
    told = version.tags
    return Facts(
        origin=context.origin,
        owner=spec.owner,
        description=spec.description,
        target=spec.target,
        features={name: feature.type for name, feature in spec.features.items()},
        params={} if run is None else {name: str(value) for name, value in run.params.items()},
        metrics={} if run is None else dict(run.metrics),
        worth=Worth.unpack(json.loads(told["worth"])) if "worth" in told else None,
        seed=told.get("seed", ""),
        code_digest=told.get("code_digest", ""),
        config_digest=told.get("config_digest", ""),
        intent=told.get("intent", ""),
        run_id=version.run_id,
        airflow_run_id=told.get("airflow_run_id", ""),
    )


def describe_contents(
    mlflow: MlflowHook, version: ModelVersion, facts: Facts, context: BuildContext, wheels: Iterable[Wheel]
) -> None:
    """Write the bill of materials of what ``context`` holds, before an image is built: the image holds it too."""
    from flightworthy.artifact import canonical
    from flightworthy.image import BILL_OF_MATERIALS, bill_of_materials

    _keep(mlflow, version, context, BILL_OF_MATERIALS, canonical(bill_of_materials(facts, wheels)))


def describe_origin(
    mlflow: MlflowHook, version: ModelVersion, facts: Facts, context: BuildContext, image: Image | None
) -> None:
    """Write the provenance of ``context`` and of the image that was built from it."""
    from flightworthy.artifact import canonical
    from flightworthy.image import BILL_OF_MATERIALS, PROVENANCE, Byproduct, provenance

    bill = (context.documents / BILL_OF_MATERIALS).read_bytes()
    byproduct = Byproduct(name=BILL_OF_MATERIALS, sha256=hashlib.sha256(bill).hexdigest())
    statement = provenance(facts, context_digest=context.digest, image=image, byproduct=byproduct)
    _keep(mlflow, version, context, PROVENANCE, canonical(statement))


def _keep(mlflow: MlflowHook, version: ModelVersion, context: BuildContext, name: str, content: bytes) -> None:
    from flightworthy.image import keep_document

    keep_document(context, name, content)
    mlflow.registry().attach(version, name, content)
