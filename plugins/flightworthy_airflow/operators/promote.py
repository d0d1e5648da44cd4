"""Ask for a registered version to become champion, and wait until the deployer has promoted or withdrawn it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from airflow.sdk import BaseOperator, Context, TriggerRule
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from flightworthy_airflow.docs import documented
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.hooks.mlflow import MlflowHook
from flightworthy_airflow.references import VersionReference, unpack
from flightworthy_airflow.refusals import refusals_fail
from flightworthy_airflow.runs import describe
from flightworthy_airflow.triggers.release import ReleaseEnded, ReleaseTrigger

__all__ = ["PromoteOperator"]


class PromoteOperator(BaseOperator):
    """Writes the wanted state, then waits deferred; the deployer does the rest and outlives this task.

    Running it again is harmless: the same release is on its course or at its end, and the answer is the same.
    A release that was withdrawn fails the task with the reason. Where the spec asks for approval it is refused unless
    enough people approved exactly this release; or a person says, in the form, why there is no time for that.

    :param model: the model's name
    :param version: the output of ``register``
    """

    template_fields: Sequence[str] = ("version",)

    def __init__(
        self,
        *,
        model: str,
        version: Any,
        conn_id: str = FlightworthyHook.default_conn_name,
        mlflow_conn_id: str = MlflowHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        # containerize is skipped where there is no Docker engine; a run that never registered has nothing to promote.
        super().__init__(**documented(self, {"trigger_rule": TriggerRule.NONE_FAILED_MIN_ONE_SUCCESS, **kwargs}))
        self.model = model
        self.version = version
        self.conn_id = conn_id
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> str:
        from flightworthy.quarantine import refuse_frozen
        from flightworthy.release import Consent, outcome, propose
        from flightworthy_airflow.hooks.approvals import authors_of
        from flightworthy_airflow.hooks.releases import release_of

        run, form = describe(context), context.get("params") or {}
        if not run.intent.may_release:
            raise AirflowSkipException(f"{self.model} was registered and not released: a {run.intent} never releases")
        if not form.get("release", True):
            raise AirflowSkipException(f"{self.model} was registered and not released, as the form asked")
        emergency = form.get("emergency") or None
        if emergency is not None and run.user is None:
            raise AirflowFailException(f"{self.model} was not released: an emergency needs a person who declares it")
        hook = FlightworthyHook(self.conn_id)
        with refusals_fail():
            version = unpack(VersionReference, self.version)
            store = hook.releases()
            spec = hook.spec(self.model)
            release = release_of(hook, MlflowHook(self.mlflow_conn_id), spec, version.version)
            datasets = hook.datasets()
            learnt_from = datasets.version(self.model, release.bundle["dataset_digest"])
            refuse_frozen(datasets, learnt_from, window=spec.dataset.window)
            row = propose(
                store,
                release,
                actor=run.actor,
                reason=f"{run.intent} run {run.run_id}",
                now=hook.now(),
                again=bool(form.get("again")),
                consent=Consent(authors=authors_of(hook, spec, run), emergency=emergency),
            )
        self.log.info("proposed release=%s generation=%s phase=%s", release.id, row.generation, row.phase)
        ended = outcome(store, release.id)
        if ended is None:
            self.defer(trigger=ReleaseTrigger(release_id=release.id, conn_id=self.conn_id), method_name="conclude")
        return self._answer(
            ReleaseEnded(release_id=release.id, kind=ended.kind, reason=ended.reason, generation=ended.generation)
        )

    def conclude(self, context: Context, event: dict[str, Any]) -> str:
        """The release id, once it is champion. Fails with the reason if it was withdrawn."""
        return self._answer(ReleaseEnded.unpack(event))

    def _answer(self, ended: ReleaseEnded) -> str:
        if ended.kind != "promoted":
            raise AirflowFailException(
                f"{ended.release_id} was {ended.kind.replace('_', ' ')} at generation {ended.generation}: "
                f"{ended.reason}"
            )
        self.log.info("promoted release=%s generation=%s reason=%s", ended.release_id, ended.generation, ended.reason)
        return ended.release_id
