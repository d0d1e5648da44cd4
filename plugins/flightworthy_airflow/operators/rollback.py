"""Take a model back to a release that served before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException

from flightworthy_airflow.docs import documented
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.refusals import refusals_fail
from flightworthy_airflow.runs import describe
from flightworthy_airflow.triggers.confirmed import ConfirmedTrigger, TrafficMoved

__all__ = ["RollbackOperator"]


class RollbackOperator(BaseOperator):
    """Re-points a whole release bundle, and succeeds once the router confirms that traffic has moved.

    :param model: the model's name
    :param to: a release id (templated); empty or None for the release before the champion
    :param reason: why, for the ledger (templated)
    """

    template_fields: Sequence[str] = ("to", "reason")

    def __init__(
        self,
        *,
        model: str,
        reason: str,
        to: str | None = None,
        conn_id: str = FlightworthyHook.default_conn_name,
        **kwargs: Any,
    ) -> None:
        super().__init__(**documented(self, kwargs))
        self.model = model
        self.to = to
        self.reason = reason
        self.conn_id = conn_id

    def execute(self, context: Context) -> str:
        from flightworthy.release import decided_in, roll_back

        run = describe(context)
        hook = FlightworthyHook(self.conn_id)
        store = hook.releases()
        # Killed and run again, it finds what it decided, and does not go back once more.
        asked_in = f"{run.dag_id} {run.run_id} {self.task_id}"
        to = self.to if self.to not in ("", "None", None) else None
        with refusals_fail():
            row = roll_back(
                store, self.model, to=to, actor=run.actor, reason=self.reason, now=hook.now(), asked_in=asked_in
            )
        decided = decided_in(store, self.model, asked_in)
        target = decided.to_release if decided is not None else row.champion
        self.log.info("decided model=%s to=%s phase=%s generation=%s", self.model, target, row.phase, row.generation)
        self.defer(
            trigger=ConfirmedTrigger(model=self.model, release_id=target, conn_id=self.conn_id),
            method_name="conclude",
            timeout=timedelta(minutes=5),
        )

    def conclude(self, context: Context, event: dict[str, Any]) -> str | None:
        """The release that serves now. Fails with the reason if it is not the one that was decided."""
        moved = TrafficMoved.unpack(event)
        if moved.refusal is not None:
            raise AirflowFailException(moved.refusal)
        self.log.info("confirmed by the router: %s serves %s", moved.release_id, self.model)
        return moved.release_id
