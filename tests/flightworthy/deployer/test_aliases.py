from datetime import timedelta

from flightworthy.deployer.aliases import AliasKeeper, align_aliases
from flightworthy.deployer.healings import Healings
from flightworthy.errors import Unavailable
from flightworthy.registry import ModelVersion
from flightworthy.release import withdrawn
from flightworthy.testing import MemoryRegistry, MemoryReleases
from tests.flightworthy.release_makers import NOW, decided, proposed, serving


def registry_with(*numbers):
    kept = {
        ("churn", number): ModelVersion(
            model="churn", version=number, key=f"k{number}", run_id="r", artifact_uri="u", artifact_digest="d", tags={}
        )
        for number in numbers
    }
    return MemoryRegistry(kept=kept)


def aliased(registry):
    found = {alias: registry.aliased("churn", alias) for alias in ("champion", "challenger", "previous")}
    return {alias: version.version for alias, version in found.items() if version}


def test_aliases_say_what_the_row_says():
    """Champion and previous after a promotion; a second time there is nothing to do."""
    store, registry = MemoryReleases(), registry_with(1, 2)
    row = serving(store, 1, 2)
    assert align_aliases(store, registry, row) == ["champion: none -> 2", "previous: none -> 1"]
    assert aliased(registry) == {"champion": 2, "previous": 1}
    assert align_aliases(store, registry, row) == []


def test_an_alias_that_was_moved_by_hand_is_put_back():
    """The row is the truth; MLflow tells of it."""
    store, registry = MemoryReleases(), registry_with(1, 2)
    row = serving(store, 1, 2)
    align_aliases(store, registry, row)
    registry.set_alias("churn", "champion", 1)
    assert align_aliases(store, registry, row) == ["champion: 1 -> 2"]


def test_the_challenger_is_named_while_it_runs_and_not_after():
    """Its alias goes with its release."""
    store, registry = MemoryReleases(), registry_with(1, 2)
    serving(store, 1)
    row = proposed(store, 2)
    align_aliases(store, registry, row)
    assert aliased(registry) == {"champion": 1, "challenger": 2}
    row = decided(store, row, withdrawn(row, NOW), "withdrawn")
    assert align_aliases(store, registry, row) == ["challenger: 2 -> none"]


def test_a_registered_challenger_that_is_not_proposed_yet_keeps_its_alias():
    """Registering names it, before its image is built and its release proposed."""
    store, registry = MemoryReleases(), registry_with(1, 2)
    row = serving(store, 1)
    registry.set_alias("churn", "challenger", 2)
    align_aliases(store, registry, row)
    assert aliased(registry)["challenger"] == 2


def test_a_registry_that_is_away_is_asked_again_and_blocks_nobody(wait_for):
    """An alignment that failed is sent again; tend() itself never waits."""
    store, registry, tries = MemoryReleases(), registry_with(1), []
    row = serving(store, 1)

    def make():
        tries.append(1)
        if len(tries) == 1:
            raise Unavailable("MLflow is away")
        return registry

    keeper = AliasKeeper(store, make, retry_time=timedelta(milliseconds=50))

    def aligned():
        keeper.tend(row)
        return aliased(registry) == {"champion": 1}

    wait_for(aligned)
    keeper.close()
    assert len(tries) == 2


def test_an_alias_moved_by_hand_is_written_down_and_one_that_follows_a_decision_is_not(wait_for):
    """Only what nobody decided is a healing."""
    store, registry = MemoryReleases(), registry_with(1, 2)
    healings = Healings(store, lambda: NOW)
    keeper = AliasKeeper(
        store, lambda: registry, retry_time=timedelta(), realign_time=timedelta(), healings=healings
    )  # fmt: skip

    def aligned(wanted):
        keeper.tend(store.deployment("churn"))
        return aliased(registry) == wanted

    serving(store, 1)
    wait_for(lambda: aligned({"champion": 1}))
    serving(store, 2)
    wait_for(lambda: aligned({"champion": 2, "previous": 1}))
    assert store.healings("churn", limit=10) == []
    registry.set_alias("churn", "champion", 1)
    wait_for(lambda: aligned({"champion": 2, "previous": 1}) and store.healings("churn", limit=10))
    keeper.close()
    (healing,) = store.healings("churn", limit=10)
    assert (healing.kind, healing.model, healing.at) == ("alias", "churn", NOW)
    assert healing.what == "an alias was moved by others and put back: champion: 1 -> 2"


def test_a_healing_that_cannot_be_written_holds_nobody_up():
    """What is put right is put right, whether or not the database answers."""

    class Away(MemoryReleases):
        def note_healing(self, healing):
            tried.append(healing.what)
            raise Unavailable("the database is away")

    tried = []
    Healings(Away(), lambda: NOW).note("router", "it had ended", model=None)
    assert tried == ["it had ended"]
