"""A home with models in it, a command line that looks there, and releases that once served."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from flightworthy.adapters.sql_releases import SqlReleases
from flightworthy.cli.main import main
from flightworthy.release import (
    NO_LIMITS,
    Cause,
    Deployment,
    Observation,
    Phase,
    Release,
    Strategy,
    draft,
    promoted,
    propose,
    returned,
    way_back_from,
    withdrawn,
)

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)
STRATEGY = Strategy(
    steps=(100,),
    bake_time=timedelta(),
    min_requests=1,
    deadline=timedelta(minutes=1),
    max_error_rate=0.01,
    limits=NO_LIMITS,
)

PERSONAL_SPEC = """\
model: diagnosis
owner: tests
entity: patient
target: ill
features: {age: integer}
personal: {columns: {patient: pseudonym}}
source: {uri: "data/{partition}.csv", partition: "%Y-%m-%d"}
schedule: {cron: "0 0 * * *", start_at: 2025-01-01}
gates: [{metric: roc_auc, at_least: 0.6}]
"""
"""A model whose entity is a person."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a command line printed, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """The one JSON document on stdout."""
        return json.loads(self.out)


def release_of(model: str, version: int) -> Release:
    """A release that nobody serves."""
    return Release(
        id=f"{model}-{version}-abcdef01", model=model, version=str(version), target="process",
        artifact_uri="/nowhere", artifact_digest="abcdef01" * 8, image_digest=None, bundle={}, strategy=STRATEGY,
    )  # fmt: skip


class House:
    """A home on disk with a database, and what a deployer would do to it."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.models = folder / "models"
        self.models.mkdir()
        self.store = SqlReleases(f"sqlite:///{self.home / 'flightworthy.db'}")

    def promote(self, version: int, model: str = "diagnosis") -> Release:
        """Take a release through its course, and see it healthy."""
        release = release_of(model, version)
        row = propose(self.store, release, actor="a test", reason="a newer version", now=NOW)
        after = promoted(row, NOW)
        cause = Cause(actor="deployer", reason="the first release" if version == 1 else "baked well", at=NOW)
        self.observe(self.store.swap(row, after, draft(row, after, "promoted", cause)))
        return release

    def refuse(self, version: int, model: str = "diagnosis") -> Release:
        """Let a release be withdrawn on its course."""
        release = release_of(model, version)
        row = propose(self.store, release, actor="a test", reason="a newer version", now=NOW)
        after = withdrawn(row, NOW)
        cause = Cause(actor="deployer", reason="3 of 40 attempts failed", at=NOW)
        self.observe(self.store.swap(row, after, draft(row, after, "withdrawn", cause)))
        return release

    def observe(self, row: Deployment, note: str = "") -> None:
        """Confirm a row as the deployer does once the router has taken it."""
        healthy = tuple(release for release in (row.champion, row.previous) if release)
        self.store.observe(
            Observation(
                model=row.model, generation=row.generation, share_b=row.share_b, healthy=healthy, note=note, at=NOW
            )
        )

    @contextmanager
    def deployer(self, *, fails: bool = False) -> Iterator[None]:
        """Do what the deployer does: finish returns (or withdraw them) and confirm rows, until told to stop."""
        stopping = threading.Event()
        thread = threading.Thread(target=self._deploy, args=(stopping, fails))
        thread.start()
        try:
            yield
        finally:
            stopping.set()
            thread.join()

    def _deploy(self, stopping: threading.Event, fails: bool) -> None:
        while not stopping.wait(0.02):
            for row in self.store.deployments():
                self.observe(self._finish(row, fails) if row.phase is Phase.RETURNING else row)

    def _finish(self, row: Deployment, fails: bool) -> Deployment:
        if fails:
            after = withdrawn(row, NOW)
            cause = Cause(actor="deployer", reason="its server ended 3 times", at=NOW)
            return self.store.swap(row, after, draft(row, after, "withdrawn", cause))
        to = str(row.challenger)
        after = returned(row, to, way_back_from(self.store.history(row.model), to), NOW)
        cause = Cause(actor="deployer", reason="it was started again", at=NOW)
        return self.store.swap(row, after, draft(row, after, "rolled_back", cause))


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An empty home."""
    house = House(tmp_path)
    yield house
    house.store.close()


Call = Callable[..., Told]


@pytest.fixture
def call(house: House, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Call:
    """Run a command line against the house, in this process."""

    def run(*words: str, environ: Mapping[str, str] | None = None) -> Told:
        places = {"FLIGHTWORTHY_HOME": str(house.home), "FLIGHTWORTHY_MODELS": str(house.models)}
        monkeypatch.delenv("FLIGHTWORTHY_DATABASE", raising=False)
        for name, value in {**places, **(environ or {})}.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr("sys.argv", ["flightworthy", *words])
        try:
            code = main(words)
        except SystemExit as ended:
            code = int(ended.code or 0)
        out, err = capsys.readouterr()
        return Told(code=code, out=out, err=err)

    return run
