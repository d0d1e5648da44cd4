"""``flightworthy database``: the tables' form, upgraded at a moment of one's own choosing, or only looked at."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from flightworthy.cli.answers import Answer, Exit
from flightworthy.cli.settings import Settings, database_named
from flightworthy.cli.words import json_flag

if TYPE_CHECKING:
    from flightworthy.adapters.sql_releases import SchemaState

__all__ = ["arguments", "run"]


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    verbs = command.add_subparsers(dest="verb", required=True, metavar="VERB")
    for verb, summary in (
        ("upgrade", "bring the tables to the form that this version uses; without it whoever comes first does"),
        ("check", "say whether they have it, and change nothing (exit code 1 if not)"),
    ):
        json_flag(verbs.add_parser(verb, help=summary, description=summary))


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Upgrade, or check. Both raise where the database does not answer; upgrading also where it is a newer one."""
    from flightworthy.adapters.sql_releases import look_at_schema, upgrade_schema

    with database_named():
        if asked.verb == "check":
            settings.see_database()
        before = look_at_schema(settings.database)
        if asked.verb == "upgrade":
            upgrade_schema(settings.database)
    is_current = before.is_current or asked.verb == "upgrade"
    return Answer(
        document={
            "found": before.found,
            "newest": before.newest,
            "current": is_current,
            "upgraded": is_current and not before.is_current,
        },
        text=_text(before, upgraded=is_current and not before.is_current),
        exit=Exit.DONE if is_current else Exit.REFUSED,
    )


def _text(before: SchemaState, *, upgraded: bool) -> str:
    was = before.found or ("the tables of 0.1" if before.is_adoptable else "no tables")
    if before.is_current:
        return f"the release database is at revision {before.newest}, as this version wants it"
    if upgraded:
        return f"the release database was upgraded to revision {before.newest}; before it had {was}"
    return f"the release database has {was}, and this version wants revision {before.newest}: `database upgrade`"
