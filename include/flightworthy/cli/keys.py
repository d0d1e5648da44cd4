"""The keys of the pseudonyms: of this environment, or as an Airflow task gets them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Final

from flightworthy.errors import Refused

if TYPE_CHECKING:
    from flightworthy.personal import Keys

__all__ = ["GROUP", "keys_for"]

GROUP: Final = "flightworthy.keys"
"""The entry points that look connections up: a function from a connection's name to the keys, or None."""


def keys_for(environ: Mapping[str, str], connection: str | None) -> Keys | None:
    """Those that ``connection`` holds or names, or else those of the environment. None where there is none.

    Raises Refused where nobody here can look a connection up, or where there is no such one.
    """
    from flightworthy.personal import read_keys

    return read_keys(environ) if connection is None else _looking_up(connection)(connection)


def _looking_up(connection: str) -> Callable[[str], Keys | None]:
    for known in entry_points(group=GROUP):
        try:
            found: Callable[[str], Keys | None] = known.load()
        except ModuleNotFoundError:
            continue
        return found
    raise Refused(
        f"the connection {connection} was not looked up: Airflow is not installed here. Run this where Airflow is, or "
        "leave --connection out and name the file of the key in FLIGHTWORTHY_PSEUDONYM_KEY_FILE.",
        connection=connection,
    )
