"""What the files of an artifact say, whatever differs between two writings of the same model.

skops packs a model into a zip that carries the time of day, and names its parts by addresses in memory. Both are no
content: parts are renamed by their order in the schema, and times left out.
"""

from __future__ import annotations

import hashlib
import re
import zipfile
from pathlib import Path

__all__ = ["content_of"]

_OF_THE_RUN = frozenset({"MLmodel", "manifest.json", "requirements.txt"})
"""Written when a run is recorded: they name the run, or the other files' digests."""

_ADDRESS = re.compile(rb"(?<![0-9.])[0-9]{9,}(?![0-9])")


def content_of(folder: Path) -> dict[str, tuple[str, str]]:
    """Of every file that training writes, by its name: the sha256 of its bytes and that of its content."""
    return {
        name: (hashlib.sha256(path.read_bytes()).hexdigest(), _content(path))
        for path in sorted(folder.rglob("*"))
        if path.is_file() and (name := path.relative_to(folder).as_posix()) not in _OF_THE_RUN
    }


def _content(path: Path) -> str:
    digest = hashlib.sha256()
    if not zipfile.is_zipfile(path):
        digest.update(path.read_bytes())
        return digest.hexdigest()
    with zipfile.ZipFile(path) as packed:
        parts = {name: packed.read(name) for name in packed.namelist()}
    order: dict[bytes, bytes] = {}

    def renamed(found: re.Match[bytes]) -> bytes:
        return order.setdefault(found[0], b"#%d" % len(order))

    if (schema := parts.pop("schema.json", None)) is not None:
        digest.update(_ADDRESS.sub(renamed, schema))
    for name, part in sorted((_ADDRESS.sub(renamed, name.encode()), part) for name, part in parts.items()):
        digest.update(b"\0%s\0%d\0" % (name, len(part)) + part)
    return digest.hexdigest()
