"""The watcher of all models: what has landed is announced until a run takes it, over restarts and broken stores."""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import threading
import time
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest

from flightworthy.arrival import Kind, Outcome, Stage
from flightworthy.errors import Unavailable
from flightworthy.partition import SourceFile
from flightworthy.testing import MemoryArrivals
from flightworthy_airflow.hooks import airflow_runs, looking
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
from flightworthy_airflow.triggers import new_partition
from flightworthy_airflow.triggers.new_partition import NewPartitionTrigger
from tests.flightworthy_airflow.yards import Yard

MONDAY, NEXT_MONDAY, THIRD = "2026-01-05", "2026-01-12", "2026-01-19"


# -- what a look finds -------------------------------------------------------------------------------------------------


def test_a_partition_is_announced_once_over_restarts(yard: Yard) -> None:
    """What was seen and announced is in the database, so a new triggerer does not start over."""
    yard.model()
    yard.land(MONDAY)

    assert yard.due(yard.looked(times=1)) == []
    assert yard.due(yard.looked()) == [MONDAY]
    assert yard.due(yard.looked()) == []
    yard.take()
    yard.land(NEXT_MONDAY)
    assert yard.due(yard.looked()) == [NEXT_MONDAY]


def test_a_file_that_still_grows_wakes_nobody(yard: Yard) -> None:
    """Two looks must have seen the same size and time; a restart between them only makes it wait for two more."""
    yard.model()
    watch = yard.watch()
    for rows in range(4):
        yard.land(MONDAY, "a\n" + "1\n" * rows)
        yard.looked(watch, times=1)
    assert yard.stages() == {}
    yard.looked(yard.watch(), times=1)
    assert yard.stages() == {}
    yard.looked(watch, times=1)
    assert yard.stages() == {MONDAY: Stage.SEEN}


def test_late_data_and_revisions_are_noted_and_wake_nobody(yard: Yard) -> None:
    """They wait for a run that reads their key."""
    yard.model()
    yard.land(MONDAY)
    watch = yard.looked()
    yard.due(watch)
    yard.take()
    yard.land("2025-12-29")
    yard.land(MONDAY, "a\n1\n2\n")
    yard.looked(watch)

    assert yard.due(watch) == []
    assert {(each.key, each.kind) for each in yard.store.of("churn")} == {
        (MONDAY, Kind.FRESH), (MONDAY, Kind.REVISED), ("2025-12-29", Kind.LATE),
    }  # fmt: skip


def test_a_correction_wakes_a_deployment_where_the_spec_retrains_on_it(yard: Yard) -> None:
    """Of late data and revisions alike, once for each."""
    yard.model(revisions="retrain", new_data="latest")
    yard.land(MONDAY)
    watch = yard.looked()
    yard.due(watch)
    yard.take()
    yard.land("2025-12-29")
    yard.land(MONDAY, "a\n1\n2\n")
    yard.looked(watch)

    assert yard.due(watch) == [MONDAY]
    assert yard.due(watch) == []


def test_what_lay_there_before_the_models_first_interval_wakes_nobody(yard: Yard) -> None:
    """Where each partition has a run of its own; a history of years is for a backfill."""
    yard.model()
    for key in ("2025-12-22", MONDAY, NEXT_MONDAY):
        yard.land(key)

    assert yard.due(yard.looked()) == [MONDAY]
    assert [each.key for each in yard.store.waiting()] == [MONDAY, NEXT_MONDAY]


def test_a_newer_partition_waits_for_an_older_one_that_is_still_uploaded(yard: Yard) -> None:
    """Both were sent at once: the slower upload must not become late data."""
    yard.model()
    yard.land(NEXT_MONDAY)
    watch = yard.watch()
    for rows in range(3):
        yard.land(MONDAY, "a\n" + "1\n" * rows)
        yard.looked(watch, times=1)
    assert yard.stages() == {}
    yard.looked(watch, times=1)

    assert {each.key: each.kind for each in yard.store.of("churn")} == {MONDAY: Kind.FRESH, NEXT_MONDAY: Kind.FRESH}


def test_partitions_that_arrive_together_are_one_deployment_unless_the_spec_wants_each(yard: Yard) -> None:
    """One event for all of them; or one after another, the next when a run has taken the one before."""
    yard.model("churn")
    yard.model("claims", new_data="latest")
    for key in (MONDAY, NEXT_MONDAY, THIRD):
        yard.land(key)
        yard.land(key, model="claims")
    watch = yard.looked()

    assert sorted(yard.due(watch)) == [MONDAY, THIRD]
    assert yard.due(watch) == []
    assert yard.take() == [MONDAY]
    assert yard.due(watch) == [NEXT_MONDAY]


def test_a_model_yaml_that_changes_is_read_again_and_one_that_is_wrong_stops_nobody(
    yard: Yard, caplog: pytest.LogCaptureFixture
) -> None:
    """A source that moves is watched where it is now; what is wrong is said once, not at every look."""
    yard.model()
    yard.model("claims")
    watch = yard.watch()
    assert sorted(watch.models()) == ["churn", "claims"]
    (yard.root / "models" / "claims" / "model.yaml").write_text("model: claims\n")
    yard.model(uri=f"{yard.root}/elsewhere/{{partition}}.csv")
    yard.land(MONDAY, model="elsewhere")

    yard.looked(watch)

    assert watch.models() == ("churn",)
    assert [record.getMessage()[:27] for record in caplog.records if "not_watched" in record.getMessage()] == [
        "not_watched model=claims re"
    ]
    assert yard.due(watch) == [MONDAY]


# -- whole, by a marker or a manifest ----------------------------------------------------------------------------------


def test_with_a_marker_a_partition_is_whole_when_that_is_there_and_no_older(yard: Yard) -> None:
    """At the first look that sees it; the marker of an earlier delivery does not count."""
    yard.model(uri=f"{yard.root}/churn/{{partition}}/*.csv", complete={"marker": "_SUCCESS"})
    yard.land(MONDAY, name="{}/part-1.csv")
    watch = yard.looked(times=3)
    assert yard.stages() == {}
    marker = yard.land(MONDAY, "", name="{}/_SUCCESS")
    yard.looked(watch, times=1)
    assert yard.stages() == {MONDAY: Stage.SEEN}

    part = yard.land(MONDAY, "a\n1\n2\n", name="{}/part-1.csv")
    newer = part.stat().st_mtime + 60
    os.utime(part, (newer, newer))
    yard.looked(watch)
    assert [each.kind for each in yard.store.of("churn")] == [Kind.FRESH]
    os.utime(marker, (newer, newer))
    yard.looked(watch)
    assert [each.kind for each in yard.store.of("churn")] == [Kind.FRESH, Kind.REVISED]


@pytest.mark.parametrize(
    "manifest",
    [
        "not JSON",
        "{}",
        '{"files": []}',
        '{"files": [{"name": "2026-01-05.csv"}]}',
        '{"files": [{"name": "2026-01-05.csv", "size": 5}]}',
        '{"files": [{"name": "2026-01-05.csv", "size": 4}, {"name": "more.csv", "size": 4}]}',
        '{"files": [{"name": "2026-01-05.csv", "size": 4, "sha256": "00"}]}',
    ],
    ids=["half-written", "empty", "no files", "no size", "another size", "another file", "another digest"],
)
def test_with_a_manifest_a_partition_waits_for_all_that_is_listed(yard: Yard, manifest: str) -> None:
    """Every file, of that size and with that content; and the mended manifest lets it go at once."""
    yard.model(complete={"manifest": "{partition}.manifest.json"})
    yard.land(MONDAY)
    yard.land(MONDAY, manifest, name="{}.manifest.json")
    watch = yard.looked(times=3)
    assert yard.stages() == {}

    digest = hashlib.sha256(b"a\n1\n").hexdigest()
    entry = {"name": f"{MONDAY}.csv", "size": 4, "sha256": digest}
    yard.land(MONDAY, json.dumps({"files": [entry]}), name="{}.manifest.json")
    yard.looked(watch, times=1)
    assert yard.stages() == {MONDAY: Stage.SEEN}


# -- lost events -------------------------------------------------------------------------------------------------------


def test_an_event_that_no_run_came_for_is_announced_again_unless_the_model_is_busy(yard: Yard) -> None:
    """Airflow may have dropped it; or its run waits behind another one."""
    yard.model()
    yard.land(MONDAY)
    watch = yard.looked()
    assert yard.due(watch) == [MONDAY]
    yard.later = timedelta(minutes=1)
    yard.busy = {"churn.deploy"}
    assert yard.due(watch) == []
    yard.busy = set()
    assert yard.due(watch) == [MONDAY]
    assert yard.due(watch) == []


def test_how_a_run_ended_is_noted_and_one_that_was_deleted_gives_its_arrival_back(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is still under way stays taken; what failed and was cleared by hand is looked at again."""
    yard.model()
    for key in (MONDAY, NEXT_MONDAY, THIRD):
        yard.land(key)
    watch = yard.looked()
    assert [yard.take(number) for number in (1, 2, 3)] == [[MONDAY], [NEXT_MONDAY], [THIRD]]
    endings: dict[str, Outcome | None] = {"run 1": Outcome(failed=True, tasks=("evaluate",)), "run 2": None}
    monkeypatch.setattr(airflow_runs, "is_there", lambda run: run.run_id in endings)
    monkeypatch.setattr(airflow_runs, "ending_of", lambda run: endings[run.run_id])

    watch.settle()
    assert yard.stages() == {MONDAY: Stage.CONSIDERED, NEXT_MONDAY: Stage.TAKEN, THIRD: Stage.SEEN}
    assert str(yard.store.of("churn")[0].outcome) == "failed at evaluate"

    endings["run 1"] = Outcome(failed=False, tasks=())
    watch.settle_failed()
    assert str(yard.store.of("churn")[0].outcome) == "went through"
    assert yard.due(watch) == [THIRD]


def test_what_airflow_cannot_say_of_one_run_keeps_no_other_waiting(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither how others ended, nor what else is due; what is not known counts as a run on its way."""
    for model in ("churn", "claims"):
        yard.model(model)
        yard.land(MONDAY, model=model)
    watch = yard.looked()
    assert yard.due(watch) == [MONDAY, MONDAY]
    yard.later = timedelta(minutes=1)

    def asked(dag_id: str) -> bool:
        if dag_id == "churn.deploy":
            raise ConnectionError("Airflow does not answer")
        return False

    monkeypatch.setattr(airflow_runs, "is_busy", asked)
    assert [each.model for each in watch.due()] == ["claims"]

    yard.take(1)
    yard.take(2, model="claims")
    monkeypatch.setattr(airflow_runs, "is_there", lambda run: not asked(run.dag_id))
    monkeypatch.setattr(airflow_runs, "ending_of", lambda _run: Outcome(failed=False, tasks=()))
    watch.settle()
    assert (yard.stages(), yard.stages("claims")) == ({MONDAY: Stage.TAKEN}, {MONDAY: Stage.CONSIDERED})


# -- the triggers ------------------------------------------------------------------------------------------------------


async def heard(*models: str, seconds: float = 1.0) -> dict[str, list[str]]:
    """What the triggers of these models raise while they share one stream for so long, as Airflow's triggerer does."""
    from airflow.triggers.shared_stream import SharedStreamManager

    raised: dict[str, list[str]] = {model: [] for model in models}
    streams = SharedStreamManager(log=new_partition.log)  # type: ignore[arg-type]

    async def listen(number: int, model: str) -> None:
        trigger = NewPartitionTrigger(model=model, poke_interval=0.02)
        shared = streams.subscribe(trigger_id=number, trigger=trigger, key=trigger.shared_stream_key())
        async for event in trigger.filter_shared_stream(shared):
            raised[model].append(event.payload["partition"])

    listeners = [asyncio.create_task(listen(number, model)) for number, model in enumerate(models)]
    await asyncio.sleep(seconds)
    await streams.stop_all()
    for listener in listeners:
        listener.cancel()
    await asyncio.gather(*listeners, return_exceptions=True)
    return raised


def test_one_stream_serves_the_triggers_of_all_models(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each raises its own model's events, and there is one watch for all of them."""
    rounds: list[NewPartitionTrigger] = []
    real = NewPartitionTrigger.open_shared_stream.__func__  # type: ignore[attr-defined]
    monkeypatch.setattr(
        NewPartitionTrigger, "open_shared_stream", classmethod(lambda *words: rounds.append(words) or real(*words))
    )
    for model in ("churn", "claims", "idle"):
        yard.model(model)
    yard.land(MONDAY)
    yard.land(NEXT_MONDAY, model="claims")

    assert asyncio.run(heard("churn", "claims", "idle")) == {"churn": [MONDAY], "claims": [NEXT_MONDAY], "idle": []}
    assert len(rounds) == 1
    assert yard.stages() == {MONDAY: Stage.ANNOUNCED}


def test_a_store_that_breaks_or_hangs_keeps_no_other_model_waiting(yard: Yard, monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither an error of any kind nor an answer that never comes."""
    real, end = looking.listing, threading.Event()

    def listing(source: Any) -> tuple[SourceFile, ...]:
        if "broken" in source.uri:
            raise RuntimeError("a vendor's own error")
        if "away" in source.uri:
            raise Unavailable("no route to the store")
        if "hanging" in source.uri:
            end.wait(20)
        return real(source)

    monkeypatch.setattr(looking, "listing", listing)
    models = ("broken", "away", "hanging", "churn")
    for model in models:
        yard.model(model)
        yard.land(MONDAY, model=model)

    raised = asyncio.run(heard(*models))
    end.set()

    assert raised == {"broken": [], "away": [], "hanging": [], "churn": [MONDAY]}


def test_a_source_that_takes_long_to_list_is_looked_into_more_rarely(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A store with a million files is not listed without a pause; the others are looked into as often as before."""
    real, looks = looking.listing, Counter[str]()

    def listing(source: Any) -> tuple[SourceFile, ...]:
        name = source.uri.split("/")[-2]
        looks[name] += 1
        time.sleep(0.2 if name == "large" else 0.0)
        return real(source)

    monkeypatch.setattr(looking, "listing", listing)
    for model in ("large", "small"):
        yard.model(model)

    asyncio.run(heard("large", "small", seconds=2))

    assert 1 <= looks["large"] <= 3
    assert looks["small"] > 3 * looks["large"]


def test_an_airflow_and_a_database_that_do_not_answer_yet_are_waited_for(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A triggerer that starts before them goes on by itself."""
    yard.model()
    yard.land(MONDAY)
    connected, kept, tries = FlightworthyHook.connected, yard.store, []

    async def later(conn_id: str) -> FlightworthyHook:
        tries.append(conn_id)
        if len(tries) < 3:
            raise ConnectionError("nobody listens")
        return await connected(conn_id)

    def opened(_hook: FlightworthyHook) -> MemoryArrivals:
        tries.append("database")
        if tries.count("database") < 3:
            raise Unavailable("the database does not answer")
        return kept

    monkeypatch.setattr(FlightworthyHook, "connected", later)
    monkeypatch.setattr(FlightworthyHook, "arrivals", opened)

    assert asyncio.run(heard("churn"))["churn"] == [MONDAY]


def test_an_event_that_was_handed_over_and_not_noted_is_raised_again(
    yard: Yard, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A triggerer that dies between the two must not lose a partition; only one run takes it."""
    yard.model()
    yard.land(MONDAY)

    def dies(*_words: Any, **_more: Any) -> None:
        raise Unavailable("the database went away")

    with monkeypatch.context() as broken:
        broken.setattr(MemoryArrivals, "announced", dies)
        assert asyncio.run(heard("churn"))["churn"] == [MONDAY]
    assert asyncio.run(heard("churn"))["churn"] == [MONDAY]


def test_the_trigger_comes_back_from_what_airflow_stores_of_it() -> None:
    """Its class path and arguments are all that the triggerer has; the source may move without it changing."""
    path, arguments = NewPartitionTrigger(model="churn").serialize()

    assert path.endswith("NewPartitionTrigger")
    assert NewPartitionTrigger(**arguments).serialize() == (path, arguments)
