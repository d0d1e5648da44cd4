"""How a release whose image or folder is gone comes back: from what its bundle says it was made of."""

from __future__ import annotations

from flightworthy.errors import ReleaseRefused
from flightworthy.release.rows import Deployment, Release


def how_to_rebuild(release: Release) -> str:
    """Say what to do, with the facts of the bundle that it needs."""
    bundle = release.bundle
    partition = bundle.get("partition_key")
    which = f"with partition {partition}" if partition else f"for version {release.version}"
    made_of = [
        f"{word} {bundle[fact][:12]}"
        for fact, word in (("code_commit", "commit"), ("dataset_digest", "dataset"), ("lock_digest", "lock"))
        if bundle.get(fact)
    ]
    of = f" (made of {', '.join(made_of)})" if made_of else ""
    return (
        f"Build it again{of}: run {release.model}.deploy {which} and Again switched on, at that commit if MLflow "
        f"has no version {release.version} any more; it is released like a challenger. "
        "Or name another release with --to."
    )


def cannot_start(row: Deployment, release: Release, why: str) -> ReleaseRefused:
    """What is told who wants to go back to a release that is known to be gone."""
    return ReleaseRefused(
        f"{release.id} cannot be started: {why}. Nothing was changed, {row.champion} serves. {how_to_rebuild(release)}",
        model=row.model,
        release=release.id,
        champion=row.champion,
        why=why,
    )
