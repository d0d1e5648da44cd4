"""What is looked at before a server is started, each time: that its model is the one that was registered and signed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from flightworthy.release import Release
from flightworthy.signing import SIGNATURE, check_signed

Vet = Callable[[Release], None]


def vetting(keys: Sequence[Path]) -> Vet:
    """What raises ArtifactRefused for a release whose artifact none of ``keys`` signed as it lies there.

    Without keys it looks at nothing: the server holds the artifact against the release's digest itself.
    """

    def vet(release: Release) -> None:
        if not keys:
            return
        from flightworthy.adapters.model_signatures import KeyVerifier

        folder = Path(release.artifact_uri)
        signature = folder / "documents" / SIGNATURE
        check_signed(
            KeyVerifier(public_keys=keys),
            folder / "model",
            signature.read_bytes() if signature.is_file() else None,
            digest=release.artifact_digest,
        )

    return vet
