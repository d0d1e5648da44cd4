"""One model version being served: its scorer, who it is, where it is in its life, what it counts and remembers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from numpy.typing import NDArray

from flightworthy.serving.batch import Batch
from flightworthy.serving.events import say
from flightworthy.serving.metrics import Metrics
from flightworthy.serving.observed import Identity
from flightworthy.serving.outputs import OutputRefused
from flightworthy.serving.prediction_log import PredictionLog
from flightworthy.serving.problem import Problem
from flightworthy.serving.scoring import Scorer

__all__ = ["AccessLog", "Limits", "Readiness", "Service"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """The largest and the slowest request that is read."""

    body_bytes: int = 1 << 20
    rows: int = 10_000
    body_seconds: float = 10.0


class Readiness(StrEnum):
    """Where a server is in its life. Only READY answers /healthz with 200; DRAINING still scores."""

    STARTING = "starting"
    READY = "ready"
    REFUSED = "refused"
    DRAINING = "draining"


class AccessLog(StrEnum):
    """Which scoring requests get a line on stderr."""

    ERRORS = "errors"
    ALL = "all"


class Service:
    """What the endpoints share."""

    def __init__(
        self,
        scorer: Scorer,
        identity: Identity,
        *,
        log: PredictionLog | None,
        limits: Limits,
        access_log: AccessLog = AccessLog.ERRORS,
    ) -> None:
        self.scorer = scorer
        self.identity = identity
        self.log = log
        self.limits = limits
        self.access_log = access_log
        self.readiness = Readiness.STARTING
        self.reason: str | None = None
        labels = {"model": identity.model, "version": identity.version, "release": identity.release}
        self.metrics = Metrics({**labels, "arm": identity.arm or ""})

    def warm_up(self) -> None:
        """Answer the golden requests; READY if the answers are those of training, else REFUSED and why."""
        self.reason = self.scorer.warm_up()
        self.readiness = Readiness.READY if self.reason is None else Readiness.REFUSED
        say("warmed_up", readiness=self.readiness, reason=self.reason, release=self.identity.release)

    def drain(self) -> None:
        """Ask the router to go elsewhere, while what still comes is answered."""
        self.readiness = Readiness.DRAINING
        self.reason = "stopping"

    def absence(self) -> Problem | None:
        """Why nothing can be scored now, or None."""
        if self.readiness in {Readiness.STARTING, Readiness.REFUSED}:
            return Problem(status=503, detail=f"This server is {self.readiness}: {self.reason or 'warming up'}")
        return None

    def score(self, batch: Batch, request_id: str) -> NDArray[Any] | Problem:
        """A probability for each row. What is none is counted and not sent."""
        try:
            predictions = self.scorer.predict(batch.matrix)
        except Exception as error:  # noqa: BLE001 - an estimator may raise anything
            say("model_failed", error=error, request_id=request_id)
            if unseen := [each.name for each in self.scorer.contract.categories if each.name in batch.flagged]:
                # An encoder may take only what it was fitted on: then the client's word is at fault, not the model.
                detail = f"The model takes no category that it was not trained on, and {unseen[0]} holds one"
                return Problem(status=422, detail=detail, field=unseen[0])
            return Problem(status=500, detail="The model failed on these rows; the server's log knows more")
        if isinstance(predictions, OutputRefused):
            self.metrics.outputs_refused += 1
            say("output_refused", why=predictions.why, request_id=request_id)
            return Problem(status=500, detail="The model's answer is not a probability for each row; it was not sent")
        self.metrics.rows += len(predictions)
        return predictions
