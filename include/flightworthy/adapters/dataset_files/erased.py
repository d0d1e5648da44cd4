"""Who was erased from a model's partitions, what replaced them, and which key their pseudonyms go with.

::

    <root>/<model>/pseudonyms.json             the fingerprint of the key that the pseudonyms in the partitions go with
    <root>/<model>/erased/entities.json        who was erased, by pseudonym and the key's fingerprint
    <root>/<model>/erased/<digest>.json        of a content that is gone: by what it was replaced, and for whom

All of it is written under the model's lock. What was erased is never in any of these files.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from flightworthy.adapters.dataset_files import writing
from flightworthy.erasure import Erased, Replaced
from flightworthy.errors import Refused
from flightworthy.personal import Keys, fingerprint

__all__ = ["ErasedFiles"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ErasedFiles:
    """Those of one model, in its folder."""

    folder: Path

    def entities(self) -> list[Erased]:
        """Everybody, in the order in which they were erased."""
        return [Erased(**said) for said in writing.read_json(self._list, default=[])]

    def by_key(self) -> dict[str, frozenset[str]]:
        """The pseudonyms of everybody, by the fingerprint of the key that made them."""
        everybody = self.entities()
        return {
            key: frozenset(each.entity for each in everybody if each.key == key)
            for key in {each.key for each in everybody}
        }

    def add(self, entity: str, key: str, now: datetime) -> None:
        """Put somebody on the list, once."""
        everybody = self.entities()
        if (entity, key) not in {(each.entity, each.key) for each in everybody}:
            everybody.append(Erased(entity=entity, key=key, erased_at=now.isoformat()))
            writing.replace_json(self._list, [asdict(each) for each in everybody])

    def replaced(self) -> Iterator[Replaced]:
        """Every content that is gone, in the order of their digests."""
        for file in sorted((self.folder / "erased").glob("?" * 12 + ".json")):
            yield Replaced(**writing.read_json(file))

    def replacement(self, digest: str) -> Replaced | None:
        """What stands in the place of a content that is gone; None if it is not."""
        said: dict[str, Any] | None = writing.read_json(self._tombstone(digest), default=None)
        return None if said is None or said["digest"] != digest else Replaced(**said)

    def note(self, replaced: Replaced) -> None:
        """Write down that a content is gone, and what stands in its place."""
        writing.replace_json(self._tombstone(replaced.digest), asdict(replaced))

    def follow(self, digest: str) -> str:
        """The content that stands in the place of this one now; itself where nobody was erased from it."""
        while (replaced := self.replacement(digest)) is not None:
            digest = replaced.replaced_by
        return digest

    def key(self) -> str | None:
        """The fingerprint of the key that the pseudonyms go with; None where there are none yet."""
        found: str | None = writing.read_json(self._key, default={"key": None})["key"]
        return found

    def settle_key(self, keys: Keys) -> None:
        """Let pseudonyms go with this key from now on. Raises Refused where those that are there go with another.

        Half of the rows under one key and half under another would be two people each, on two sides of the split.
        """
        known, mine = self.key(), fingerprint(keys.current)
        if known is None:
            writing.replace_json(self._key, {"key": mine})
        elif known != mine:
            raise Refused(
                f"{self.folder.name} was not read: its partitions hold pseudonyms of the key {known}, and the key at "
                f"hand is {mine}. Nothing was written. Give it that key; or, to change the key, move the model's "
                "partitions away and take them in anew (docs/operations.md, Keys of pseudonyms).",
                model=self.folder.name,
                expected=known,
                found=mine,
            )

    @property
    def _key(self) -> Path:
        return self.folder / "pseudonyms.json"

    @property
    def _list(self) -> Path:
        return self.folder / "erased" / "entities.json"

    def _tombstone(self, digest: str) -> Path:
        return self.folder / "erased" / f"{digest[:12]}.json"
