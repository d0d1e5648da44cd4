"""A model's server at full load for as long as is asked for: it does not grow, fail a request or lose a log row."""

from __future__ import annotations

import io
import json
import os
import signal
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from tests.flightworthy.serving.load import Asked, Load, load
from tests.flightworthy.serving.making import golden_rows
from tests.flightworthy.serving.running import memory, serving

SECONDS = float(os.environ.get("FLIGHTWORTHY_SOAK_SECONDS", "5"))
CONNECTIONS = 16
NOISE = 8 << 20
"""Bytes by which a process that keeps nothing differs between two looks; most of it are waiting log rows."""
SMALLEST = 81
"""Bytes of a request id, the least that could be kept of each request by mistake."""


@dataclass
class Watched:
    """The server's size second by second, and its log, taken away as fast as its files are finished."""

    pid: int
    folder: Path
    sizes: list[tuple[int, int]] = field(default_factory=list)
    """Requests answered, bytes in memory."""
    lines: int = 0

    def look(self, counted: Load) -> None:
        self.sizes.append((counted.requests, memory(self.pid)))
        self.take(sorted(self.folder.iterdir())[:-1])

    def take(self, finished: Sequence[Path]) -> None:
        for path in finished:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    self.lines += block.count(b"\n")
            path.unlink()

    def growth(self) -> tuple[float, float]:
        """Bytes, and requests, between the second and the last fifth: medians, since the first fifth warms up."""
        fifth = max(1, len(self.sizes) // 5)
        early, late = self.sizes[fifth : 2 * fifth], self.sizes[-fifth:]
        return tuple(  # type: ignore[return-value]
            statistics.median(each[of] for each in late) - statistics.median(each[of] for each in early)
            for of in (1, 0)
        )


def everything(rows: list[dict[str, Any]]) -> list[Asked]:
    """One row and many, in each of the formats, and requests that are refused."""
    many = rows * 5
    frame = pd.DataFrame(many)
    stream, table = io.BytesIO(), pa.Table.from_pandas(frame)
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    datatypes = {"amount": "FP64", "items": "INT64", "country": "BYTES", "is_new": "BOOL"}
    inputs = [
        {"name": name, "shape": [1], "datatype": datatype, "data": [rows[1][name]]}
        for name, datatype in datatypes.items()
    ]
    one = Asked.of("/invocations", "application/json", json.dumps({"dataframe_records": rows[:1]}).encode(), rows=1)
    body = json.dumps({"inputs": frame.to_dict(orient="list")}).encode()
    return [
        *[one] * 12,
        Asked.of("/v2/models/fraud/infer", "application/json", json.dumps({"inputs": inputs}).encode(), rows=1),
        Asked.of("/invocations", "application/json", body, rows=len(many)),
        Asked.of("/invocations", "text/csv", frame.to_csv(index=False).encode(), rows=len(many)),
        Asked.of("/invocations", "application/vnd.apache.arrow.stream", stream.getvalue(), rows=len(many)),
        Asked.of("/invocations", "application/json", json.dumps({"dataframe_records": [{}]}).encode(), rows=0),
    ]


def test_a_server_at_full_load_stays_as_it_is(fraud: Path, tmp_path: Path) -> None:
    """Every request gets its answer, every row of one is in the log or counted as dropped, and nothing is kept."""
    asked, stderr = everything(golden_rows(fraud)[0]), tmp_path / "stderr"
    with (
        stderr.open("wb") as text,
        serving(fraud, "--predictions", str(tmp_path / "log"), stderr=text) as (process, port),
    ):
        watched = Watched(process.pid, tmp_path / "log" / "fraud")
        found = load(port, asked, connections=CONNECTIONS, seconds=SECONDS, every_second=watched.look)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    watched.take(sorted(watched.folder.iterdir()))
    stopped = json.loads(stderr.read_text().splitlines()[-1])
    grown, requests = watched.growth()
    told = f"{found.requests} requests, {found.rows} rows, {stopped['log_dropped']} of them not logged"
    sys.stdout.write(f"{told}; grown by {grown:.0f} bytes over {requests:.0f} requests\n")
    assert set(found.statuses) == {200, 422}
    assert found.lost == 0
    assert watched.lines == stopped["log_rows"]
    assert stopped["log_rows"] + stopped["log_dropped"] == found.rows
    assert found.requests > len(asked)
    assert grown < NOISE + requests * SMALLEST / 4
