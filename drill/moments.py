"""Every moment of every act, by name. What is in an act and not here, or here and not in it, fails the drill."""

from __future__ import annotations

from collections.abc import Iterator

_ADDED = ("release",)
_SERVED = ("server started", "addresses told")
_ALONE = "split told: all, alone"
_MIRRORED = "split told: all, and copies to the challenger"
_WARM = "split told: all, with a way back"


def around(*effects: str) -> Iterator[str]:
    """Before and after each of these effects."""
    for effect in effects:
        yield f"before {effect}"
        yield f"after {effect}"


def decided(action: str) -> Iterator[str]:
    """A decision is a transaction: its row, its entry, its commit."""
    yield from around(f"{action}: row", f"{action}: entry", f"{action}: commit")


def aliased(*effects: str) -> Iterator[str]:
    """What is moved in MLflow, where there is one."""
    yield from around(*(f"alias {effect}" for effect in effects))


MOMENTS: dict[str, tuple[str, ...]] = {
    "promotion": (
        *around(*_ADDED), *decided("proposed"), *around(_ALONE, "confirmed: decision 1", *_SERVED),
        *aliased("set: challenger"),
        *decided("advanced"), *around("split told: 50 %", "confirmed: decision 2", "server stopped", "evidence"),
        *decided("promoted"), *around(_WARM, "confirmed: decision 3"),
        *aliased("set: champion", "set: previous", "removed: challenger"),
    ),
    "shadow": (
        *around(*_ADDED), *decided("proposed"), *around(_ALONE, "confirmed: decision 1", *_SERVED),
        *aliased("set: challenger"),
        *decided("shadowed"), *around(_MIRRORED, "confirmed: decision 2", "server stopped", "evidence"),
        *decided("advanced"), *around("split told: 50 %", "confirmed: decision 3"),
        *decided("promoted"), *around(_WARM, "confirmed: decision 4"),
        *aliased("set: champion", "set: previous", "removed: challenger"),
    ),
    "rollback": (
        *decided("rolled_back"), *around(_ALONE, *_SERVED, _WARM, "confirmed: decision 1", "server stopped"),
        *aliased("set: champion", "set: previous"),
    ),
    "cold rollback": (
        *decided("returning"), *around(_ALONE, "confirmed: decision 1", *_SERVED),
        *decided("rolled_back"), *around("server stopped", _WARM, "confirmed: decision 2"),
        *aliased("set: champion"),
    ),
    "refusal": (
        *around(*_ADDED), *decided("proposed"), *around(_ALONE, "confirmed: decision 1", *_SERVED),
        *decided("withdrawn"), *around("server stopped", _WARM, "confirmed: decision 2"),
    ),
}  # fmt: skip
"""In the order in which they mostly come."""

OWN = {"refusal": ("withdrawn",), "shadow": ("shadowed", _MIRRORED)}
"""What of these acts is killed at: the rest of them is that of a promotion."""
CHALLENGER = "challenger"
"""Its alias is there for as long as its course: in a short one MLflow may be too late to be told of it."""
SAME = (": entry",)
"""``before …: entry`` is the moment ``after …: row``; between ``after …: entry`` and the commit is the chain's head."""


def to_kill_at(act: str, *, has_aliases: bool, is_short: bool) -> list[str]:
    """The moments of an act at which the drill kills; in the short form after each effect alone."""
    return [
        moment
        for moment in MOMENTS[act]
        if any(own in moment for own in OWN.get(act, ("",)))
        and (has_aliases or " alias " not in moment)
        and not moment.endswith(SAME)
        and not (is_short and moment.startswith("before"))
    ]


def unnamed(act: str, seen: set[str]) -> list[str]:
    """Effects that an undisturbed act had, and that have no name here; an alias moves in one act as in the other."""
    return sorted(moment for moment in seen - set(MOMENTS[act]) if " alias " not in moment)
