"""Watch the sources of all models at once and announce what has arrived, however often the triggerer restarts."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, TypeVar

from airflow.triggers.base import BaseEventTrigger, TriggerEvent

if TYPE_CHECKING:
    from flightworthy.arrival import Announcement
    from flightworthy_airflow.hooks.arrivals import Watch
    from flightworthy_airflow.hooks.flightworthy import FlightworthyHook

__all__ = ["NewPartitionTrigger"]

log = logging.getLogger(__name__)
T = TypeVar("T")

AT_ONCE: Final = 16
"""Sources that are looked into side by side; one that hangs holds one of these, and no other model."""
HANDED_ON_SECONDS: Final = 5.0
"""How long an announcement may be on its way to its own trigger before it is handed on again."""
REST: Final = 4.0
"""How many times as long as a look took the source is left alone after it: a listing that costs is made more rarely."""
LONGEST_REST_SECONDS: Final = 60.0
REST_AFTER_TROUBLE_SECONDS: Final = 5.0
SETTLE_SECONDS: Final = 3.0
SETTLE_FAILED_SECONDS: Final = 60.0


class NewPartitionTrigger(BaseEventTrigger):
    """One for each model, all of which share one stream: a single task looks into all sources.

    An event is only a knock; what has arrived, who was told and which run took it is in our own database. So an event
    that Airflow loses is raised again, and one that it repeats finds its partition taken.
    """

    def __init__(self, *, model: str, conn_id: str = "flightworthy_default", poke_interval: float = 0.5) -> None:
        super().__init__()
        self.model = model
        self.conn_id = conn_id
        self.poke_interval = poke_interval

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return (
            "flightworthy_airflow.triggers.new_partition.NewPartitionTrigger",
            {"model": self.model, "conn_id": self.conn_id, "poke_interval": self.poke_interval},
        )

    def shared_stream_key(self) -> tuple[str, str, float]:
        return ("flightworthy.new_partition", self.conn_id, self.poke_interval)

    @classmethod
    async def open_shared_stream(cls, kwargs: dict[str, Any]) -> AsyncIterator[Knock]:
        """Look into the sources of all models, for ever; yields what is to be announced."""
        from flightworthy_airflow.hooks.arrivals import Watch

        interval = kwargs["poke_interval"]
        rounds = _Rounds(watch=Watch(hook=await _connected(kwargs["conn_id"], again=interval)), interval=interval)
        try:
            while True:
                for knock in await rounds.next():
                    yield knock
        finally:
            rounds.close()

    async def filter_shared_stream(self, shared_stream: AsyncIterator[Knock]) -> AsyncIterator[TriggerEvent]:
        """Raise this model's events."""
        async for knock in shared_stream:
            if knock.announcement.model == self.model:
                # Handed over first, and then noted: a triggerer that dies between the two raises it again.
                yield TriggerEvent(knock.announcement.pack())
                await knock.note()

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """The same for one trigger alone, where no stream can be shared."""
        async for event in self.filter_shared_stream(self.open_shared_stream(self.serialize()[1])):
            yield event


async def _connected(conn_id: str, *, again: float) -> FlightworthyHook:
    """The hook, once Airflow tells its connection: a stream that ends would end the triggers of all models."""
    from flightworthy_airflow.hooks.flightworthy import FlightworthyHook

    while True:
        try:
            return await FlightworthyHook.connected(conn_id)
        except Exception as error:  # noqa: BLE001 - whatever keeps Airflow's own API from answering just now
            log.warning("connection_not_read conn_id=%s reason=%s", conn_id, error)
            await asyncio.sleep(again)


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """An announcement on its way, and how to note that it was made."""

    announcement: Announcement
    rounds: _Rounds

    async def note(self) -> None:
        """What cannot be noted is announced again; the run that comes twice is skipped."""
        await self.rounds.attempt("note", self.rounds.note, self.announcement)


@dataclass(slots=True, kw_only=True)
class _Rounds:
    """Round after round: a look into each source, then what is due. No model waits for another's store."""

    watch: Watch
    interval: float
    looks: dict[str, asyncio.Future[None]] = field(default_factory=dict)
    resting: dict[str, float] = field(default_factory=dict)
    handed_on: dict[tuple[str, str], float] = field(default_factory=dict)
    settled: dict[str, float] = field(default_factory=dict)
    lookers: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(AT_ONCE, thread_name_prefix="flightworthy-look")
    )
    clerk: ThreadPoolExecutor = field(
        default_factory=lambda: ThreadPoolExecutor(1, thread_name_prefix="flightworthy-arrivals")
    )

    def close(self) -> None:
        """Let go, without waiting for a store that hangs."""
        for look in self.looks.values():
            look.cancel()
        self.lookers.shutdown(wait=False, cancel_futures=True)
        self.clerk.shutdown(wait=False, cancel_futures=True)
        self.watch.close()

    async def next(self) -> list[Knock]:
        """One round, at most ``interval`` seconds after the last one."""
        began = time.monotonic()
        for model in await self.attempt("models", self.watch.models) or ():
            if model not in self.looks and began >= self.resting.get(model, 0.0):
                self.looks[model] = self._in_thread(self.lookers, self._look, model)
        if self.looks:
            await asyncio.wait(self.looks.values(), timeout=self.interval)
        self._let_go_of_done()
        knocks = self._not_handed_on(await self.attempt("due", self.watch.due) or [])
        if not knocks:
            await self._settle()
            await asyncio.sleep(max(0.0, self.interval - (time.monotonic() - began)))
        return knocks

    async def attempt(self, what: str, call: Callable[..., T], *words: Any) -> T | None:
        """Call it in the clerk's thread; what fails is said, and is tried again in the next round."""
        try:
            return await self._in_thread(self.clerk, call, *words)
        except Exception as error:  # noqa: BLE001 - a database or an Airflow that is away for a moment ends no watch
            log.warning("arrivals_%s_failed reason=%s", what, error)
            return None

    def note(self, announcement: Announcement) -> None:
        """Note that it was announced, now."""
        self.watch.store.announced(announcement, at=self.watch.hook.now())

    def _look(self, model: str) -> None:
        began, least = time.monotonic(), REST_AFTER_TROUBLE_SECONDS
        try:
            self.watch.look(model)
            least = 0.0
        finally:
            ended = time.monotonic()
            self.resting[model] = ended + max(least, min(LONGEST_REST_SECONDS, REST * (ended - began)))

    def _let_go_of_done(self) -> None:
        for model in [model for model, look in self.looks.items() if look.done()]:
            # One model's store, or its files, must not stop the others from being watched.
            if (error := self.looks.pop(model).exception()) is not None:
                log.warning("source_not_looked_into model=%s reason=%s", model, error)

    def _not_handed_on(self, found: list[Announcement]) -> list[Knock]:
        now = time.monotonic()
        self.handed_on = {key: at for key, at in self.handed_on.items() if now - at < HANDED_ON_SECONDS}
        fresh = [each for each in found if (each.model, each.partition) not in self.handed_on]
        self.handed_on |= {(each.model, each.partition): now for each in fresh}
        return [Knock(announcement=each, rounds=self) for each in fresh]

    async def _settle(self) -> None:
        for what, call, every in (
            ("settle", self.watch.settle, SETTLE_SECONDS),
            ("settle_failed", self.watch.settle_failed, SETTLE_FAILED_SECONDS),
        ):
            if time.monotonic() - self.settled.get(what, float("-inf")) >= every:
                await self.attempt(what, call)
                self.settled[what] = time.monotonic()

    @staticmethod
    def _in_thread(pool: ThreadPoolExecutor, call: Callable[..., T], *words: Any) -> asyncio.Future[T]:
        return asyncio.get_running_loop().run_in_executor(pool, call, *words)
