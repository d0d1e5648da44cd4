"""What each component is told, as environment variables: the settings of the demo, with the reason for each.

Airflow's own defaults are for a cluster of machines; these are for one machine with two cores, and for being watched.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from demo.places import ROOT, USERS, Places

StartMethod = Literal["forkserver", "fork"]

_PRELOADED = (
    "flightworthy_airflow.preload",
    "airflow.dag_processing.dagbag",
    "airflow.executors.local_executor",
    "airflow.sdk.execution_time.supervisor",
    "airflow.sdk.execution_time.task_runner",
    # Imported by their own libraries only when they are first used, by nearly every task.
    "great_expectations.render.renderer.site_builder",
    "matplotlib.backends.backend_agg",
    "mlflow.tracking.request_header.registry",
    "pyarrow.dataset",
    "pyarrow.pandas_compat",
)
"""What every task would otherwise import for seconds, each for itself."""

_OURS = ("AIRFLOW_", "_AIRFLOW_", "MLFLOW_", "_MLFLOW_", "FLIGHTWORTHY_", "PYTHON", "VIRTUAL_ENV")
_KEPT = ("FLIGHTWORTHY_DATA_DIR", "FLIGHTWORTHY_MODELS")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """All that the components of one stack need to know."""

    places: Places
    dags: Path = ROOT / "dags"
    plugins: Path = ROOT / "plugins"
    start_method: StartMethod = "forkserver"

    @property
    def airflow_url(self) -> str:
        return f"http://127.0.0.1:{self.places.ports().airflow}"

    @property
    def mlflow_url(self) -> str:
        return f"http://127.0.0.1:{self.places.ports().mlflow}"

    @property
    def router_url(self) -> str:
        return f"http://127.0.0.1:{self.places.ports().router}"

    def surroundings(self) -> dict[str, str]:
        """The caller's environment without what would steer the components behind our back."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_OURS) or key in _KEPT}
        scripts = str(Path(sys.executable).parent)
        here = "127.0.0.1,localhost"
        bypass = ",".join(filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), here)))
        return kept | {
            "PATH": f"{scripts}{os.pathsep}{os.environ.get('PATH', os.defpath)}",
            "NO_PROXY": bypass,
            "no_proxy": bypass,
            "SPT_NOENV": "1",  # else Airflow writes its processes' names over their environment, and the mark in it
            "PYTHONUNBUFFERED": "1",
            "DO_NOT_TRACK": "1",
            "GX_ANALYTICS_ENABLED": "false",
            "MLFLOW_DISABLE_TELEMETRY": "true",
            "ORT_DISABLE_TELEMETRY": "1",
            "MPLBACKEND": "Agg",
            "OMP_NUM_THREADS": "1",  # one core per task; and a process that has no threads forks safely
            "OPENBLAS_NUM_THREADS": "1",
        }

    def flightworthy(self) -> dict[str, str]:
        """For the deployer, the command line and Airflow's tasks alike: where things are."""
        places = self.places
        told = {
            "FLIGHTWORTHY_HOME": str(places.home),
            "FLIGHTWORTHY_LANDING": str(places.landing),
            "FLIGHTWORTHY_DATABASE": places.database,
            "FLIGHTWORTHY_ROUTER_PORT": str(places.ports().router),
            "FLIGHTWORTHY_ROUTER_ADMIN_PORT": str(places.ports().router_admin),
            "FLIGHTWORTHY_MODELS": os.environ.get("FLIGHTWORTHY_MODELS", str(ROOT / "include" / "models")),
            "FLIGHTWORTHY_VERIFYING_KEY": str(places.key_pair()[1]),
            "FLIGHTWORTHY_PSEUDONYM_KEY_FILE": str(places.secret_file("pseudonym_key")),
        }
        if data := os.environ.get("FLIGHTWORTHY_DATA_DIR"):
            told["FLIGHTWORTHY_DATA_DIR"] = str(Path(data).resolve())
        return told

    def mlflow_client(self) -> dict[str, str]:
        """For whoever speaks to MLflow without an Airflow connection."""
        return {
            "MLFLOW_TRACKING_URI": self.mlflow_url,
            "MLFLOW_TRACKING_USERNAME": "admin",
            "MLFLOW_TRACKING_PASSWORD": self.places.secret("mlflow_password"),
        }

    def mlflow_server(self) -> dict[str, str]:
        """Its admin's first password, its session key; no job runners, which nothing here uses."""
        return {
            "MLFLOW_AUTH_CONFIG_PATH": str(self.places.mlflow / "auth.ini"),
            "MLFLOW_AUTH_ADMIN_PASSWORD": self.places.secret("mlflow_password"),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": self.places.secret("mlflow_secret_key"),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        }

    def airflow(self) -> dict[str, str]:
        """For every process of Airflow, and for its command line."""
        folder = self.places.airflow
        told: Mapping[str, object] = {
            "CORE__DAGS_FOLDER": self.dags,
            "CORE__PLUGINS_FOLDER": self.plugins,
            "CORE__LOAD_EXAMPLES": False,
            "CORE__EXECUTOR": "LocalExecutor",
            "CORE__PARALLELISM": max(4, 2 * (os.cpu_count() or 1)),
            "CORE__DAGS_ARE_PAUSED_AT_CREATION": False,  # an asset event sent to a paused DAG is dropped for good
            "CORE__TEST_CONNECTION": "Disabled",
            "CORE__FERNET_KEY": self.places.secret("airflow_fernet_key"),
            "CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{user}:{role}" for user, role in USERS.items()),
            "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": self.places.secrets / "airflow_users.json",
            "CORE__EXECUTION_API_SERVER_URL": f"{self.airflow_url}/execution/",
            "DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{folder / 'airflow.db'}?timeout=60",
            "API__HOST": "127.0.0.1",
            "API__EXPOSE_CONFIG": False,
            "API__PORT": self.places.ports().airflow,
            "API__BASE_URL": self.airflow_url,
            "API__SECRET_KEY": self.places.secret("airflow_secret_key"),
            "API_AUTH__JWT_SECRET": self.places.secret("airflow_jwt_secret"),
            "USAGE_DATA_COLLECTION__ENABLED": False,
            "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": 0.1,  # a chain of eight tasks: from ten seconds to three
            "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": 30,  # else a killed scheduler's tasks wait five minutes
            "WORKERS__MIN_HEARTBEAT_INTERVAL": 1,  # else a finished task holds its slot for five seconds more
            "DAG_PROCESSOR__REFRESH_INTERVAL": 10,  # look for new DAG files; Airflow's own default is five minutes
            "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": 120,  # an unchanged file; a changed one is read at once
            "SCHEDULER__MP_START_METHOD": self.start_method,
        }
        if self.start_method == "forkserver":  # five import-heavy tasks: from twenty-four seconds to three
            told = {**told, "SCHEDULER__MP_FORKSERVER_PRELOAD": ",".join(_PRELOADED)}
        return {
            "AIRFLOW_HOME": str(folder),
            "FLIGHTWORTHY_SIGNING_KEY": str(self.places.key_pair()[0]),
            **{f"AIRFLOW__{key}": str(value) for key, value in told.items()},
            **self._connections(),
        }

    def _connections(self) -> dict[str, str]:
        mlflow = {
            "conn_type": "http",
            "host": "127.0.0.1",
            "port": self.places.ports().mlflow,
            "login": "admin",
            "password": self.places.secret("mlflow_password"),
        }
        extra = {"database": self.places.database, "home": str(self.places.home)}
        return {
            "AIRFLOW_CONN_MLFLOW_DEFAULT": json.dumps(mlflow),
            "AIRFLOW_CONN_FLIGHTWORTHY_DEFAULT": json.dumps({"conn_type": "generic", "extra": extra}),
        }
