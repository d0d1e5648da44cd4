"""The chapters of the tour, in their order: what is done, and how one sees that it had the effect it should."""

from demo.chapters import backfill, better_version, broken_partition, drift, first_partition, rollback, worse_model

__all__ = ["CHAPTERS"]

CHAPTERS = (
    first_partition.CHAPTER,
    better_version.CHAPTER,
    broken_partition.CHAPTER,
    worse_model.CHAPTER,
    drift.CHAPTER,
    rollback.CHAPTER,
    backfill.CHAPTER,
)
"""The eighth is the count, which is made however the tour ends."""
