"""Which columns name a person, by model.yaml: their values are neither shown nor listed."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flightworthy.spec import Spec

__all__ = ["personal_columns"]


def personal_columns(spec: Spec) -> frozenset[str]:
    """Features and the entity."""
    named = {name for name, feature in spec.features.items() if feature.personal}
    return frozenset(named | ({spec.entity} if spec.entity_is_personal else set()))
