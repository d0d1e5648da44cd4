"""Flightworthy's own state: its database, its files and the models' specs."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseHook
from airflow.sdk.exceptions import AirflowNotFoundException

from flightworthy.errors import SpecError
from flightworthy_airflow.links import report_url

if TYPE_CHECKING:
    from airflow.sdk import Connection

    from flightworthy.adapters.backtest_files import BacktestFiles
    from flightworthy.adapters.dataset_files import DatasetFiles
    from flightworthy.adapters.personal_columns import Protection
    from flightworthy.adapters.sql_releases import SqlArrivals, SqlReleases
    from flightworthy.expectations import Instruments, Suite
    from flightworthy.personal import Keys
    from flightworthy.release import Release
    from flightworthy.signing import Signer, Verifier
    from flightworthy.spec import Spec

__all__ = ["FlightworthyHook", "Places"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Places:
    """Where things are: from the connection's extra, else from the environment (FLIGHTWORTHY_HOME and so on)."""

    home: Path
    database: str
    models: Path
    signing_key: Path | None = None
    verifying_keys: tuple[Path, ...] = ()
    base_image: str | None = None
    spark_master: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)

    @classmethod
    def of(cls, extra: dict[str, Any]) -> Places:
        home = Path(extra.get("home") or os.environ.get("FLIGHTWORTHY_HOME", ".flightworthy")).absolute()
        return cls(
            home=home,
            database=extra.get("database")
            or os.environ.get("FLIGHTWORTHY_DATABASE")
            or f"sqlite:///{home / 'flightworthy.db'}",
            models=Path(extra.get("models") or os.environ.get("FLIGHTWORTHY_MODELS", "include/models")).absolute(),
            signing_key=next(iter(_paths(_said(extra, "signing_key"))), None),
            verifying_keys=_paths(_said(extra, "verifying_key")),
            base_image=_said(extra, "base_image") or None,
            spark_master=_said(extra, "spark_master") or None,
            webhook_secret=_said(extra, "webhook_secret") or None,
        )


def _said(extra: dict[str, Any], name: str) -> str:
    return str(extra.get(name) or os.environ.get(f"FLIGHTWORTHY_{name.upper()}", ""))


def _paths(said: str) -> tuple[Path, ...]:
    return tuple(Path(path).absolute() for path in said.split(os.pathsep) if path)


class FlightworthyHook(BaseHook):
    """Connection ``flightworthy_default``: extra ``{"home": …, "database": …, "models": …}``, each optional.

    So are ``signing_key``, ``verifying_key``, ``pseudonym_key_file`` (paths), ``base_image``, ``spark_master`` and
    ``webhook_secret``. Its password, where it has one, is the key of the pseudonyms.
    """

    conn_name_attr = "conn_id"
    default_conn_name = "flightworthy_default"
    conn_type = "flightworthy"
    hook_name = "Flightworthy"

    def __init__(self, conn_id: str = default_conn_name, *, places: Places | None = None) -> None:
        super().__init__()
        self.conn_id = conn_id
        self._places = places

    @classmethod
    async def connected(cls, conn_id: str) -> FlightworthyHook:
        """The hook for the triggerer, where connections may only be read asynchronously."""
        try:
            extra = (await cls.aget_connection(conn_id)).extra_dejson
        except AirflowNotFoundException:
            extra = {}
        return cls(conn_id, places=Places.of(extra))

    @property
    def places(self) -> Places:
        if self._places is None:
            connection = self._connection()
            self._places = Places.of({} if connection is None else connection.extra_dejson)
        return self._places

    def keys(self) -> Keys | None:
        """The keys of the pseudonyms: the connection's password, else the files that it or the environment names."""
        from flightworthy.personal import KEY, KEY_FILE, Keys, read_keys

        connection = self._connection()
        extra = {} if connection is None else connection.extra_dejson
        files = {KEY_FILE: str(extra.get("pseudonym_key_file") or os.environ.get(KEY_FILE, ""))}
        in_files = read_keys({**files, KEY: os.environ.get(KEY, "")})
        own = None if connection is None else read_keys({KEY: connection.password or ""})
        if own is None or in_files is None:
            return own or in_files
        return Keys(current=own.current, former=(in_files.current, *in_files.former))

    def protection(self, spec: Spec) -> Protection:
        """What the model's rows go through on their way in. Raises Refused where a key is missing or another one."""
        from flightworthy.adapters.dataset_files import DatasetErasure
        from flightworthy.adapters.personal_columns import Protection

        keys, erasure = self.keys(), DatasetErasure(root=self.places.home / "datasets")
        protection = Protection.of(spec, keys, erasure.of(spec.model).by_key())
        if keys is not None and protection.makes_pseudonyms:
            erasure.settle_key(spec.model, keys)
        return protection

    def _connection(self) -> Connection | None:
        try:
            return self.get_connection(self.conn_id)
        except AirflowNotFoundException:
            return None

    def releases(self) -> SqlReleases:
        """The rows, the releases and the ledger."""
        from flightworthy.adapters.sql_releases import SqlReleases

        return SqlReleases(self.places.database)

    def arrivals(self) -> SqlArrivals:
        """What has landed, and which run took it."""
        from flightworthy.adapters.sql_releases import SqlArrivals

        return SqlArrivals(self.places.database)

    def datasets(self) -> DatasetFiles:
        """The partitions, dataset versions and the quarantine."""
        from flightworthy.adapters.dataset_files import DatasetFiles

        return DatasetFiles(root=self.places.home / "datasets")

    def backtests(self) -> BacktestFiles:
        """What the versions of past intervals were worth."""
        from flightworthy.adapters.backtest_files import BacktestFiles

        return BacktestFiles(root=self.places.home / "backtests")

    def spec(self, model: str) -> Spec:
        """The model's standing order, read afresh: a task answers to the file as it is now. Raises SpecError."""
        from flightworthy.adapters.spec_files import load

        return load(self.places.models / model, os.environ)

    def suite(self, model: str) -> Suite:
        """The model's own expectations and actions: suite.yaml, suite.json, checkpoint.json. Raises SpecError."""
        from flightworthy.adapters.spec_files.suites import load_suite

        return load_suite(self.places.models / model, os.environ)

    def instruments(self) -> Instruments:
        """Great Expectations, with its Data Docs among the reports; and who counts partitions to compare them."""
        from flightworthy.adapters.gx_suites import GxSuites
        from flightworthy.adapters.partition_counts import DuckdbCounts
        from flightworthy.expectations import Instruments
        from flightworthy_airflow.hooks.notifications import connection_of

        address = report_url("")
        validator = GxSuites(
            reports=self.places.home / "reports",
            spark_master=self.places.spark_master,
            address=address.rstrip("/") if "://" in address else None,
            connections=connection_of,
        )
        return Instruments(validator=validator, counter=DuckdbCounts())

    def lock(self) -> Path:
        """The requirements.lock above the models. Raises SpecError where there is none."""
        for parent in self.places.models.parents:
            if (lock := parent / "requirements.lock").is_file():
                return lock
        raise SpecError(
            f"no requirements.lock above {self.places.models}: an image installs exactly what the lock names. "
            "Put the lock of this installation beside the models' folder.",
            models=str(self.places.models),
        )

    def signer(self) -> Signer | None:
        """Signs what is registered, where a signing key is set."""
        if self.places.signing_key is None:
            return None
        from flightworthy.adapters.model_signatures import KeySigner

        return KeySigner(private_key=self.places.signing_key)

    def verifier(self) -> Verifier | None:
        """Knows the trusted keys, where any is set."""
        if not self.places.verifying_keys:
            return None
        from flightworthy.adapters.model_signatures import KeyVerifier

        return KeyVerifier(public_keys=self.places.verifying_keys)

    def champion(self, model: str) -> Release | None:
        """The release that serves now."""
        store = self.releases()
        serving = store.deployment(model).champion
        return None if serving is None else store.release(serving)

    def reports(self, model: str, *parts: str) -> Path:
        """A folder for reports, which the web server shows behind its login."""
        folder = self.places.home / "reports" / Path(model, *parts)
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    def report_path(self, report: Path) -> str:
        """A report's path as its link names it."""
        return report.relative_to(self.places.home / "reports").as_posix()

    @staticmethod
    def now() -> datetime:
        """The clock of the shell; the domain has none."""
        return datetime.now(UTC)
