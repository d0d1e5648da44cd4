"""Pseudonyms of what names a person: keyed, so that nobody without the key can tell or try out whom they stand for.

32 hex digits: 24 of the HMAC-SHA256 of the value's text, and 8 of the HMAC of those 24, by which whoever holds the key
knows a pseudonym from any other text. So a pseudonym of a pseudonym is itself, and rows may be treated twice. The same
value has the same pseudonym wherever the key is the same: in partitions, in requests, in the prediction log and in the
list of the erased. Another key breaks that link for good.
"""

from __future__ import annotations

import hmac
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from flightworthy.errors import Refused

__all__ = ["KEY", "KEY_FILE", "Keys", "fingerprint", "pseudonym", "read_keys", "text_of"]

KEY: Final = "FLIGHTWORTHY_PSEUDONYM_KEY"
KEY_FILE: Final = "FLIGHTWORTHY_PSEUDONYM_KEY_FILE"
_SHORTEST: Final = 16
_BODY: Final = 24
_FORM: Final = re.compile(r"[0-9a-f]{32}")
_CHECK: Final = b"flightworthy pseudonym:"
_FINGERPRINT: Final = b"flightworthy key"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The key that pseudonyms are made with, and former ones, by which the erased are still known."""

    current: bytes = field(repr=False)
    former: tuple[bytes, ...] = field(default=(), repr=False)

    @property
    def known(self) -> dict[str, bytes]:
        """All of them by their fingerprint."""
        return {fingerprint(key): key for key in (self.current, *self.former)}


def read_keys(environ: Mapping[str, str]) -> Keys | None:
    """The keys, from the files that are named or from the environment itself; None where neither is. Raises Refused.

    Several files are written like a search path: the first is the current key, the others are former ones.
    """
    if paths := environ.get(KEY_FILE):
        keys = [_checked(_content(path)) for path in paths.split(os.pathsep) if path]
    elif key := environ.get(KEY):
        keys = [_checked(key.encode())]
    else:
        return None
    return Keys(current=keys[0], former=tuple(keys[1:]))


def pseudonym(key: bytes, value: Any) -> str:
    """What stands for ``value``; a pseudonym that was made with this key stands for itself."""
    text = text_of(value)
    if _FORM.fullmatch(text) and _check(key, text[:_BODY]) == text[_BODY:]:
        return text
    body = hmac.digest(key, text.encode("utf-8", "surrogatepass"), "sha256").hex()[:_BODY]
    return body + _check(key, body)


def text_of(value: Any) -> str:
    """A value as text, the same for ``7``, ``7.0`` and ``"7"``: a file and a request write a number differently."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def fingerprint(key: bytes) -> str:
    """By which a key is told from another one, and from which it cannot be had."""
    return hmac.digest(key, _FINGERPRINT, "sha256").hex()[:12]


def _check(key: bytes, body: str) -> str:
    return hmac.digest(key, _CHECK + body.encode(), "sha256").hex()[: 32 - _BODY]


def _content(path: str) -> bytes:
    try:
        return Path(path).read_bytes().strip()
    except OSError as error:
        raise Refused(f"The key of the pseudonyms cannot be read: {error}. Look at {KEY_FILE}.", path=path) from None


def _checked(key: bytes) -> bytes:
    if len(key) < _SHORTEST:
        raise Refused(
            f"The key of the pseudonyms has {len(key)} bytes; fewer than {_SHORTEST} can be guessed. "
            "Draw one, for instance with `openssl rand -hex 32`.",
            bytes=len(key),
        )
    return key
