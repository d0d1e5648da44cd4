"""Each fault of the drill by itself: what breaks costs nobody a request, and decides nothing that it should not."""

from __future__ import annotations

import socket

import pytest

from drill.door import Door
from drill.faults import FAULTS, _held
from drill.report import Report
from drill.rig import with_strategy
from drill.stage import Stage
from drill.worlds import NotHere, disk_full, metrics_gone, router_killed, small_disk
from flightworthy.deployer.servers import free_port

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def stage(tmp_path_factory):
    """Two releases, one of them warm, and requests."""
    stage = Stage(tmp_path_factory.mktemp("faults"), rate=300)
    try:
        with stage.rig.load(rate=300) as stage.load:
            stage.rig.promote(stage.make(with_strategy(steps=(100,))))
            yield stage
    finally:
        stage.rig.close()


@pytest.mark.parametrize("what", FAULTS)
def test_a_fault_costs_no_request(stage, what):
    """And ends as it must; the ledger holds afterwards."""
    assert _held(stage, FAULTS[what]) == []


def test_a_fault_that_ends_otherwise_is_told(stage):
    """A challenger that is fine is promoted: that is not what was expected of one that fails."""
    fine = stage.make(with_strategy(steps=(100,)))
    stage.rig.propose(fine)
    told = stage.withdrawn(fine, why="attempts failed", never_served=True)
    assert [why.split(":")[0] for why in told] == [
        "it was promoted", f"{fine.id} serves, not {stage.rig.store.deployment('m').previous}",
        "it answered, though it was never vetted",
    ] or told[0].startswith("it was promoted")  # fmt: skip


def test_a_killed_router_comes_back_with_its_split_and_loses_its_gap(stage, tmp_path):
    """Requests of other clients than the stage's, which must not fail."""
    other = Stage(tmp_path / "router", rate=100)
    try:
        assert router_killed(other) == []
    finally:
        other.rig.close()


def test_metrics_that_are_gone_promote_nobody(tmp_path):
    """It holds, and is withdrawn at its deadline; requests flow."""
    report = Report()
    assert metrics_gone(tmp_path / "metrics", report) == []
    assert report.requests > 100
    assert report.failed == 0


def test_a_full_disk_costs_no_request(tmp_path):
    """The course goes on once there is room."""
    try:
        with small_disk(tmp_path / "disk") as disk:
            assert disk_full(disk, Report()) == []
    except NotHere as why:
        pytest.skip(str(why))


def test_a_door_that_was_closed_lets_nobody_through():
    """And may be opened again; who stands in it when it closes is cut off."""
    with socket.create_server(("127.0.0.1", 0)) as behind:
        door = Door(free_port(), behind.getsockname()[1])
        for _ in range(2):
            door.open()
            with socket.create_connection(("127.0.0.1", door.port), timeout=5) as through:
                through.sendall(b"GET / HTTP/1.1\r\n\r\n")
                arrived, _ = behind.accept()
                arrived.settimeout(5)
                assert arrived.recv(100) == b"GET / HTTP/1.1\r\n\r\n"
                door.close()
                assert through.recv(1) == b""
                arrived.close()
            with pytest.raises(ConnectionRefusedError):
                socket.create_connection(("127.0.0.1", door.port), timeout=5)
