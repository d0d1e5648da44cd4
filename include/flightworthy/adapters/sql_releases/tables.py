"""The tables of Flightworthy's own database as this code reads and writes them; ``migrations`` is how they came to be.

Instants are ISO 8601 text in UTC with microseconds: they sort by time and hash the same on every database.
"""

from __future__ import annotations

import sqlalchemy as sa

metadata = sa.MetaData()

deployments = sa.Table(
    "deployment", metadata,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("slot_a", sa.String(300)),
    sa.Column("slot_b", sa.String(300)),
    sa.Column("share_b", sa.Integer, nullable=False),
    sa.Column("champion", sa.String(300)),
    sa.Column("challenger", sa.String(300)),
    sa.Column("previous", sa.String(300)),
    sa.Column("phase", sa.String(20), nullable=False),
    sa.Column("step", sa.Integer, nullable=False),
    sa.Column("since_at", sa.String(40)),
    sa.CheckConstraint("share_b >= 0 AND share_b <= 100", name="share_is_percent"),
)  # fmt: skip

releases = sa.Table(
    "release", metadata,
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("id", sa.String(300), nullable=False, unique=True),
    sa.Column("model", sa.String(200), nullable=False, index=True),
    sa.Column("version", sa.String(100), nullable=False),
    sa.Column("target", sa.String(20), nullable=False),
    sa.Column("artifact_uri", sa.Text, nullable=False),
    sa.Column("artifact_digest", sa.String(64), nullable=False),
    sa.Column("image_digest", sa.String(200)),
    sa.Column("bundle", sa.Text, nullable=False),
    sa.Column("strategy", sa.Text, nullable=False),
)  # fmt: skip

entries = sa.Table(
    "ledger", metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("model", sa.String(200), nullable=False, index=True),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("actor", sa.Text, nullable=False),
    sa.Column("action", sa.String(20), nullable=False),
    sa.Column("from_release", sa.String(300)),
    sa.Column("to_release", sa.String(300)),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("evidence", sa.Text, nullable=False),
    sa.Column("previous_hash", sa.String(64), nullable=False),
    sa.Column("hash", sa.String(64), nullable=False),
    sa.Column("share", sa.Integer),
    sa.UniqueConstraint("model", "generation", name="one_decision_per_generation"),
)  # fmt: skip

head = sa.Table(
    "ledger_head", metadata,
    sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("hash", sa.String(64), nullable=False),
)  # fmt: skip

evidence_bodies = sa.Table(
    "evidence", metadata,
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("body", sa.Text, nullable=False),
)  # fmt: skip

observations = sa.Table(
    "observation", metadata,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("generation", sa.Integer, nullable=False),
    sa.Column("share_b", sa.Integer, nullable=False),
    sa.Column("healthy", sa.Text, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
)  # fmt: skip

arrivals = sa.Table(
    "arrival", metadata,
    sa.Column("model", sa.String(200), primary_key=True),
    sa.Column("partition_key", sa.String(200), primary_key=True),
    sa.Column("digest", sa.String(64), primary_key=True),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("seen_at", sa.String(40), nullable=False),
    sa.Column("announced_at", sa.String(40)),
    sa.Column("announcements", sa.Integer, nullable=False),
    sa.Column("dag_id", sa.String(300)),
    sa.Column("run_id", sa.String(500)),
    sa.Column("taken_at", sa.String(40)),
    sa.Column("failed", sa.Boolean),
    sa.Column("tasks", sa.Text, nullable=False),
    sa.Column("considered_at", sa.String(40)),
    sa.Index("arrival_by_state", "kind", "considered_at"),
)  # fmt: skip

healings = sa.Table(
    "healing", metadata,
    sa.Column("place", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("model", sa.String(200), index=True),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("kind", sa.String(20), nullable=False),
    sa.Column("what", sa.Text, nullable=False),
)  # fmt: skip

drills = sa.Table(
    "drill", metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("model", sa.String(200), nullable=False, index=True),
    sa.Column("release", sa.String(300), nullable=False),
    sa.Column("asked_by", sa.Text, nullable=False),
    sa.Column("asked_at", sa.String(40), nullable=False),
    sa.Column("passed", sa.Boolean),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("took_time", sa.Float),
    sa.Column("ended_at", sa.String(40)),
)  # fmt: skip

answers = sa.Table(
    "answer", metadata,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("model", sa.String(200), nullable=False),
    sa.Column("release", sa.String(300), nullable=False),
    sa.Column("digest", sa.String(64), nullable=False),
    sa.Column("user", sa.String(300), nullable=False),
    sa.Column("name", sa.Text, nullable=False),
    sa.Column("approved", sa.Boolean, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
    sa.Column("at", sa.String(40), nullable=False),
    sa.Column("run_id", sa.String(500), nullable=False),
    sa.UniqueConstraint("digest", "user", name="one_answer_each"),
)  # fmt: skip

missing_releases = sa.Table(
    "missing", metadata,
    sa.Column("release", sa.String(300), primary_key=True),
    sa.Column("why", sa.Text, nullable=False),
    sa.Column("since_at", sa.String(40), nullable=False),
)  # fmt: skip
