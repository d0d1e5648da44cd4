"""What the drill says while it works, and what it leaves behind, in the form of a benchmark's result."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from benchmarks.result import Result, Row, machine, row, shown
from drill.load import ROOT

RESULT = ROOT / ".flightworthy" / "drill.json"


@dataclass(slots=True, kw_only=True)
class Report:
    """Rows as they come. A row that is not met is told with what was seen, and the drill goes on."""

    rows: list[Row] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    requests: int = 0
    failed: int = 0

    def chapter(self, name: str) -> None:
        """A heading."""
        print(f"\n{name}", flush=True)

    def tried(self, what: str, attempt: Callable[[], Sequence[str]]) -> None:
        """One thing that is done to the model; ``attempt`` gives the invariants that did not hold afterwards."""
        began = time.monotonic()
        try:
            wrong = list(attempt())
        except Exception as error:  # noqa: BLE001 - whatever broke is a finding, and the rest is drilled all the same
            wrong = [f"{type(error).__name__}: {str(error)[:400]}"]
        self.add(row(what, len(wrong), "broken", at_most=0), time.monotonic() - began)
        for each in wrong:
            self.note(f"{what}: {each}")

    def add(self, found: Row, seconds: float | None = None) -> None:
        """A row, printed at once."""
        self.rows.append(found)
        met = {None: "      ", True: "  ok  ", False: "BROKEN"}[found.met]
        took = "" if seconds is None else f"  ({seconds:.1f} s)"
        print(f"  {met} {found.what:72} {shown(found):>14}  {found.reach or '':10}{took}", flush=True)

    def note(self, text: str) -> None:
        """What a reader must know; printed at once."""
        self.notes.append(text)
        print(f"         {text}", flush=True)

    def count(self, sent: int, failed: int) -> None:
        """Requests of one part, to be summed up."""
        self.requests += sent
        self.failed += failed

    @property
    def holds(self) -> bool:
        """Whether every row that has something to reach reached it."""
        return all(each.met is not False for each in self.rows)

    def write(self, path: Path = RESULT) -> None:
        """Leave the table where ``make drill`` says that it is."""
        path.parent.mkdir(parents=True, exist_ok=True)
        result = Result(name="drill", machine=machine(), rows=self.rows, notes=self.notes)
        path.write_text(json.dumps(asdict(result), indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
