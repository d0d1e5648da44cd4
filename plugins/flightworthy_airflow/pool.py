"""Makes the backfills' pool where Airflow starts without it; one that is there is its owner's business."""

from __future__ import annotations

import logging

from airflow.listeners import hookimpl

from flightworthy_airflow.policy import POOL

__all__ = ["ensure_pool", "on_starting"]

log = logging.getLogger(__name__)

_TOLD = "What a backfill's tasks share, so that live runs have room. Change the slots as you like; a start leaves them."


@hookimpl
def on_starting(component: object) -> None:
    """Airflow's scheduler, triggerer or DAG processor starts, as a ``Job``; a task does too, and is none."""
    if type(component).__name__ != "Job":
        return
    try:
        ensure_pool()
    except Exception:
        log.exception(
            "pool %s could not be made, and without it no task of a backfill starts. Make it by hand: "
            "airflow pools set %s 2 'backfills'", POOL, POOL,
        )  # fmt: skip


def ensure_pool() -> bool:
    """Whether it was missing. It gets half of what the executor runs at once; idempotent, whoever else starts."""
    from airflow.configuration import conf
    from airflow.models.pool import Pool
    from airflow.utils.session import create_session
    from sqlalchemy.exc import IntegrityError

    if Pool.get_pool(POOL) is not None:
        return False
    slots = max(1, conf.getint("core", "parallelism") // 2)
    try:
        with create_session() as session:
            session.add(Pool(pool=POOL, slots=slots, description=_TOLD, include_deferred=False))
    except IntegrityError:
        return False  # another component started at the same moment
    log.info("pool %s made with %s slots", POOL, slots)
    return True
