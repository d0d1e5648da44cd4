"""Releases, rows and the ledger in SQL: SQLite by default, PostgreSQL by its URL."""

from flightworthy.adapters.sql_releases.arrivals import SqlArrivals
from flightworthy.adapters.sql_releases.lock import DatabaseLock
from flightworthy.adapters.sql_releases.schema import SchemaState, look_at_schema, upgrade_schema
from flightworthy.adapters.sql_releases.store import SqlReleases

__all__ = ["DatabaseLock", "SchemaState", "SqlArrivals", "SqlReleases", "look_at_schema", "upgrade_schema"]
