"""From a registered version to what can be released: its build context, its image, its bundle."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from flightworthy_airflow.hooks.documents import describe_contents, describe_origin, facts_of

if TYPE_CHECKING:
    from flightworthy.adapters.docker_images import DockerImages
    from flightworthy.image import BuildContext, Image
    from flightworthy.registry import ModelVersion
    from flightworthy.release import Limits, Release, Shadow
    from flightworthy.spec import Spec
    from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
    from flightworthy_airflow.hooks.mlflow import MlflowHook

__all__ = ["Package", "build_context", "package", "release_of"]

_BUNDLED = ("key", "run_id", "dataset_digest", "partition_key", "code_commit", "code_digest", "lock_digest")
_BUNDLED_TOO = ("config_digest", "params_digest", "seed")


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A packaged version: its build context, and its image unless ``why_no_image`` tells why there is none."""

    context: BuildContext
    image: Image | None
    why_no_image: str


def package(
    hook: FlightworthyHook, mlflow: MlflowHook, spec: Spec, number: int, *, progress: Callable[[str], None]
) -> Package:
    """Lay the version out, build its image where there is an engine for it, and write down what it is made of.

    Running it again leaves the same. Raises ArtifactRefused where the artifact is not what was registered and signed.
    """
    from flightworthy.image import Wheel, pinned

    version = _version(mlflow, spec.model, number)
    context = build_context(hook, mlflow, spec, number)
    progress(f"build context {context.folder} digest={context.digest[:12]}")
    facts = facts_of(mlflow, spec, version, context)
    builder, why_not = _builder(hook, spec)
    if builder is None:
        locked = pinned(context.requirements.read_text(encoding="utf-8"))
        wheels = [Wheel(name=name, version=pin, file="", sha256="") for name, pin in locked.items()]
    else:
        wheels = builder.collect(context, progress=progress)
    describe_contents(mlflow, version, facts, context, wheels)
    image = None if builder is None else builder.build(context, progress=progress)
    describe_origin(mlflow, version, facts, context, image)
    if image is not None:
        # Last: a version that has an image has all that is told about it.
        mlflow.registry().tag(spec.model, number, {"image_digest": image.digest})
    return Package(context=context, image=image, why_no_image=why_not)


def build_context(hook: FlightworthyHook, mlflow: MlflowHook, spec: Spec, number: int) -> BuildContext:
    """Lay out what the version ships in; whole and unchanged, or written anew."""
    from flightworthy.adapters.docker_images import server_requirements
    from flightworthy.image import Origin, keep_document, lay_out, with_lenders
    from flightworthy.release import release_id
    from flightworthy.runtime import choice_in, server_extras
    from flightworthy.signing import SIGNATURE, check_signed

    version = _version(mlflow, spec.model, number)
    name = release_id(spec.model, str(number), version.artifact_digest)
    origin = Origin(
        model=spec.model,
        version=str(number),
        release=name,
        artifact_digest=version.artifact_digest,
        dataset_digest=version.tags.get("dataset_digest", ""),
        code_commit=version.tags.get("code_commit", ""),
        lock_digest=version.tags.get("lock_digest", ""),
    )
    with tempfile.TemporaryDirectory(prefix="flightworthy-package-") as scratch:
        registry = mlflow.registry()
        artifact = registry.download(version, Path(scratch) / "model")
        signature = registry.attached(version, SIGNATURE)
        check_signed(hook.verifier(), artifact, signature, digest=version.artifact_digest)
        lock = hook.lock()
        requirements = with_lenders(
            server_requirements(lock, root=server_extras(choice_in(artifact).runtime)),
            server_requirements(lock, root="flightworthy[serving-skops]"),
        )
        context = lay_out(_folder(hook, spec.model, name), artifact=artifact, requirements=requirements, origin=origin)
        if signature is not None:
            keep_document(context, SIGNATURE, signature)
        return context


def _builder(hook: FlightworthyHook, spec: Spec) -> tuple[DockerImages | None, str]:
    """What builds this model's image, with a cache of wheels that all models share; or why nothing does."""
    from flightworthy.adapters.docker_images import DockerImages, WheelCache
    from flightworthy.image import BASE_IMAGE

    if spec.release.target == "process":
        return None, "release.target is process: the context was laid out, no image was built"
    builder = DockerImages(WheelCache(hook.places.home / "wheels"), base=hook.places.base_image or BASE_IMAGE)
    engine = builder.availability()
    if not engine.available:
        return None, (
            f"{engine.reason}. The build context was laid out, and the release runs the same server as a process."
        )
    return builder, ""


def release_of(hook: FlightworthyHook, mlflow: MlflowHook, spec: Spec, number: int) -> Release:
    """The release of a packaged version: everything that going live with it, or back to it, needs.

    Raises ArtifactRefused where the build context is not whole, ReleaseRefused where the spec wants a container and
    there is no image.
    """
    from flightworthy.errors import ReleaseRefused
    from flightworthy.image import read_context
    from flightworthy.release import Release, Strategy, release_id

    version = _version(mlflow, spec.model, number)
    name = release_id(spec.model, str(number), version.artifact_digest)
    context = read_context(_folder(hook, spec.model, name))
    image = version.tags.get("image_digest") if spec.release.target != "process" else None
    if image is None and spec.release.target == "container":
        raise ReleaseRefused(
            f"{name} has no image, and release.target is container. Start a Docker engine and run "
            "containerize again, or set release.target to auto.",
            release=name,
        )
    plan = spec.release
    return Release(
        id=name,
        model=spec.model,
        version=str(number),
        target="process" if image is None else "container",
        artifact_uri=str(context.folder),
        artifact_digest=version.artifact_digest,
        image_digest=image,
        bundle={
            **{fact: version.tags[fact] for fact in (*_BUNDLED, *_BUNDLED_TOO) if fact in version.tags},
            "context_digest": context.digest,
            "gates": json.dumps([gate.model_dump(exclude_none=True) for gate in spec.gates], sort_keys=True),
            "drift": json.dumps(spec.drift.model_dump(mode="json"), sort_keys=True),
        },
        strategy=Strategy(
            steps=plan.steps,
            bake_time=plan.bake_time,
            min_requests=plan.min_requests,
            deadline=plan.deadline,
            max_error_rate=plan.max_error_rate,
            limits=_limits(spec),
            shadow=_shadow(spec),
            warm_time=plan.warm_time,
        ),
    )


def _limits(spec: Spec) -> Limits:
    from flightworthy.release import Limits

    plan = spec.release
    return Limits(
        max_slowdown=plan.max_slowdown,
        max_p99_latency=plan.max_p99_latency,
        max_flip_rate=plan.max_flip_rate,
        max_prediction_shift=plan.max_prediction_shift,
        min_positive_share=plan.min_positive_share,
        max_positive_share=plan.max_positive_share,
        threshold=spec.evaluation.threshold,
        required=plan.required,
    )


def _shadow(spec: Spec) -> Shadow | None:
    from flightworthy.release import Shadow

    plan = spec.release.shadow
    return None if plan is None else Shadow(**dict(plan))


def _folder(hook: FlightworthyHook, model: str, release: str) -> Path:
    return hook.places.home / "releases" / model / release


def _version(mlflow: MlflowHook, model: str, number: int) -> ModelVersion:
    from flightworthy.errors import ReleaseRefused

    version = mlflow.registry().version(model, number)
    if version is None:
        raise ReleaseRefused(
            f"MLflow has no version {number} of {model}: it was deleted after it was registered. "
            "Train and register again.",
            model=model,
            version=number,
        )
    return version
