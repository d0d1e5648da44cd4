"""The keys of the pseudonyms for a command line: from the connection that tasks have them from."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

from airflow.sdk.exceptions import AirflowNotFoundException

from flightworthy.errors import Refused
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook

if TYPE_CHECKING:
    from flightworthy.personal import Keys

__all__ = ["keys_of"]

_CONTEXT: Final = "_AIRFLOW_PROCESS_CONTEXT"


def keys_of(conn_id: str) -> Keys | None:
    """As `FlightworthyHook.keys` says; from Airflow's own database too, where people add connections in the UI.

    Raises Refused where there is no such connection: another key would find nobody, and say so without a word of why.
    """
    hook = FlightworthyHook(conn_id)
    with _asking_the_database():
        try:
            hook.get_connection(conn_id)
        except AirflowNotFoundException as error:
            raise Refused(
                f"there is no connection {conn_id} in this Airflow: neither in its environment nor in its secrets "
                "backends and its database. Add it under Admin, Connections, with the key as its password; or run this "
                "with the environment that Airflow's workers have.",
                connection=conn_id,
            ) from error
        return hook.keys()


@contextmanager
def _asking_the_database() -> Iterator[None]:
    """As Airflow's own `airflow connections` does: outside of tasks and servers it asks the environment alone."""
    before = os.environ.get(_CONTEXT)
    os.environ[_CONTEXT] = "server"
    try:
        yield
    finally:
        os.environ.pop(_CONTEXT)
        if before is not None:
            os.environ[_CONTEXT] = before
