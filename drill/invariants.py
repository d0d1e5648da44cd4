"""What must hold after whatever was done to a model: read from the database, the router, MLflow and the answers."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass

from drill.load import Load, Told
from drill.rig import Rig
from flightworthy.adapters.envoy_router import read_view
from flightworthy.deployer.aliases import AliasRegistry
from flightworthy.errors import FlightworthyError
from flightworthy.ledger import Entry
from flightworthy.registry import Alias
from flightworthy.release import Deployment, prove_all

MODEL = "m"


@dataclass(frozen=True, slots=True, kw_only=True)
class Expected:
    """How an act should have ended: who serves, and which decisions were made since it began."""

    champion: str
    previous: str | None
    actions: tuple[str, ...]
    never: str | None
    """The release that nobody may ever have been answered by."""


def broken(
    rig: Rig, load: Load, registry: AliasRegistry | None, expected: Expected, since: int, *, servers: int
) -> list[str]:
    """Every invariant that does not hold, in words. ``since`` is the generation at which the act began."""
    row = rig.store.deployment(MODEL)
    found = [
        *_row(row, expected),
        *_ledger(rig, expected, since),
        *_router(rig, row),
        *_answers(rig, load, row, expected),
    ]
    if registry is not None:
        found += aliases_broken(rig, registry, row)
    wanted = len({row.slot_a, row.slot_b} - {None})
    if servers != wanted:
        found.append(f"{servers} servers run, {wanted} are asked for")
    return found


def _row(row: Deployment, expected: Expected) -> Iterator[str]:
    if (row.champion, row.previous, row.challenger) != (expected.champion, expected.previous, None):
        yield f"the row has {row.champion}, {row.previous} and {row.challenger}, not {expected}"


def _ledger(rig: Rig, expected: Expected, since: int) -> Iterator[str]:
    """One entry for each decision, in a chain that holds and explains the row."""
    try:
        prove_all(rig.store)
    except FlightworthyError as error:
        yield error.message
    actions = tuple(entry.action for entry in rig.store.history(MODEL) if entry.generation > since)
    if actions != expected.actions:
        yield f"the ledger has {actions}, not {expected.actions}"


def _router(rig: Rig, row: Deployment) -> Iterator[str]:
    seen = read_view(rig.settings.router_admin_port).models[MODEL]
    if seen.route is None or (seen.route.generation, seen.route.stable, seen.route.share) != (
        row.generation, row.slot_of(row.champion), 0,
    ):  # fmt: skip
        yield f"the router has loaded {seen.route}, and the row is at generation {row.generation}"
    for slot, release in (("a", row.slot_a), ("b", row.slot_b)):
        told = seen.slots[slot]  # type: ignore[index]
        if release is not None and (told is None or told.release != release or not told.healthy):
            yield f"slot {slot} should hold {release}, healthy; the router has {told}"


def aliases_broken(rig: Rig, registry: AliasRegistry, row: Deployment) -> Iterator[str]:
    """Where MLflow's aliases do not say what a row without a challenger says."""
    aliases: tuple[tuple[Alias, str | None], ...] = (
        ("champion", row.champion), ("previous", row.previous), ("challenger", None),
    )  # fmt: skip
    for alias, release in aliases:
        found = registry.aliased(MODEL, alias)
        wanted = None if release is None else int(rig.store.release(release).version)
        if (None if found is None else found.version) != wanted:
            yield f"the alias {alias} is {found and found.version}, not {wanted}"


def _answers(rig: Rig, load: Load, row: Deployment, expected: Expected) -> Iterator[str]:
    told = load.told()
    failed = {key: count for key, count in told.answers.items() if key[0] != 200}
    if failed:
        yield f"requests failed: {failed}"
    if expected.never is not None and expected.never in told.first_at:
        yield f"{expected.never} answered, which was never vetted"
    yield from _unvetted(told, rig.store.history(MODEL))
    time.sleep(0.1)  # what was under way
    before, moment = load.told().answers, time.monotonic()
    while (since := load.told().answers - before).total() < 50 and time.monotonic() < moment + 5:
        time.sleep(0.02)
    if {release for _, release in since} != {row.champion}:
        yield f"of the last {since.total()} requests {dict(since)} were answered, and {row.champion} is champion"


def _unvetted(told: Told, history: list[Entry]) -> Iterator[str]:
    """Nobody answers before the ledger has given it traffic."""
    given: dict[str, float] = {}
    for entry in history:
        if entry.action in ("advanced", "promoted", "rolled_back") and entry.to_release is not None:
            given.setdefault(entry.to_release, entry.at.timestamp())
    for release, first_at in told.first_at.items():
        if not first_at >= given.get(release, float("inf")):
            yield f"{release} answered before it was given any traffic"
