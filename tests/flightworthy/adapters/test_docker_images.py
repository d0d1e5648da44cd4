from __future__ import annotations

import json
import os
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import pytest

from flightworthy.adapters.docker_images import DockerImages, WheelCache, server_requirements
from flightworthy.errors import ReleaseRefused, Unavailable
from flightworthy.image import PORT, RUN_OPTIONS, BuildContext, Image, Origin, lay_out
from tests.flightworthy.serving.making import golden_rows, make_diagnosis

ROOT = Path(__file__).parents[3]
LOCK = ROOT / "requirements.lock"
# Kept between runs, as FLIGHTWORTHY_HOME is: collecting wheels takes a package index and a minute.
WHEELS = Path(os.environ.get("FLIGHTWORTHY_HOME", ROOT / ".flightworthy")) / "wheels"


def requires(name: str) -> list[str]:
    return {
        "ours": ["pandas", 'server>=1; extra == "serving"', 'colorama; sys_platform == "win32" and extra == "serving"'],
        "server": ['numbers<9; python_version < "3.12"', 'plus; extra == "more"', 'Typing_Extensions; extra == "x"'],
        "numbers": ["server[more]"],
        "plus": [],
    }[name]


def write_lock(folder: Path, *lines: str) -> Path:
    lock = folder / "requirements.lock"
    lock.write_text("\n".join(f"{line} \\\n    --hash=sha256:{'0' * 64}\n    # via someone" for line in lines) + "\n")
    return lock


def test_the_server_s_requirements_are_its_part_of_the_lock(tmp_path: Path) -> None:
    """What the extra reaches on the image's platform, with the lock's versions and hashes, sorted; nothing else."""
    lock = write_lock(
        tmp_path,
        "numbers==1.1 ; python_full_version < '3.12'",
        "numbers==2.0 ; python_full_version >= '3.12'",
        "pandas==3.0",
        "plus==5.0",
        "server==1.0",
    )
    text = server_requirements(lock, root="ours[serving]", requires=requires)
    hashed = " \\\n    --hash=sha256:" + "0" * 64 + "\n"
    assert text == hashed.join(["numbers==1.1", "plus==5.0", "server==1.0", ""])


def test_a_package_that_the_lock_lacks_is_named(tmp_path: Path) -> None:
    """An image is not filled up with whatever version there is."""
    with pytest.raises(ReleaseRefused, match="does not name plus"):
        server_requirements(write_lock(tmp_path, "numbers==1.1"), root="ours[serving]", requires=requires)
    with pytest.raises(ReleaseRefused, match="No lock"):
        server_requirements(tmp_path / "absent.lock", root="ours[serving]", requires=requires)


def test_the_real_lock_keeps_training_out_of_the_image() -> None:
    """The server's packages are a twentieth of the environment's."""
    names = {line.partition("==")[0] for line in server_requirements(LOCK).splitlines() if "==" in line}
    assert {"starlette", "uvicorn", "msgspec", "scikit-learn", "skops", "numpy"} <= names
    assert not {"pandas", "mlflow", "apache-airflow", "great-expectations", "evidently", "docker", "pip"} & names


def test_without_an_engine_the_reason_is_told(tmp_path: Path) -> None:
    """An operator skips on this; building all the same is worth another try."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody listens
        url = f"tcp://127.0.0.1:{taken.getsockname()[1]}"
        images = DockerImages(WheelCache(tmp_path), connect=lambda: docker.DockerClient(base_url=url))
        unavailable = images.availability()
        with pytest.raises(Unavailable, match="Start one"):
            images.machine()
    assert unavailable.available is False
    assert "no Docker engine answers" in unavailable.reason


def test_wheels_that_cannot_be_collected_leave_nothing_behind(tmp_path: Path) -> None:
    """pip's own last words are in the error, and the cache holds no half-filled folder."""
    said: list[str] = []
    with pytest.raises(Unavailable, match="could not be collected"):
        WheelCache(tmp_path).collect("not a requirement at all\n", machine="x86_64", progress=said.append)
    assert said
    assert list(tmp_path.iterdir()) == []


@pytest.fixture(scope="module")
def images() -> DockerImages:
    images = DockerImages(WheelCache(WHEELS))
    if not (there := images.availability()).available:
        pytest.skip(there.reason)
    return images


@pytest.fixture(scope="module")
def context(tmp_path_factory: pytest.TempPathFactory) -> BuildContext:
    folder = tmp_path_factory.mktemp("image")
    digest = make_diagnosis(folder / "artifact")
    origin = Origin(
        model="diagnosis",
        version="1",
        release=f"diagnosis-1-{digest[:8]}",
        artifact_digest=digest,
        dataset_digest="d" * 64,
        code_commit="c" * 40,
        lock_digest="e" * 64,
    )
    requirements = server_requirements(LOCK)
    return lay_out(folder / "context", artifact=folder / "artifact", requirements=requirements, origin=origin)


@pytest.fixture(scope="module")
def image(images: DockerImages, context: BuildContext) -> Iterator[Image]:
    said: list[str] = []
    try:
        image = images.build(context, progress=said.append)
    except Unavailable as error:
        if "could not be collected" in str(error):
            pytest.skip(f"no wheels to build from: {error}")
        raise
    assert any(line.startswith("Successfully built") for line in said) or image.reused
    yield image
    with closing(docker.from_env()) as client:
        client.images.remove(image.digest, force=True)


@pytest.fixture(scope="module")
def container(image: Image) -> Iterator[Any]:
    client = docker.from_env()
    container = client.containers.run(
        image.digest, ["--arm", "a"], detach=True, ports={f"{PORT}/tcp": ("127.0.0.1", 0)}, **RUN_OPTIONS
    )
    try:
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            container.reload()
            try:
                with urllib.request.urlopen(f"{address(container)}/healthz", timeout=2):
                    break
            except (OSError, KeyError, IndexError):
                time.sleep(0.2)
        else:
            pytest.fail(container.logs().decode())
        yield container
    finally:
        container.remove(force=True)
        client.close()


def address(container: Any) -> str:
    return f"http://127.0.0.1:{container.ports[f'{PORT}/tcp'][0]['HostPort']}"


@pytest.mark.docker
@pytest.mark.slow
def test_the_container_answers_what_training_answered(container: Any, context: BuildContext) -> None:
    """Golden rows over HTTP: the same numbers, from the release that was asked for."""
    rows, predictions = golden_rows(context.artifact)
    request = urllib.request.Request(
        f"{address(container)}/invocations",
        data=json.dumps({"dataframe_records": rows}).encode(),
        headers={"content-type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert json.loads(answer.read())["predictions"] == pytest.approx(predictions, abs=1e-9)
        assert answer.headers["x-flightworthy-release"] == context.labels["io.flightworthy.release"]


PROBE = """
import json, os, socket
tried = {}
def attempt(what, act):
    try:
        act()
        tried[what] = "allowed"
    except OSError as error:
        tried[what] = error.strerror
def execute():
    with open("/tmp/program", "w") as file:
        file.write("#!/bin/sh\\n")
    os.chmod("/tmp/program", 0o755)
    os.execv("/tmp/program", ["program"])
def fork_without_end():
    for _ in range(500):
        if os.fork() == 0:
            import time
            time.sleep(3)
            os._exit(0)
attempt("write to the root", lambda: open("/opt/flightworthy/x", "w"))
attempt("change the model", lambda: open("/opt/flightworthy/model/model.skops", "ab"))
attempt("run from /tmp", execute)
attempt("become root", lambda: os.setuid(0))
attempt("open a raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("mknod", lambda: os.mknod("/tmp/device", 0o600 | 0o020000, os.makedev(1, 3)))
attempt("fork without end", fork_without_end)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({"uid": os.getuid(), "capabilities": int(status["CapEff"], 16) + int(status["CapBnd"], 16),
                  "no new privileges": status["NoNewPrivs"].strip(), "tried": tried}))
"""


@pytest.mark.docker
@pytest.mark.slow
def test_a_probe_inside_the_container_gets_nowhere(container: Any) -> None:
    """Each thing that an intruder would try is tried, and fails; the server still answers afterwards."""
    code, output = container.exec_run(["python", "-c", PROBE])
    assert code == 0, output
    found = json.loads(output.splitlines()[0])
    assert (found["uid"], found["capabilities"], found["no new privileges"]) == (10001, 0, "1")
    assert len(found["tried"]) == 7
    assert "allowed" not in found["tried"].values(), found
    with urllib.request.urlopen(f"{address(container)}/healthz", timeout=10) as answer:
        assert answer.status == 200


@pytest.mark.docker
@pytest.mark.slow
def test_the_container_holds_no_training_packages(container: Any) -> None:
    """Neither Airflow nor MLflow nor pandas is there to be imported."""
    names = ["airflow", "mlflow", "pandas", "evidently", "great_expectations"]
    program = f"import importlib.util as u; print([n for n in {names} if u.find_spec(n)])"
    assert container.exec_run(["python", "-c", program]).output.strip() == b"[]"


@pytest.mark.docker
@pytest.mark.slow
def test_the_image_says_where_it_comes_from_and_is_built_once(
    images: DockerImages, image: Image, context: BuildContext
) -> None:
    """Its labels are the context's, and the same context gives the same image without building."""
    assert context.labels.items() <= image.labels.items()
    again = images.build(context, progress=lambda _: None)
    assert (again.digest, again.reused) == (image.digest, True)


@pytest.mark.docker
@pytest.mark.slow
def test_a_build_that_fails_shows_the_end_of_its_log(
    images: DockerImages, image: Image, context: BuildContext, tmp_path: Path
) -> None:
    """A wheel that is not there: the image is not made, and the error holds pip's own words."""
    broken = f"absent-package==1.0 --hash=sha256:{'0' * 64}\n"
    folder = tmp_path / "context"
    origin = Origin(
        model="diagnosis",
        version="broken",
        release="r",
        artifact_digest="a",
        dataset_digest="d",
        code_commit="c",
        lock_digest="e",
    )
    bad = lay_out(folder, artifact=context.artifact, requirements=broken, origin=origin)

    class SameWheels(WheelCache):
        def collect(self, requirements: str, **options: Any) -> Path:
            return super().collect(context.requirements.read_text(), **options)

    with pytest.raises(ReleaseRefused, match="was not built") as refusal:
        DockerImages(SameWheels(WHEELS)).build(bad, progress=lambda _: None)
    assert refusal.value.facts["log"]
    assert "No matching distribution found for absent-package==1.0" in str(refusal.value)
