from __future__ import annotations

import json
import os
import socket
import tarfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import docker
import pytest

from flightworthy.adapters.docker_containers import DockerContainers, Order
from flightworthy.adapters.docker_images import DockerImages, WheelCache, server_requirements
from flightworthy.artifact import verify
from flightworthy.errors import ReleaseRefused, Unavailable
from flightworthy.image import (
    BASE_IMAGE,
    LIBRARIES,
    PACKAGES,
    PLACES,
    PORT,
    RUN_OPTIONS,
    SERVER_ENVIRONMENT,
    BuildContext,
    Image,
    Origin,
    keep_document,
    lay_out,
    pack,
    with_lenders,
)
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
    context = laid_out(tmp_path_factory.mktemp("image"), server_requirements(LOCK))
    keep_document(context, "bom.cdx.json", b'{"bomFormat": "CycloneDX"}')
    return context


def laid_out(folder: Path, requirements: str, *, version: str = "1") -> BuildContext:
    """A context in a folder of its own each time it is asked for, of one artifact."""
    if not (folder / "artifact").exists():
        make_diagnosis(folder / "artifact")
    digest = verify(folder / "artifact")
    origin = Origin(
        model="diagnosis",
        version=version,
        release=f"diagnosis-{version}-{digest[:8]}",
        artifact_digest=digest,
        dataset_digest="d" * 64,
        code_commit="c" * 40,
        lock_digest="e" * 64,
    )
    target = folder / f"context-{len(list(folder.iterdir()))}"
    return lay_out(target, artifact=folder / "artifact", requirements=requirements, origin=origin)


def built(images: DockerImages, context: BuildContext) -> Image:
    said: list[str] = []
    try:
        image = images.build(context, progress=said.append)
    except Unavailable as error:
        if "could not be collected" in str(error):
            pytest.skip(f"no wheels to build from: {error}")
        raise
    assert any(line.startswith("Successfully built") for line in said) or image.reused
    return image


def removed(image: Image) -> None:
    """The image, and what its builds left without a name."""
    with closing(docker.from_env()) as client:
        label = f"io.flightworthy.release={image.labels['io.flightworthy.release']}"
        for found in client.images.list(filters={"label": label}):
            client.images.remove(found.id, force=True)


@pytest.fixture(scope="module")
def image(images: DockerImages, context: BuildContext) -> Iterator[Image]:
    image = built(images, context)
    yield image
    removed(image)


@pytest.fixture(scope="module")
def container(image: Image) -> Iterator[Any]:
    """The server as the deployer runs it where it can: confined, and on a network that leads nowhere."""
    containers, client = DockerContainers(), docker.from_env()
    labels = {"io.flightworthy.test": image.digest[7:19]}
    order = Order(
        image=image.digest,
        arguments=["--arm", "a"],
        labels=labels,
        port=PORT,
        volumes={},
        options=RUN_OPTIONS,
        has_egress=False,
    )
    container = client.containers.get(containers.run(order))
    try:
        (found,) = containers.find(labels)
        container.address = f"http://{found.host}:{found.port}"
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline and container.status in ("created", "running"):
            try:
                with urllib.request.urlopen(f"{address(container)}/healthz", timeout=2):
                    break
            except OSError:
                time.sleep(0.2)
                container.reload()
        else:
            pytest.fail(container.logs().decode())
        yield container
    finally:
        container.remove(force=True)
        client.close()


def address(container: Any) -> str:
    return str(container.address)


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
import ctypes, json, os, socket, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
tried = {}
def attempt(what, act):
    try:
        tried[what] = act() or "allowed"
    except OSError as error:
        tried[what] = str(error.strerror or error)
def call(name, *arguments):
    if getattr(libc, name)(*arguments) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
def execute():
    with open("/tmp/program", "w") as file:
        file.write("#!/bin/sh\\n")
    os.chmod("/tmp/program", 0o755)
    subprocess.run(["/tmp/program"])
def fill():
    with open("/tmp/full", "wb") as file:
        try:
            for _ in range(80):
                file.write(bytes(1 << 20))
        finally:
            file.truncate(0)
def allocate():
    ended = subprocess.run([sys.executable, "-c", "x = b'x' * (2 << 30)"], stderr=subprocess.DEVNULL)
    return ended.returncode and f"ended with {ended.returncode}"
def connect(host, port):
    socket.create_connection((host, port), timeout=1)
def fork_without_end():
    for _ in range(500):
        if os.fork() == 0:
            import time
            time.sleep(1)
            os._exit(0)
attempt("write to the root", lambda: open("/opt/flightworthy/x", "w"))
attempt("change the model", lambda: open("/opt/flightworthy/model/model.skops", "ab"))
attempt("run from /tmp", execute)
attempt("fill /tmp", fill)
attempt("become root", lambda: os.setuid(0))
attempt("a raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("mknod", lambda: os.mknod("/tmp/device", 0o600 | 0o020000, os.makedev(1, 3)))
attempt("mount", lambda: call("mount", b"none", b"/mnt", b"tmpfs", 0, None))
attempt("a user namespace", lambda: call("unshare", 0x10000000))
attempt("change the time", lambda: call("settimeofday", ctypes.byref((ctypes.c_long * 2)(0, 0)), None))
attempt("the Docker socket", lambda: socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock"))
attempt("a name server", lambda: connect("1.1.1.1", 53))
attempt("another container", lambda: connect(sys.argv[1], 80))
attempt("more memory than it has", allocate)
attempt("fork without end", fork_without_end)
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({"uid": os.getuid(), "capabilities": int(status["CapEff"], 16) + int(status["CapBnd"], 16),
                  "no new privileges": status["NoNewPrivs"].strip(), "tried": tried}))
"""


@pytest.fixture
def neighbour(image: Image) -> Iterator[str]:
    """Another container on the network of models, which would answer; its address."""
    containers, labels = DockerContainers(), {"io.flightworthy.test": f"neighbour-{uuid.uuid4().hex}"}
    options = {**RUN_OPTIONS, "entrypoint": ["python", "-m", "http.server", "80"]}
    options = {**options, "user": "0", "cap_drop": []}
    order = Order(
        image=image.digest, arguments=[], labels=labels, port=80, volumes={}, options=options, has_egress=False
    )
    identity = containers.run(order)
    try:
        (found,) = containers.find(labels)
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                socket.create_connection((found.host, 80), timeout=2).close()
                break
            except OSError:
                time.sleep(0.1)
        yield found.host
    finally:
        containers.stop(identity, grace=0)


@pytest.mark.docker
@pytest.mark.slow
def test_a_probe_inside_the_container_gets_nowhere(container: Any, neighbour: str) -> None:
    """Each thing that an intruder would try is tried, and fails; the server still answers afterwards."""
    code, output = container.exec_run(["python", "-c", PROBE, neighbour])
    assert code == 0, output
    found = json.loads(output.splitlines()[-1])
    assert (found["uid"], found["capabilities"], found["no new privileges"]) == (10001, 0, "1")
    assert len(found["tried"]) == 15
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
def test_the_image_holds_its_bill_of_materials_and_its_server_confines_itself(
    container: Any, context: BuildContext
) -> None:
    """As it lay beside the context; and what the engine lets nobody ask for is told in the log."""
    code, output = container.exec_run(["cat", "/opt/flightworthy/documents/bom.cdx.json"])
    assert (code, output) == (0, (context.documents / "bom.cdx.json").read_bytes())
    said = [json.loads(line) for line in container.logs().decode().splitlines() if line.startswith("{")]
    (confined,) = [line for line in said if line["event"] == "confined"]
    assert {"limits", "no new privileges", "capabilities", "system calls"} <= set(confined["applied"])
    assert set(confined["refused"]) <= {"landlock", "capability bounds"}


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
def test_a_changed_wheel_never_reaches_the_engine(image: Image, context: BuildContext, tmp_path: Path) -> None:
    """What was collected is held against the lock at each build, and the refusal names the file."""

    class OtherWheels(WheelCache):
        def collect(self, requirements: str, **options: Any) -> Path:
            for wheel in super().collect(requirements, **options).glob("*.whl"):
                content = wheel.read_bytes()
                (tmp_path / wheel.name).write_bytes(content + b"x" * wheel.name.startswith("click-"))
            return tmp_path

    with pytest.raises(ReleaseRefused, match=r"click-.*\.whl is not what the lock names"):
        DockerImages(OtherWheels(WHEELS), from_scratch=True).build(context, progress=lambda _: None)


@pytest.mark.docker
@pytest.mark.slow
def test_an_image_is_a_function_of_its_inputs_and_a_small_one(images: DockerImages, tmp_path: Path) -> None:
    """Built twice with nothing remembered: the same layers and the same digest; an ONNX model adds at most 150 MB."""
    requirements = server_requirements(LOCK, root="flightworthy[serving,serving-onnx]")
    anew = DockerImages(WheelCache(WHEELS), from_scratch=True)
    one = built(anew, laid_out(tmp_path, requirements, version="2"))
    two = built(anew, laid_out(tmp_path, requirements, version="2"))
    try:
        assert (one.reused, two.reused) == (False, False)
        assert one.digest == two.digest
        with closing(docker.from_env()) as client:
            found, base = (
                client.images.get(one.digest).attrs,
                client.images.get(one.labels["org.opencontainers.image.base.name"]),
            )
        assert found["Created"].startswith("1970-01-01")
        assert one.labels["org.opencontainers.image.base.digest"] in {base.id, *base.attrs["RepoDigests"]}
        assert found["Size"] - base.attrs["Size"] <= 150_000_000
    finally:
        removed(one)


RUNTIMES = {
    "serving-onnx": """
import numpy, onnxruntime
options = onnxruntime.SessionOptions()
session = onnxruntime.InferenceSession(sys.argv[2], options, providers=["CPUExecutionProvider"])
assert session.run(None, {"x": numpy.ones((2, 3), dtype=numpy.float32)})[0].tolist() == [[2.0] * 3] * 2
""",
    "serving-lightgbm": """
import lightgbm, numpy
booster = lightgbm.Booster(model_file=sys.argv[2])
assert booster.predict(numpy.ones((2, 3))).shape == (2,)
""",
    "serving-xgboost": """
import numpy, xgboost
booster = xgboost.Booster(model_file=sys.argv[2])
assert booster.inplace_predict(numpy.ones((2, 3))).shape == (2,)
""",
    "serving-skops": """
import skops.io
assert skops.io.load(sys.argv[2]).predict_proba([[1.0] * 3]).shape == (1, 2)
""",
}
SERVER_LIBRARIES = """
import asyncio, sys
sys.path.insert(0, sys.argv[1])
import httptools, msgspec, nanoarrow, numpy.typing, starlette.applications, uvloop
import uvicorn.lifespan.on, uvicorn.protocols.http.httptools_impl
assert uvloop.new_event_loop().run_until_complete(asyncio.sleep(0, "answered")) == "answered"
assert nanoarrow.Array([1, 2], nanoarrow.int32()).to_pylist() == [1, 2]
"""


@pytest.mark.docker
@pytest.mark.slow
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_nothing_that_a_server_imports_was_left_out(runtime: str, images: DockerImages, tmp_path: Path) -> None:
    """In the base image, out of its packages alone, each runtime loads a model and answers; and sends nobody word."""
    skops = server_requirements(LOCK, root="flightworthy[serving-skops]")
    requirements = with_lenders(server_requirements(LOCK, root=f"flightworthy[serving,{runtime}]"), skops)
    try:
        wheels = WheelCache(WHEELS).collect(requirements, machine=images.machine(), progress=lambda _: None)
    except Unavailable as error:
        pytest.skip(f"no wheels to unpack: {error}")
    with (tmp_path / "packages.tar").open("w+b") as archive:
        pack(wheels, requirements, archive)
        archive.seek(0)
        with tarfile.open(fileobj=archive) as tar:
            tar.extractall(tmp_path, filter="data")
    (tmp_path / "home").mkdir(mode=0o777)
    model = small_model(runtime, tmp_path)
    program = SERVER_LIBRARIES + RUNTIMES[runtime]
    packages, libraries = (f"/inside/{PLACES[place]}" for place in (PACKAGES, LIBRARIES))
    with closing(docker.from_env()) as client:
        said = client.containers.run(
            BASE_IMAGE,
            ["python", "-I", "-S", "-B", "-c", program, packages, f"/inside/{model.name}"],
            volumes={str(tmp_path): {"bind": "/inside", "mode": "rw"}},
            environment={**SERVER_ENVIRONMENT, "LD_LIBRARY_PATH": libraries, "HOME": "/inside/home"},
            network_mode="none",
            remove=True,
            stderr=True,
        )
    assert said == b""
    assert list((tmp_path / "home").iterdir()) == []


def small_model(runtime: str, folder: Path) -> Path:
    """A model of three features in the format of ``runtime``."""
    import numpy as np

    path = folder / "model"
    frame, labels = np.random.default_rng(5).random((60, 3)), np.arange(60) % 2
    if runtime == "serving-onnx":
        from onnx import TensorProto, checker, helper

        ends = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, 3]) for name in "xy"]
        graph = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "double", ends[:1], ends[1:])
        model = helper.make_model(graph, ir_version=9, opset_imports=[helper.make_opsetid("", 17)])
        checker.check_model(model)
        path.write_bytes(model.SerializeToString())
    elif runtime == "serving-lightgbm":
        import lightgbm

        options = {"objective": "binary", "verbose": -1, "num_threads": 1}
        lightgbm.train(options, lightgbm.Dataset(frame, labels), num_boost_round=2).save_model(str(path))
    elif runtime == "serving-xgboost":
        import xgboost

        path = path.with_suffix(".ubj")
        options = {"objective": "binary:logistic", "nthread": 1}
        xgboost.train(options, xgboost.DMatrix(frame, labels), num_boost_round=2).save_model(path)
    else:
        import skops.io
        from sklearn.linear_model import LogisticRegression

        skops.io.dump(LogisticRegression().fit(frame, labels), path)
    return path
