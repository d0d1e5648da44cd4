"""Where a deployer works: its folder, its database, its ports. Read once from the environment it is given."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "PYTHONPATH", "VIRTUAL_ENV")
"""What a model server may know of the deployer's environment: nothing that could be a secret."""


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
            models=cwd / (environ.get("FLIGHTWORTHY_MODELS") or "include/models"),
            prunes_itself=environ.get("FLIGHTWORTHY_PRUNING", "daily") != "off",
            server_environ={name: environ[name] for name in _PASSED_ON if name in environ},
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
