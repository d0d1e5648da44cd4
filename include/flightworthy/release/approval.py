"""Who must say yes before a release gets any traffic, and whether enough have, of exactly this release.

An answer is about a digest of all that would be served, and of the course it would take: whatever changes after people
looked makes it another one, for which nobody has answered.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from flightworthy.errors import ReleaseRefused
from flightworthy.ledger import instant
from flightworthy.secrecy import masked

if TYPE_CHECKING:
    from flightworthy.release.rows import Release, ReleaseStore

_RULE = "approval"
"""Where a release's bundle has its rule."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApprovalRule:
    """``at_least`` so many people; ``of`` these, or of anybody where it is empty; perhaps ``not_the_author``."""

    of: tuple[str, ...]
    at_least: int
    not_the_author: bool

    def pack(self) -> str:
        """As a bundle holds it."""
        return json.dumps(asdict(self), sort_keys=True)

    @property
    def told(self) -> str:
        """In words."""
        whom = f"of {', '.join(self.of)}" if self.of else "of those who may answer"
        return f"{self.at_least} {whom}{', none of them its author' if self.not_the_author else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a person said of the release with this ``digest``. The newest of a person counts.

    ``user`` is how the login knows them, ``name`` what it shows.
    """

    model: str
    release: str
    digest: str
    user: str
    name: str
    approved: bool
    note: str
    at: datetime
    run_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """What a proposal brings beside the answers in the store.

    ``authors`` are the names of who made or triggered the change, empty where nobody knows. ``emergency`` is the reason
    for going without any approval, which is written in the ledger.
    """

    authors: frozenset[str]
    emergency: str | None


NO_CONSENT = Consent(authors=frozenset(), emergency=None)


def rule_of(release: Release) -> ApprovalRule | None:
    """The rule that a release must satisfy; None where it needs nobody.

    Raises ReleaseRefused for one that cannot be read.
    """
    written = release.bundle.get(_RULE)
    if written is None:
        return None
    try:
        told = json.loads(written)
        rule = ApprovalRule(**{**told, "of": tuple(told["of"])})
        if rule.at_least >= 1:
            return rule
    except (ValueError, KeyError, TypeError):
        pass
    raise ReleaseRefused(
        f"{release.id} was not taken up: its rule of approval cannot be read ({written[:80]!r}). "
        "Say it anew in model.yaml and deploy again.",
        release=release.id,
    )


def subject_digest(store: ReleaseStore, release: Release) -> str:
    """What an approval of ``release`` is about: sha256 of what would be served, its rule, and its course.

    A release that was proposed before keeps what it was proposed with; an approval of its last course is none of the
    next.
    """
    known = next((known for known in store.releases(release.model) if known.id == release.id), release)
    if release.id in store.missing():
        known = replace(known, target=release.target, image_digest=release.image_digest)
    history = store.history(release.model)
    content: dict[str, Any] = {
        **{name: getattr(known, name) for name in ("id", "model", "version", "target", "artifact_digest")},
        "image_digest": known.image_digest,
        "bundle": {**known.bundle, _RULE: release.bundle.get(_RULE)},
        "strategy": asdict(known.strategy),
        "course": sum(entry.action == "proposed" and entry.to_release == release.id for entry in history),
    }
    return hashlib.sha256(json.dumps(content, sort_keys=True, default=_seconds).encode()).hexdigest()


def objections_to(rule: ApprovalRule, answers: Sequence[Answer], authors: Iterable[str]) -> tuple[str, ...]:
    """Why a release with these answers may not go on; empty if it may. No answer is an objection."""
    wrote = {name.casefold() for name in authors}
    found = [f"{each.user} rejected it{_noted(each)}" for each in answers if not each.approved]
    if rule.not_the_author and not wrote:
        found.append("nobody knows whose change this is, so that nobody can be shown to be somebody else")
    approving = {each.user: _why_not(rule, each, wrote) for each in answers if each.approved}
    count = sum(why is None for why in approving.values())
    if not count >= rule.at_least:
        uncounted = [f"{user} approved it, and {why}" for user, why in approving.items() if why is not None]
        found += [f"approved by {count}, and it takes {rule.told}", *uncounted]
    return tuple(found)


def consented(store: ReleaseStore, release: Release, consent: Consent, *, actor: str) -> tuple[str, ...]:
    """The evidence (digests) that ``release`` may be proposed; none where it needs nobody.

    Raises ReleaseRefused where approvals are missing, or are of another release. Called where the decision is made:
    whether a task before it was skipped, or said something else, is nothing to it.
    """
    rule = rule_of(release)
    if rule is None:
        return ()
    digest = subject_digest(store, release)
    answers = store.answers(digest)
    if consent.emergency is not None:
        _check_emergency(release, consent.emergency)
    elif found := objections_to(rule, answers, consent.authors):
        raise ReleaseRefused(
            f"{release.id} was not taken up: {'; '.join(found)} (approval of {digest[:12]}). Run the task `approve` "
            "again and let them answer, or deploy with `emergency` and the reason for going without.",
            release=release.id,
            objections=list(found),
            digest=digest,
        )
    emergency = None if consent.emergency is None else {"by": actor, "reason": consent.emergency}
    body = {
        "kind": "approval",
        "release": release.id,
        "digest": digest,
        "rule": asdict(rule),
        "authors": sorted(consent.authors),
        "answers": [{**asdict(each), "at": instant(each.at)} for each in answers],
        "emergency": emergency,
    }
    return (store.keep_evidence(json.dumps(body, sort_keys=True)),)


def _check_emergency(release: Release, reason: str) -> None:
    if len(reason.strip()) < 3 or masked(reason) != reason:
        raise ReleaseRefused(
            f"{release.id} was not taken up: an emergency needs a reason that the ledger can keep for ever, in words "
            "and without anything that looks like a secret.",
            release=release.id,
        )


def _why_not(rule: ApprovalRule, answer: Answer, wrote: set[str]) -> str | None:
    """Why an approval does not count; None if it does."""
    if rule.of and answer.user not in rule.of:
        return "is not among those who are asked"
    if rule.not_the_author and {answer.user.casefold(), answer.name.casefold()} & wrote:
        return "made or triggered this change"
    return None


def _noted(answer: Answer) -> str:
    return f" ({answer.note})" if answer.note else ""


def _seconds(value: object) -> float:
    if isinstance(value, timedelta):
        return value.total_seconds()
    raise TypeError(f"{value!r} is nothing that a release holds")
