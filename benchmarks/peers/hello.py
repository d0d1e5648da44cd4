"""The limit: the least that the server under ours can be asked to do. It reads nothing and says one row's answer."""

from typing import Any

_ANSWER = b'{"predictions":[0.5]}'
_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(_ANSWER))],
}
_BODY = {"type": "http.response.body", "body": _ANSWER}


async def app(scope: dict[str, Any], receive: Any, send: Any) -> None:  # noqa: ARG001 - ASGI passes three
    """Answer whatever was asked."""
    if scope["type"] == "http":
        await send(_START)
        await send(_BODY)
