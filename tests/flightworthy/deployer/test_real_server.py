"""The deployer with the server that ships, serving a scikit-learn model."""

import json
import sys
from dataclasses import replace

import pytest

from drill.rig import Rig, with_strategy
from flightworthy.release import release_id
from tests.flightworthy.deployer.test_under_load import ask
from tests.flightworthy.serving.making import make_diagnosis

pytestmark = pytest.mark.slow


def test_a_trained_artifact_goes_live_and_answers_as_in_training(tmp_path):
    """Verified by its digest, rehearsed, and reached by its path; the rehearsal is not in the prediction log."""
    rig = Rig(tmp_path, server_command=(sys.executable, "-m", "flightworthy.serving"))
    folder = tmp_path / "releases" / "diagnosis" / "1"
    make_diagnosis(folder / "model")
    digest = sealed(folder / "model")
    model = json.loads((folder / "model" / "contract.json").read_text())["model"]
    tiny = rig.release(9, strategy=with_strategy(deadline=rig.seconds(60)))
    release = replace(
        tiny, id=release_id(model, "1", digest), model=model, version="1",
        artifact_uri=str(folder), artifact_digest=digest,
    )  # fmt: skip
    rig.start_deployer()
    try:
        rig.propose(release)
        assert rig.end_of(release, within=60).kind == "promoted"
        rig.confirmed(model)
        golden = json.loads((folder / "model" / "golden.json").read_text())
        body = json.dumps({"dataframe_records": golden["rows"][:3]}).encode()
        status, answer, _ = ask(rig, f"/{model}/invocations", body, **{"content-type": "application/json"})
    finally:
        rig.close()
    assert (status, answer["predictions"]) == (200, pytest.approx(golden["predictions"][:3], abs=1e-9))
    logged = [line for path in (tmp_path / "predictions").rglob("*.jsonl") for line in path.read_text().splitlines()]
    assert len(logged) == 3


def sealed(artifact):
    from flightworthy.artifact import verify

    return verify(artifact)
