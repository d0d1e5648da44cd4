"""Models whose sources are folders or files, and what a watcher of them sees."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import yaml

from flightworthy.arrival import RunName, Stage
from flightworthy.testing import MemoryArrivals
from flightworthy_airflow.hooks.arrivals import Watch
from flightworthy_airflow.hooks.flightworthy import FlightworthyHook, Places
from tests.flightworthy_airflow.conftest import SPEC


@dataclass(slots=True, kw_only=True)
class Yard:
    """Models whose sources are folders, one place where their arrivals are kept, and a clock that can be put on."""

    root: Path
    store: MemoryArrivals = field(default_factory=MemoryArrivals)
    later: timedelta = timedelta()
    busy: set[str] = field(default_factory=set)

    def model(self, name: str = "churn", *, revisions: str = "ignore", **source: Any) -> None:
        said = {
            **SPEC,
            "model": name,
            "dataset": {"revisions": revisions},
            "schedule": {**SPEC["schedule"], "new_data": source.pop("new_data", "each")},
        }
        said["source"] = {"uri": f"{self.root}/{name}/{{partition}}.csv", "partition": "%Y-%m-%d", **source}
        folder = self.root / "models" / name
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "model.yaml").write_text(yaml.safe_dump(said))

    def land(self, key: str, text: str = "a\n1\n", *, model: str = "churn", name: str = "{}.csv") -> Path:
        file = self.root / model / name.format(key)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
        return file

    def watch(self) -> Watch:
        hook = FlightworthyHook(places=Places(home=self.root, database="sqlite://", models=self.root / "models"))
        return Watch(hook=hook, _store=self.store)  # type: ignore[arg-type]

    def looked(self, watch: Watch | None = None, *, times: int = 2) -> Watch:
        """A watch that has looked into all sources so often."""
        watch = watch or self.watch()
        for _ in range(times):
            for model in watch.models():
                watch.look(model)
        return watch

    def due(self, watch: Watch) -> list[str]:
        """What is announced now; noted as announced, too."""
        found = watch.due()
        for each in found:
            self.store.announced(each, at=watch.hook.now())
        return [each.partition for each in found]

    def take(self, number: int = 1, *, model: str = "churn") -> list[str]:
        run = RunName(dag_id=f"{model}.deploy", run_id=f"run {number}")
        return [each.key for each in self.store.take(model, run, new_data="each", at=FlightworthyHook.now())]

    def stages(self, model: str = "churn") -> dict[str, Stage]:
        return {each.key: each.stage for each in self.store.of(model)}
