"""Releases, and rows brought to where a test begins."""

from datetime import UTC, datetime, timedelta

from flightworthy.release import (
    NO_LIMITS,
    Cause,
    Observation,
    Release,
    Strategy,
    draft,
    entered,
    outcome,
    promoted,
    propose,
    release_id,
)

NOW = datetime(2026, 1, 5, 12, 0, tzinfo=UTC)
STRATEGY = Strategy(
    steps=(10, 50, 100),
    bake_time=timedelta(seconds=4),
    min_requests=30,
    deadline=timedelta(seconds=60),
    max_error_rate=0.01,
    limits=NO_LIMITS,
)


def release(version, *, model="churn"):
    digest = f"{version:>08}" + "f" * 56
    return Release(
        id=release_id(model, str(version), digest), model=model, version=str(version), target="process",
        artifact_uri=f"/releases/{model}/{version}", artifact_digest=digest, image_digest=None,
        bundle={"code_commit": "abc"}, strategy=STRATEGY,
    )  # fmt: skip


def proposed(store, version, *, model="churn", **options):
    return propose(store, release(version, model=model), actor="ada", reason="new data", now=NOW, **options)


def decided(store, before, after, action, reason="as it should"):
    return store.swap(before, after, draft(before, after, action, Cause(actor="deployer", reason=reason, at=NOW)))


def in_canary(store, version, share=10, step=0):
    row = proposed(store, version)
    return decided(store, row, entered(row, step, share, NOW), "advanced")


def serving(store, *versions):
    """The row after these versions were promoted, one after another."""
    row = None
    for version in versions:
        row = proposed(store, version)
        row = decided(store, row, promoted(row, NOW), "promoted")
    return row


def seen_healthy(store, *versions):
    row = store.deployment("churn")
    healthy = tuple(release(version).id for version in versions)
    store.observe(
        Observation(model="churn", generation=row.generation, share_b=row.share_b, healthy=healthy, note="", at=NOW)
    )


def ending(store, version):
    found = outcome(store, release(version).id)
    return found and found.kind
