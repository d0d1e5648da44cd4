"""The rehearsal before any traffic: golden requests straight to the server, answers held against those of training."""

from __future__ import annotations

import json
import math
import urllib.error
import urllib.request
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

from flightworthy.deployer.course import Rehearsal
from flightworthy.deployer.servers import Server
from flightworthy.errors import Unavailable
from flightworthy.release import Release

TOLERANCE = 1e-9
"""How far two answers may lie apart: the last bits of a float that another processor's arithmetic changes."""
SINGLE_TOLERANCE = 1e-6
"""The same for rows that were asked together and are asked one by one: a runtime of single precision adds up one row
otherwise than many."""


def rehearse(release: Release, server: Server, *, timeout: float = 10.0) -> Rehearsal:
    """Replay the artifact's golden requests. Raises Unavailable while the server does not answer yet."""
    golden = _read(release)
    if isinstance(golden, Rehearsal):
        return golden
    rows, expected = golden
    _check_ready(server)
    return compare(expected, _ask(server, rows, timeout))


def rehearse_singly(release: Release, server: Server, *, within: timedelta) -> Rehearsal:
    """Replay them one request a row, as traffic comes: each is answered ``within`` that time, or it fails.

    Raises Unavailable where the server breaks one off, or is too late.
    """
    golden = _read(release)
    if isinstance(golden, Rehearsal):
        return golden
    rows, expected = golden
    answered = [answer for row in rows for answer in _ask(server, [row], within.total_seconds())]
    return compare(expected, answered, tolerance=SINGLE_TOLERANCE)


def compare(expected: Sequence[float], answered: Sequence[float], *, tolerance: float = TOLERANCE) -> Rehearsal:
    """Every answer must be there and be the one of training; NaN is not."""
    if len(answered) != len(expected):
        reason = f"golden requests: {len(expected)} sent, {len(answered)} answered"
        return Rehearsal(passed=False, reason=reason)
    for place, (wanted, found) in enumerate(zip(expected, answered, strict=True)):
        if not math.isclose(wanted, found, rel_tol=tolerance, abs_tol=tolerance):
            reason = f"golden request {place}: training predicted {wanted!r}, the server answers {found!r}"
            return Rehearsal(passed=False, reason=reason)
    return Rehearsal(passed=True, reason=f"all {len(expected)} golden requests answered as in training")


def _read(release: Release) -> tuple[list[Any], list[float]] | Rehearsal:
    """The golden requests and their answers; a failed rehearsal where there are none to hold a server to."""
    path = Path(release.artifact_uri) / "model" / "golden.json"
    try:
        golden = json.loads(path.read_text())
        rows, expected = list(golden["rows"]), [float(value) for value in golden["predictions"]]
    except (OSError, ValueError, KeyError, TypeError) as error:
        return Rehearsal(passed=False, reason=f"its golden requests cannot be read from {path}: {error}")
    if not rows or len(rows) != len(expected):
        return Rehearsal(passed=False, reason=f"{path} holds {len(rows)} requests and {len(expected)} answers")
    return rows, expected


def _check_ready(server: Server) -> None:
    url = f"http://{server.host}:{server.port}/healthz"
    try:
        with urllib.request.urlopen(url, timeout=2):
            return
    except OSError as error:
        raise Unavailable(f"{url} does not say that it is ready: {error}", url=url) from error


def _ask(server: Server, rows: Sequence[Any], timeout: float) -> list[float]:
    request = urllib.request.Request(
        f"http://{server.host}:{server.port}/invocations",
        data=json.dumps({"dataframe_records": rows}).encode(),
        headers={"content-type": "application/json", "x-request-id": "golden", "x-flightworthy-rehearsal": "golden"},
    )
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:  # noqa: S310 - http, built above
            return [float(value) for value in json.load(answer)["predictions"]]
    except urllib.error.HTTPError as error:
        with error:
            if error.code == 503:
                raise Unavailable(f"the server of {server.place.release} is not ready") from error
        # It answers, and refuses what it was trained on: no second try will change that.
        return []
    except OSError as error:
        raise Unavailable(f"the server of {server.place.release} broke off its golden requests: {error}") from error
    except (ValueError, KeyError, TypeError):
        return []
