"""What is looked at before each start, on real signatures; and that a deployer starts nothing that fails it."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from drill.rig import Rig
from flightworthy.adapters.model_signatures import KeySigner, new_key_pair
from flightworthy.artifact import seal
from flightworthy.deployer.vetting import vetting
from flightworthy.errors import ArtifactRefused


def write_keys(folder):
    folder.mkdir()
    for name, content in zip(("signing.pem", "verifying.pem"), new_key_pair(), strict=True):
        (folder / name).write_bytes(content)
        (folder / name).chmod(0o600)
    return folder / "signing.pem", folder / "verifying.pem"


@pytest.fixture
def keys(tmp_path):
    return write_keys(tmp_path / "keys")


def signed(rig, version, private):
    """A release as containerize leaves it: sealed, signed, the signature beside it."""
    release = rig.release(version)
    folder = Path(release.artifact_uri)
    digest = seal(folder / "model")
    (folder / "documents").mkdir()
    (folder / "documents" / "model.sig").write_bytes(KeySigner(private_key=private).sign(folder / "model"))
    return replace(release, artifact_digest=digest)


def tamper(release, how):
    model = Path(release.artifact_uri) / "model"
    if how == "flipped":
        behaviour = json.loads((model / "behaviour.json").read_text())
        (model / "behaviour.json").write_text(json.dumps({**behaviour, "prediction": 0.25}))
    elif how == "added":
        (model / "model.pkl").write_bytes(b"x")
    else:
        (model / "golden.json").unlink()


NAMED = {"flipped": "behaviour.json", "added": "model.pkl", "removed": "golden.json"}


@pytest.mark.parametrize("how", NAMED)
@pytest.mark.parametrize("sealed_again", [False, True])
def test_an_artifact_that_was_changed_after_it_was_packaged_is_refused_by_name(tmp_path, keys, how, sealed_again):
    """Also by one who writes a manifest that fits, and a release that names it: he cannot sign."""
    rig = Rig(tmp_path)
    release = signed(rig, 1, keys[0])
    vetting([keys[1]])(release)
    tamper(release, how)
    if sealed_again:
        release = replace(release, artifact_digest=seal(Path(release.artifact_uri) / "model"))
    with pytest.raises(ArtifactRefused, match=f"(?s){NAMED[how]}"):
        vetting([keys[1]])(release)
    rig.store.close()


def test_unsigned_and_signed_with_another_key_are_refused(tmp_path, keys):
    """Where a key is trusted; without any key the server itself holds the seal."""
    rig = Rig(tmp_path)
    release = signed(rig, 1, keys[0])
    _, other = write_keys(tmp_path / "others")
    with pytest.raises(ArtifactRefused, match=r"another key .*others"):
        vetting([other])(release)
    shutil.rmtree(Path(release.artifact_uri) / "documents")
    with pytest.raises(ArtifactRefused, match="is not signed"):
        vetting([keys[1]])(release)
    vetting([])(release)
    rig.store.close()


@pytest.mark.slow
def test_a_deployer_starts_what_is_signed_and_withdraws_what_is_not(tmp_path, keys):
    """The reason names the file, at once and not at the deadline; the champion serves on."""
    rig = Rig(tmp_path, verifying_keys=(keys[1],))
    rig.start_deployer()
    try:
        first = signed(rig, 1, keys[0])
        rig.promote(first)
        second = signed(rig, 2, keys[0])
        tamper(second, "added")
        rig.propose(second)
        ended = rig.end_of(second, within=10)
        assert ended.kind == "withdrawn"
        assert "model.pkl" in ended.reason
        assert rig.servers_of(second) == []
        with rig.load() as load:
            rig.wait_for(lambda: load.from_release(first) > 20, what="answers of the champion")
        assert load.failed == {}
        # And at every further start: a champion whose files were changed does not come back.
        tamper(first, "flipped")
        rig.kill_server(first)
        rig.wait_for(lambda: "is not the file that was sealed" in rig.log(), what="the refusal")
        assert rig.servers_of(first) == []
    finally:
        rig.close()
