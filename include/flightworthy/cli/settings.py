"""Where the command line looks: three variables, each with a default."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from flightworthy.errors import Refused

if TYPE_CHECKING:
    from flightworthy.adapters.dataset_files import DatasetFiles
    from flightworthy.adapters.sql_releases import SqlArrivals, SqlReleases

__all__ = ["Settings", "database_named"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """``FLIGHTWORTHY_HOME``, ``FLIGHTWORTHY_DATABASE`` and ``FLIGHTWORTHY_MODELS``, as they were given."""

    home: Path
    database: str
    models: Path
    environ: Mapping[str, str] = field(repr=False)
    """The whole environment, which model.yaml may refer to."""

    @classmethod
    def of(cls, environ: Mapping[str, str], cwd: Path) -> Settings:
        """Read the variables; an empty one counts as unset."""
        home = cwd / (environ.get("FLIGHTWORTHY_HOME") or ".flightworthy")
        return cls(
            home=home,
            database=environ.get("FLIGHTWORTHY_DATABASE") or f"sqlite:///{home / 'flightworthy.db'}",
            models=cwd / (environ.get("FLIGHTWORTHY_MODELS") or "include/models"),
            environ=environ,
        )

    def releases(self) -> SqlReleases:
        """The rows, the releases and the ledger."""
        from flightworthy.adapters.sql_releases import SqlReleases

        with database_named():
            self.see_database()
            return SqlReleases(self.database)

    def arrivals(self) -> SqlArrivals:
        """What has landed in the models' sources."""
        from flightworthy.adapters.sql_releases import SqlArrivals

        with database_named():
            self.see_database()
            return SqlArrivals(self.database)

    def see_database(self) -> None:
        """Raise Refused where a file of SQLite is not there: who asks makes none, and a name may be wrong."""
        from sqlalchemy.engine import make_url

        url = make_url(self.database)
        file = url.database or ":memory:"
        if url.get_backend_name() == "sqlite" and not file.startswith((":", "file:")) and not Path(file).exists():
            raise Refused(
                f"there is no release database {file}, and none was made. If FLIGHTWORTHY_DATABASE or "
                "FLIGHTWORTHY_HOME names another place than you mean, correct it; if nothing was ever released here, "
                "`flightworthy database upgrade` makes one.",
                file=file,
            )

    def datasets(self) -> DatasetFiles:
        """The quarantine, among others. Imports pandas: a second, which no rollback should wait for."""
        from flightworthy.adapters.dataset_files import DatasetFiles

        return DatasetFiles(root=self.home / "datasets")

    def folders(self) -> list[str]:
        """The names of all models that have a folder, whatever is in it."""
        return sorted(path.name for path in self.models.glob("[!._]*") if path.is_dir())


@contextmanager
def database_named() -> Iterator[None]:
    """Refuse a URL that names no database, without repeating it: it may hold a password."""
    from sqlalchemy.exc import ArgumentError, NoSuchModuleError

    try:
        yield
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise Refused(
            f"FLIGHTWORTHY_DATABASE is no database that can be opened here ({type(error).__name__}); "
            "write it as sqlite:////path/to/file.db or postgresql+psycopg2://…, with its driver installed"
        ) from error
