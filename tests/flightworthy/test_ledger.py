from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightworthy.errors import LedgerBroken, ReleaseRefused
from flightworthy.ledger import (
    GENESIS,
    Action,
    chain,
    digest_of,
    exported,
    read_export,
    standing_at,
    verify,
    verify_evidence,
)
from flightworthy.release import (
    Cause,
    Phase,
    draft,
    entered,
    promoted,
    prove_all,
    proven,
    requested,
    returned,
    roll_back,
    withdrawn,
)
from flightworthy.secrecy import masked
from flightworthy.testing import MemoryReleases
from tests.flightworthy.release_makers import NOW, decided, proposed, release, serving

FIELDS = [
    ("model", "other"), ("actor", "mallory"), ("action", "withdrawn"), ("from_release", "x"), ("to_release", "x"),
    ("generation", 99), ("reason", "nothing to see"), ("evidence", ("e" * 64,)),
    ("at", datetime(2030, 1, 1).astimezone()),
]  # fmt: skip


@pytest.fixture
def entries():
    store = MemoryReleases()
    serving(store, 1, 2, 3)
    return store.entries


def test_a_chain_that_nobody_touched_holds(entries):
    """It says how many entries it followed; an empty one holds too."""
    assert verify(entries, head=entries[-1].hash) == 6
    assert verify([]) == 0
    assert entries[0].previous_hash == GENESIS


@pytest.mark.parametrize("field, value", FIELDS)
def test_a_changed_entry_is_named(entries, field, value):
    """Whatever part of it was changed."""
    entries[2] = replace(entries[2], **{field: value})
    with pytest.raises(LedgerBroken, match=r"entry 3 .* was changed") as broken:
        verify(entries)
    assert broken.value.facts == {"seq": 3}


def test_a_changed_entry_with_a_hash_to_match_breaks_the_next_one(entries):
    """Recomputing one hash is not enough: the entry after it names the old one."""
    forged = replace(entries[2], reason="nothing to see")
    entries[2] = chain(
        _as_draft(forged), seq=forged.seq, previous_hash=forged.previous_hash
    )  # fmt: skip
    with pytest.raises(LedgerBroken, match="entry 4 does not follow entry 3"):
        verify(entries)


def test_a_removed_entry_is_named(entries):
    """By the place where it should be."""
    del entries[3]
    with pytest.raises(LedgerBroken, match="entry 5 stands where entry 4 belongs"):
        verify(entries)


def test_entries_in_another_order_are_named(entries):
    """The first that is out of place."""
    entries[1], entries[2] = entries[2], entries[1]
    with pytest.raises(LedgerBroken, match="entry 3 stands where entry 2 belongs"):
        verify(entries)


def test_a_cut_off_end_is_seen_by_the_head(entries):
    """A chain alone cannot show that; the head that is kept beside it can."""
    head = entries.pop().hash
    assert verify(entries) == 5
    with pytest.raises(LedgerBroken, match="the newest entries are missing"):
        verify(entries, head=head)


def test_the_same_instant_in_another_time_zone_has_the_same_hash(entries):
    """What a database does to time zones is no tampering."""
    moved = entries[0].at.astimezone(timezone(timedelta(hours=5)))
    assert verify([replace(entries[0], at=moved)]) == 1


ANYTHING = {
    "seq": st.integers(0, 9),
    "model": st.sampled_from(["churn", "claims"]),
    "at": st.datetimes().map(lambda at: at.replace(tzinfo=UTC)),
    "actor": st.text(),
    "action": st.sampled_from(get_args(Action)),
    "from_release": st.none() | st.text(),
    "to_release": st.none() | st.text(),
    "generation": st.integers(),
    "reason": st.text(),
    "evidence": st.lists(st.text()).map(tuple),
    "previous_hash": st.text(),
    "hash": st.text(),
    "share": st.none() | st.integers(0, 100),
}


@st.composite
def tamperings(draw):
    """A way to tamper with entries, and the places of which one must be named, counted from 1."""
    kind = draw(st.sampled_from(["change", "remove", "swap", "insert", "repeat", "reseal"]))
    place, other = draw(st.integers(0, 5)), draw(st.integers(0, 5))
    field = draw(st.sampled_from(sorted(ANYTHING)))
    return kind, place, other, field, draw(ANYTHING[field])


def tampered(entries, kind, place, other, field, value):
    changed = list(entries)
    if kind in ("change", "reseal"):
        changed[place] = replace(changed[place], **{field: value})
    if kind == "reseal":
        changed[place] = replace(changed[place], hash=digest_of(changed[place]))
    elif kind == "remove":
        del changed[place]
    elif kind == "swap":
        changed[place], changed[other] = changed[other], changed[place]
    elif kind == "insert":
        changed.insert(place, replace(changed[other], **{field: value}))
    elif kind == "repeat":
        changed.insert(place, changed[other])
    return changed


@given(tampering=tamperings())
def test_no_tampering_anywhere_goes_unseen_and_the_first_place_that_does_not_hold_is_named(tampering):
    """Any field of any entry changed, with or without its hash; any entry removed, moved, repeated or added."""
    store = MemoryReleases()
    serving(store, 1, 2, 3)
    changed = tampered(store.entries, *tampering)
    if changed == store.entries:
        assert verify(changed, head=store.head()) == 6
        return
    with pytest.raises(LedgerBroken, match=r"entr(y|ies)") as broken:
        verify(changed, head=store.head())
    sound = next((at for at, (was, now) in enumerate(zip(store.entries, changed, strict=False)) if was != now), None)
    first = 1 + (min(len(changed), len(store.entries)) if sound is None else sound)
    # A resealed entry holds by itself: the one after it, or the head, tells.
    assert broken.value.facts["seq"] in (first, first + 1)


@given(tampering=tamperings())
def test_an_export_that_was_tampered_with_is_never_taken(tampering):
    """The same, in the file that an auditor has: without the database, and with nothing but the file."""
    store = MemoryReleases()
    serving(store, 1, 2, 3)
    changed = tampered(store.entries, *tampering)
    lines = [*exported(store.entries, store.evidence)]
    lines[1:-1] = [*exported(changed, lambda _: "")][1:-1]
    if changed == store.entries:
        assert read_export(lines).entries == tuple(store.entries)
        return
    with pytest.raises(LedgerBroken):
        read_export(lines)


@given(data=st.data())
def test_no_character_of_an_export_can_be_changed(data):
    """Whether it means something else then or not: it is written in one way."""
    store = MemoryReleases()
    judged(store)
    text = "\n".join(exported(store.entries, store.evidence))
    place = data.draw(st.integers(0, len(text) - 1))
    character = data.draw(st.characters(exclude_characters=text[place], codec="utf-8"))
    with pytest.raises(LedgerBroken):
        read_export((text[:place] + character + text[place + 1 :]).split("\n"))


@pytest.mark.parametrize(
    "was, now",
    [
        ('"reason":', '"reason":"what a reader sees first","reason":'),
        ('"seq":1', '"seq": 1'),
        ('"seq":1', '"approved_by":"nobody","seq":1'),
        ('"format":1', '"format":2'),
        ("+00:00", "+0000"),
    ],
)
def test_an_export_is_written_in_one_way(was, now):
    """A key twice, a blank more, a field of one's own, another version: not what we wrote, whatever it means."""
    store = MemoryReleases()
    judged(store)
    text = "\n".join(exported(store.entries, store.evidence))
    assert was in text
    with pytest.raises(LedgerBroken, match="is not written as an export writes it"):
        read_export(text.replace(was, now, 1).split("\n"))


def test_the_head_of_an_export_says_how_many_entries_there_are():
    """Its number is as little to be changed as its hash."""
    store = MemoryReleases()
    judged(store)
    *lines, head = exported(store.entries, store.evidence)
    with pytest.raises(LedgerBroken, match="it has 2 entries, and its head is that of 3"):
        read_export([*lines, head.replace('"seq":2', '"seq":3')])


@pytest.mark.parametrize("cut", [0, 1, 3, -1])
def test_an_export_that_was_cut_off_is_not_taken(cut):
    """At its end or its beginning."""
    store = MemoryReleases()
    judged(store)
    lines = [*exported(store.entries, store.evidence)]
    with pytest.raises(LedgerBroken):
        read_export(lines[:cut] if cut >= 0 else lines[1:])


def judged(store, body='{"errors": 3}'):
    """A promotion that rests on evidence."""
    row = proposed(store, 1)
    after = promoted(row, NOW)
    cause = Cause(actor="deployer", reason="héalthy\n", at=NOW, evidence=(store.keep_evidence(body),))
    store.swap(row, after, draft(row, after, "promoted", cause))


def test_an_export_holds_the_evidence_and_reads_back_as_it_was():
    """The same ledger gives the same bytes."""
    store = MemoryReleases()
    judged(store)
    lines = [*exported(store.entries, store.evidence)]
    found = read_export(lines)
    assert found.entries == tuple(store.entries)
    assert list(found.bodies.values()) == ['{"errors": 3}']
    assert found.head == store.head()
    assert [*exported(found.entries, found.bodies.get)] == lines
    assert read_export(exported([], {}.get)).entries == ()


@pytest.mark.parametrize("body, what", [(None, "removed"), ('{"errors": 0}', "changed")])
def test_evidence_that_is_not_what_it_was_is_named(body, what):
    """An entry only holds its digest; the numbers are beside it, and count as much."""
    store = MemoryReleases()
    judged(store)
    assert verify_evidence(store.entries, store.evidence) == 1
    with pytest.raises(LedgerBroken, match=f"the evidence .* of entry 2 was {what}") as broken:
        verify_evidence(store.entries, lambda _: body)
    assert broken.value.facts["seq"] == 2


def at(minutes):
    return NOW + timedelta(minutes=minutes)


@pytest.fixture
def course():
    """Version 1 serves; 2 is proposed after 10 minutes, has 10 % after 20, 50 after 30, all after 40; back after 50."""
    store = MemoryReleases()
    row = serving(store, 1)
    for minute, action, step in [
        (10, "proposed", lambda row: requested(row, "churn-2", at(10))),
        (20, "advanced", lambda row: entered(row, 0, 10, at(20))),
        (30, "advanced", lambda row: entered(row, 1, 50, at(30))),
        (40, "promoted", lambda row: promoted(row, at(40))),
        (50, "rolled_back", lambda row: returned(row, release(1).id, None, at(50))),
    ]:
        after = step(row)
        cause = Cause(actor=f"who decided at {minute}", reason="why", at=at(minute))
        row = store.swap(row, after, draft(row, after, action, cause))
    return store.history("churn")


@pytest.mark.parametrize(
    "minute, champion, challenger, until",
    [
        (-1, None, None, 0),
        (5, (release(1).id, 100, 0), None, 10),
        (10, (release(1).id, 100, 0), ("churn-2", 0, 10), 20),
        (25, (release(1).id, 90, 0), ("churn-2", 10, 20), 30),
        (39, (release(1).id, 50, 0), ("churn-2", 50, 30), 40),
        (45, ("churn-2", 100, 40), None, 50),
        (99, (release(1).id, 100, 50), None, None),
    ],
)
def test_the_ledger_tells_what_served_at_any_time_since_when_and_by_whose_decision(
    course, minute, champion, challenger, until
):
    """Release, share, since when; and until when it was so."""
    found = standing_at(course, at(minute))

    def told(serving):
        return serving and (serving.release, serving.share, (serving.decided.at - NOW).seconds // 60)

    assert (told(found.champion), told(found.challenger)) == (champion, challenger)
    assert (found.until and (found.until.at - NOW).seconds // 60) == until


def test_a_share_that_was_not_told_is_not_made_up(course):
    """Entries of 0.1 hold none."""
    old = [replace(entry, share=None) for entry in course]
    found = standing_at(old, at(25))
    assert (found.challenger.release, found.challenger.share, found.champion.share) == ("churn-2", None, None)
    assert standing_at(old, at(45)).champion.share == 100


def test_rows_that_were_changed_past_the_ledger_are_found():
    """A ledger that holds says nothing of a row that somebody wrote into the table."""
    store = MemoryReleases()
    row = serving(store, 1, 2)
    proof, _ = prove_all(store)
    assert len(proof.entries) == 4
    for changed, why in [
        (replace(row, generation=5), "at generation 5, and the newest entry made 4"),
        (replace(row, champion=release(1).id), f"champion is {release(1).id}"),
        (replace(row, challenger="x", slot_a="x", phase=Phase.CANARY, share_b=50), "has 50 % of traffic"),
    ]:
        store.rows["churn"] = changed
        with pytest.raises(LedgerBroken, match=why):
            prove_all(store)


def test_a_ledger_that_grows_while_it_is_read_is_read_again():
    """Head and entries of two moments would look like tampering."""

    class Busy(MemoryReleases):
        grows = 3

        def deployments(self):
            if Busy.grows:
                Busy.grows -= 1
                serving(self, 10 - Busy.grows)
            return super().deployments()

    store = Busy()
    proof = proven(store)
    assert proof.head == proof.entries[-1].hash == store.head()
    assert len(proof.entries) == 6


SECRETS = [
    "see postgresql://u:hunter22@db/x",
    "password=hunter22",
    "Password: hunter22",
    "token:hunter22",
    "AKIA" + "A" * 16,
]


@pytest.mark.parametrize("text", SECRETS)
def test_a_reason_with_a_secret_in_it_is_refused_before_anything_is_changed(text):
    """The ledger keeps it for ever; the message does not repeat it."""
    store = MemoryReleases()
    row = serving(store, 1, 2)
    with pytest.raises(ReleaseRefused, match="what looks like a password") as refused:
        roll_back(store, "churn", actor="ada", reason=f"it fails with {text}", now=NOW)
    assert "hunter22" not in str(refused.value)
    assert store.deployment("churn") == row


@pytest.mark.parametrize("text", SECRETS)
def test_a_secret_that_a_machine_quotes_is_masked(text):
    """A withdrawal quotes the end of a server's log, and must happen."""
    store = MemoryReleases()
    row = proposed(store, 1)
    decided(store, row, withdrawn(row, NOW), "withdrawn", reason=f"it said last: {text} and ended")
    assert store.entries[-1].reason.startswith("it said last: ")
    assert store.entries[-1].reason.endswith(" and ended") or "[masked]" in store.entries[-1].reason
    assert text not in store.entries[-1].reason


def test_ordinary_words_are_no_secret():
    """Somebody may write about tokens and passwords."""
    for text in ["the token: expired", "secret: it is bad", "tokens=", "password: ${X}", "too many false alarms"]:
        assert masked(text) == text


def _as_draft(entry):
    from flightworthy.ledger import Draft

    names = ("model", "at", "actor", "action", "from_release", "to_release", "generation", "reason", "evidence")
    return Draft(**{name: getattr(entry, name) for name in names})
