"""Take a model back to a release that served before."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from airflow.sdk import BaseOperator, Context

from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.refusals import refusals_fail
from flightworthy_airflow.runs import describe
from flightworthy_airflow.triggers.confirmed import ConfirmedTrigger

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
        super().__init__(**kwargs)
        self.model = model
        self.to = to
        self.reason = reason
        self.conn_id = conn_id

    def execute(self, context: Context) -> str:
        from flightworthy.release import roll_back

        run = describe(context)
        hook = FlightworthyHook(self.conn_id)
        to = self.to if self.to not in ("", "None", None) else None
        with refusals_fail():
            row = roll_back(hook.releases(), self.model, to=to, actor=run.actor, reason=self.reason, now=hook.now())
        self.log.info("rolled back model=%s champion=%s generation=%s", self.model, row.champion, row.generation)
        self.defer(
            trigger=ConfirmedTrigger(model=self.model, generation=row.generation, conn_id=self.conn_id),
            method_name="conclude",
            timeout=timedelta(minutes=5),
        )

    def conclude(self, context: Context, event: str) -> str:
        """The release that serves now."""
        self.log.info("confirmed by the router: %s serves %s", event, self.model)
        return event
