"""Which rows are for training and which for judging: by the entity alone, for ever."""

from __future__ import annotations

import hashlib
import math
from enum import StrEnum

from flightworthy.personal import text_of

__all__ = ["Split", "split_of"]


class Split(StrEnum):
    """What a row is for. It follows from the entity alone, so no entity is ever on two sides."""

    TRAIN = "train"
    VALIDATION = "validation"
    HOLDOUT = "holdout"


def split_of(entity: object, *, holdout: float, validation: float) -> Split:
    """The side of an entity's rows, the same for ever and on every machine.

    The holdout grows from one end and the validation part from the other: raising a share only ever takes entities
    from the training part. An entity that is a whole number counts the same as ``7``, ``7.0`` and ``"7"``.
    """
    point = int.from_bytes(hashlib.sha256(_entity_text(entity).encode()).digest()[:8]) / 2**64
    if point < holdout:
        return Split.HOLDOUT
    return Split.VALIDATION if point >= 1 - validation else Split.TRAIN


def _entity_text(entity: object) -> str:
    if entity is None or (isinstance(entity, float) and math.isnan(entity)):
        raise ValueError("a row without an entity belongs to no side of the split; the entity column must be complete")
    return text_of(entity)
