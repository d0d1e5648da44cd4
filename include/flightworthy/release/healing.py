"""What the deployer put right without a decision: the world had left what the rows say, and was brought back."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

HealingKind = Literal["server", "split", "router", "alias"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Healing:
    """One thing put right. ``model`` is None where it was what all models share: the router."""

    model: str | None
    at: datetime
    kind: HealingKind
    what: str
