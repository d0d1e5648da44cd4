"""Drills of previous releases: who asked for one, and what it found."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Nothing that was there changes."""
    op.create_table(
        "drill",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("model", sa.String(200), nullable=False, index=True),
        sa.Column("release", sa.String(300), nullable=False),
        sa.Column("asked_by", sa.Text, nullable=False),
        sa.Column("asked_at", sa.String(40), nullable=False),
        sa.Column("passed", sa.Boolean),
        sa.Column("reason", sa.Text, nullable=False),
        sa.Column("took_time", sa.Float),
        sa.Column("ended_at", sa.String(40)),
    )
