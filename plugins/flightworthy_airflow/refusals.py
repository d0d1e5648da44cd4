"""How the core's answers become Airflow's: a refusal fails at once, nothing to do skips, breakage is retried."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from flightworthy.errors import PartitionMissing, PartitionTaken, Refused

__all__ = ["refusals_fail"]


@contextmanager
def refusals_fail() -> Iterator[None]:
    """Asking again gives the same answer, so a refusal is not retried; everything else raises and is."""
    try:
        yield
    except (PartitionMissing, PartitionTaken) as nothing:
        raise AirflowSkipException(str(nothing)) from nothing
    except Refused as refusal:
        raise AirflowFailException(str(refusal)) from refusal
