"""Releases, rows and the ledger in SQL: SQLite by default, PostgreSQL by its URL."""

from __future__ import annotations

from flightworthy.adapters.sql_releases.approvals import SqlApprovals
from flightworthy.adapters.sql_releases.decisions import SqlDecisions
from flightworthy.adapters.sql_releases.drills import SqlDrills
from flightworthy.adapters.sql_releases.sightings import SqlSightings


class SqlReleases(SqlDecisions, SqlSightings, SqlApprovals, SqlDrills):
    """A ReleaseStore at a SQLAlchemy URL, all of its parts over one engine."""
