"""Where a deployer works: its folder, its database, its ports. Read once from the environment it is given."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from flightworthy.image import SERVER_ENVIRONMENT
from flightworthy.personal import KEY, KEY_FILE

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "PYTHONPATH", "VIRTUAL_ENV")
"""What a model server may know of the deployer's environment: nothing that could be a secret, but for the next two."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``server_command`` starts one model server; the options of ``flightworthy.serving`` are added to it.

    ``router_admin_port`` 0 means any that is free; only the deployer asks there, and only on this machine.
    """

    home: Path
    database_url: str
    router_port: int
    router_admin_port: int
    router_host: str = "127.0.0.1"
    tracking_uri: str | None = None
    envoy: Path | None = None
    router_is_ours: bool = True
    """Whether the deployer starts Envoy, or somebody else does from the bootstrap that the deployer writes."""
    server_command: tuple[str, ...] = (sys.executable, "-m", "flightworthy.serving")
    server_environ: Mapping[str, str] = field(default_factory=dict)
    drain_time: timedelta = timedelta(seconds=1)
    verifying_keys: tuple[Path, ...] = ()
    """Public keys, one of which must have signed what is started. Without any the seal alone is held."""
    containers_have_egress: bool = sys.platform != "linux"
    """Whether a model's container may open connections. Where the engine runs in a machine of its own, as it does on
    anything but Linux, a container without them cannot be reached from here either."""
    models: Path = Path("include/models")
    """Where the models' retention is read."""
    prunes_itself: bool = False
    """Whether the deployer throws away once a day what retention lets go."""

    @classmethod
    def from_environ(cls, environ: Mapping[str, str], cwd: Path) -> Settings:
        """The variables are named in ``docs/operations``; each has a default but MLflow's address."""
        home = (cwd / environ.get("FLIGHTWORTHY_HOME", ".flightworthy")).resolve()
        envoy = environ.get("FLIGHTWORTHY_ENVOY")
        return cls(
            home=home,
            database_url=environ.get("FLIGHTWORTHY_DATABASE") or f"sqlite:///{home / 'flightworthy.db'}",
            router_host=environ.get("FLIGHTWORTHY_ROUTER_HOST", "127.0.0.1"),
            router_port=int(environ.get("FLIGHTWORTHY_ROUTER_PORT", "8090")),
            router_admin_port=int(environ.get("FLIGHTWORTHY_ROUTER_ADMIN_PORT", "0")),
            tracking_uri=environ.get("MLFLOW_TRACKING_URI") or None,
            envoy=Path(envoy) if envoy else None,
            router_is_ours=environ.get("FLIGHTWORTHY_ROUTER", "own") != "elsewhere",
            verifying_keys=_paths(environ.get("FLIGHTWORTHY_VERIFYING_KEY"), cwd),
            containers_have_egress=_may_leave(environ.get("FLIGHTWORTHY_CONTAINER_EGRESS")),
            models=cwd / (environ.get("FLIGHTWORTHY_MODELS") or "include/models"),
            prunes_itself=environ.get("FLIGHTWORTHY_PRUNING", "daily") != "off",
            server_environ={
                **SERVER_ENVIRONMENT,
                **{name: environ[name] for name in (*_PASSED_ON, KEY, KEY_FILE) if name in environ},
            },
        )

    @property
    def router_folder(self) -> Path:
        return self.home / "router"

    @property
    def predictions(self) -> Path:
        return self.home / "predictions"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def lock(self) -> Path:
        return self.home / "deployer.lock"


def _paths(said: str | None, cwd: Path) -> tuple[Path, ...]:
    return tuple((cwd / path).resolve() for path in (said or "").split(os.pathsep) if path)


def _may_leave(said: str | None) -> bool:
    return said == "allowed" if said else sys.platform != "linux"
