"""Where a stack keeps what it is made of, on which ports it listens, and by which passwords one enters.

All of it is generated once per home and kept, so that a stack that went down comes up at the same address with the same
logins, as an installation would.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
import socket
from collections.abc import Callable
from dataclasses import dataclass, fields
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The checkout: ``dags/``, ``plugins/``, ``include/``."""

USERS: dict[str, str] = {"admin": "admin", "viewer": "viewer"}
"""Who may log in to Airflow, and as what."""


def _password() -> str:
    return secrets.token_urlsafe(18)


_SECRETS: dict[str, Callable[[], str]] = {
    "airflow_fernet_key": lambda: base64.urlsafe_b64encode(os.urandom(32)).decode(),
    "airflow_jwt_secret": lambda: secrets.token_hex(32),
    "airflow_secret_key": lambda: secrets.token_hex(32),
    "mlflow_password": lambda: secrets.token_urlsafe(18),
    "mlflow_secret_key": lambda: secrets.token_hex(32),
    "pseudonym_key": lambda: secrets.token_hex(32),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Ports:
    """What a stack listens on, all of it on 127.0.0.1."""

    airflow: int
    mlflow: int
    router: int
    router_admin: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """The folders and files of one stack, under ``home``."""

    home: Path

    @property
    def airflow(self) -> Path:
        return self.home / "airflow"

    @property
    def mlflow(self) -> Path:
        return self.home / "mlflow"

    @property
    def landing(self) -> Path:
        return self.home / "landing"

    @property
    def logs(self) -> Path:
        return self.home / "logs"

    @property
    def run(self) -> Path:
        return self.home / "run"

    @property
    def secrets(self) -> Path:
        return self.home / "secrets"

    @property
    def database(self) -> str:
        """SQLite in the home, unless somebody put the URL of another database among the secrets."""
        other = self.secrets / "release_database"
        return other.read_text().strip() if other.exists() else f"sqlite:///{self.home / 'flightworthy.db'}"

    def make(self) -> None:
        """Make every folder; those with secrets and databases are for their owner only."""
        for folder in (self.airflow / "config", self.mlflow, self.landing, self.logs, self.run, self.secrets):
            folder.mkdir(parents=True, exist_ok=True)
        for folder in (self.airflow, self.mlflow, self.secrets):
            folder.chmod(0o700)

    def secret(self, name: str) -> str:
        """The secret of that name: made on first use, kept in a file that only its owner reads."""
        return self.secret_file(name).read_text(encoding="utf-8").strip()

    def secret_file(self, name: str) -> Path:
        """The file of that secret, for who is told its place and not the secret."""
        path = self.secrets / name
        if not path.exists():
            passwords = {f"airflow_{user}_password": _password for user in USERS}
            write_private(path, {**_SECRETS, **passwords}[name]())
        return path

    def key_pair(self) -> tuple[Path, Path]:
        """The private key that models are signed with, and its public key: made on first use, like every secret."""
        private, public = self.secrets / "signing.pem", self.secrets / "verifying.pem"
        if not (private.exists() and public.exists()):
            from flightworthy.adapters.model_signatures import new_key_pair

            pair = [content.decode() for content in new_key_pair()]
            write_private(private, pair[0])
            write_private(public, pair[1])
        return private, public

    def ports(self) -> Ports:
        """The ports of this home: found free on first use, the same ever after."""
        path = self.home / "ports.json"
        if not path.exists():
            names = [each.name for each in fields(Ports)]
            write_private(path, json.dumps(dict(zip(names, free_ports(len(names)), strict=True))))
        return Ports(**json.loads(path.read_text(encoding="utf-8")))


def write_private(path: Path, text: str) -> None:
    """Write whole or not at all, readable by its owner only from its first byte on."""
    part = path.with_name(f"{path.name}.part")
    part.unlink(missing_ok=True)
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
        file.write(text)
    part.replace(path)


def free_ports(count: int) -> list[int]:
    """That many different ports of 127.0.0.1 on which nobody listens."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
