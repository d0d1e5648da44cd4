"""The build context of a model version, file by file: what its image is built from and what a process serves.

A build context is a folder that depends on its inputs only, so that the same inputs make the same folder::

    Dockerfile          dependencies, then server, then model: the order that caches
    requirements.txt    the locked packages of the server, with their hashes
    server/flightworthy/…   the modules that the server reaches, and no others
    model/              the sealed model artifact
    context.json        labels and digest; written last, so a folder that has it is whole
    documents/          what was written about the above later: signature, bill of materials, provenance

The process target starts ``python -m flightworthy.serving --artifact model/`` from the same folder.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from flightworthy.artifact import MANIFEST, canonical, digest_of
from flightworthy.errors import ArtifactRefused
from flightworthy.image.reach import server_modules
from flightworthy.image.recipe import ARTIFACT, BASE_IMAGE, CONTEXT, DOCUMENTS, REQUIREMENTS, SERVER, dockerfile
from flightworthy.runtime import choice_in

__all__ = ["BuildContext", "Origin", "keep_document", "lay_out", "read_context"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where an image's content comes from; each fact becomes a label of the image."""

    model: str
    version: str
    release: str
    artifact_digest: str
    dataset_digest: str
    code_commit: str
    lock_digest: str

    def labels(self) -> dict[str, str]:
        """OCI labels where there is a standard one, ours for the rest."""
        return {
            "org.opencontainers.image.title": self.model,
            "org.opencontainers.image.version": self.version,
            "org.opencontainers.image.revision": self.code_commit,
            "org.opencontainers.image.base.name": BASE_IMAGE,
            "io.flightworthy.model": self.model,
            "io.flightworthy.version": self.version,
            "io.flightworthy.release": self.release,
            "io.flightworthy.artifact-digest": self.artifact_digest,
            "io.flightworthy.dataset-digest": self.dataset_digest,
            "io.flightworthy.lock-digest": self.lock_digest,
        }

    @classmethod
    def of_labels(cls, labels: Mapping[str, str]) -> Self:
        """What ``labels`` made."""
        return cls(
            model=labels["io.flightworthy.model"],
            version=labels["io.flightworthy.version"],
            release=labels["io.flightworthy.release"],
            artifact_digest=labels["io.flightworthy.artifact-digest"],
            dataset_digest=labels["io.flightworthy.dataset-digest"],
            code_commit=labels["org.opencontainers.image.revision"],
            lock_digest=labels["io.flightworthy.lock-digest"],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildContext:
    """A whole build context on disk. ``digest`` names its content, labels included, packages by their hashes."""

    folder: Path
    digest: str
    labels: Mapping[str, str]

    @property
    def origin(self) -> Origin:
        """Where its content comes from."""
        return Origin.of_labels(self.labels)

    @property
    def artifact(self) -> Path:
        """The model artifact that is in it."""
        return self.folder / ARTIFACT

    @property
    def documents(self) -> Path:
        """What is told about it, and is no part of it."""
        return self.folder / DOCUMENTS

    @property
    def requirements(self) -> Path:
        """The locked packages that the image installs."""
        return self.folder / REQUIREMENTS

    @property
    def tag(self) -> str:
        """A name for people; nothing is looked up by it."""
        return f"flightworthy/{self.labels['io.flightworthy.model']}:{self.labels['io.flightworthy.version']}"


def lay_out(
    folder: Path, *, artifact: Path, requirements: str, origin: Origin, package: Path | None = None
) -> BuildContext:
    """Write the build context into ``folder`` and return it. The same inputs leave a whole context as it is.

    ``artifact``: the sealed model artifact. ``requirements``: the lock's lines for the server. ``package``: the
    ``flightworthy`` package to take the server from, this one by default.
    """
    package = package or Path(__file__).parent.parent
    if not (artifact / MANIFEST).is_file():
        raise ArtifactRefused(
            f"{artifact} is not a sealed artifact: it has no {MANIFEST}. Register the version first.",
            folder=str(artifact),
        )
    work = folder.with_name(folder.name + ".part")
    shutil.rmtree(work, ignore_errors=True)
    shutil.copytree(artifact, work / ARTIFACT)
    for module in server_modules(package, choice_in(artifact).runtime):
        target = work / SERVER / package.name / module
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(package / module, target)
    (work / REQUIREMENTS).write_text(requirements, encoding="utf-8")
    text = dockerfile(model=origin.model, version=origin.version, labels=origin.labels())
    (work / "Dockerfile").write_text(text, encoding="utf-8")
    described = {"labels": origin.labels(), "files": {name: _sha256(work / name) for name in _names(work)}}
    digest = digest_of(described)
    (work / CONTEXT).write_bytes(canonical({**described, "digest": digest}))
    _settle(work)
    return _place(work, folder, digest)


def read_context(folder: Path) -> BuildContext:
    """The whole build context in ``folder``. Raises ArtifactRefused when there is none or a file of it changed."""
    try:
        described = json.loads((folder / CONTEXT).read_bytes())
    except (OSError, ValueError) as error:
        raise ArtifactRefused(
            f"{folder} is not a whole build context ({error}). Run containerize again.", folder=str(folder)
        ) from error
    files = {name: _sha256(folder / name) for name in _names(folder)}
    if digest_of({"labels": described["labels"], "files": files}) != described["digest"]:
        changed = sorted(
            name for name in files.keys() | described["files"].keys() if files.get(name) != described["files"].get(name)
        )
        raise ArtifactRefused(
            f"{folder} was changed after it was written: {', '.join(changed)}. Run containerize again.",
            folder=str(folder),
            files=changed,
        )
    return BuildContext(folder=folder, digest=described["digest"], labels=described["labels"])


def keep_document(context: BuildContext, name: str, content: bytes) -> None:
    """Write a document about the context beside it, whole or not at all; one of that name is replaced."""
    context.documents.mkdir(exist_ok=True)
    part = context.documents / f".{name}.part"
    part.write_bytes(content)
    part.chmod(0o644)
    part.replace(context.documents / name)


def _place(work: Path, folder: Path, digest: str) -> BuildContext:
    try:
        there = read_context(folder)
    except ArtifactRefused:
        there = None
    if there is not None and there.digest == digest:
        shutil.rmtree(work)
        return there
    shutil.rmtree(folder, ignore_errors=True)
    work.replace(folder)
    return read_context(folder)


def _names(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and name != CONTEXT and not name.startswith(f"{DOCUMENTS}/"):
            yield name


def _settle(folder: Path) -> None:
    """The same times and modes whenever and by whomever it was written; the server's user may read all of it."""
    for path in [folder, *folder.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)
        os.utime(path, (0, 0))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
