from dataclasses import replace
from datetime import datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flightworthy.errors import LedgerBroken
from flightworthy.ledger import GENESIS, chain, verify
from flightworthy.testing import MemoryReleases
from tests.flightworthy.release_makers import serving

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


@given(place=st.integers(0, 5), field=st.sampled_from(FIELDS))
def test_no_change_anywhere_goes_unseen(place, field):
    """Any field of any entry."""
    store = MemoryReleases()
    serving(store, 1, 2, 3)
    changed = replace(store.entries[place], **{field[0]: field[1]})
    if changed == store.entries[place]:
        return
    store.entries[place] = changed
    with pytest.raises(LedgerBroken):
        verify(store.entries)


def _as_draft(entry):
    from flightworthy.ledger import Draft

    names = ("model", "at", "actor", "action", "from_release", "to_release", "generation", "reason", "evidence")
    return Draft(**{name: getattr(entry, name) for name in names})
