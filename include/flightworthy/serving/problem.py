"""Every error that a client sees, as application/problem+json (RFC 9457): the field, a request id, never a trace."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
from starlette.responses import Response

__all__ = ["Problem"]

TITLES = {
    400: "The request could not be read",
    404: "There is nothing here",
    405: "This method is not allowed here",
    413: "The request is too large",
    415: "This content type is not understood",
    422: "The request does not keep the model's contract",
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

    def response(self, request_id: str) -> Response:
        """The answer that a client gets."""
        title = TITLES.get(self.status, "The request failed")
        body = {"type": "about:blank", "title": title, "status": self.status}
        body |= {"detail": self.detail[:LONGEST], "request_id": request_id}
        if self.field is not None:
            body |= {"errors": [{"field": self.field[:LONGEST], "message": self.detail[:LONGEST]}]}
        return Response(msgspec.json.encode(body), self.status, media_type="application/problem+json")
