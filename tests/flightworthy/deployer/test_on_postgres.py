"""What a deployer promises on PostgreSQL, where another machine may have one too."""

import subprocess
import time

import pytest

from drill.rig import Rig, with_strategy
from flightworthy import ledger

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


@pytest.fixture
def rig(tmp_path, postgres):
    at_work = Rig(tmp_path, database_url=postgres.new_database())
    at_work.start_deployer()
    yield at_work
    at_work.close()


@pytest.fixture
def elsewhere(tmp_path_factory, rig):
    """Another folder, as on another machine, and the same database."""
    other = Rig(tmp_path_factory.mktemp("elsewhere"), database_url=rig.settings.database_url)
    yield other
    other.close()


def test_releases_lose_no_request_and_a_deployer_elsewhere_disturbs_none(rig, elsewhere):
    """A promotion and a rollback; in between somebody starts a second deployer by mistake. It is told by whom."""
    first, second = rig.release(1), rig.release(2)
    rig.promote(first)
    with rig.load() as load:
        rig.propose(second)
        mistaken = elsewhere.start_deployer()
        assert mistaken.wait(20) == 1
        assert f"another deployer ({rig.deployer.pid}@" in elsewhere.log()
        assert rig.end_of(second).kind == "promoted"
        rig.healthy(first)
        row = rig.roll_back()
        rig.confirmed()
    assert (row.champion, load.failed) == (first.id, {})
    assert elsewhere.servers() == []
    assert ledger.verify(rig.store.history(), head=rig.store.head()) == row.generation


def test_two_deployers_without_any_lock_disturb_no_traffic_and_decide_nothing_twice(rig):
    """Locks only prevent duelling: with none, in one folder, the compare-and-swap still leaves one of two decisions."""
    first, second = rig.release(1), rig.release(2)
    rig.promote(first)
    unlocked = rig.start_unlocked_deployer()
    try:
        with rig.load() as load:
            assert rig.promote(second).kind == "promoted"
            rig.healthy(first)
            rig.roll_back()
            rig.confirmed()
            time.sleep(0.5)
        assert unlocked.poll() is None
    finally:
        unlocked.terminate()
        unlocked.wait(10)
    assert load.failed == {}
    actions = [entry.action for entry in rig.store.history("m")]
    assert actions == ["proposed", "promoted", "proposed", "advanced", "advanced", "promoted", "rolled_back"]
    assert ledger.verify(rig.store.history(), head=rig.store.head()) == 7


def test_while_the_database_is_gone_traffic_flows_and_when_it_is_back_the_deployer_goes_on(rig, postgres):
    """The lock went with the connection, and is taken again; no deployer ends because of that."""
    first, second = rig.release(1), rig.release(2, strategy=with_strategy(steps=(100,)))
    rig.promote(first)
    with rig.load() as load:
        postgres.stop()
        try:
            asked = load.sent
            rig.wait_for(lambda: "pass_failed" in rig.log(), what="the deployer to notice")
            rig.wait_for(lambda: load.sent > asked + 100, what="requests meanwhile")
        finally:
            postgres.start()
        rig.promote(second)
        rig.wait_for(lambda: "deployer_lock_taken_again" in rig.log(), what="the lock")
    assert load.failed == {}
    assert rig.deployer.poll() is None


def test_a_deployer_whose_lock_another_one_took_ends_and_leaves_the_traffic_alone(rig, elsewhere, postgres):
    """Its connection was cut, and the other one was faster: two never work for long."""
    first = rig.release(1)
    rig.promote(first)
    lock = elsewhere.take_database_lock(lambda: postgres.run(_CUT, database=_database(rig)))
    with rig.load() as load:
        assert rig.deployer.wait(20) == 1
        time.sleep(0.3)
    lock.release()
    assert "another deployer (" in rig.log()
    assert load.failed == {}
    assert load.from_release(first) > 20


_CUT = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'flightworthy deployer%'"


def _database(rig):
    return rig.settings.database_url.split("?")[0].rsplit("/", 1)[1]


def test_the_lock_needs_no_clearing_away_after_a_kill(rig):
    """It goes with its session: the next deployer starts at once."""
    rig.promote(rig.release(1))
    rig.kill_deployer()
    rig.start_deployer()
    rig.promote(rig.release(2, strategy=with_strategy(steps=(100,))))
    with pytest.raises(subprocess.TimeoutExpired):
        rig.deployer.wait(0.1)
