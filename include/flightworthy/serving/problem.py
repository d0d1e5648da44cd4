"""Every error that a client sees, as application/problem+json (RFC 9457): the field, a request id, never a trace."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec

__all__ = ["Problem"]

TITLES = {
    400: "The request could not be read",
    404: "There is nothing here",
    405: "This method is not allowed here",
    408: "The request took too long to arrive",
    413: "The request is too large",
    415: "This content type is not understood",
    422: "The request does not keep the model's contract",
    431: "The request's head is too large",
    500: "The model failed",
    503: "The model is not ready",
}
LONGEST = 300
"""Characters of a detail: it may quote the client's own value, however long that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """Why a request was refused. ``field`` is the path of the offending value, for instance instances[0].age."""

    status: int
    detail: str
    field: str | None = None

    def content(self, request_id: str) -> bytes:
        """The body that a client gets. ``error`` is where clients of the Open Inference Protocol look."""
        detail = self.detail[:LONGEST]
        title = TITLES.get(self.status, "The request failed")
        body: dict[str, Any] = {"type": "about:blank", "title": title, "status": self.status, "detail": detail}
        body |= {"request_id": request_id, "error": detail}
        if self.field is not None:
            body["errors"] = [{"field": self.field[:LONGEST], "message": detail}]
        return msgspec.json.encode(body)
