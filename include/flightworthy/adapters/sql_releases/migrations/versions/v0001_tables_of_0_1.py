"""The tables as 0.1 made them; those that are there already are taken over as they are."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make what is missing: a database of 0.1 has all of it, and knew of no revisions."""
    connection = op.get_bind()
    _tables().create_all(connection)
    head = sa.table("ledger_head", sa.column("seq"), sa.column("hash"))
    if connection.execute(sa.select(head.c.seq)).first() is None:
        op.bulk_insert(head, [{"seq": 0, "hash": "0" * 64}])


def _tables() -> sa.MetaData:
    metadata = sa.MetaData()
    sa.Table(
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
    sa.Table(
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
    sa.Table(
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
        sa.UniqueConstraint("model", "generation", name="one_decision_per_generation"),
    )  # fmt: skip
    sa.Table(
        "ledger_head", metadata,
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        sa.Column("hash", sa.String(64), nullable=False),
    )  # fmt: skip
    sa.Table(
        "evidence", metadata,
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("body", sa.Text, nullable=False),
    )  # fmt: skip
    sa.Table(
        "observation", metadata,
        sa.Column("model", sa.String(200), primary_key=True),
        sa.Column("generation", sa.Integer, nullable=False),
        sa.Column("share_b", sa.Integer, nullable=False),
        sa.Column("healthy", sa.Text, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("at", sa.String(40), nullable=False),
    )  # fmt: skip
    sa.Table(
        "claim", metadata,
        sa.Column("model", sa.String(200), primary_key=True),
        sa.Column("partition_key", sa.String(200), primary_key=True),
        sa.Column("digest", sa.String(64), primary_key=True),
        sa.Column("run_id", sa.String(500), nullable=False),
    )  # fmt: skip
    return metadata
