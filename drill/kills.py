"""The moments at which the drill kills: before and after each effect that a promotion or a rollback has.

Nothing in the product knows of them. A process that is to be killed wraps, in itself alone, what its effects go
through: the statements and commits of its database, the rename of a router's file, the start and the end of a server,
the requests that move an alias. Each has a name, and ``die_at`` makes the process end itself, by SIGKILL, at one.
"""

from __future__ import annotations

import functools
import json
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

Listen = Callable[[str], None]
"""Is told of each moment when it comes, such as ``before promoted: row``."""

_TABLES = {
    "INSERT INTO deployment": "row",
    "UPDATE deployment": "row",
    "INSERT INTO ledger ": "entry",
    "INSERT INTO release ": "release",
}


def die_at(moment: str) -> None:
    """End this process by SIGKILL when the moment comes for the first time."""

    def listen(now: str) -> None:
        if now == moment:
            os.kill(os.getpid(), signal.SIGKILL)
            threading.Event().wait()  # the signal is on its way, and nothing may happen before it is here

    listening(listen)


def note_in(path: str) -> None:
    """Write each moment into a file instead, a line each: how the drill knows that none was forgotten."""
    file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    listening(lambda now: void(os.write(file, f"{now}\n".encode())))


def void(_: object) -> None:
    """Nothing."""


def listening(listen: Listen) -> None:
    """Wrap, in this process, everything that an effect goes through."""
    _listen_to_database(listen)
    _listen_to_router_files(listen)
    _listen_to_servers(listen)
    _listen_to_aliases(listen)


@contextmanager
def _around(listen: Listen, effect: str) -> Iterator[None]:
    listen(f"before {effect}")
    yield
    listen(f"after {effect}")


def _wrap(owner: type, method: str, named: Callable[..., str | None], listen: Listen) -> None:
    """Tell of each call of a method; ``named`` gives its effect from what it is called with, None for none."""
    plain = getattr(owner, method)

    @functools.wraps(plain)
    def told(self: Any, *args: Any, **kwargs: Any) -> Any:
        effect = named(self, *args, **kwargs)
        if effect is None:
            return plain(self, *args, **kwargs)
        with _around(listen, effect):
            return plain(self, *args, **kwargs)

    setattr(owner, method, told)


# The database


def _listen_to_database(listen: Listen) -> None:
    """A decision's row, entry and commit; a release, evidence and a confirmation, each written alone."""
    import sqlalchemy as sa

    from flightworthy.adapters.sql_releases import SqlReleases

    deciding = threading.local()

    def on_statement(when: str) -> Callable[..., None]:
        def tell(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            table = next((name for start, name in _TABLES.items() if statement.startswith(start)), None)
            action = getattr(deciding, "action", None)
            if table is not None:
                listen(f"{when} {action}: {table}" if action is not None else f"{when} {table}")

        return tell

    def on_commit(_connection: Any) -> None:
        if (action := getattr(deciding, "action", None)) is not None:
            listen(f"before {action}: commit")

    sa.event.listen(sa.Engine, "before_cursor_execute", on_statement("before"))
    sa.event.listen(sa.Engine, "after_cursor_execute", on_statement("after"))
    sa.event.listen(sa.Engine, "commit", on_commit)
    _listen_to_decisions(SqlReleases, deciding, listen)
    _listen_to_confirmations(SqlReleases, listen)
    # By its call: the same evidence a second time needs no statement.
    _wrap(SqlReleases, "keep_evidence", lambda _self, _body: "evidence", listen)


def _listen_to_decisions(store: Any, deciding: threading.local, listen: Listen) -> None:
    """While a decision is written, its statements are known by its name."""
    plain = store.swap

    @functools.wraps(plain)
    def swap(self: Any, before: Any, after: Any, entry: Any) -> Any:
        deciding.action = entry.action
        try:
            swapped = plain(self, before, after, entry)
        finally:
            deciding.action = None
        listen(f"after {entry.action}: commit")
        return swapped

    store.swap = swap


def _listen_to_confirmations(store: Any, listen: Listen) -> None:
    """Which of the decisions since this process began the router has taken; its first look tells of none."""
    first: dict[str, int] = {}

    def named(_self: Any, observation: Any) -> str | None:
        known = first.setdefault(observation.model, observation.generation)
        return f"confirmed: decision {observation.generation - known}" if observation.generation > known else None

    _wrap(store, "observe", named, listen)


# The router


def _listen_to_router_files(listen: Listen) -> None:
    """Files are made true by a rename: before it there is only a draft."""

    def named(draft: Path, target: Path) -> str | None:
        if Path(target).name == "cds.json":
            return "addresses told"
        return f"split told: {_split(draft)}" if Path(target).name == "rds.json" else None

    _wrap(Path, "replace", named, listen)


def _split(draft: Path) -> str:
    """What the first model of a file of routes is told, in words."""
    routes = json.loads(draft.read_text())["resources"][0]["virtual_hosts"][0]["routes"]
    told = [route["metadata"]["filter_metadata"]["flightworthy"] for route in routes if "metadata" in route]
    if not told:
        return "nothing"
    share, falls_back = int(told[0]["share"]), bool(told[0]["falls_back"])
    if told[0]["mirrors"]:
        return "all, and copies to the challenger"
    return f"{share} %" if share else "all, with a way back" if falls_back else "all, alone"


# Servers


def _listen_to_servers(listen: Listen) -> None:
    from flightworthy.deployer.containers import ContainerServers
    from flightworthy.deployer.servers import ProcessServers

    for kind in (ProcessServers, ContainerServers):
        _wrap(kind, "start", lambda _self, _release, _slot: "server started", listen)
        _wrap(kind, "stop", lambda _self, _server: "server stopped", listen)


# Aliases


def _listen_to_aliases(listen: Listen) -> None:
    from flightworthy.adapters.mlflow_tracking.registry import MlflowRegistry

    _wrap(MlflowRegistry, "set_alias", lambda _self, _model, alias, _number: f"alias set: {alias}", listen)
    _wrap(MlflowRegistry, "delete_alias", lambda _self, _model, alias: f"alias removed: {alias}", listen)
