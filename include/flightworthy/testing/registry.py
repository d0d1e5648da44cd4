"""A registry of model versions, in memory; what was trained stays where ``MemoryRuns`` keeps it."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from flightworthy.registry import Alias, ModelVersion
from flightworthy.testing.runs import copied
from flightworthy.training import TrainingRun

__all__ = ["MemoryRegistry"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MemoryRegistry:
    """Implements ``registry.Registry`` over artifacts that ``MemoryRuns`` keeps."""

    kept: dict[tuple[str, int], ModelVersion] = field(default_factory=dict)
    aliases: dict[tuple[str, Alias], int] = field(default_factory=dict)
    documents: dict[tuple[str, int, str], bytes] = field(default_factory=dict)

    def create_once(self, run: TrainingRun, tags: Mapping[str, str]) -> tuple[ModelVersion, bool]:
        found = self.find(run.model, run.key)
        if found is not None:
            return found, False
        number = next(number for number in itertools.count(1) if (run.model, number) not in self.kept)
        version = ModelVersion(
            model=run.model,
            version=number,
            key=run.key,
            run_id=run.run_id,
            artifact_uri=run.artifact_uri,
            artifact_digest=run.artifact_digest,
            tags={
                **tags,
                "key": run.key,
                "artifact_uri": run.artifact_uri,
                "artifact_digest": run.artifact_digest,
            },
        )
        self.kept[run.model, number] = version
        return version, True

    def find(self, model: str, key: str) -> ModelVersion | None:
        return next((version for version in self.versions(model) if version.key == key), None)

    def version(self, model: str, number: int) -> ModelVersion | None:
        return self.kept.get((model, number))

    def versions(self, model: str) -> Sequence[ModelVersion]:
        return [version for (name, _), version in sorted(self.kept.items()) if name == model]

    def aliased(self, model: str, alias: Alias) -> ModelVersion | None:
        number = self.aliases.get((model, alias))
        return None if number is None else self.version(model, number)

    def set_alias(self, model: str, alias: Alias, number: int) -> None:
        if (model, number) not in self.kept:
            raise KeyError((model, number))
        self.aliases[model, alias] = number

    def delete_alias(self, model: str, alias: Alias) -> None:
        self.aliases.pop((model, alias), None)

    def tag(self, model: str, number: int, tags: Mapping[str, str]) -> None:
        version = self.kept[model, number]
        self.kept[model, number] = replace(version, tags={**version.tags, **tags})

    def download(self, version: ModelVersion, folder: Path) -> Path:
        return copied(version.artifact_uri, folder, digest=version.artifact_digest)

    def attach(self, version: ModelVersion, name: str, content: bytes) -> None:
        self.documents[version.model, version.version, name] = content

    def attached(self, version: ModelVersion, name: str) -> bytes | None:
        return self.documents.get((version.model, version.version, name))
