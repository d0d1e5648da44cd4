"""Who must say yes before a release: what counts, what does not, and that a decision without it never happens."""

import json
from dataclasses import replace

import pytest

from flightworthy import ledger
from flightworthy.errors import ReleaseRefused
from flightworthy.release import (
    Answer,
    ApprovalRule,
    Consent,
    objections_to,
    promoted,
    propose,
    prove_all,
    roll_back,
    rule_of,
    subject_digest,
    withdrawn,
)
from flightworthy.testing import MemoryReleases
from tests.flightworthy.release_makers import NOW, STRATEGY, decided, proposed, release, serving

ONE = ApprovalRule(of=(), at_least=1, not_the_author=False)
TWO_OF_THREE = ApprovalRule(of=("ada", "grace", "mary"), at_least=2, not_the_author=False)
ANOTHER = ApprovalRule(of=(), at_least=1, not_the_author=True)


def under(rule, version=2):
    """A release that needs approval."""
    plain = release(version)
    return replace(plain, bundle={**plain.bundle, "approval": rule.pack()})


def says(user, *, approved=True, digest="d", note="", name=None):
    return Answer(
        model="churn", release="churn-2", digest=digest, user=user, name=name or user.title(), approved=approved,
        note=note, at=NOW, run_id="run-1",
    )  # fmt: skip


def ask_for(store, wanted, *, authors=(), emergency=None, actor="ada", **options):
    consent = Consent(authors=frozenset(authors), emergency=emergency)
    return propose(store, wanted, actor=actor, reason="new data", now=NOW, consent=consent, **options)


def approve(store, wanted, *users, **more):
    digest = subject_digest(store, wanted)
    for user in users:
        store.keep_answer(says(user, digest=digest, **more))
    return digest


@pytest.mark.parametrize(
    "rule, answers, authors, objections",
    [
        (ONE, [], [], ["approved by 0, and it takes 1 of those who may answer"]),
        (ONE, [says("ada")], [], []),
        (ONE, [says("ada"), says("bob", approved=False, note="too early")], [], ["bob rejected it (too early)"]),
        (TWO_OF_THREE, [says("ada")], [], ["approved by 1, and it takes 2 of ada, grace, mary"]),
        (TWO_OF_THREE, [says("ada"), says("ada")], [], ["approved by 1, and it takes 2 of ada, grace, mary"]),
        (
            TWO_OF_THREE,
            [says("ada"), says("bob")],
            [],
            [
                "approved by 1, and it takes 2 of ada, grace, mary",
                "bob approved it, and is not among those who are asked",
            ],
        ),
        (TWO_OF_THREE, [says("ada"), says("mary")], [], []),
        (TWO_OF_THREE, [says("ada"), says("mary"), says("bob")], [], []),
        (
            ANOTHER,
            [says("Ada")],
            ["ada"],
            [
                "approved by 0, and it takes 1 of those who may answer, none of them its author",
                "Ada approved it, and made or triggered this change",
            ],
        ),
        (
            ANOTHER,
            [says("7", name="Ada Lovelace")],
            ["ada lovelace"],
            [
                "approved by 0, and it takes 1 of those who may answer, none of them its author",
                "7 approved it, and made or triggered this change",
            ],
        ),
        (ANOTHER, [says("ada"), says("grace")], ["ada"], []),
        (
            ANOTHER,
            [says("grace")],
            [],
            ["nobody knows whose change this is, so that nobody can be shown to be somebody else"],
        ),
    ],
)
def test_who_counts(rule, answers, authors, objections):
    """Distinct people who are asked, none who rejected, none who wrote it; what is not known does not count."""
    assert list(objections_to(rule, answers, authors)) == objections


def test_a_release_that_needs_nobody_is_proposed_as_ever():
    """With no evidence of approvals, since there are none."""
    store = MemoryReleases()
    proposed(store, 2)
    assert store.history()[-1].evidence == ()


def test_without_approval_nothing_happens_and_the_refusal_says_what_is_missing():
    """No row, no entry, no release: however the task before it ended."""
    store = MemoryReleases()
    with pytest.raises(ReleaseRefused, match=r"approved by 0, and it takes 2 of ada, grace, mary") as refused:
        ask_for(store, under(TWO_OF_THREE))
    assert refused.value.facts["digest"] == subject_digest(store, under(TWO_OF_THREE))
    assert (store.deployment("churn").generation, store.entries, store.releases("churn")) == (0, [], [])


def test_who_approved_what_and_when_is_evidence_of_the_decision():
    """By digest in the entry, in words in the body, which the ledger's proof covers."""
    store, wanted = MemoryReleases(), under(TWO_OF_THREE)
    digest = approve(store, wanted, "ada", "mary")
    row = ask_for(store, wanted, authors=["bob"])
    assert row.challenger == wanted.id
    (entry,) = store.history()
    (evidence,) = entry.evidence
    told = json.loads(store.evidence(evidence))
    assert (told["release"], told["digest"], told["emergency"]) == (wanted.id, digest, None)
    assert told["rule"] == {"of": ["ada", "grace", "mary"], "at_least": 2, "not_the_author": False}
    assert [(each["user"], each["approved"], each["at"]) for each in told["answers"]] == [
        ("ada", True, ledger.instant(NOW)),
        ("mary", True, ledger.instant(NOW)),
    ]
    assert told["authors"] == ["bob"]
    assert prove_all(store)[1] == 1


@pytest.mark.parametrize(
    "change",
    [
        lambda found: replace(found, artifact_digest="e" * 64),
        lambda found: replace(found, image_digest="sha256:" + "1" * 64),
        lambda found: replace(found, target="container"),
        lambda found: replace(found, version="3"),
        lambda found: replace(found, bundle={**found.bundle, "gates": "[]"}),
        lambda found: replace(found, strategy=replace(STRATEGY, steps=(100,))),
        lambda found: replace(found, bundle={**found.bundle, "approval": ANOTHER.pack()}),
    ],
    ids=["artifact", "image", "target", "version", "thresholds", "steps", "rule"],
)
def test_an_approval_is_of_exactly_one_release(change):
    """Whatever would be served or decided otherwise asks anew."""
    store, wanted = MemoryReleases(), under(ONE)
    approve(store, wanted, "grace")
    with pytest.raises(ReleaseRefused, match="approved by 0"):
        ask_for(store, change(wanted), authors=["ada"])
    assert ask_for(store, wanted).challenger == wanted.id


def test_an_approval_is_of_one_course():
    """A release that was withdrawn and is asked for again is another decision."""
    store, wanted = MemoryReleases(), under(ONE)
    approve(store, wanted, "grace")
    row = ask_for(store, wanted)
    decided(store, row, withdrawn(row, NOW), "withdrawn")
    with pytest.raises(ReleaseRefused, match="approved by 0"):
        ask_for(store, wanted, again=True)
    approve(store, wanted, "grace")
    assert ask_for(store, wanted, again=True).challenger == wanted.id


def test_a_rule_that_came_later_holds_for_a_release_that_was_proposed_before():
    """What is asked today is asked; the release keeps what it was proposed with."""
    store = MemoryReleases()
    row = proposed(store, 2)
    decided(store, row, withdrawn(row, NOW), "withdrawn")
    wanted = under(ONE)
    with pytest.raises(ReleaseRefused, match="approved by 0"):
        ask_for(store, wanted, again=True)
    approve(store, wanted, "grace")
    assert ask_for(store, wanted, again=True).challenger == wanted.id


def test_asking_again_for_what_is_on_its_course_needs_no_second_approval():
    """A task that is run again after the decision finds it."""
    store, wanted = MemoryReleases(), under(ONE)
    approve(store, wanted, "grace")
    row = ask_for(store, wanted)
    assert ask_for(store, wanted) == row
    decided(store, row, promoted(row, NOW), "promoted")
    assert ask_for(store, wanted).champion == wanted.id
    assert [entry.action for entry in store.history()] == ["proposed", "promoted"]


def test_who_changes_their_mind_is_believed():
    """The newest answer of a person counts."""
    store, wanted = MemoryReleases(), under(ONE)
    approve(store, wanted, "grace", approved=False)
    with pytest.raises(ReleaseRefused, match="grace rejected it"):
        ask_for(store, wanted)
    approve(store, wanted, "grace")
    assert ask_for(store, wanted).challenger == wanted.id


def test_an_emergency_goes_without_and_says_so_for_ever():
    """Who, why, and what had been answered until then."""
    store, wanted = MemoryReleases(), under(TWO_OF_THREE)
    approve(store, wanted, "ada")
    ask_for(store, wanted, emergency="the champion denies every claim", actor="bob")
    (entry,) = store.history()
    assert entry.reason == "EMERGENCY, without approval: the champion denies every claim; new data"
    told = json.loads(store.evidence(entry.evidence[0]))
    assert told["emergency"] == {"by": "bob", "reason": "the champion denies every claim"}
    assert [each["user"] for each in told["answers"]] == ["ada"]


@pytest.mark.parametrize("reason", ["", "  ", "x", "the password=hunter2hunter2 leaked"])
def test_an_emergency_without_a_reason_that_can_be_kept_is_refused(reason):
    """Nothing is released, and no secret is written down."""
    store = MemoryReleases()
    with pytest.raises(ReleaseRefused, match="an emergency needs a reason"):
        ask_for(store, under(ONE), emergency=reason)
    assert store.deployment("churn").generation == 0


def test_an_emergency_means_nothing_where_nobody_is_asked():
    """The reason is the usual one."""
    store = MemoryReleases()
    ask_for(store, release(2), emergency="haste")
    assert (store.history()[0].reason, store.history()[0].evidence) == ("new data", ())


@pytest.mark.parametrize(
    "written",
    ["", "one", "null", "[]", '{"of": [], "at_least": 0, "not_the_author": false}', '{"of": [], "at_least": "1"}'],
)
def test_a_rule_that_cannot_be_read_lets_nothing_through(written):
    """Of another version, or of nobody."""
    broken = replace(release(2), bundle={"approval": written})
    with pytest.raises(ReleaseRefused, match="its rule of approval cannot be read"):
        rule_of(broken)
    with pytest.raises(ReleaseRefused, match="its rule of approval cannot be read"):
        ask_for(MemoryReleases(), broken, emergency="even then")


def test_going_back_asks_nobody():
    """What served before was approved then, and the way back stays short."""
    store = MemoryReleases()
    serving(store, 1)
    wanted = under(ONE)
    approve(store, wanted, "grace")
    row = ask_for(store, wanted)
    row = decided(store, row, promoted(row, NOW), "promoted")
    assert roll_back(store, "churn", actor="ada", reason="worse", now=NOW).challenger == release(1).id
