"""The build context as it is sent to an engine: one tar that depends on its content only."""

from __future__ import annotations

import tarfile
import tempfile
from pathlib import Path
from typing import IO

from flightworthy.image import ARTIFACT, BILL_OF_MATERIALS, DOCUMENTS, PACKAGES, PLACES, SERVER, BuildContext, pack

__all__ = ["write_sent_context"]


def write_sent_context(context: BuildContext, wheels: Path, archive: IO[bytes]) -> None:
    """Write what the Dockerfile of ``context`` asks for into ``archive``."""
    with tarfile.open(fileobj=archive, mode="w") as tar:
        with tempfile.TemporaryFile() as packages:
            pack(wheels, context.requirements.read_text(encoding="utf-8"), packages)
            entry = tarfile.TarInfo(f"{PACKAGES}.tar")
            entry.size = packages.tell()
            packages.seek(0)
            tar.addfile(entry, packages)
        _add(tar, context.folder / "Dockerfile", "Dockerfile")
        for name in (SERVER, ARTIFACT):
            _add_tree(tar, context.folder / name, name)
        _add_folder(tar, f"{DOCUMENTS}/{PLACES[DOCUMENTS]}")
        # The one document that is in the image too: provenance names the image's digest, which it cannot hold.
        if (document := context.documents / BILL_OF_MATERIALS).is_file():
            _add(tar, document, f"{DOCUMENTS}/{PLACES[DOCUMENTS]}/{document.name}")


def _add_tree(tar: tarfile.TarFile, folder: Path, name: str) -> None:
    """A folder where the Dockerfile copies it from: at its place in the image, below a folder of its own."""
    top = f"{name}/{PLACES[name]}"
    _add_folder(tar, top)
    for path in sorted(folder.rglob("*")):
        below = f"{top}/{path.relative_to(folder).as_posix()}"
        if path.is_dir():
            tar.addfile(_folder(below))
        else:
            _add(tar, path, below)


def _add_folder(tar: tarfile.TarFile, name: str) -> None:
    parts = name.split("/")
    for depth in range(1, len(parts) + 1):
        tar.addfile(_folder("/".join(parts[:depth])))


def _folder(name: str) -> tarfile.TarInfo:
    entry = tarfile.TarInfo(name)
    entry.type = tarfile.DIRTYPE
    entry.mode = 0o755
    return entry


def _add(tar: tarfile.TarFile, path: Path, name: str) -> None:
    entry = tarfile.TarInfo(name)
    entry.size = path.stat().st_size
    entry.mode = 0o644
    with path.open("rb") as file:
        tar.addfile(entry, file)
