"""Releases, rows and the ledger in SQL: SQLite by default, PostgreSQL by its URL."""

from flightworthy.adapters.sql_releases.store import SqlReleases

__all__ = ["SqlReleases"]
