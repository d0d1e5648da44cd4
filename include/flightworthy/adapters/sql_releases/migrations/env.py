"""What Alembic runs to migrate: on the connection, and in the transaction, of whoever asked."""

from alembic import context

from flightworthy.adapters.sql_releases.schema import VERSION_TABLE
from flightworthy.adapters.sql_releases.tables import metadata

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    target_metadata=metadata,
    compare_type=True,
)
context.run_migrations()
