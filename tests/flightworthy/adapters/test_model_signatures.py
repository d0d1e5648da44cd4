"""Real signatures over real files: what holds, and what is refused by name."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from flightworthy.adapters.model_signatures import KeySigner, KeyVerifier, new_key_pair
from flightworthy.artifact import MANIFEST, seal
from flightworthy.errors import ArtifactRefused, ReleaseRefused
from flightworthy.signing import check_signed


def write_keys(folder: Path, name: str = "ours") -> tuple[Path, Path]:
    private, public = folder / f"{name}.pem", folder / f"{name}.pub"
    for path, content in zip((private, public), new_key_pair(), strict=True):
        path.write_bytes(content)
        path.chmod(0o600)
    return private, public


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "model.skops").write_bytes(b"weights")
    (folder / "golden.json").write_text("{}")
    seal(folder)
    return folder


@pytest.fixture
def keys(tmp_path: Path) -> tuple[Path, Path]:
    return write_keys(tmp_path)


@pytest.fixture
def signature(artifact: Path, keys: tuple[Path, Path]) -> bytes:
    return KeySigner(private_key=keys[0]).sign(artifact)


@pytest.fixture
def verifier(keys: tuple[Path, Path]) -> KeyVerifier:
    return KeyVerifier(public_keys=(keys[1],))


def test_a_signature_holds_wherever_the_artifact_is(
    artifact: Path, signature: bytes, verifier: KeyVerifier, tmp_path: Path
) -> None:
    """And signing leaves the artifact, hence its digest, as it was."""
    digest = seal(artifact)
    copy = Path(shutil.copytree(artifact, tmp_path / "elsewhere" / "copied"))
    verifier.verify(artifact, signature)
    check_signed(verifier, copy, signature, digest=digest)
    assert {path.name for path in artifact.iterdir()} == {"model.skops", "golden.json", MANIFEST}


def flip(folder: Path) -> None:
    content = bytearray((folder / "model.skops").read_bytes())
    content[3] ^= 1
    (folder / "model.skops").write_bytes(content)


DAMAGE = {
    "flipped": (flip, "Hash mismatch for 'model.skops'"),
    "added": (lambda folder: (folder / "model.pkl").write_bytes(b"x"), r"Extra files found .*model\.pkl"),
    "added where Git keeps its own": (lambda folder: (folder / ".gitignore").write_text("x"), r"Extra .*\.gitignore"),
    "removed": (lambda folder: (folder / "golden.json").unlink(), r"Missing files .*golden\.json"),
}


@pytest.mark.parametrize("how", DAMAGE)
def test_what_was_changed_since_is_refused_by_name_though_it_was_sealed_again(
    how: str, artifact: Path, signature: bytes, verifier: KeyVerifier
) -> None:
    """Whoever can write the files can write a manifest that fits them; the signature he cannot."""
    damage, named = DAMAGE[how]
    damage(artifact)
    digest = seal(artifact)
    with pytest.raises(ArtifactRefused, match=f"(?s)its signature does not hold: .*{named}"):
        check_signed(verifier, artifact, signature, digest=digest)


def test_another_key_is_refused_and_the_trusted_ones_are_named(
    artifact: Path, signature: bytes, tmp_path: Path, verifier: KeyVerifier
) -> None:
    """In both directions: their signature under our key, ours under theirs."""
    private, public = write_keys(tmp_path, "theirs")
    with pytest.raises(ArtifactRefused, match=r"another key than those that are trusted here: .*theirs\.pub"):
        KeyVerifier(public_keys=(public,)).verify(artifact, signature)
    with pytest.raises(ArtifactRefused, match=r"another key .*ours\.pub"):
        verifier.verify(artifact, KeySigner(private_key=private).sign(artifact))


def test_while_keys_change_either_will_do(artifact: Path, signature: bytes, tmp_path: Path, keys: object) -> None:
    """The new public key before the old one; a change of files is refused all the same."""
    _, public = write_keys(tmp_path, "new")
    both = KeyVerifier(public_keys=(public, tmp_path / "ours.pub"))
    both.verify(artifact, signature)
    flip(artifact)
    with pytest.raises(ArtifactRefused, match=r"Hash mismatch for 'model\.skops'"):
        both.verify(artifact, signature)


@pytest.mark.parametrize("field", ["payload", "sig", "all"])
def test_a_signature_that_was_tampered_with_does_not_hold(
    field: str, artifact: Path, signature: bytes, verifier: KeyVerifier
) -> None:
    """Its statement, its number, or the whole of it replaced by something else."""
    bundle = json.loads(signature)
    envelope = bundle["dsseEnvelope"]
    if field == "payload":
        envelope["payload"] = envelope["payload"][:-8] + "AAAAAAA="
    elif field == "sig":
        (entry,) = envelope["signatures"]
        entry["sig"] = "AAAA" + entry["sig"][4:]
    broken = b"{}" if field == "all" else json.dumps(bundle).encode()
    with pytest.raises(ArtifactRefused, match="its signature does not hold"):
        verifier.verify(artifact, broken)


def test_unsigned_is_refused_where_a_key_is_trusted_and_only_there(artifact: Path, verifier: KeyVerifier) -> None:
    """Without keys the seal alone is held; it is held in any case."""
    digest = seal(artifact)
    check_signed(None, artifact, None, digest=digest)
    with pytest.raises(ArtifactRefused, match="is not signed"):
        check_signed(verifier, artifact, None, digest=digest)
    flip(artifact)
    with pytest.raises(ArtifactRefused, match=r"model\.skops is not the file that was sealed"):
        check_signed(None, artifact, None, digest=digest)


def test_a_key_that_cannot_be_used_says_which_and_why(artifact: Path, signature: bytes, tmp_path: Path) -> None:
    """Absent, no key at all, or for everybody to read."""
    private, public = write_keys(tmp_path, "open")
    private.chmod(0o644)
    with pytest.raises(ReleaseRefused, match=r"open\.pem cannot be used: everybody"):
        KeySigner(private_key=private).sign(artifact)
    with pytest.raises(ReleaseRefused, match=r"absent\.pem cannot be used"):
        KeySigner(private_key=tmp_path / "absent.pem").sign(artifact)
    public.write_text("no key")
    with pytest.raises(ReleaseRefused, match=r"open\.pub cannot be used"):
        KeyVerifier(public_keys=(public,)).verify(artifact, signature)
