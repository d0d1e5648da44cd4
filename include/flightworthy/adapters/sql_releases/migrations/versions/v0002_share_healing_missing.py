"""The ledger tells the challenger's share; what the deployer put right, and what cannot be started, are kept."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Entries from before tell no share, and their hashes hold as they are."""
    op.add_column("ledger", sa.Column("share", sa.Integer))
    op.create_table(
        "healing",
        sa.Column("place", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("model", sa.String(200), index=True),
        sa.Column("at", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("what", sa.Text, nullable=False),
    )
    op.create_table(
        "missing",
        sa.Column("release", sa.String(300), primary_key=True),
        sa.Column("why", sa.Text, nullable=False),
        sa.Column("since_at", sa.String(40), nullable=False),
    )
