"""What looks like a secret: refused in files that are shared, masked in texts that are kept for ever."""

from __future__ import annotations

import functools
import itertools
import re

__all__ = ["holds_secret", "masked", "names_a_secret"]

_SECRET_WORDS = frozenset({"password", "passwd", "passphrase", "pwd", "secret", "token", "credential", "credentials"})
_SECRET_PAIRS = frozenset({"api_key", "access_key", "private_key", "account_key", "auth_key", "sas_token"})
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_SECRETS = re.compile(
    r"""
    [a-z][a-z0-9+.-]*://[^/\s:@]*:(?!\$\{)[^/\s@]+@     # a URL with a password
    | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b                     # AWS
    | \bAIza[0-9A-Za-z_-]{35}\b                         # Google
    | \bgh[pousr]_[0-9A-Za-z]{30,}                      # GitHub
    | \bxox[abprs]-[0-9A-Za-z-]{10,}                    # Slack
    | \beyJ[0-9A-Za-z_-]{10,}\.eyJ[0-9A-Za-z_-]{10,}\.  # a JSON web token
    | -----BEGIN[ ](?:[A-Z]+[ ])*PRIVATE[ ]KEY-----
    | [?&](?:password|secret|token|sig|api_key|access_key)=(?!\$\{)[^&\s]+
    """,
    re.VERBOSE,
)
_SAID = re.compile(
    r"(?i)\b(?:password|passwd|passphrase|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key)"
    r"(?:\s*=\s*|:(?=\S)|(?<=password): )(?!\$\{)[^\s,;]{3,}"
)
"""As people and programs write one into a sentence: ``password=…``, ``token:…``, ``password: …``."""

_MASK = "[masked]"


@functools.lru_cache(maxsize=1024)  # the same few keys in every model
def names_a_secret(key: str) -> bool:
    """Tell ``db_password``, ``apiKey`` or ``AWS_SECRET`` from ``max_tokens`` and ``tokenizer``."""
    words = [word.lower() for word in _WORD.findall(key)]
    return bool(_SECRET_WORDS.intersection(words)) or any(
        "_".join(pair) in _SECRET_PAIRS for pair in itertools.pairwise(words)
    )


def holds_secret(text: str) -> bool:
    """Tell whether a text holds something in the form of a known secret; references (``${NAME}``) are none."""
    return _SECRETS.search(text) is not None


def masked(text: str) -> str:
    """Return the text without what looks like a secret; the same text where nothing does."""
    return _SAID.sub(_MASK, _SECRETS.sub(_MASK, text))
