"""``flightworthy suggest-suite``: a first suite.yaml from real partitions, for a person to edit."""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flightworthy.cli.answers import Answer, Exit
from flightworthy.cli.known import model_with_folder
from flightworthy.cli.settings import Settings
from flightworthy.cli.words import count, json_flag
from flightworthy.errors import Refused

if TYPE_CHECKING:
    from flightworthy.adapters.dataset_files import DatasetFiles
    from flightworthy.adapters.personal_columns import Protection
    from flightworthy.expectations import FailedExpectation
    from flightworthy.spec import Spec

__all__ = ["arguments", "run"]


def arguments(command: argparse.ArgumentParser) -> None:
    """Add what the command is told."""
    command.add_argument("model", metavar="MODEL")
    command.add_argument(
        "--partitions", type=count, default=12, metavar="N", help="the newest N partitions (default 12)"
    )
    command.add_argument("--output", type=Path, metavar="FILE", help="write it into this file (default: print it)")
    json_flag(command)


def run(asked: argparse.Namespace, settings: Settings) -> Answer:
    """Profile the newest partitions of the store, or of the source where nothing was taken in yet."""
    from flightworthy.adapters.partition_profile import DuckdbProfiles
    from flightworthy.adapters.personal_columns import Protection
    from flightworthy.adapters.spec_files import load
    from flightworthy.expectations.suggested_text import suite_text
    from flightworthy.expectations.suggesting import suggested
    from flightworthy.personal import read_keys

    spec = load(settings.models / model_with_folder(asked.model, settings), settings.environ)
    if asked.output is not None and asked.output.exists():
        raise Refused(f"{asked.output} is there already, and was left alone; name another file", file=str(asked.output))
    with ExitStack() as stack:
        store = settings.datasets()
        if not store.current(spec.model):
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            store = _taken_in(spec, Protection.of(spec, read_keys(settings.environ), {}), folder, asked.partitions)
        current = dict(list(store.current(spec.model).items())[-asked.partitions :])
        files = {key: store.rows(partition).files for key, partition in current.items()}
        found = suggested(DuckdbProfiles().profile(files), spec, hidden=frozenset(spec.personal.columns))
        text = suite_text(found, _objections(spec, files))
    document = {
        "model": spec.model,
        "partitions": list(files),
        "rows": found.rows,
        "expectations": len(found.expectations),
        "suite": text,
    }
    if asked.output is None:
        return Answer(document=document, text=text.rstrip("\n"), exit=Exit.DONE)
    asked.output.write_text(text, encoding="utf-8")
    return Answer(document=document, text=f"{asked.output}: {len(found.expectations)} expectations", exit=Exit.DONE)


def _taken_in(spec: Spec, protection: Protection, folder: Path, partitions: int) -> DatasetFiles:
    """The source's newest partitions, in a store that goes away again."""
    from flightworthy.adapters.dataset_files import DatasetFiles
    from flightworthy.adapters.partition_files import PartitionFiles
    from flightworthy.adapters.personal_columns import ProtectedSource
    from flightworthy.dataset import ingest
    from flightworthy.known import Ask

    if spec.source.conn_id is not None:
        raise Refused(
            f"nothing of {spec.model} was taken in yet, and its source is known by the Airflow connection "
            f"{spec.source.conn_id} alone, which the command line does not ask. Let a run take its partitions in (with "
            "an empty suite, `expectations: []`), and ask again",
            model=spec.model,
            conn_id=spec.source.conn_id,
        )
    store = DatasetFiles(root=folder)
    ask = Ask(model=spec.model, key=None, window=partitions, as_of=None, known_since=None)
    source = ProtectedSource(source=PartitionFiles.of(spec), protection=protection)
    ingest(source, store, ask, now=datetime.now(UTC))
    return store


def _objections(spec: Spec, files: Mapping[str, Sequence[Any]]) -> list[FailedExpectation]:
    """What the usual comparisons would have said of each partition beside those before it."""
    from flightworthy.adapters.partition_counts import DuckdbCounts
    from flightworthy.expectations import COMPARISONS, asked_of, compare, times_of

    found: list[FailedExpectation] = []
    keys = list(files)
    for place, key in enumerate(keys):
        before = keys[:place]
        times = times_of(key, before, pattern=spec.source.partition, now=datetime.now(UTC))
        reference = [file for each in before for file in files[each]]
        counts = DuckdbCounts().count(files[key], reference, asked_of(spec, COMPARISONS))
        found += compare(counts, times, COMPARISONS)
    return found
