from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from pyarrow import parquet

from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.adapters.dataset_files.content import BLOCK, digest_of
from flightworthy.dataset import PartitionVersion, Split, version_of
from flightworthy.errors import ArtifactRefused, PartitionRefused, Unavailable

NOW = datetime(2026, 1, 5, 12, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    return DatasetFiles(root=tmp_path / "datasets")


def write(store, key="2026-01", **columns) -> PartitionVersion:
    return store.write("m", key, pa.table(columns or {"id": [1, 2]}), sources=[f"landing/{key}.csv"], now=NOW)


def whole(store, *, window=99):
    return version_of("m", "9", store.current("m").values(), window=window)


def test_a_partition_is_stored_with_its_manifest(store):
    """What is on disk can be read without us: Parquet, and JSON that says where it came from."""
    partition = write(store, id=[1, 2], sex=["f", None])
    folder = store.root / "m/partitions/2026-01" / partition.digest[:12]
    assert parquet.read_table(folder / "data.parquet").num_rows == 2
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["digest"] == partition.digest
    assert manifest["sources"] == ["landing/2026-01.csv"]
    assert manifest["columns"] == {"id": "int64", "sex": "large_string"}


@pytest.mark.parametrize(
    "other",
    [
        pa.table({"id": pa.chunked_array([[1], [2]]), "sex": ["f", None], "x": [0.0, None]}),
        pa.table(
            {"id": pa.array([1, 2], pa.int16()), "sex": pa.array(["f", None], pa.string_view()), "x": [-0.0, None]}
        ),
        pa.table({"id": [0, 1, 2], "sex": ["m", "f", None], "x": [9.0, 0.0, None]}).slice(1),
        pa.table({"id": [1, 2], "sex": pa.array(["f", None]).dictionary_encode(), "x": [0.0, float("nan")]}),
        pa.table({"id": [1, 2], "sex": ["f", None], "x": [0.0, None]}).replace_schema_metadata({"by": "another"}),
    ],
)
def test_the_same_rows_have_the_same_digest_whoever_wrote_them(store, other):
    """Chunks, widths, dictionaries, slices and metadata are a writer's business."""
    rows = pa.table({"id": [1, 2], "sex": ["f", None], "x": [0.0, None]})
    assert digest_of(other) == digest_of(rows)


@pytest.mark.parametrize(
    "other",
    [
        pa.table({"id": [1, 3], "sex": ["f", None]}),
        pa.table({"id": [2, 1], "sex": [None, "f"]}),
        pa.table({"id": [1, 2], "sex": ["f", ""]}),
        pa.table({"id": [1, 2], "Sex": ["f", None]}),
        pa.table({"id": [1.0, 2.0], "sex": ["f", None]}),
        pa.table({"id": [1, 2], "sex": ["f", "null"]}),
    ],
)
def test_other_rows_have_another_digest(store, other):
    """A cell, an order, a missing one, a name, a type."""
    assert digest_of(other) != digest_of(pa.table({"id": [1, 2], "sex": ["f", None]}))


def test_the_digest_is_the_same_for_ever(store):
    """Written down: with another rule every partition of every user would be new."""
    moment = datetime(2026, 1, 5, tzinfo=UTC)
    rows = {"a": [1, None], "b": [1.5, None], "c": ["ä", None], "d": [True, None], "e": [moment, None]}
    assert digest_of(pa.table(rows)) == ("879fd68a2c53c343eb6eb86abd674bfadd48c209cb87079536490e4a0c71c769")


class Streamed:
    """Rows that come batch by batch; ``attempts`` of them."""

    def __init__(self, *attempts):
        self.given = attempts

    def attempts(self):
        yield from self.given


@pytest.mark.parametrize("size", [1, 1000, BLOCK - 1, BLOCK, BLOCK + 1, 10 * BLOCK])
def test_the_same_rows_have_the_same_digest_in_any_batches(store, size):
    """Also across the edges of the blocks that are hashed and written together; even the file is the same."""
    count = 2 * BLOCK + 7 if size > 1 else 100
    rows = pa.table({"id": range(count), "sex": [None if each % 7 else f"é{each % 5}" for each in range(count)]})
    with (
        store.staged("m", rows) as whole_table,
        store.staged("m", Streamed(iter(rows.to_batches(max_chunksize=size)))) as streamed,
    ):
        assert (streamed.digest, streamed.rows) == (digest_of(rows), count)
        assert streamed.file_sha256 == whole_table.file_sha256
    assert store.rows(store.write("m", "2026-01", rows, sources=[], now=NOW)).frame()["id"].tolist() == list(
        range(count)
    )


def test_a_file_is_hashed_as_it_is_written(store):
    """And whole numbers of any size come back from it, though it keeps their differences."""
    extremes = pa.array([2**64 - 1, 0, None, 2**63], pa.uint64())
    rows = pa.table({"id": [-(2**63), 2**63 - 1, None, 0], "large": extremes, "x": [0.5, -0.0, None, 1e300]})
    with store.staged("m", rows) as staged:
        assert staged.file_sha256 == hashlib.sha256(staged.file.read_bytes()).hexdigest()
        assert parquet.read_table(staged.file).to_pydict() == rows.to_pydict()
        group = parquet.ParquetFile(staged.file).metadata.row_group(0)
    encodings = {group.column(each).path_in_schema: group.column(each).encodings for each in range(3)}
    assert "DELTA_BINARY_PACKED" in encodings["id"]
    assert "DELTA_BINARY_PACKED" in encodings["large"]


def test_rows_are_never_all_in_memory(store):
    """Twenty blocks pass, and what Arrow holds at any time is a few of them."""
    block = pa.record_batch({"id": np.arange(BLOCK), "x": np.random.default_rng(7).random(BLOCK)})
    held, before = [], pa.total_allocated_bytes()

    def batches():
        for _ in range(20):
            yield pa.record_batch([pc.add(column, 0) for column in block.columns], names=block.schema.names)
            held.append(pa.total_allocated_bytes() - before)

    with store.staged("m", Streamed(batches())) as staged:
        assert staged.rows == 20 * BLOCK
    assert max(held) < 6 * block.nbytes


def test_the_last_attempt_at_reading_rows_is_what_they_are(store):
    """A late cell may show that a column is no number after all: the rows are then read again, as text."""
    first = pa.record_batch({"code": [1, 2]})
    again = pa.record_batch({"code": ["1", "2", "x"]})
    partition = store.write("m", "2026-01", Streamed(iter([first]), iter([again])), sources=[], now=NOW)
    assert store.read(partition)["code"].tolist() == ["1", "2", "x"]


def test_rows_that_are_refused_half_way_leave_nothing(store):
    """The refusal is raised as it is; what was laid aside is gone."""

    def batches():
        yield pa.record_batch({"id": np.arange(2 * BLOCK)})
        raise PartitionRefused("line 200,000 is short")

    with pytest.raises(PartitionRefused, match="line 200,000 is short"):
        write_rows(store, batches())
    assert [path.name for path in (store.root / "m").iterdir()] == [".lock"]


def write_rows(store, batches):
    return store.write("m", "2026-01", Streamed(batches), sources=[], now=NOW)


def test_one_writer_does_not_sweep_away_what_another_is_staging(store):
    """Two tasks of one model take partitions in side by side; only a dead one's leavings are swept."""
    with store.staged("m", pa.table({"id": [1]})) as staged:
        write(store, "2026-02", id=[2])
        assert store.write("m", "2026-01", staged, sources=[], now=NOW).rows == 1
    left = store.root / "m" / ".room-dead"
    left.mkdir()
    (left / "data.parquet").write_bytes(b"half")
    write(store, "2026-03", id=[3])
    assert not left.exists()


def test_a_dataset_version_is_read_in_time_order_with_one_type_per_column(store):
    """Whole numbers stay whole unless one has fractions; text wins over numbers; a lacking column is missing."""
    write(store, "2026-02", id=[3], dose=[1.5], code=["x"], late=[1])
    write(store, "2026-01", id=[1, 2], dose=[1, 2], code=[7, 8])
    frame = store.frame(whole(store))
    assert frame["id"].tolist() == [1, 2, 3]
    assert frame["id"].dtype == np.int64
    assert frame["dose"].tolist() == [1.0, 2.0, 1.5]
    assert frame["code"].tolist() == ["7", "8", "x"]
    assert frame["late"].isna().tolist() == [True, True, False]


def test_large_ids_with_a_gap_are_not_rounded(store):
    """The nullable type is slower, so it is taken only where a float would be wrong."""
    frame = store.read(write(store, id=[2**53 + 1, None], age=[40, None]))
    assert frame["id"][0] == 2**53 + 1
    assert frame["age"].dtype == np.float64


def test_the_split_keeps_every_entity_on_one_side(store):
    """Patients come again in later partitions."""
    write(store, "2026-01", patient=list(range(300)))
    write(store, "2026-02", patient=list(range(150, 450)))
    splits = store.splits(whole(store), entity="patient", holdout=0.3, validation=0.2)
    sides = [set(splits[split]["patient"]) for split in Split]
    assert sum(map(len, splits.values())) == 600
    assert len(set.union(*sides)) == sum(map(len, sides)) == 450
    only_later = store.splits(whole(store, window=1), entity="patient", holdout=0.3, validation=0.2)
    assert set(only_later[Split.HOLDOUT]["patient"]) <= set(splits[Split.HOLDOUT]["patient"])


def test_a_recorded_version_is_found_by_its_digest(store):
    """A later task gets the digest alone."""
    write(store)
    version = whole(store)
    store.record(version)
    assert store.version("m", version.digest).partitions == version.partitions
    assert store.version("m", version.digest[:12]).digest == version.digest
    with pytest.raises(ArtifactRefused, match="has no dataset version 000000000000"):
        store.version("m", "0" * 64)


@pytest.mark.parametrize("harm", ["flip", "remove"])
def test_rows_that_are_not_those_of_the_digest_are_not_trained_on(store, harm):
    """A damaged disk or a well-meant edit."""
    partition = write(store)
    file = store.root / "m/partitions/2026-01" / partition.digest[:12] / "data.parquet"
    if harm == "remove":
        file.unlink()
    else:
        parquet.write_table(pa.table({"id": [1, 3]}), file)
    with pytest.raises(ArtifactRefused, match="run ingest again"):
        store.read(partition)


def test_quarantine_takes_a_partition_out_and_keeps_it(store):
    """The rows move with the reason; what was current before is current again."""
    first, second = write(store, id=[1]), write(store, id=[2])
    held = store.quarantine(second, reason="bad", objections=["a", "b"], now=NOW)
    assert store.current("m") == {"2026-01": first}
    assert store.quarantined("m") == [held]
    assert held.objections == ("a", "b")
    assert parquet.read_table(Path(held.uri) / "data.parquet")["id"].to_pylist() == [2]
    assert store.quarantine(second, reason="bad", objections=["a", "b"], now=NOW) == held


def test_a_refused_reading_is_noted_once(store):
    """Without rows, since nobody could read them."""
    refusal = PartitionRefused("f.csv is empty", digest="a" * 64)
    held = store.refuse("m", "2026-01", refusal, now=NOW)
    assert store.refuse("m", "2026-01", refusal, now=NOW) == held
    assert [path.name for path in Path(held.uri).iterdir()] == ["reason.json"]


def test_what_a_suite_passed_is_remembered(store):
    """A partition is checked once, and again only as another revision."""
    first = write(store, id=[1])
    assert not store.has_passed(first)
    store.mark_passed(first, suite="s", now=NOW)
    assert store.has_passed(first)
    assert not store.has_passed(write(store, id=[2]))


def test_a_full_disk_leaves_what_stood_and_says_what_to_do(store, monkeypatch):
    """No space on the device: nothing half-written is ever visible, and the next try succeeds."""
    before = write(store, id=[1])

    def full(*_args, **_kwargs):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", full)
        with pytest.raises(
            Unavailable, match=r"could not be written: No space left on device.*free the disk"
        ) as caught:
            write(store, id=[2])
    assert caught.value.facts["errno"] == 28
    assert store.current("m") == {"2026-01": before}
    assert not list(store.root.rglob(".making-*"))
    assert write(store, id=[2]) == store.current("m")["2026-01"]


CRASHING = """
import os, signal, sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from flightworthy.adapters.dataset_files import DatasetFiles
from flightworthy.dataset import ingest
from flightworthy.known import Ask
from flightworthy.partition import SourceFile
from pyarrow import parquet

NOW = datetime(2026, 1, 5, tzinfo=UTC)


class Source:
    tables = {"2026-01": pa.table({"id": [1, 2]}), "2026-02": pa.table({"id": [3]})}

    def files(self):
        return [SourceFile(key=key, uri=key, size=1, modified_at=NOW) for key in sorted(self.tables)]

    def read(self, keys):
        return {key: self.tables[key] for key in keys}

    def unplaced(self):
        return []


def line(root):
    store = DatasetFiles(root=root)
    ask = Ask(model="m", key="2026-02", window=9, as_of=NOW, known_since=None)
    version = ingest(Source(), store, ask, now=NOW).version
    left = replace(version, partitions=tuple(each for each in version.partitions if each.key != "2026-01"))
    for partition in version.partitions:
        if partition.key == "2026-01":
            store.quarantine(partition, reason="r", objections=["o"], now=NOW)
        else:
            store.mark_passed(partition, suite="s", now=NOW)
    store.record(left)
    store.settle(version, left)


def dying_at(count):
    steps = iter(range(10**6))

    def dies(call):
        def called(*args, **kwargs):
            if next(steps) == count:
                os.kill(os.getpid(), signal.SIGKILL)
            return call(*args, **kwargs)

        return called

    for owner, name in (
        (os, "fsync"), (Path, "rename"), (Path, "replace"), (Path, "mkdir"), (Path, "write_text"),
        (parquet.ParquetWriter, "write_table"), (parquet.ParquetWriter, "close"),
    ):
        setattr(owner, name, dies(getattr(owner, name)))


def tree(root):
    return {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}


# A killed process loses no page of the kernel's; without waiting for the disk the test is ten times faster.
os.fsync = lambda descriptor: None
top = Path(sys.argv[1])
line(top / "never")
line(top / "never")
expected = tree(top / "never")
count = 0
while True:
    root = top / str(count)
    child = os.fork()
    if not child:
        dying_at(count)
        line(root)
        os._exit(0)
    _, status = os.waitpid(child, 0)
    line(root)
    line(root)
    found = tree(root)
    assert found == expected, (count, sorted(found.keys() ^ expected.keys()))
    if os.WIFEXITED(status):
        assert os.WEXITSTATUS(status) == 0
        break
    assert os.WTERMSIG(status) == signal.SIGKILL
    count += 1
print(count)
"""


def test_a_writer_killed_at_any_step_leaves_no_trace_after_the_next_run(tmp_path):
    """SIGKILL before every write, sync and rename of ingest and check; run again, to the same bytes."""
    ran = subprocess.run(
        [sys.executable, "-c", CRASHING, str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
    )
    assert ran.returncode == 0, ran.stderr
    assert int(ran.stdout) > 40


def test_an_empty_version_has_no_rows(store):
    """Every partition waits in quarantine."""
    assert store.frame(whole(store)).equals(pd.DataFrame())
