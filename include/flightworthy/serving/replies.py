"""What goes back to a client: a status, a body, its type, and headers besides those of every answer."""

from __future__ import annotations

import msgspec

from flightworthy.serving.problem import Problem

__all__ = ["ARROW", "BINARY", "JSON", "Reply", "refusal"]

JSON = b"application/json"
BINARY = b"application/octet-stream"
ARROW = b"application/vnd.apache.arrow.stream"
_PROBLEM = b"application/problem+json"

Headers = tuple[tuple[bytes, bytes], ...]


class Reply(msgspec.Struct, frozen=True):
    """One answer, ready to be sent."""

    status: int
    body: bytes
    content_type: bytes = JSON
    headers: Headers = ()


def refusal(problem: Problem, request_id: str) -> Reply:
    """A problem as an answer. After a body that was not read to its end the connection is of no more use."""
    headers: Headers = ((b"connection", b"close"),) if problem.status in {408, 413} else ()
    return Reply(problem.status, problem.content(request_id), _PROBLEM, headers)
