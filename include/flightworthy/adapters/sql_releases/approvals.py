"""What people answered who were asked whether a release may go on."""

from __future__ import annotations

import sqlalchemy as sa

from flightworthy.adapters.sql_releases import rows
from flightworthy.adapters.sql_releases.access import SqlAccess
from flightworthy.adapters.sql_releases.tables import answers, head
from flightworthy.release import Answer


class SqlApprovals(SqlAccess):
    """The part of a ReleaseStore that remembers answers."""

    def keep_answer(self, answer: Answer) -> None:
        """Keep what a person said of a digest, instead of what the same person said of it before."""
        values = rows.answer_values(answer)
        mine = (answers.c.digest == answer.digest) & (answers.c.user == answer.user)
        with self._writing() as connection:
            connection.execute(sa.select(head).with_for_update())
            if not connection.execute(answers.update().where(mine).values(values)).rowcount:
                connection.execute(answers.insert().values(values))

    def answers(self, digest: str) -> list[Answer]:
        """What was said of a digest, one of each person, in the order of their first."""
        query = sa.select(answers).where(answers.c.digest == digest).order_by(answers.c.number)
        with self._reading() as connection:
            return [rows.as_answer(row) for row in connection.execute(query).mappings()]
