"""The load: wrk, which posts one body over and over from a single thread, and what it counted."""

from __future__ import annotations

import json
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Self

_SCRIPT = Path(__file__).with_name("wrk.lua")
_LONGEST_ANSWER = 20


class NotMeasured(RuntimeError):
    """A figure that there is none of, and why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to post what: ``body`` is a file."""

    url: str
    body: Path
    content_type: str = "application/json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came back in ``seconds``: answers, all of them good, half of them within ``p50_ms``, 99 % in ``p99_ms``."""

    requests: int
    seconds: float
    p50_ms: float
    p99_ms: float

    @property
    def per_second(self) -> float:
        """Requests a second."""
        return self.requests / self.seconds

    @classmethod
    def read(cls, output: str) -> Self:
        """What ``wrk.lua`` said. Raises NotMeasured where a request was refused or broken off, or none answered."""
        said = [line for line in output.splitlines() if line.startswith("{")]
        if not said:
            raise NotMeasured(f"wrk said nothing that it counted: {output.strip()[-300:]!r}")
        found = json.loads(said[-1])
        if found["refused"] or found["broken"]:
            raise NotMeasured(
                f"of {found['requests']} requests {found['refused']} were refused and {found['broken']} broken off"
            )
        if not found["requests"]:
            raise NotMeasured(f"no answer within {found['microseconds'] / 1e6:.1f} s")
        return cls(
            requests=found["requests"],
            seconds=found["microseconds"] / 1e6,
            p50_ms=found["p50"] / 1e3,
            p99_ms=found["p99"] / 1e3,
        )


def missing() -> str | None:
    """What has to be installed before anything can be measured; None if nothing."""
    if shutil.which("wrk") is None:
        return "wrk makes the load, and there is none on the PATH. Install it (Debian, Ubuntu: apt-get install wrk)."
    return None


def load(target: Target, *, connections: int, seconds: int) -> Load:
    """Post for so many seconds over so many connections, each of which waits for its answer before it asks again."""
    command = ["wrk", "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--timeout", f"{_LONGEST_ANSWER}s"]
    command += ["-s", str(_SCRIPT), target.url, "--", str(target.body), target.content_type]
    done = subprocess.run(command, capture_output=True, text=True, timeout=seconds + 2 * _LONGEST_ANSWER, check=False)
    if done.returncode != 0:
        raise NotMeasured(
            f"wrk ended with {done.returncode}: {done.stderr.strip()[-300:] or done.stdout.strip()[-300:]}"
        )
    return Load.read(done.stdout)
