"""No DAG: whatever keeps a model from being loaded stands here among Airflow's import errors, where people look."""

from __future__ import annotations

from flightworthy.errors import SpecError
from flightworthy_airflow.models import specs

if refused := specs().refused:
    listed = "\n".join(f"{model} has no DAGs until this is mended: {why}" for model, why in refused.items())
    raise SpecError(listed, models=sorted(refused))
