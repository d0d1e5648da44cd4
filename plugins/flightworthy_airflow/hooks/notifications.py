"""What actions take from Airflow connections: an address, and the secrets that no file may hold."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flightworthy.errors import Refused

if TYPE_CHECKING:
    from flightworthy.expectations import Connection

__all__ = ["connection_of"]


def connection_of(conn_id: str) -> Connection:
    """The connection as an action takes it; its secrets are masked in the log from now on.

    Raises `Refused` where there is none.
    """
    from airflow.sdk import BaseHook
    from airflow.sdk.exceptions import AirflowNotFoundException
    from airflow.sdk.log import mask_secret

    from flightworthy.expectations import Connection

    try:
        told = BaseHook.get_connection(conn_id)
    except AirflowNotFoundException:
        raise Refused(
            f"there is no connection {conn_id}. Add it in Airflow, under Admin, Connections.", conn_id=conn_id
        ) from None
    found = Connection(conn_id=conn_id, host=told.host, port=told.port, login=told.login, password=told.password)
    for secret in found.secrets:
        mask_secret(secret)
    return found
