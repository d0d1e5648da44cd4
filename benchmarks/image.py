"""The image of a model version: what it adds to its base, and how long the next version's takes to build.

By the classes that a deployment builds with. Where no Docker engine answers, it says so and leaves what is published.
"""

from __future__ import annotations

import json
import shutil
import sys
import time

import docker
from docker.errors import DockerException

from benchmarks.peer_environments import HOME
from benchmarks.result import ROOT, Result, machine, row
from benchmarks.serving_material import Material, prepare
from flightworthy.adapters.docker_images import DockerImages, WheelCache, server_requirements
from flightworthy.artifact import digest_of
from flightworthy.image import BASE_IMAGE, BuildContext, Image, Origin, lay_out, with_lenders
from flightworthy.runtime import choice_in, server_extras

MODEL = "logistic_regression"
VERSIONS = 4
_SCRATCH = HOME / "image"


def main() -> int:
    """Build, weigh, publish; 0 whether the figures were reached or not, and where there is no engine."""
    builder = DockerImages(WheelCache(HOME / "wheels"))
    available = builder.availability()
    if not available.available:
        print(f"not measured: {available.reason}")
        return 0
    shutil.rmtree(_SCRATCH, ignore_errors=True)
    built: list[tuple[Image, float]] = []
    runtime = ""
    try:
        for version in range(1, VERSIONS + 1):
            material = prepare(_SCRATCH / str(version), [MODEL], seed=version)[MODEL]
            runtime = choice_in(material.artifact).runtime
            context = _context(material, version, builder.machine())
            began_at = time.monotonic()
            built.append((builder.build(context, progress=lambda _: None), time.monotonic() - began_at))
            print(f"  version {version}: {built[-1][1]:.1f} s", flush=True)
        added = _size(built[0][0].digest) - _size(BASE_IMAGE)
    finally:
        _remove([image for image, _ in built])
    warm = sorted(seconds for _, seconds in built[1:])
    Result(
        name="image",
        machine=f"{machine()}, {available.reason}",
        rows=(
            row(f"added to the base by a model on {runtime}", added / 1e6, "MB", at_most=150),
            row("build of the next version, everything but the model known", warm[len(warm) // 2], "s", at_most=5),
            row("build of the first version here", built[0][1], "s"),
        ),
        notes=(
            f"{MODEL} on thirty numbers, base {BASE_IMAGE}; sizes as the engine says them, in millions of bytes.",
            f"The next version differs in its artifact and labels. The median of {len(warm)} such builds.",
            "The first build may find layers of earlier ones; where there are no wheels yet, it collects them.",
        ),
    ).publish()
    return 0


def _context(material: Material, version: int, architecture: str) -> BuildContext:
    lock = ROOT / "requirements.lock"
    manifest = json.loads((material.artifact / "manifest.json").read_text(encoding="utf-8"))
    origin = Origin(
        model="benchmark",
        version=str(version),
        release=f"benchmark-{version}",
        artifact_digest=digest_of(manifest),
        dataset_digest="d" * 64,
        code_commit="benchmark",
        lock_digest="b" * 64,
    )
    root = server_extras(choice_in(material.artifact).runtime)
    requirements = with_lenders(
        server_requirements(lock, machine=architecture, root=root),
        server_requirements(lock, machine=architecture, root="flightworthy[serving-skops]"),
    )
    folder = _SCRATCH / f"context-{version}"
    return lay_out(folder, artifact=material.artifact, requirements=requirements, origin=origin)


def _size(name: str) -> int:
    client = docker.from_env()
    try:
        return int(client.images.get(name).attrs["Size"])
    finally:
        client.close()


def _remove(images: list[Image]) -> None:
    client = docker.from_env()
    try:
        for image in images:
            client.images.remove(image.digest, force=True)
    except DockerException as error:
        print(f"an image was left behind: {error}", file=sys.stderr)
    finally:
        client.close()


if __name__ == "__main__":
    sys.exit(main())
