"""The least that a model costs: its runtime's own predict, in a process that does nothing else.

``python -m benchmarks.serving_bare ARTIFACT ROWS.json`` prints the processor time of one call in microseconds.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from flightworthy.serving.scoring import load_scorer

_SECONDS = 1.0


def main(artifact: Path, rows: Path) -> None:
    """Predict all the rows at once, again and again for a second."""
    scorer = load_scorer(artifact)
    matrix = scorer.contract.matrix([tuple(row) for row in json.loads(rows.read_text(encoding="utf-8"))])
    for _ in range(5):
        scorer.predictor.predict(matrix)
    calls, began_at, spent = 0, time.perf_counter(), time.process_time()
    while time.perf_counter() - began_at < _SECONDS:
        scorer.predictor.predict(matrix)
        calls += 1
    print(1e6 * (time.process_time() - spent) / calls)


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
