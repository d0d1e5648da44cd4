"""Whether a version stands, asked of a real MLflow server without its library."""

from __future__ import annotations

import subprocess
import sys

import pytest
from mlflow import MlflowClient

from flightworthy.adapters.mlflow_presence import MlflowPresence
from flightworthy.errors import Unavailable


def test_a_version_stands_until_it_is_deleted(mlflow_server: str) -> None:
    """Neither another number nor another model is mistaken for it."""
    client = MlflowClient(tracking_uri=mlflow_server, registry_uri=mlflow_server)
    client.create_registered_model("standing")
    run = client.create_run("0").info
    number = int(client.create_model_version("standing", source=run.artifact_uri, run_id=run.run_id).version)
    presence = MlflowPresence(uri=mlflow_server, username=None, password=None)

    assert presence.has("standing", number)
    assert not presence.has("standing", number + 1)
    assert not presence.has("fallen", number)
    client.delete_model_version("standing", str(number))
    assert not presence.has("standing", number)


def test_a_server_that_does_not_answer_is_no_no() -> None:
    """Else a whole backfill would be done again."""
    with pytest.raises(Unavailable, match="did not say whether a version stands"):
        MlflowPresence(uri="http://127.0.0.1:9", username=None, password=None).has("standing", 1)


def test_asking_imports_nothing_that_takes_seconds() -> None:
    """That is all it is for."""
    slow = "{'mlflow', 'numpy', 'pandas'}"
    code = f"import sys, flightworthy.adapters.mlflow_presence; assert not {slow} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
