"""Ask people by Airflow's own form whether a packaged version may be released, and wait for as many as it takes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.exceptions import HITLTriggerEventError
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Context, Param
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, ParamValidationError, TaskAwaitingInput

from flightworthy_airflow.docs import documented
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.hooks.mlflow import MlflowHook
from flightworthy_airflow.references import VersionReference, unpack
from flightworthy_airflow.refusals import refusals_fail
from flightworthy_airflow.runs import describe

if TYPE_CHECKING:
    from flightworthy_airflow.hooks.approvals import Question

__all__ = ["ApproveOperator"]

YES, NO = "Approve", "Reject"


class ApproveOperator(HITLOperator):
    """Waits, holding no worker, until enough people have approved exactly this release; the spec says who and how many.

    Each answer is kept in Flightworthy's database with the person, the time and the digest of what was approved, which
    ``promote`` holds against the release again: to skip this task, or to mark it as done, promotes nothing.

    A rejection, the end of the time, or an answer that cannot be read fails the task. Run again, it asks for what is
    still missing. It is skipped where nobody is to be asked: in a backfill, or where the form says not to release, or
    names an emergency.

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
        note = Param("", type=["null", "string"], maxLength=500, title="Note", description="Kept with your answer.")
        asked = {"subject": f"May this version of {model} be released?", "options": [YES, NO], "params": {"note": note}}
        # containerize is skipped where there is no Docker engine, which is no reason not to ask.
        super().__init__(**documented(self, {"trigger_rule": "none_failed_min_one_success", **asked, **kwargs}))
        self.model = model
        self.version = version
        self.conn_id = conn_id
        self.mlflow_conn_id = mlflow_conn_id

    def execute(self, context: Context) -> str:
        run, form = describe(context), context.get("params") or {}
        if not run.intent.may_release:
            raise AirflowSkipException(f"nobody was asked: a {run.intent} never releases")
        if not form.get("release", True):
            raise AirflowSkipException("nobody was asked: the form says not to release")
        if form.get("emergency"):
            raise AirflowSkipException(f"nobody was asked, in an emergency that {run.actor} declared")
        return self._ask(context)

    def execute_complete(self, context: Context, event: dict[str, Any], digest: str | None = None) -> str:
        """Keep an answer, about what was shown under ``digest``, and ask on; the digest once enough have approved."""
        from flightworthy.release import Answer
        from flightworthy.secrecy import masked

        try:
            answered = super().execute_complete(context, event)
        except (HITLTriggerEventError, ParamValidationError, ValueError, KeyError, AttributeError) as error:
            raise AirflowFailException(f"{self.model} was not approved: {_why(event, error)}") from error
        user, chosen = answered["responded_by_user"], answered["chosen_options"]
        if not user or chosen not in ([YES], [NO]) or digest is None:
            raise AirflowFailException(f"{self.model} was not approved: nobody is known to have answered {chosen}")
        question = self._question(context)
        if question is None:
            raise AirflowSkipException(f"{self.model} asks nobody any more: its model.yaml was changed")
        note = masked(str(answered["params_input"].get("note") or ""))
        answer = Answer(
            model=self.model,
            release=question.release.id,
            digest=digest,
            user=str(user["id"]),
            name=str(user["name"]),
            approved=chosen == [YES],
            note=note,
            at=answered["responded_at"],
            run_id=describe(context).run_id,
        )
        FlightworthyHook(self.conn_id).releases().keep_answer(answer)
        self.log.info("answered by=%s approved=%s digest=%s note=%s", answer.user, answer.approved, digest[:12], note)
        if not answer.approved:
            raise AirflowFailException(f"{question.release.id} was rejected by {answer.name}{note and f': {note}'}")
        return self._ask(context)

    def _ask(self, context: Context) -> str:
        """Ask for what is missing, if anything is. Leaves the task waiting by an exception, as every wait does."""
        question = self._question(context)
        if question is None:
            raise AirflowSkipException(f"{self.model} asks nobody: release.approval is not set")
        if not question.objections:
            self.log.info("approved release=%s digest=%s", question.release.id, question.digest)
            return question.digest
        self.log.info("asking release=%s because %s", question.release.id, "; ".join(question.objections))
        self.body = question.body
        self.response_timeout = question.within
        self.assigned_users = [{"id": name, "name": name} for name in question.rule.of]
        try:
            super().execute(context)
        except TaskAwaitingInput as waiting:
            # What was shown goes with the wait: an answer is about that, whatever the release is by then.
            raise TaskAwaitingInput(
                method_name=waiting.method_name, kwargs={"digest": question.digest}, timeout=waiting.timeout
            ) from None
        raise AirflowFailException(f"{self.model} was not approved: Airflow did not wait for anybody")

    def _question(self, context: Context) -> Question | None:
        from flightworthy_airflow.hooks.approvals import question_of

        hook, run = FlightworthyHook(self.conn_id), describe(context)
        with refusals_fail():
            number = unpack(VersionReference, self.version).version
            return question_of(hook, MlflowHook(self.mlflow_conn_id), hook.spec(self.model), number, run)


def _why(event: dict[str, Any], error: Exception) -> str:
    if event.get("error_type") == "timeout":
        return "nobody answered in time (release.approval.within). Run this task again to ask again"
    return f"the answer cannot be read ({error}). Run this task again to ask again"
