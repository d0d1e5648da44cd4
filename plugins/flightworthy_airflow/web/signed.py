"""Whether a delivery of MLflow's webhooks was signed by who shares our secret, and just now."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

__all__ = ["FRESH_FOR", "is_signed"]

FRESH_FOR: Final = timedelta(minutes=5)
"""How far a delivery's own time may lie from ours. One that is played again sooner finds its arrival noted already."""


def is_signed(headers: Mapping[str, str], body: bytes, *, secret: str, now: datetime) -> bool:
    """HMAC-SHA256 over delivery id, timestamp and body, as MLflow makes it (the form of Standard Webhooks)."""
    delivery, timestamp = headers.get("x-mlflow-delivery-id", ""), headers.get("x-mlflow-timestamp", "")
    version, _, given = headers.get("x-mlflow-signature", "").partition(",")
    if not secret or not delivery or version != "v1" or not _is_fresh(timestamp, now):
        return False
    signed = f"{delivery}.{timestamp}.".encode() + body
    expected = base64.b64encode(hmac.new(secret.encode(), signed, hashlib.sha256).digest())
    return hmac.compare_digest(expected, given.encode())


def _is_fresh(timestamp: str, now: datetime) -> bool:
    if not (timestamp.isascii() and timestamp.isdigit() and len(timestamp) <= 12):
        return False
    return abs(now.timestamp() - int(timestamp)) <= FRESH_FOR.total_seconds()
