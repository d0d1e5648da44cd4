"""Promotions and rollbacks as one may be killed in: who asks for what, and how each should end, killed or not."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Protocol

from drill.forks import First, Fork
from drill.invariants import MODEL, Expected, aliases_broken, broken
from drill.kills import die_at
from drill.load import Load
from drill.rig import Rig, TookTooLong, with_strategy
from flightworthy.adapters.sql_releases import SqlReleases
from flightworthy.deployer.aliases import AliasRegistry
from flightworthy.release import Deployment, Release, Shadow, Strategy, propose, roll_back, way_back_from

COURSE = with_strategy(steps=(50, 100), bake_time=timedelta(seconds=0.3), min_requests=10)
"""One step of a canary, and the promotion: every kind of decision once."""
SHADOWED = replace(COURSE, shadow=Shadow(bake_time=timedelta(seconds=0.3), min_requests=10, max_flip_rate=0.05))
PATIENT = replace(COURSE, bake_time=timedelta(seconds=10), deadline=timedelta(seconds=60))
"""The same, for long enough that MLflow is told of the challenger."""
ASKERS = ("release", "proposed", "returning")
"""Effects of whoever asks; the rest are the deployer's. A warm rollback is one decision, made by who asks."""


_LONGEST_COURSE = 30.0


class NeverReached(Exception):
    """A moment at which nobody was killed: the drill would prove nothing."""


class Makes(Protocol):
    """Gives the next version of the model, as a release that can be proposed."""

    def __call__(self, *, golden: float | None = None, strategy: Strategy = ...) -> Release: ...


@dataclass(slots=True, kw_only=True)
class Scene:
    """A model that serves, its requests, and what makes its next version. ``registry`` is None where no MLflow is."""

    rig: Rig
    load: Load
    make: Makes
    registry: AliasRegistry | None
    servers: Callable[[], int]

    @property
    def generation(self) -> int:
        """Of the row, now."""
        return self.rig.store.deployment(MODEL).generation

    def settle(self, *, within: float = 40) -> None:
        """Wait until the row's last decision is served, both slots are healthy, and what is unused has ended."""
        store = self.rig.store

        def is_settled() -> bool:
            row, seen = store.deployment(MODEL), store.observation(MODEL)
            wanted = {release for release in (row.slot_a, row.slot_b) if release is not None}
            serves = seen is not None and seen.generation == row.generation and set(seen.healthy) == wanted
            runs = serves and row.challenger is None and self.servers() == len(wanted)
            return runs and self._is_aliased(row)

        self.rig.wait_for(is_settled, within=within, what="everything to be as decided")

    def _is_aliased(self, row: Deployment) -> bool:
        return self.registry is None or not list(aliases_broken(self.rig, self.registry, row))


@dataclass(frozen=True, slots=True, kw_only=True)
class Act:
    """One thing that is asked for. ``ask`` is done by a process of its own, and again by another if that was killed."""

    ask: Callable[[str], object]
    """Given the URL of the database."""
    expected: Expected


def promotion(scene: Scene, *, strategy: Strategy = COURSE) -> Act:
    """The next version takes over, and the champion stays warm."""
    row, release = scene.rig.store.deployment(MODEL), scene.make(strategy=strategy)
    actions = ("proposed", *(("shadowed",) if strategy.shadow else ()), "advanced", "promoted")
    expected = Expected(champion=release.id, previous=row.champion, actions=actions, never=None)
    return Act(ask=partial(_propose, release), expected=expected)


def shadow(scene: Scene) -> Act:
    """The same, once the next version answered copies of what the champion is asked."""
    return promotion(scene, strategy=SHADOWED)


def refusal(scene: Scene) -> Act:
    """A version that answers otherwise than in training is withdrawn, and the way back is warmed again."""
    row, release = scene.rig.store.deployment(MODEL), scene.make(golden=0.7)
    actions = ("proposed", "withdrawn")
    expected = Expected(champion=str(row.champion), previous=row.previous, actions=actions, never=release.id)
    return Act(ask=partial(_propose, release), expected=expected)


def rollback(scene: Scene) -> Act:
    """Back to the previous release, which is warm: one pointer.

    It is named: asked again without a name, after a kill that came when all was decided, one would go back once more.
    """
    to = str(scene.rig.store.deployment(MODEL).previous)
    expected = Expected(champion=to, previous=_way_back(scene, to), actions=("rolled_back",), never=None)
    return Act(ask=partial(_roll_back, to), expected=expected)


def cold_rollback(scene: Scene) -> Act:
    """Back to the release before the previous one, which has to be started again first."""
    row = scene.rig.store.deployment(MODEL)
    to = str(_way_back(scene, str(row.previous)))
    actions = ("returning", "rolled_back")
    expected = Expected(champion=to, previous=_way_back(scene, to), actions=actions, never=None)
    return Act(ask=partial(_roll_back, to), expected=expected)


def play(scene: Scene, act: Act, *, moment: str | None = None) -> list[str]:
    """Ask, be killed at the moment if one is named, be started again; what is then not as it must be.

    Nothing else is done than what a service manager and Airflow do by themselves: a deployer that ended is started
    again, a task that ended is run again. Raises NeverReached where nobody was killed.
    """
    since = scene.generation
    kill = None if moment is None else partial(die_at, moment)
    if moment is None:
        _asked(scene, act)
    elif is_the_askers(moment, act):
        _killed(asks(scene, act, first=kill), moment, scene.rig)
        _asked(scene, act)
    else:
        scene.rig.kill_deployer()
        doomed = scene.rig.start_deployer(first=kill)
        _asked(scene, act)
        _killed(doomed, moment, scene.rig)
        scene.rig.start_deployer()
    return settled(scene, act, since)


def is_the_askers(moment: str, act: Act) -> bool:
    """Whether who asks is at work at that moment, and not the deployer."""
    effect = moment.split(" ", 1)[1].split(":", maxsplit=1)[0]
    return effect in ASKERS or (effect == "rolled_back" and act.expected.actions == ("rolled_back",))


def settled(scene: Scene, act: Act, since: int) -> list[str]:
    """Wait for the act's end; what is then not as it must be."""
    try:
        scene.settle()
    except TookTooLong as error:
        return [str(error)[:300]]
    return broken(scene.rig, scene.load, scene.registry, act.expected, since, servers=scene.servers())


def asks(scene: Scene, act: Act, *, first: First | None = None) -> Fork:
    """Ask for the act, in a process of its own."""
    rig = scene.rig
    return Fork(act.ask, rig.settings.database_url, log=rig.settings.home / "asked.log", first=first)


def _asked(scene: Scene, act: Act) -> None:
    code = asks(scene, act).wait(30)
    assert code == 0, (scene.rig.settings.home / "asked.log").read_text()[-2000:]


def _killed(fork: Fork, moment: str, rig: Rig) -> None:
    deadline = time.monotonic() + _LONGEST_COURSE
    while fork.poll() is None:
        if time.monotonic() > deadline:
            if fork is not rig.deployer:
                fork.kill()
            else:
                rig.kill_deployer()
                rig.start_deployer()
            raise NeverReached(f"nobody came to the moment {moment!r}")
        time.sleep(0.01)
    if not fork.was_killed:
        raise NeverReached(f"it ended with {fork.poll()} before the moment {moment!r}")


def _way_back(scene: Scene, release: str) -> str | None:
    return way_back_from(scene.rig.store.history(MODEL), release)


@contextmanager
def _store(url: str) -> Iterator[SqlReleases]:
    store = SqlReleases(url)
    try:
        yield store
    finally:
        store.close()


def _propose(release: Release, url: str) -> None:
    """As the task ``promote`` does; run again, it finds its own release on its course."""
    with _store(url) as store:
        propose(store, release, actor="drill", reason="the next version", now=datetime.now(UTC))


def _roll_back(to: str, url: str) -> None:
    """As ``flightworthy rollback --to`` does."""
    with _store(url) as store:
        roll_back(store, MODEL, to=to, actor="drill", reason="the way back", now=datetime.now(UTC))
