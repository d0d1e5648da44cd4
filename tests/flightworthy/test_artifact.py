from __future__ import annotations

from pathlib import Path

import pytest

from flightworthy.artifact import MANIFEST, canonical, digest_of, seal, verify
from flightworthy.errors import ArtifactRefused


@pytest.fixture
def sealed(tmp_path: Path) -> Path:
    (tmp_path / "inner").mkdir()
    (tmp_path / "model.skops").write_bytes(b"weights")
    (tmp_path / "inner" / "more.json").write_text("{}")
    seal(tmp_path)
    return tmp_path


def refused(folder: Path, digest: str | None = None) -> ArtifactRefused:
    with pytest.raises(ArtifactRefused) as caught:
        verify(folder, digest=digest)
    return caught.value


def test_a_sealed_folder_verifies_to_the_digest_it_was_sealed_with(sealed: Path) -> None:
    """Sealing again, with the manifest already there, changes nothing."""
    digest = seal(sealed)
    assert verify(sealed) == verify(sealed, digest=digest) == seal(sealed) == digest


@pytest.mark.parametrize("name", ["model.skops", "inner/more.json"])
def test_a_flipped_byte_is_refused_and_names_the_file(sealed: Path, name: str) -> None:
    """Every file is known by its content, in whatever folder."""
    content = bytearray((sealed / name).read_bytes())
    content[0] ^= 1
    (sealed / name).write_bytes(content)
    error = refused(sealed)
    assert error.facts["file"] == name
    assert "sha256 differs" in str(error)


def test_an_added_file_is_refused_and_named(sealed: Path) -> None:
    """A file that nobody sealed might be loaded by somebody."""
    (sealed / "evil.py").write_text("print()")
    assert refused(sealed).facts["file"] == "evil.py"


def test_a_removed_file_is_refused_and_named(sealed: Path) -> None:
    """What is missing is named, not what is left."""
    (sealed / "inner" / "more.json").unlink()
    assert refused(sealed).facts["file"] == "inner/more.json"


def test_a_link_is_refused(sealed: Path, tmp_path: Path) -> None:
    """A link could point elsewhere by the time it is loaded."""
    (sealed / "model.skops").rename(tmp_path / "elsewhere")
    (sealed / "model.skops").symlink_to(tmp_path / "elsewhere")
    assert "symbolic link" in str(refused(sealed))


def test_another_artifact_is_refused_where_a_certain_one_is_expected(sealed: Path) -> None:
    """A folder that is whole but not the registered one does not pass."""
    assert "expected ffffffffffff" in str(refused(sealed, digest="f" * 64))


@pytest.mark.parametrize("manifest", [b"", b"[]", b"{}", b'{"files": {}}', b"\xff"])
def test_a_manifest_that_says_nothing_is_refused(sealed: Path, manifest: bytes) -> None:
    """An empty list of files is no proof."""
    (sealed / MANIFEST).write_bytes(manifest)
    assert refused(sealed).facts["file"] == MANIFEST


def test_a_folder_without_a_manifest_is_refused(tmp_path: Path) -> None:
    """Nothing was ever sealed there."""
    assert refused(tmp_path).facts["file"] == MANIFEST


def test_canonical_json_depends_on_content_only() -> None:
    """Order of keys and non-ASCII text make no difference; NaN is no JSON."""
    assert digest_of({"b": 1, "a": "é"}) == digest_of({"a": "é", "b": 1})
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical({"a": float("nan")})
