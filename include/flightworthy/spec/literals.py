"""What one scalar of model.yaml means: YAML 1.2's core schema, environment variables, and what looks like a secret."""

from __future__ import annotations

import re
from collections.abc import Mapping

from flightworthy.secrecy import holds_secret, names_a_secret

__all__ = ["looks_secret", "meaning", "names_a_secret", "substitute"]

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INTEGER = re.compile(r"[-+]?[0-9]{1,100}")
_OCTAL_OR_HEX = re.compile(r"0o[0-7]{1,30}|0x[0-9a-fA-F]{1,30}")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_SPECIAL = re.compile(r"(?P<sign>[-+]?)\.(?P<name>inf|Inf|INF)|\.(?:nan|NaN|NAN)")


def meaning(text: str) -> bool | int | float | str | None:
    """Resolve an unquoted scalar. ``yes``, ``no`` and ``on`` are text; ``1e3`` is a number; dates stay text."""
    if text in _NULL:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _OCTAL_OR_HEX.fullmatch(text):
        return int(text, 0)
    if _FLOAT.fullmatch(text):
        return float(text)
    if found := _SPECIAL.fullmatch(text):
        return float(f"{found['sign'] or ''}inf" if found["name"] else "nan")
    return text


_REFERENCE = re.compile(r"\$\{(?P<name>[A-Za-z_][A-Za-z0-9_]*)(?P<default>:-[^{}]*)?\}")


def substitute(text: str, environ: Mapping[str, str]) -> str:
    """Replace ``${NAME}`` and ``${NAME:-default}``; as in a shell, an empty variable counts as unset.

    Raises ``ValueError`` with a sentence that names every variable that is not set, or the malformed reference.
    """
    if "${" not in text:
        return text
    missing: list[str] = []

    def value(found: re.Match[str]) -> str:
        default = found["default"]
        known = environ.get(found["name"]) or (default[2:] if default is not None else None)
        if known is None:
            missing.append(found["name"])
        return known or ""

    replaced = _REFERENCE.sub(value, text)
    if missing:
        names = ", ".join(dict.fromkeys(missing))
        raise ValueError(f"environment variable {names} is not set; set it, or give a default: ${{{missing[0]}:-…}}")
    if "${" in _REFERENCE.sub("", text):
        raise ValueError("has a malformed reference; write ${NAME} or ${NAME:-default}")
    return replaced


_ONLY_REFERENCES = re.compile(r"(?:\$\{[A-Za-z_][A-Za-z0-9_.-]*(?::-)?\})*")


def looks_secret(text: str, *, key: str) -> bool:
    """Judge a value before its references are replaced: ``${NAME}`` is how a secret is meant to be written."""
    if text in _NULL or _ONLY_REFERENCES.fullmatch(text):
        return False
    return names_a_secret(key) or holds_secret(text)
