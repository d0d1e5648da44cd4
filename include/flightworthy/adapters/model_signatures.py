"""Signatures as OpenSSF's model signing makes and verifies them, with elliptic curve keys from PEM files.

Importing it takes a third of a second, so whoever does not sign or verify does not import this module.
"""

from __future__ import annotations

import stat
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from model_signing import hashing, signing, verifying

from flightworthy.errors import ArtifactRefused, ReleaseRefused

__all__ = ["KeySigner", "KeyVerifier", "new_key_pair"]

_OTHER_KEY = "Key mismatch"
"""How the library begins to say that a signature was made with another key than the one at hand."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeySigner:
    """Implements ``signing.Signer`` with a private key that nobody else on the machine can read."""

    private_key: Path

    def sign(self, artifact: Path) -> bytes:
        """See ``signing.Signer``. Two signatures of the same files differ, and both hold."""
        try:
            if self.private_key.stat().st_mode & stat.S_IRWXO:
                raise _unusable(self.private_key, "everybody on this machine may read it; take that right away")
            config = signing.Config().use_elliptic_key_signer(private_key=self.private_key)
        except (OSError, ValueError, TypeError) as error:
            raise _unusable(self.private_key, str(error)) from error
        config.set_hashing_config(_every_file())
        with tempfile.TemporaryDirectory(prefix="flightworthy-signature-") as scratch:
            path = Path(scratch) / "signature"
            config.sign(artifact, path)
            return path.read_bytes()


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyVerifier:
    """Implements ``signing.Verifier`` with public keys, of which any one will do: while keys change there are two."""

    public_keys: Sequence[Path]

    def verify(self, artifact: Path, signature: bytes) -> None:
        """See ``signing.Verifier``. The refusal names what was changed, added or removed since it was signed."""
        with tempfile.TemporaryDirectory(prefix="flightworthy-signature-") as scratch:
            path = Path(scratch) / "signature"
            path.write_bytes(signature)
            for key in self.public_keys:
                why = _objection(key, artifact, path)
                if why is None:
                    return
                if not why.startswith(_OTHER_KEY):
                    raise _refusal(artifact, why)
        trusted = ", ".join(str(key) for key in self.public_keys)
        raise _refusal(artifact, f"it is signed with another key than those that are trusted here: {trusted}")


def new_key_pair() -> tuple[bytes, bytes]:
    """A private key and its public key, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    pem = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return private, key.public_key().public_bytes(pem, serialization.PublicFormat.SubjectPublicKeyInfo)


def _objection(key: Path, artifact: Path, signature: Path) -> str | None:
    """Why the signature does not hold with this key, or None."""
    try:
        config = verifying.Config().use_elliptic_key_verifier(public_key=key)
    except (OSError, ValueError, TypeError) as error:
        raise _unusable(key, str(error)) from error
    config.set_hashing_config(_every_file())
    try:
        config.verify(artifact, signature)
    except InvalidSignature:
        return "the signature itself was changed, or was made by other means"
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return str(error).strip() or f"it cannot be read ({type(error).__name__})"
    return None


def _every_file() -> hashing.Config:
    """The library leaves Git's own files out if it is let; then one could be added to a signed model."""
    return hashing.Config().set_ignored_paths(paths=[], ignore_git_paths=False)


def _refusal(artifact: Path, why: str) -> ArtifactRefused:
    return ArtifactRefused(
        f"{artifact}: its signature does not hold: {why}. Nothing was started; register the version again, or find out "
        "who changed it.",
        folder=str(artifact),
        why=why,
    )


def _unusable(key: Path, why: str) -> ReleaseRefused:
    return ReleaseRefused(
        f"The key {key} cannot be used: {why}. It has to be a PEM file of an elliptic curve key (P-256, P-384 or "
        "P-521); docs/operations says how one is made.",
        key=str(key),
        why=why,
    )
