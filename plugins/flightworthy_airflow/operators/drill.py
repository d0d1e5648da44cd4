"""Prove that the release a rollback would restore still boots and answers, without giving it any traffic."""

from __future__ import annotations

from typing import Any

from airflow.sdk import BaseOperator, Context
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from flightworthy_airflow.docs import documented
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.refusals import refusals_fail
from flightworthy_airflow.runs import describe
from flightworthy_airflow.triggers.drill import DrillEnded, DrillTrigger

__all__ = ["DrillOperator"]


class DrillOperator(BaseOperator):
    """Asks the deployer, which alone owns servers, to drill the previous release, and waits deferred for what it found.

    The deployer starts the release beside those that serve, replays its golden requests together and one by one within
    the router's time, and stops it. Skipped where there is no previous release. A release that cannot be started fails
    the task, which says how to build it again. Run again while a drill is open, it waits for that one.

    :param model: the model's name
    """

    def __init__(self, *, model: str, conn_id: str = FlightworthyHook.default_conn_name, **kwargs: Any) -> None:
        super().__init__(**documented(self, kwargs))
        self.model = model
        self.conn_id = conn_id

    def execute(self, context: Context) -> None:
        from flightworthy.release import ask_drill

        hook = FlightworthyHook(self.conn_id)
        with refusals_fail():
            asked = ask_drill(hook.releases(), self.model, actor=describe(context).actor, now=hook.now())
        if asked is None:
            raise AirflowSkipException(
                f"nothing to drill: {self.model} has no release before its champion that a rollback could restore"
            )
        self.log.info("asked for drill=%s release=%s by=%s", asked.number, asked.release, asked.asked_by)
        self.defer(trigger=DrillTrigger(number=asked.number, conn_id=self.conn_id), method_name="conclude")

    def conclude(self, context: Context, event: dict[str, Any]) -> str:
        """The release that was proven. Fails with the reason if it was not."""
        with refusals_fail():
            ended = DrillEnded.unpack(event)
        if ended.passed is not True:
            raise AirflowFailException(f"the drill of {ended.release_id} failed: {ended.reason}")
        self.log.info("drilled release=%s seconds=%.2f reason=%s", ended.release_id, ended.seconds, ended.reason)
        return ended.release_id
