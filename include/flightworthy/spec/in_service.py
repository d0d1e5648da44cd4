"""The sections of model.yaml about a model in service: odd requests, drift, and what is kept of what does not serve."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from flightworthy.spec.quantities import Cron, Duration, Share
from flightworthy.spec.section import Section

__all__ = ["Drift", "Requests", "Retention"]


class Requests(Section):
    """What becomes of a request that holds what the features allow and the training rows did not."""

    extra_features: Literal["refuse", "ignore"] = "refuse"
    """What becomes of a value whose name is no feature's."""
    out_of_range: Literal["accept", "flag", "refuse"] = "flag"
    """What becomes of a number below the smallest or above the largest that the model was trained on."""
    unseen_category: Literal["accept", "flag", "missing", "refuse"] = "flag"
    """What becomes of a category that the model was not trained on."""


class Drift(Section):
    """When requests are compared with the data that the champion learnt from."""

    cron: Cron = "0 * * * *"
    """When the prediction log is looked at."""
    min_requests: Annotated[int, Field(ge=1)] = 500
    """Fewer requests than this say nothing."""
    drifted_share: Annotated[Share, Field(gt=0)] = 0.3
    """Share of drifted features from which the model counts as drifted."""
    windows: Annotated[int, Field(ge=1)] = 1
    """How many looks in a row must say so."""
    cool_down: Duration = Field(default="1d", validate_default=True)
    """How long after one retraining drift starts no other."""


class Retention(Section):
    """How long what does not serve is kept."""

    champions: Annotated[int, Field(ge=1, le=1000)] = 5
    """How many of the newest releases that served stay, whatever their age: what a rollback can go back to."""
    served: Duration = Field(default="90d", validate_default=True)
    """How long others that served stay after they last did."""
    unused: Duration = Field(default="14d", validate_default=True)
    """How long what never served stays: backfilled and refused versions, withdrawn releases."""
    data: Duration | None = None
    """How long rows stay that nobody needs or asks for; none: for ever."""
