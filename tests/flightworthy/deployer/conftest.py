import time

import pytest

from drill.rig import Rig


@pytest.fixture
def rig(tmp_path):
    """A deployer at work, ended with everything it started."""
    at_work = Rig(tmp_path)
    at_work.start_deployer()
    yield at_work
    at_work.close()


@pytest.fixture
def wait_for():
    """Ask until the answer is yes."""

    def wait(question, within=5.0):
        deadline = time.monotonic() + within
        while not question():
            assert time.monotonic() < deadline
            time.sleep(0.01)

    return wait
