import pytest

from tests.flightworthy.deployer.rig import Rig


@pytest.fixture
def rig(tmp_path):
    """A deployer at work, ended with everything it started."""
    at_work = Rig(tmp_path)
    at_work.start_deployer()
    yield at_work
    at_work.close()
