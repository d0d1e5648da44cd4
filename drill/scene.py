"""Where the drill plays: a model that serves through a real router, under load, with MLflow beside it or without."""

from __future__ import annotations

import itertools
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from drill.acts import COURSE, Scene, play, promotion
from drill.invariants import MODEL
from drill.rig import Rig
from flightworthy.adapters.local_processes import LocalProcesses
from flightworthy.deployer.aliases import AliasRegistry, registry_maker
from flightworthy.deployer.daemon import server_kinds
from flightworthy.release import Release, Strategy


@contextmanager
def scene(
    folder: Path,
    *,
    tracking_uri: str | None = None,
    image: str | None = None,
    database_url: str | None = None,
    rate: float = 500,
    connections: int = 8,
) -> Iterator[Scene]:
    """Three versions promoted one after another, two of them warm, and requests that flow. ``image``: in containers."""
    folder.mkdir(parents=True, exist_ok=True)
    rig = Rig(folder, tracking_uri=tracking_uri, database_url=database_url)
    kinds = server_kinds(rig.settings, LocalProcesses())
    number = _numbers(tracking_uri)

    def make(*, golden: float | None = None, strategy: Strategy = COURSE) -> Release:
        release = rig.release(number(), golden=golden, strategy=strategy)
        return release if image is None else replace(release, target="container", image_digest=image)

    def servers() -> int:
        return sum(len(kind.running()) for kind in kinds.values())

    rig.start_deployer()
    try:
        rig.promote(make(strategy=replace(COURSE, steps=(100,))), within=90)
        with rig.load(rate=rate, connections=connections) as load:
            made = registry_maker(tracking_uri)
            registry: AliasRegistry | None = made() if made is not None else None
            played = Scene(rig=rig, load=load, make=make, registry=registry, servers=servers)
            for _ in range(2):
                if wrong := play(played, promotion(played)):
                    raise AssertionError(f"it does not even work undisturbed: {wrong}")
            yield played
    finally:
        rig.close()


def _numbers(tracking_uri: str | None) -> Callable[[], int]:
    """The numbers of new versions; given by MLflow, where there is one."""
    if tracking_uri is None:
        counted = itertools.count(1)
        return lambda: next(counted)
    from mlflow import MlflowClient
    from mlflow.exceptions import MlflowException

    from flightworthy.adapters.mlflow_tracking.connection import TAG

    client = MlflowClient(tracking_uri=tracking_uri)
    try:
        client.create_registered_model(MODEL)
    except MlflowException:
        client.delete_registered_model(MODEL)
        client.create_registered_model(MODEL)

    run = client.create_run(client.create_experiment(f"drill-{uuid.uuid4().hex}"))

    def number() -> int:
        identity = {f"{TAG}{name}": "drill" for name in ("key", "artifact_uri", "artifact_digest")}
        made = client.create_model_version(
            MODEL, run.info.artifact_uri, run.info.run_id, identity, await_creation_for=0
        )
        return int(made.version)

    return number
