"""How the core's answers look in Airflow."""

from __future__ import annotations

import pytest
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from flightworthy.errors import Conflict, FlightworthyError, PartitionMissing, PartitionRefused, Unavailable
from flightworthy_airflow.refusals import refusals_fail


@pytest.mark.parametrize(
    "raised,seen",
    [
        (PartitionMissing("nothing there"), AirflowSkipException),
        (PartitionRefused("all null"), AirflowFailException),
        (Conflict("generation 6"), AirflowFailException),
        (Unavailable("try again"), Unavailable),
    ],
)
def test_a_refusal_fails_at_once_and_breakage_is_retried(raised: FlightworthyError, seen: type[Exception]) -> None:
    """The message survives; only what may go better the next time is left to Airflow's retries."""
    with pytest.raises(seen, match=raised.message), refusals_fail():
        raise raised
