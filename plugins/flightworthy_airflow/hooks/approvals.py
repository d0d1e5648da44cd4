"""What is to be approved and by whom, read afresh wherever it is asked: while people are, and when it is decided."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import timedelta

    from flightworthy.release import Answer, ApprovalRule, Release
    from flightworthy.spec import Spec
    from flightworthy_airflow.hooks.flightworthy import FlightworthyHook
    from flightworthy_airflow.hooks.mlflow import MlflowHook
    from flightworthy_airflow.runs import Run

__all__ = ["Question", "authors_of", "question_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A release that waits for people: what they would approve, what they said so far, and what is still missing."""

    release: Release
    champion: str | None
    rule: ApprovalRule
    within: timedelta
    digest: str
    answers: Sequence[Answer]
    objections: Sequence[str]

    @property
    def body(self) -> str:
        """What the form shows of it, in Markdown."""
        told = self.release.bundle
        code = told.get("code_commit", "")[:12]
        facts = [
            f"**Release** `{self.release.id}`, version {self.release.version}",
            f"**Serves now** {f'`{self.champion}`' if self.champion else 'nothing'}",
            f"**Learnt from** dataset `{told.get('dataset_digest', '')[:12]}`, partition {told.get('partition_key')}",
            f"**Code** {f'commit `{code}`' if code else 'not under git'}",
            f"**Traffic** {' → '.join(f'{step} %' for step in self.release.strategy.steps)}",
            f"**It takes** {self.rule.told}",
            *(f"{each.user} said {'yes' if each.approved else 'no'}" for each in self.answers),
            f"**Digest** `{self.digest}`: an answer is about exactly this",
        ]
        return "\n".join(f"- {fact}" for fact in facts)


def question_of(hook: FlightworthyHook, mlflow: MlflowHook, spec: Spec, number: int, run: Run) -> Question | None:
    """What people are asked about a packaged version; None where the spec asks nobody.

    Raises ReleaseRefused and ArtifactRefused as ``release_of`` does.
    """
    from flightworthy.release import objections_to, rule_of, subject_digest
    from flightworthy_airflow.hooks.releases import release_of

    if spec.release.approval is None:
        return None
    release, store = release_of(hook, mlflow, spec, number), hook.releases()
    rule = rule_of(release)
    if rule is None:
        return None
    digest = subject_digest(store, release)
    answers = store.answers(digest)
    return Question(
        release=release,
        champion=store.deployment(spec.model).champion,
        rule=rule,
        within=spec.release.approval.within,
        digest=digest,
        answers=answers,
        objections=objections_to(rule, answers, authors_of(hook, spec, run)),
    )


def authors_of(hook: FlightworthyHook, spec: Spec, run: Run) -> frozenset[str]:
    """The names of who triggered the run, and of whoever last committed to the model's folder where that is known."""
    from flightworthy.adapters.git_commits import GitCommits

    asked = [] if run.user is None else [run.user]
    return frozenset((*asked, *GitCommits(folder=hook.places.models / spec.model).authors()))
