"""The prediction log as a frame: what a model was asked and answered in a window of time, by which release.

The lines are those of ``serving.prediction_log``; of them are used ``at``, ``release``, ``version``, ``features`` and
``prediction``. A file may be live: a last line without its line end is a row still being written and is left for the
next look. Whatever else cannot be read is left out, counted and named: silence would look like less traffic.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flightworthy.adapters.prediction_files.lines import (
    PREDICTION,
    day_folders,
    faulty,
    instant,
    row_of,
    whole_lines,
)

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["PREDICTION", "BrokenLine", "PredictionFiles", "PredictionWindow"]

_CLOCK_SLACK = timedelta(minutes=5)


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokenLine:
    """A line of the log that could not be read; line 0 is the whole file."""

    file: str
    line: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PredictionWindow:
    """What was asked and answered, by one release or by all, from ``started_at`` up to but without ``ended_at``."""

    model: str
    started_at: datetime
    ended_at: datetime
    frame: pd.DataFrame
    """One row per row asked: the features and the column ``prediction``. Whom it was about is not in it."""
    releases: Mapping[str, int]
    """Rows answered by each release in ``frame``."""
    broken: tuple[BrokenLine, ...]
    """Lines left out, of the files that were read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Asked:
    """What of the log is wanted."""

    since: datetime
    until: datetime
    release: str | None
    version: str | None

    def wants(self, row: Mapping[str, Any]) -> bool:
        return (
            self.since <= instant(row) < self.until
            and self.release in (None, row["release"])
            and self.version in (None, str(row["version"]))
        )

    def filters(self) -> list[tuple[str, str, Any]]:
        """The same, as pyarrow is asked."""
        named = (("release", self.release), ("version", self.version))
        return [
            ("at", ">=", self.since),
            ("at", "<", self.until),
            *((name, "==", value) for name, value in named if value is not None),
        ]


@dataclass(slots=True)
class _Found:
    """What was read so far."""

    frames: list[pd.DataFrame] = field(default_factory=list)
    releases: Counter[str] = field(default_factory=Counter)
    broken: list[BrokenLine] = field(default_factory=list)


class PredictionFiles:
    """The log files under one folder, such as ``.flightworthy/predictions``."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def read(
        self,
        model: str,
        *,
        since: datetime,
        until: datetime,
        release: str | None = None,
        version: str | None = None,
    ) -> PredictionWindow:
        """The rows of ``since <= at < until``, of one release or version if named; an empty frame where none is.

        Each row once, also of a file that is compacted meanwhile.
        """
        import pandas as pd

        asked, found = _Asked(since=since, until=until, release=release, version=version), _Found()
        lines_counted = set(_read_lines(self.folder / model, asked, found))
        # After the lines: a file that was compacted before it could be opened is whole among these.
        _read_parquet(self.folder / model, asked, found, but=lines_counted)
        return PredictionWindow(
            model=model,
            started_at=since,
            ended_at=until,
            frame=pd.concat(found.frames, ignore_index=True).infer_objects() if found.frames else pd.DataFrame(),
            releases=dict(found.releases),
            broken=tuple(found.broken),
        )


def _read_lines(folder: Path, asked: _Asked, found: _Found) -> Iterator[str]:
    """Read the files of JSON lines; the names of those that count, whether or not they hold a row of the window."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for path in sorted(folder.glob("*.jsonl")):
        try:
            # Nothing was written to it in the window, and rows are written in the order of time.
            if datetime.fromtimestamp(path.stat().st_mtime, UTC) >= asked.since - _CLOCK_SLACK:
                rows += _rows_of(path, asked, found)
        except FileNotFoundError:
            continue  # compacted since the names were read
        yield path.stem
    if rows:
        found.frames.append(pd.DataFrame(rows))


def _rows_of(path: Path, asked: _Asked, found: _Found) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        for number, line in whole_lines(file):
            row = row_of(line)
            if row is None:
                found.broken.append(BrokenLine(file=path.name, line=number, why=faulty(line)))
            elif asked.wants(row):
                found.releases[row["release"]] += 1
                yield {**row["features"], PREDICTION: row[PREDICTION]}


def _read_parquet(folder: Path, asked: _Asked, found: _Found, *, but: set[str]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    first, last = (at.astimezone(UTC).date().isoformat() for at in (asked.since, asked.until))
    wanted = ["release", "features", PREDICTION]
    for path in [path for day, inside in day_folders(folder) if first <= day <= last for path in _parquet_in(inside)]:
        if path.stem in but or folder.joinpath(f"{path.stem}.jsonl").exists():
            continue
        try:
            table = parquet.read_table(path, columns=wanted, filters=asked.filters(), partitioning=None)
        except FileNotFoundError:
            continue  # thrown away since the names were read
        except (OSError, pa.ArrowException) as error:
            found.broken.append(BrokenLine(file=f"{path.parent.name}/{path.name}", line=0, why=f"is no log: {error}"))
            continue
        if table.num_rows:
            found.releases.update(table["release"].to_pylist())
            names = [each.name for each in table.schema.field("features").type]
            features = table["features"].combine_chunks().flatten()
            columns = pa.table([*features, table[PREDICTION]], names=[*names, PREDICTION])
            found.frames.append(columns.to_pandas())


def _parquet_in(folder: Path) -> list[Path]:
    return sorted(folder.glob("[!.]*.parquet"))
