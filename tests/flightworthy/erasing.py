"""Erases somebody, killed with SIGKILL before its n-th effect on the disk, then once more.

A program of its own, started by test_erasure.py: pyarrow is imported once, and a process is forked for every kill.
Prints a line of JSON for each: the effect that did not happen, what is kept then, and what is kept after the second
try.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyarrow import parquet

from flightworthy.adapters.dataset_files import DatasetErasure, DatasetFiles
from flightworthy.adapters.prediction_files import PredictionCompaction, PredictionErasure, erasing
from flightworthy.adapters.sql_releases import SqlReleases
from flightworthy.dataset import Split, version_of
from flightworthy.erasure import Asked, Places, erase, person_named
from flightworthy.personal import Keys
from flightworthy.release import Cause
from tests.flightworthy.adapters.compacting import Counted
from tests.flightworthy.adapters.log_makers import LATER, NOON, answers, line_of, write_log
from tests.forked import in_a_process

MODEL, ENTITY = "diagnosis", "patient-7"
KEYS = Keys(current=b"0123456789abcdef")
assert pd, "imported before the first fork"


def make_home(home: Path) -> None:
    """Two partitions, one of them revised, one in quarantine; a log of lines and of Parquet."""
    store = DatasetFiles(root=home / "datasets")
    for key, others in (("2026-01", 3), ("2026-01", 4), ("2026-02", 2)):
        names = [ENTITY, *(f"patient-{number}" for number in range(100, 100 + others))]
        table = pa.table({"patient": names, "age": list(range(len(names)))})
        written = store.write(MODEL, key, table, sources=["x.csv"], now=NOON)
        store.mark_passed(written, suite="s", now=NOON)
        store.record(version_of(MODEL, key, store.current(MODEL).values(), window=9))
    store.quarantine(written, reason="odd", objections=["age: odd"], now=NOON)
    text = line_of(entity=ENTITY, prediction=0.5) + line_of(entity="patient-8") + line_of(entity=ENTITY, prediction=0.5)
    write_log(home / "predictions", text.replace("0.25", "0.75"), number=1)
    assert list(PredictionCompaction(home / "predictions").compact(MODEL, now=LATER))
    write_log(home / "predictions", text, number=2)
    (home / "predictions" / MODEL / "day=2026-01-05" / ".half.part").write_text(text)
    SqlReleases(f"sqlite:///{home / 'flightworthy.db'}").close()


def erase_in(home: Path) -> None:
    ledger = SqlReleases(f"sqlite:///{home / 'flightworthy.db'}")
    places = Places(
        datasets=DatasetErasure(root=home / "datasets"),
        log=PredictionErasure(folder=home / "predictions"),
        ledger=ledger,
    )
    person = person_named(ENTITY, KEYS, model=MODEL)
    asked = Asked(model=MODEL, column="patient", person=person, side=Split.TRAIN, versions=None)
    erase(asked, places, Cause(actor="ada", reason="request 12", at=LATER))
    ledger.close()


def erase_dying(home: Path, counted: Counted) -> None:
    pwrite = os.pwrite

    def pwrite_counted(descriptor: int, text: bytes, offset: int) -> int:
        counted.effect("pwrite")
        return pwrite(descriptor, text, offset)

    os.pwrite = pwrite_counted
    sys.addaudithook(counted.heard)
    erase_in(home)


def seen(home: Path) -> dict[str, Any]:
    """What is kept: of whom there are rows in current partitions and quarantine, the log, the ledger, who is where."""
    store = DatasetFiles(root=home / "datasets")
    current = {key: sorted(store.read(each)["patient"]) for key, each in store.current(MODEL).items()}
    held = {
        each.key: sorted(parquet.read_table(Path(each.uri) / "data.parquet")["patient"].to_pylist())
        for each in store.quarantined(MODEL)
    }
    ledger = SqlReleases(f"sqlite:///{home / 'flightworthy.db'}")
    told = [entry.action for entry in ledger.history(MODEL)]
    ledger.close()
    log = {str(prediction): count for prediction, count in answers(home / "predictions").items()}
    return {"current": current, "held": held, "log": log, "told": told, "named": named_in(home), "tree": tree(home)}


def named_in(home: Path) -> list[str]:
    """The files in which somebody who reads all of them still finds the person."""
    found = []
    for path in sorted(path for path in home.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            content += json.dumps(parquet.read_table(path, partitioning=None).to_pydict(), default=str).encode()
        if ENTITY.encode() in content:
            found.append(path.relative_to(home).as_posix())
    return found


def tree(home: Path) -> list[str]:
    files = (path.relative_to(home).as_posix() for path in home.rglob("*") if path.is_file())
    return sorted(name for name in files if "flightworthy.db" not in name)


def main() -> None:
    erasing._FLUSHED_SECONDS = 0.0  # nobody writes this log, and each kill would wait for it twice
    ready = Path(tempfile.mkdtemp()) / "home"
    make_home(ready)
    for deadly in range(1, 1_000):
        with tempfile.TemporaryDirectory() as folder:
            home = shutil.copytree(ready, Path(folder) / "home")
            heard, told = os.pipe()
            ended = in_a_process(lambda home=home, deadly=deadly, told=told: erase_dying(home, Counted(deadly, told)))
            os.close(told)
            effect = os.read(heard, 100).decode()
            os.close(heard)
            killed = seen(home)
            if not ended:
                in_a_process(lambda home=home: erase_in(home))
            sys.stdout.write(json.dumps({"effect": effect, "killed": killed, "again": seen(home)}) + "\n")
            if ended:
                shutil.rmtree(ready.parent)
                return


if __name__ == "__main__":
    pa.set_cpu_count(1)
    main()
