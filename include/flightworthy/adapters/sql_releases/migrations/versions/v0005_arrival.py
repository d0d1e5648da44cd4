"""What has landed in the models' sources, and which run took it; instead of the claims of runs, which it takes over."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """A partition that a run had claimed is considered: it must not wake a second deployment."""
    op.create_table(
        "arrival",
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
    )
    op.create_index("arrival_by_state", "arrival", ["kind", "considered_at"])
    now = datetime.now(UTC).isoformat(timespec="microseconds")
    op.execute(
        sa.text(
            "INSERT INTO arrival (model, partition_key, digest, kind, seen_at, announced_at, announcements, dag_id, "
            "run_id, taken_at, failed, tasks, considered_at) SELECT model, partition_key, digest, 'fresh', :now, :now, "
            "1, model || '.deploy', run_id, :now, :no, '[]', :now FROM claim"
        ).bindparams(sa.bindparam("now", now, sa.String), sa.bindparam("no", False, sa.Boolean))
    )
    op.drop_table("claim")
