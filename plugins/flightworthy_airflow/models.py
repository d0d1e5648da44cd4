"""What a DAG file asks about the models: which there are, when they run, and how they are explained in the UI."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import AssetOrTimeSchedule, CronDataIntervalTimetable, Param, get_parsing_context
from airflow.sdk.definitions.param import ParamsDict

from flightworthy.adapters.spec_files import Specs, load_all
from flightworthy_airflow.assets import drift_asset, new_partition_asset

if TYPE_CHECKING:
    from flightworthy.spec import Spec

__all__ = [
    "deploy_arguments",
    "deploy_form",
    "drill_arguments",
    "monitor_arguments",
    "rollback_arguments",
    "rollback_form",
    "specs",
]

_RETRIES = {"retries": 2, "retry_delay": timedelta(seconds=15), "retry_exponential_backoff": True}
_TAGS = ("flightworthy",)
_DRAFT_7: dict[str, Any] = {"$schema": "http://json-schema.org/draft-07/schema#"}
"""A field that says so is checked in a third of the time that the newest draft takes."""


_EMERGENCY = Param(
    None,
    **_DRAFT_7,
    type=["null", "string"],
    minLength=3,
    maxLength=500,
    title="Emergency",
    description="Why there is no time for approval. Nobody is asked; your name and this reason stay in the ledger.",
)


def specs() -> Specs:
    """The models of FLIGHTWORTHY_MODELS. One that cannot be read leaves the others alone.

    ``dags/refused.py`` shows it, with every reason, among Airflow's import errors.
    """
    return load_all(Path(os.environ.get("FLIGHTWORTHY_MODELS", "include/models")), os.environ, only=_of_this_task())


def _of_this_task() -> str | None:
    """The one model whose task is about to run in this process; None where all DAGs are parsed."""
    dag_id = get_parsing_context().dag_id
    return None if dag_id is None else dag_id.rpartition(".")[0] or None


def deploy_arguments(spec: Spec) -> dict[str, Any]:
    """``<model>.deploy``: on time, on new data and on drift; can be backfilled; one release at a time."""
    absent = _absent_source(spec)
    return {
        **_alike(spec, "deploy"),
        "schedule": None if absent else _schedule(spec),
        "render_template_as_native_obj": True,
        "default_args": {**_RETRIES, "owner": spec.owner},
        "description": spec.description,
        "doc_md": _deploy_docs(spec, absent),
    }


def _alike(spec: Spec, verb: str) -> dict[str, Any]:
    """What holds for each of a model's DAGs: from its first interval on, one run at a time, found by its tags."""
    return {
        "dag_id": f"{spec.model}.{verb}",
        "start_date": _utc(spec.schedule.start_at),
        "catchup": False,
        "max_active_runs": 1,
        "tags": [*_TAGS, spec.model],
    }


def deploy_form(spec: Spec) -> ParamsDict:
    """What ``<model>.deploy`` asks of a person who triggers it.

    Set on the DAG after its tasks: each task would else carry a copy, and to check eight copies of three fields takes
    longer than all else that parsing does.
    """
    emergency = {"emergency": _EMERGENCY} if spec.release.approval is not None else {}
    return ParamsDict(
        {
            "partition": Param(
                None,
                **_DRAFT_7,
                type=["null", "string"],
                title="Partition",
                description=f"Key of the partition to deploy, written as {spec.source.partition}. Empty: the newest.",
            ),
            "parameters": Param(
                {},
                **_DRAFT_7,
                type="object",
                title="Parameters",
                description="Overrides of training.params and training.search for this run, by name.",
            ),
            "release": Param(
                True,
                **_DRAFT_7,
                type="boolean",
                title="Release",
                description="Off: train, evaluate and register only. A backfill never releases, whatever stands here.",
            ),
            "again": Param(
                False,
                **_DRAFT_7,
                type="boolean",
                title="Again",
                description="Release a version that was withdrawn before; without this it is refused, with the reason.",
            ),
            **emergency,
        }
    )


def monitor_arguments(spec: Spec) -> dict[str, Any]:
    """``<model>.monitor``: compares requests with the champion's reference, and asks for a retrain if they drifted."""
    return {
        **_alike(spec, "monitor"),
        "schedule": spec.drift.cron,
        "default_args": {**_RETRIES, "owner": spec.owner},
        "description": f"Watches what {spec.model} is asked, and asks for a retrain when it drifts.",
        "doc_md": _MONITOR_DOCS.format(model=spec.model, spec=spec),
    }


def rollback_arguments(spec: Spec) -> dict[str, Any]:
    """``<model>.rollback``: back to the previous release, from the form in the UI."""
    return {
        **_alike(spec, "rollback"),
        "schedule": None,
        "default_args": {"owner": spec.owner},
        "description": f"Takes {spec.model} back to a release that served before.",
        "doc_md": _ROLLBACK_DOCS.format(model=spec.model),
    }


def drill_arguments(spec: Spec) -> dict[str, Any]:
    """``<model>.drill``: proves that the previous release could serve, as often as ``release.drill`` says."""
    return {
        **_alike(spec, "drill"),
        "schedule": spec.release.drill,
        "default_args": {**_RETRIES, "owner": spec.owner},
        "description": f"Proves that the release {spec.model} would go back to still works.",
        "doc_md": _DRILL_DOCS.format(model=spec.model),
    }


def rollback_form() -> ParamsDict:
    """What ``<model>.rollback`` asks; set on the DAG as ``deploy_form`` is."""
    return ParamsDict(
        {
            "reason": Param(
                **_DRAFT_7,
                type="string",
                minLength=3,
                title="Reason",
                description="Why; it is written in the ledger with your name.",
            ),
            "to": Param(
                None,
                **_DRAFT_7,
                type=["null", "string"],
                title="To release",
                description="A release id such as diagnosis-3-1f9c2ab0. Empty: the release before the champion.",
            ),
        }
    )


def _schedule(spec: Spec) -> AssetOrTimeSchedule:
    wakes: Any = drift_asset(spec.model)
    if spec.source.watched:
        wakes = wakes | new_partition_asset(spec.model)
    return AssetOrTimeSchedule(timetable=CronDataIntervalTimetable(spec.schedule.cron, timezone="UTC"), assets=wakes)


def _absent_source(spec: Spec) -> str | None:
    """The one file that holds all partitions, if it is a local one that is not there."""
    uri = spec.source.uri
    local = "://" not in uri and not spec.source.is_sql
    return uri if spec.source.event_time is not None and local and not Path(uri).exists() else None


def _utc(instant: datetime) -> datetime:
    return instant if instant.tzinfo else instant.replace(tzinfo=UTC)


def _deploy_docs(spec: Spec, absent: str | None) -> str:
    warning = f"> **This model does not run here:** its source `{absent}` is absent.\n\n" if absent else ""
    steps = [*(["a shadow"] if spec.release.shadow else []), *(f"{step} %" for step in spec.release.steps)]
    approve = "approve → " if spec.release.approval is not None else ""
    return warning + _DEPLOY_DOCS.format(model=spec.model, spec=spec, steps=" → ".join(steps), approve=approve)


_DEPLOY_DOCS = """\
### {model}: from data to traffic

{spec.description}

`ingest → check_expectations → train → evaluate → register → containerize → {approve}promote`

Runs on time (`{spec.schedule.cron}`), when a new partition lands, and when `{model}.monitor` saw drift.
A task that **fails** has refused something and says why in its log; nothing after it happened, and the champion
was not touched. A release goes through {steps} of traffic. A **backfill** trains, evaluates and registers, and never
releases.

Back to the previous release: `{model}.rollback`, or `flightworthy rollback {model} --reason "…"`.
"""

_MONITOR_DOCS = """\
### {model}: is the world still the one it learnt from?

Compares the prediction log with the champion's reference. Fewer than {spec.drift.min_requests} requests say nothing.
When at least {spec.drift.drifted_share:.0%} of the features drifted, `retrain` starts `{model}.deploy`.
"""

_DRILL_DOCS = """\
### {model}: would going back work today?

Asks the deployer to start the previous release beside what serves, to replay its golden requests, and to stop it again.
It gets no traffic. **Skipped** where there is no previous release; where it **fails**, a rollback would too: the log
says why, and how to build the release again. `flightworthy status {model}` shows the last one.
"""

_ROLLBACK_DOCS = """\
### {model}: back to a release that served before

Fill in the form and run it. The previous release is kept warm, so going back is a change of one
pointer and takes about a second. The same from a shell: `flightworthy rollback {model} --reason "…"`.
"""
