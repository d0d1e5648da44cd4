from __future__ import annotations

import ast
import hashlib
import io
import shutil
import tarfile
import zipfile
from pathlib import Path

import pytest

import flightworthy
from flightworthy.artifact import seal
from flightworthy.errors import ArtifactRefused, ReleaseRefused
from flightworthy.image import (
    RUN_OPTIONS,
    SERVER_ENVIRONMENT,
    Origin,
    check_wheels,
    dockerfile,
    lay_out,
    pack,
    read_context,
    server_modules,
    with_lenders,
)

PACKAGE = Path(flightworthy.__file__).parent
ORIGIN = Origin(
    model="fraud",
    version="3",
    release="fraud-3-abcdef01",
    artifact_digest="a" * 64,
    dataset_digest="d" * 64,
    code_commit="c" * 40,
    lock_digest="e" * 64,
)
REQUIREMENTS = "msgspec==0.22.0 \\\n    --hash=sha256:" + "0" * 64 + "\n"


@pytest.fixture
def artifact(tmp_path: Path) -> Path:
    folder = tmp_path / "artifact"
    folder.mkdir()
    (folder / "model.skops").write_bytes(b"weights")
    seal(folder)
    return folder


def everything(folder: Path) -> dict[str, tuple[bytes, int, float]]:
    return {
        path.relative_to(folder).as_posix(): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime)
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_the_same_inputs_make_the_same_build_context(artifact: Path, tmp_path: Path) -> None:
    """Byte for byte, mode for mode, time for time; wherever it is written."""
    one = lay_out(tmp_path / "one", artifact=artifact, requirements=REQUIREMENTS, origin=ORIGIN)
    two = lay_out(tmp_path / "two", artifact=artifact, requirements=REQUIREMENTS, origin=ORIGIN)
    assert one.digest == two.digest
    assert everything(one.folder) == everything(two.folder)
    assert {mtime for _, _, mtime in everything(one.folder).values()} == {0}
    assert (one.artifact / "model.skops").read_bytes() == b"weights"
    assert one.requirements.read_text() == REQUIREMENTS


def test_another_model_version_or_lock_is_another_context(artifact: Path, tmp_path: Path) -> None:
    """Whatever goes into the image goes into the digest."""
    one = lay_out(tmp_path / "one", artifact=artifact, requirements=REQUIREMENTS, origin=ORIGIN)
    two = lay_out(tmp_path / "two", artifact=artifact, requirements=REQUIREMENTS.replace("0.22", "0.23"), origin=ORIGIN)
    (artifact / "model.skops").write_bytes(b"other weights")
    seal(artifact)
    three = lay_out(tmp_path / "three", artifact=artifact, requirements=REQUIREMENTS, origin=ORIGIN)
    assert len({one.digest, two.digest, three.digest}) == 3


def test_laying_out_again_leaves_a_whole_context_as_it_is(artifact: Path, tmp_path: Path) -> None:
    """A process may be serving from it; the documents that were written about it stay too."""
    folder = tmp_path / "context"
    lay_out(folder, artifact=artifact, requirements=REQUIREMENTS, origin=ORIGIN)
    (folder / "documents").mkdir()
    (folder / "documents" / "model.sig").write_bytes(b"signature")
    inode = folder.stat().st_ino
    again = lay_out(folder, artifact=artifact, requirements=REQUIREMENTS, origin=ORIGIN)
    assert folder.stat().st_ino == inode
    assert (folder / "documents" / "model.sig").exists()
    assert again == read_context(folder)
    assert not folder.with_name("context.part").exists()


def test_half_a_context_is_replaced(artifact: Path, tmp_path: Path) -> None:
    """A run that was killed leaves nothing that the next one takes for whole."""
    folder = tmp_path / "context"
    (folder / "model").mkdir(parents=True)
    folder.with_name("context.part").mkdir()
    with pytest.raises(ArtifactRefused, match="not a whole build context"):
        read_context(folder)
    context = lay_out(folder, artifact=artifact, requirements=REQUIREMENTS, origin=ORIGIN)
    assert read_context(folder) == context


def test_a_changed_context_names_the_file(artifact: Path, tmp_path: Path) -> None:
    """Nothing is built from, or served out of, a folder that was edited."""
    context = lay_out(tmp_path / "context", artifact=artifact, requirements=REQUIREMENTS, origin=ORIGIN)
    (context.artifact / "model.skops").write_bytes(b"malicious")
    with pytest.raises(ArtifactRefused, match=r"model/model\.skops"):
        read_context(context.folder)


def test_an_unsealed_artifact_is_refused(tmp_path: Path) -> None:
    """Without a manifest nothing shows what was registered."""
    (tmp_path / "artifact").mkdir()
    with pytest.raises(ArtifactRefused, match="not a sealed artifact"):
        lay_out(tmp_path / "context", artifact=tmp_path / "artifact", requirements=REQUIREMENTS, origin=ORIGIN)


def test_the_image_layers_follow_how_often_they_change() -> None:
    """Dependencies, then server, then model: another model version rebuilds the last layers only."""
    text = dockerfile(model="fraud", version="3", labels=ORIGIN.labels())
    added = [line.split()[1] for line in text.splitlines() if line.startswith(("ADD", "COPY"))]
    assert added == ["packages.tar", "server/", "documents/", "model/"]


def test_the_image_installs_what_was_checked_and_runs_as_nobody_special() -> None:
    """No index, no installer, uid 10001, a health check; nothing that looks like a secret or an address."""
    text = dockerfile(model="fraud", version="3", labels=ORIGIN.labels())
    for needed in ["ARG BASE=", "FROM ${BASE}", "USER 10001:10001", "HEALTHCHECK", "/healthz"]:
        assert needed in text
    assert all(f"{name}={value}" in text for name, value in SERVER_ENVIRONMENT.items())
    assert SERVER_ENVIRONMENT["ORT_DISABLE_TELEMETRY"] == "1"
    assert "https://" not in text
    assert "pip" not in text.split()
    assert 'io.flightworthy.dataset-digest="' + "d" * 64 in text


def test_a_container_is_given_nothing_that_it_does_not_need() -> None:
    """The options that the deployer runs it with."""
    assert RUN_OPTIONS["user"] == "10001:10001"
    assert RUN_OPTIONS["read_only"] is True
    assert RUN_OPTIONS["cap_drop"] == ["ALL"]
    assert "no-new-privileges" in RUN_OPTIONS["security_opt"]
    assert "noexec" in RUN_OPTIONS["tmpfs"]["/tmp"]
    assert RUN_OPTIONS["pids_limit"] > 0
    assert RUN_OPTIONS["mem_limit"]


def test_the_server_in_the_image_is_what_its_imports_reach(tmp_path: Path) -> None:
    """Every import of ours that a copied module makes is copied; training, registry and command line are not."""
    modules = server_modules(PACKAGE, "skops")
    assert "serving/__main__.py" in modules
    assert not [
        name for name in modules if name.startswith(("cli/", "deployer/", "image", "registry", "spec", "training"))
    ]
    for name in modules:
        for node in ast.walk(ast.parse((PACKAGE / name).read_text())):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("flightworthy."):
                path = "/".join(str(node.module).split(".")[1:])
                assert {f"{path}.py", f"{path}/__init__.py"}.intersection(modules), node.module


def test_a_module_more_in_the_server_is_in_its_image(tmp_path: Path) -> None:
    """Nobody keeps a list of files by hand."""
    package = tmp_path / "flightworthy"
    shutil.copytree(PACKAGE, package, ignore=shutil.ignore_patterns("__pycache__"))
    with (package / "serving" / "events.py").open("a") as file:
        file.write("\nfrom flightworthy import gates\n")
    assert set(server_modules(package, "skops")) - set(server_modules(PACKAGE, "skops")) >= {"gates.py"}


# -- the packages ------------------------------------------------------------------------------------------------------

FILES = {
    "numbers/__init__.py": b"x = 1",
    "numbers/fast.cpython-311-x86_64-linux-gnu.so": b"machine code",
    "numbers/fast.pyx": b"source",
    "numbers/include/numbers.h": b"header",
    "numbers/tests/test_all.py": b"test",
    "numbers-1.0.data/purelib/more.py": b"y = 2",
    "numbers-1.0.data/scripts/numbers": b"#!python",
    "numbers-1.0.dist-info/RECORD": b"numbers/__init__.py,sha256=x,5\nnumbers/tests/test_all.py,sha256=y,4\n",
    "numbers-1.0.dist-info/licenses/LICENSE.h": b"licence",
}


def write_wheel(folder: Path, files: dict[str, bytes] = FILES, *, name: str = "numbers", at: int = 2020) -> str:
    """A wheel whose members carry some time; the requirements that name it."""
    folder.mkdir(exist_ok=True)
    path = folder / f"{name.replace('-', '_')}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        for member, body in files.items():
            wheel.writestr(zipfile.ZipInfo(member, (at, 1, 2, 3, 4, 6)), body)
    digest = hashlib.sha256(path.read_bytes()).hexdigest()
    return f"{name}==1.0 \\\n    --hash=sha256:{'0' * 64} \\\n    --hash=sha256:{digest}\n"


def packed(folder: Path, requirements: str) -> bytes:
    archive = io.BytesIO()
    pack(folder, requirements, archive)
    return archive.getvalue()


def test_a_wheel_is_unpacked_to_what_a_server_may_import(tmp_path: Path) -> None:
    """Modules, machine code and what names and licenses them; no tests, no headers, no scripts, and no time."""
    text = write_wheel(tmp_path / "wheels")
    with tarfile.open(fileobj=io.BytesIO(packed(tmp_path / "wheels", text))) as tar:
        prefix = "opt/flightworthy/packages/"
        files = {entry.name.removeprefix(prefix): entry for entry in tar if entry.isfile()}
        assert set(files) == {
            "more.py",
            "numbers/__init__.py",
            "numbers/fast.cpython-311-x86_64-linux-gnu.so",
            "numbers-1.0.dist-info/RECORD",
            "numbers-1.0.dist-info/licenses/LICENSE.h",
        }
        record = tar.extractfile(files["numbers-1.0.dist-info/RECORD"])
        assert record is not None
        assert record.read() == b"numbers/__init__.py,sha256=x,5\n"
        assert {(entry.mtime, entry.uid, entry.uname) for entry in tar} == {(0, 0, "")}
        names = [entry.name for entry in tar]
        assert len(names) == len(set(names))
        assert {"opt", "opt/flightworthy", "opt/flightworthy/model", "opt/flightworthy/packages/numbers"} <= set(names)


def test_the_archive_depends_on_the_content_of_the_wheels_alone(tmp_path: Path) -> None:
    """The same files, zipped at another time, give the same bytes."""
    one, two = write_wheel(tmp_path / "one"), write_wheel(tmp_path / "two", at=2024)
    assert one != two
    assert packed(tmp_path / "one", one) == packed(tmp_path / "two", two)


def test_a_wheel_that_was_changed_after_it_was_collected_is_refused_by_name(tmp_path: Path) -> None:
    """Its hash is not in the lock any more; nor is that of a wheel which the lock never named."""
    text = write_wheel(tmp_path / "wheels")
    write_wheel(tmp_path / "wheels", {**FILES, "numbers/__init__.py": b"import os"})
    with pytest.raises(ReleaseRefused, match=r"numbers-1\.0-py3-none-any\.whl is not what the lock names"):
        packed(tmp_path / "wheels", text)
    with pytest.raises(ReleaseRefused, match="is not what the lock names"):
        packed(tmp_path / "wheels", text.replace("numbers==1.0", "numbers==1.1"))


def test_a_package_without_a_wheel_is_named(tmp_path: Path) -> None:
    """An image is whole or is not built."""
    text = write_wheel(tmp_path / "wheels") + f"msgspec==0.22.0 \\\n    --hash=sha256:{'0' * 64}\n"
    with pytest.raises(ReleaseRefused, match="has no wheel of msgspec"):
        packed(tmp_path / "wheels", text)


@pytest.mark.parametrize("name", ["../outside.py", "/etc/passwd", "numbers-1.0.data/purelib/../../../outside.py"])
def test_a_wheel_cannot_write_outside_of_its_folder(tmp_path: Path, name: str) -> None:
    """Whatever its members are called."""
    text = write_wheel(tmp_path / "wheels", {**FILES, name: b"x"})
    with pytest.raises(ReleaseRefused, match="lies outside of its own folder"):
        packed(tmp_path / "wheels", text)


def test_a_library_that_a_slim_image_lacks_is_lent_by_another_package(tmp_path: Path) -> None:
    """LightGBM expects OpenMP of the system. Of the lender that one library is taken, and nothing else."""
    lender = {"sklearn/__init__.py": b"x", "scikit_learn.libs/libgomp-e985bcbb.so.1.0.0": b"machine code"}
    folder = tmp_path / "wheels"
    text = write_wheel(folder, {"lightgbm/__init__.py": b"y"}, name="lightgbm")
    locked = write_wheel(tmp_path / "elsewhere", FILES) + write_wheel(folder, lender, name="scikit-learn") + text

    wanted = with_lenders(text, locked)

    with tarfile.open(fileobj=io.BytesIO(packed(folder, wanted))) as tar:
        found = {entry.name.removeprefix("opt/flightworthy/") for entry in tar if entry.isfile()}
    assert found == {"packages/lightgbm/__init__.py", "libraries/libgomp.so.1"}
    assert {wheel.name: wheel.only for wheel in check_wheels(folder, wanted)} == {
        "lightgbm": "",
        "scikit-learn": "libgomp.so.1",
    }


def test_nobody_lends_where_nobody_borrows(tmp_path: Path) -> None:
    """Nor where the lender is there as a whole; then its library is given all the same."""
    text = write_wheel(tmp_path / "numbers")
    locked = write_wheel(tmp_path / "lender", {"scikit_learn.libs/libgomp-1.so": b"z"}, name="scikit-learn")
    assert with_lenders(text, locked) == text
    both = locked + write_wheel(tmp_path / "lender", {"lightgbm/__init__.py": b"y"}, name="lightgbm")
    assert with_lenders(both, locked) == both
    with tarfile.open(fileobj=io.BytesIO(packed(tmp_path / "lender", both))) as tar:
        found = {entry.name.removeprefix("opt/flightworthy/") for entry in tar if entry.isfile()}
    assert {"libraries/libgomp.so.1", "packages/scikit_learn.libs/libgomp-1.so"} <= found
