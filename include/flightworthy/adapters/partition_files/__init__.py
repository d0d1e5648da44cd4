"""Reads partitions where they land: CSV, JSON lines, Parquet, packed or not, at any fsspec URL, never by guessing.

What pandas would quietly repair (a shifted row, a doubled header, ``NA`` for Namibia, an id rounded to a float) is
refused or kept as written here. A refusal names file, column and line, and says what to do. No file is ever in memory
as a whole.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Final

from flightworthy.adapters.partition_files import csv_text, json_lines, parquet_parts
from flightworthy.adapters.partition_files.cells import Cells, refused
from flightworthy.adapters.partition_files.columns import Protect, TypedRows
from flightworthy.adapters.partition_files.event_time import Sorted, sorted_by_time
from flightworthy.adapters.partition_files.listing import Landing
from flightworthy.adapters.partition_files.parts import joined
from flightworthy.adapters.partition_files.progress import Tell, told
from flightworthy.adapters.partition_files.unpacking import LandedFile, landed
from flightworthy.errors import PartitionRefused
from flightworthy.partition import SourceFile
from flightworthy.spec import Source, Spec

__all__ = ["PartitionFiles"]

_FORMATS: Final[Mapping[str, Callable[[LandedFile, tuple[str, ...]], Iterator[Cells]]]] = {
    ".csv": csv_text.cells,
    ".jsonl": json_lines.cells,
    ".ndjson": json_lines.cells,
    ".parquet": parquet_parts.cells,
}


@dataclass(slots=True, kw_only=True)
class PartitionFiles:
    """A `flightworthy.dataset.PartitionSource` of `flightworthy.dataset.Rows`.

    ``types`` names what each declared column is (number, integer, category or boolean). A column whose cells are not
    of its type stays text, so that the expectations can show what it held. No file is read that has, or unpacks to,
    more bytes than ``source.largest``. ``files_at`` is the fsspec file system to read from, if not the one that the URI
    and the environment name. ``protect`` begins a partition and gives what each batch of its typed rows goes through
    before anybody sees it; it may leave out or change columns, or raise `PartitionRefused`.
    """

    source: Source
    types: Mapping[str, str]
    files_at: Any = None
    protect: Protect | None = None
    progress: Tell | None = None
    _sorted: dict[str, tuple[str, Sorted]] = field(default_factory=dict)

    @classmethod
    def of(cls, spec: Spec, **kwargs: Any) -> PartitionFiles:
        """The source of a model."""
        return cls(source=spec.source, types=spec.column_types, **kwargs)

    def files(self) -> tuple[SourceFile, ...]:
        """Every landed file by partition key; for rows picked by event time the one file, once per key it holds.

        A missing folder holds no files. Raises `PartitionRefused` if the keys of the one file cannot be told.
        """
        found = self._landing().files()
        if not self.source.is_one_file:
            return found
        return tuple(replace(file, key=key) for file in found for key in self._by_time(file).scratch.keys)

    def partitions(self, file: SourceFile) -> tuple[SourceFile, ...]:
        """The partitions in the one ``file`` that holds all, in time order, each with the digest of its rows."""
        found = self._by_time(file)
        return tuple(replace(file, key=key, digest=found.digest(key)) for key in found.scratch.keys)

    def read(self, keys: Sequence[str]) -> dict[str, TypedRows | PartitionRefused]:
        """The rows of each key, or why there are none. Most of what can be wrong is found while they are read."""
        found = self._landing().files()
        contents: dict[str, TypedRows | PartitionRefused] = {}
        for key in keys:
            parts = [file for file in found if self.source.event_time is not None or file.key == key]
            if parts:
                contents[key] = TypedRows(read=partial(self._cells, key, parts), types=self.types, protect=self.protect)
            else:
                contents[key] = PartitionRefused(f"partition {key} is no longer in its source; land it again", key=key)
        return contents

    def unplaced(self) -> tuple[PartitionRefused, ...]:
        """The rows, of what was read so far, whose event time cannot be told; they are in no partition."""
        return tuple(refusal for _, found in self._sorted.values() for refusal in found.refusals)

    def _cells(self, key: str, files: Sequence[SourceFile]) -> Iterator[Cells]:
        if self.source.event_time is not None:
            return self._by_time(files[0]).cells(key)
        return joined(self._file(file) for file in files)

    def _by_time(self, file: SourceFile) -> Sorted:
        """The file's rows by key, read once for as long as it does not change."""
        kept, found = self._sorted.get(file.uri, ("", None))
        if found is None or kept != file.fingerprint:
            assert self.source.event_time is not None  # noqa: S101 - asked for by its callers
            found = sorted_by_time(
                self._file(file), uri=file.uri, event_time=self.source.event_time, pattern=self.source.partition
            )
            self._sorted[file.uri] = (file.fingerprint, found)
        return found

    def _file(self, file: SourceFile) -> Iterator[Cells]:
        digest = None
        try:
            with landed(self._landing(), file, largest=self.source.largest) as opened:
                try:
                    cells = _FORMATS.get(opened.kind, _unknown)(opened, self.source.missing)
                    yield from told(
                        cells, self.progress, uri=opened.uri, count=_row_count, share=lambda _: opened.share()
                    )
                except PartitionRefused:
                    digest = opened.digest()
                    raise
        except PartitionRefused as refusal:
            raise PartitionRefused(refusal.message, **{"file": file.uri, "digest": digest, **refusal.facts}) from None

    def _landing(self) -> Landing:
        return Landing.of(self.source, self.files_at)


def _row_count(cells: Cells) -> int:
    return int(cells.batch.num_rows)


def _unknown(file: LandedFile, _: tuple[str, ...]) -> Iterator[Cells]:
    known = ", ".join(_FORMATS)
    raise refused(file.uri, f"holds a {file.kind or 'nameless'} file", f"A partition is {known}.")
