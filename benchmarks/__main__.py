"""``make bench``: every benchmark, one after the other, each in a process of its own."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.result import ROOT

BENCHMARKS = (
    "judge", "parse", "line_overhead", "rollback", "serving", "image", "expectations", "expectations_task",
    "ingest", "personal", "landed", "backfill",
)  # fmt: skip


def main() -> int:
    """Run them all; 1 if one of them broke. A figure that is not reached is a finding, not a failure."""
    broken = []
    for name in BENCHMARKS:
        print(f"{name} …", flush=True)
        if subprocess.run([sys.executable, "-m", f"benchmarks.{name}"], cwd=ROOT, check=False).returncode != 0:
            broken.append(name)
    if broken:
        print(f"broke: {', '.join(broken)}", file=sys.stderr)
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
