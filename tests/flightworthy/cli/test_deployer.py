"""The daemon from the command line."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.flightworthy.cli.conftest import Call, House

ROOT = Path(__file__).parents[3]


def free_port() -> str:
    """A port that nobody has."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.mark.slow
def test_the_daemon_works_until_it_is_told_to_end_and_takes_its_router_along_on_request(
    house: House, call: Call
) -> None:
    """SIGTERM ends it with 0 and leaves the traffic alone; --stop-all ends the rest."""
    ports = {"FLIGHTWORTHY_ROUTER_PORT": free_port(), "FLIGHTWORTHY_ROUTER_ADMIN_PORT": free_port()}
    daemon = subprocess.Popen(
        [sys.executable, "-m", "flightworthy.cli.main", "deployer"],
        env={**os.environ, **ports, "PYTHONPATH": str(ROOT / "include"), "FLIGHTWORTHY_HOME": str(house.home)},
        stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    try:
        assert daemon.stderr is not None
        while "deployer_started" not in daemon.stderr.readline():
            assert daemon.poll() is None
        deadline = time.monotonic() + 20
        while not any((house.home / "router").glob("*")) and time.monotonic() < deadline:
            time.sleep(0.1)
        daemon.send_signal(signal.SIGTERM)
        assert daemon.wait(20) == 0
    finally:
        daemon.kill()
        daemon.communicate()
        told = call("deployer", "--stop-all", "--json", environ=ports)
    assert told.code == 0
    assert json.loads(told.out) == {"home": str(house.home), "stopped": True}
