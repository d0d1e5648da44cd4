"""A signature over a model's artifact: made once, when it is registered; asked for before it is packaged or started.

It lies beside the artifact and never in it, so that the artifact's digest does not depend on who signed it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from flightworthy.artifact import verify
from flightworthy.errors import ArtifactRefused

__all__ = ["SIGNATURE", "Signer", "Verifier", "check_signed"]

SIGNATURE = "model.sig"


class Signer(Protocol):
    """Signs with the key of whoever may register."""

    def sign(self, artifact: Path) -> bytes:
        """A signature over every file in the folder ``artifact``. Raises ReleaseRefused if the key cannot be used."""
        ...


class Verifier(Protocol):
    """Knows the keys that are trusted."""

    def verify(self, artifact: Path, signature: bytes) -> None:
        """Raise ArtifactRefused unless one of the keys signed exactly the files in the folder ``artifact``."""
        ...


def check_signed(verifier: Verifier | None, artifact: Path, signature: bytes | None, *, digest: str) -> None:
    """Raise ArtifactRefused unless ``artifact`` is what ``digest`` names and, where keys are trusted, is signed.

    Without a verifier nothing is known of keys, and the seal alone is held. With one, unsigned is refused.
    """
    verify(artifact, digest=digest)
    if verifier is None:
        return
    if signature is None:
        raise ArtifactRefused(
            f"{artifact} is not signed, and here only what is signed is served. Give the task `register` a signing key "
            "and register it again.",
            folder=str(artifact),
            why="is not signed",
        )
    verifier.verify(artifact, signature)
