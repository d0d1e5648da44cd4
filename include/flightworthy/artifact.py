"""A model artifact is a folder and a manifest that knows each file in it: sealed once, verified before every use."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from flightworthy.errors import ArtifactRefused

__all__ = [
    "CONTRACT",
    "GOLDEN",
    "MANIFEST",
    "MODEL",
    "REFERENCE",
    "canonical",
    "digest_of",
    "positive_column",
    "read_contract",
    "read_json",
    "seal",
    "verify",
]

MANIFEST = "manifest.json"
CONTRACT = "contract.json"
GOLDEN = "golden.json"
MODEL = "model.skops"
REFERENCE = "reference.parquet"

_BLOCK = 1 << 20


def canonical(value: Any) -> bytes:
    """JSON bytes that depend on the content only: sorted keys, no spaces, no NaN."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode()


def digest_of(value: Any) -> str:
    """sha256 of the canonical JSON of ``value``, in hex."""
    return hashlib.sha256(canonical(value)).hexdigest()


def seal(folder: Path) -> str:
    """Write the manifest of all files in ``folder`` and return the artifact digest. Sealing again is harmless."""
    manifest = {"files": {name: _sha256(folder / name) for name in _names(folder)}}
    (folder / MANIFEST).write_bytes(canonical(manifest))
    return digest_of(manifest)


def verify(folder: Path, *, digest: str | None = None) -> str:
    """Return the artifact digest if every file is what the manifest says, and none is missing or added.

    ``digest``: the artifact digest that is expected, for instance the one written in the registry.
    Raises ArtifactRefused, which names the first offending file; nothing in the folder is executed or changed.
    """
    manifest = read_json(folder / MANIFEST)
    files = manifest.get("files")
    if not isinstance(files, dict) or not files:
        raise _refusal(folder, MANIFEST, "lists no files")
    found = digest_of(manifest)
    if digest is not None and found != digest:
        raise _refusal(folder, MANIFEST, f"has digest {found[:12]}, expected {digest[:12]}")
    present = set(_names(folder))
    for name in sorted(present - set(files)):
        raise _refusal(folder, name, "is not in the manifest: it was added after the artifact was sealed")
    for name, expected in sorted(files.items()):
        if name not in present:
            raise _refusal(folder, name, "is in the manifest but not in the folder: it was removed")
        if _sha256(folder / name) != expected:
            raise _refusal(folder, name, "is not the file that was sealed: its sha256 differs")
    return found


def read_json(path: Path) -> Mapping[str, Any]:
    """One of the artifact's JSON files, which must hold an object. Raises ArtifactRefused."""
    try:
        value = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise _refusal(path.parent, path.name, "does not exist") from None
    except ValueError as error:
        raise _refusal(path.parent, path.name, f"is not JSON ({error})") from error
    if not isinstance(value, dict):
        raise _refusal(path.parent, path.name, "holds no JSON object")
    return value


def read_contract(folder: Path) -> Mapping[str, Any]:
    """The artifact's contract. Raises ArtifactRefused where it names no features."""
    contract = read_json(folder / CONTRACT)
    if not isinstance(contract.get("features"), list) or not contract["features"]:
        raise _refusal(folder, CONTRACT, "names no features")
    return contract


def positive_column(folder: Path, contract: Mapping[str, Any]) -> int:
    """Which of the model's two classes is the one whose probability is answered. Raises ArtifactRefused."""
    output = contract.get("output")
    classes = output.get("classes") if isinstance(output, Mapping) else None
    if not isinstance(output, Mapping) or not isinstance(classes, list) or output.get("positive") not in classes:
        raise _refusal(folder, CONTRACT, "does not say which of the model's classes is the positive one")
    return classes.index(output["positive"])


def _names(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        # A link could point at another file by the time the model is loaded.
        if path.is_symlink():
            raise _refusal(folder, name, "is a symbolic link")
        if path.is_file() and name != MANIFEST:
            yield name


def _sha256(path: Path) -> str:
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def _refusal(folder: Path, name: str, why: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"{folder}: {name} {why}. Nothing was loaded; fetch the artifact from the registry again, "
        "or train and register a new version.",
        folder=str(folder),
        file=name,
        why=why,
    )
