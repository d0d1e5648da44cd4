"""The forms that the tables went through, one step a file; Alembic runs those that a database lacks."""
