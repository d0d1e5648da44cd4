"""Pseudonyms of what names a person: keyed, so that nobody without the key can tell or try out whom they stand for.

HMAC-SHA256 of the value's text, 32 hex digits of it. The same value has the same pseudonym wherever the key is the
same, so that drift, duplicates and a later label can still be found; another key breaks that link for good.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from flightworthy.errors import Refused

__all__ = ["KEY", "KEY_FILE", "pseudonym", "read_key"]

KEY: Final = "FLIGHTWORTHY_PSEUDONYM_KEY"
KEY_FILE: Final = "FLIGHTWORTHY_PSEUDONYM_KEY_FILE"
_SHORTEST: Final = 16


def read_key(environ: Mapping[str, str]) -> bytes | None:
    """The key, from the file that is named or from the environment itself; None where neither is. Raises Refused."""
    if path := environ.get(KEY_FILE):
        try:
            key = Path(path).read_bytes().strip()
        except OSError as error:
            raise Refused(
                f"The key of the pseudonyms cannot be read: {error}. Look at {KEY_FILE}.", path=path
            ) from None
    else:
        key = environ.get(KEY, "").encode()
        if not key:
            return None
    if len(key) < _SHORTEST:
        raise Refused(
            f"The key of the pseudonyms has {len(key)} bytes; fewer than {_SHORTEST} can be guessed. "
            "Draw one, for instance with `openssl rand -hex 32`.",
            bytes=len(key),
        )
    return key


def pseudonym(key: bytes, value: Any) -> str:
    """What stands for ``value``."""
    text = value if isinstance(value, str) else repr(value)
    return hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:32]
