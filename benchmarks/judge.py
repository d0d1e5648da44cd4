"""How often the judge of canaries is right, beside three rules that are in use: simulated, with fixed seeds.

``python -m benchmarks.judge`` takes some ten minutes on one core. What a challenger is like is ``judge_canaries.Kind``,
what the others do is in ``judge_peers``. A shorter run of the same simulation is among the tests.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from scipy import stats

from benchmarks.judge_canaries import CANARY, HEALTHY, LOOKS, ONE_STEP, Kind, Outcome, course, judge_course
from benchmarks.judge_peers import PEERS
from benchmarks.result import Result, Row, machine, row
from flightworthy.canary import FALSE_ALARMS, Verdict
from flightworthy.release import Strategy

DOUBLED, FIVEFOLD = Kind(error_rate=0.02), Kind(error_rate=0.05)
SLOW, SLIGHTLY_SLOW = Kind(slowdown=0.2), Kind(slowdown=0.05)
INVERTED, STUCK, SHUFFLED = (Kind(answers=answers) for answers in ("inverted", "stuck", "shuffled"))
PEER_RUNS = 400
NOTES = (
    (
        "Champion 1 % errors; 90:10; 20 looks of 1,000 requests, so that a canary has 100 requests at each. Every "
        "criterion is on and required, all share the 1 % of false alarms of a release, which has one step."
    ),
    (
        "1→5 % within two looks is not reached, and cannot be: a canary has had 200 requests by then, and the most "
        "powerful test there is (Neyman and Pearson), told the champion's rate beforehand, looking once and spending "
        "all of the 1 %, finds what the row after it says. With 1,000 requests of the canary a look it is reached."
    ),
    (
        "1→2 % is mostly found by the exam at the end of the step: twenty errors more in two thousand requests are "
        "hardly beyond chance, and who tells them earlier withdraws healthy canaries too."
    ),
    (
        "Wrong answers that are shuffled, each request getting another's, are distributed as the right ones: no rule "
        "finds them that has no labels and does not ask both models the same. It takes a shadow, or labels."
    ),
    (
        "Ours: 8,000 healthy canaries of one step, 2,000 of two, 4,000 of 1→2 % and of 1→5 %, 2,000 of each latency, "
        f"1,000 of each kind of answers and of the large canary; {PEER_RUNS} of each for the others."
    ),
)


def main() -> int:
    """Simulate, publish; 0 whether the figures were reached or not."""
    ours, peers = list(_ours()), list(_peers())
    Result(
        name="judge",
        machine=machine(),
        rows=(*ours, *peers),
        notes=NOTES,
    ).publish()
    return 0


def _ours() -> list[Row]:
    healthy, doubled, fivefold = played(HEALTHY, 8000, seed=1), played(DOUBLED, 4000, seed=2), played(FIVEFOLD, 4000, 3)
    slow, slightly = played(SLOW, 2000, seed=4), played(SLIGHTLY_SLOW, 2000, seed=5)
    large = played(replace(FIVEFOLD, size=1000), 1000, seed=6, looks=2)
    two_steps = [withdrawn_in_steps(seed) for seed in range(2000)]
    return [
        row("healthy canaries withdrawn", found(healthy), "%", at_most=1),
        row("healthy canaries withdrawn, in two steps", 100 * float(np.mean(two_steps)), "%", at_most=1),
        row("healthy canaries held at the end", held(healthy), "%"),
        row("1→5 % errors, found within two looks", found(fivefold, within=2), "%", at_least=99.9),
        row("the most that any test could find of it", best_possible(), "%"),
        row("1→5 % errors, found within two looks of 1,000 of the canary", found(large), "%", at_least=99.9),
        row("1→5 % errors, found within twenty looks", found(fivefold), "%", at_least=99.9),
        row("1→5 % errors, median look", median_look(fivefold), "look"),
        row("1→2 % errors, found within twenty looks", found(doubled), "%", at_least=85),
        row("1→2 % errors, median look", median_look(doubled), "look"),
        row("+20 % latency, found within six looks", found(slow, within=6), "%", at_least=99),
        row("+20 % latency, median look", median_look(slow), "look"),
        row("+5 % latency, left alone", 100 - found(slightly), "%", at_least=90),
        row("answers inverted, found", found(played(INVERTED, 1000, seed=7)), "%", at_least=99),
        row("answers stuck at one value, found", found(played(STUCK, 1000, seed=8)), "%", at_least=99),
        row("answers shuffled, found", found(played(SHUFFLED, 1000, seed=9)), "%"),
    ]


def _peers() -> list[Row]:
    kinds = {
        "healthy canaries withdrawn": HEALTHY, "1→2 % errors found": DOUBLED, "1→5 % errors found": FIVEFOLD,
        "+20 % latency found": SLOW, "inverted answers found": INVERTED,
    }  # fmt: skip
    rows = []
    for name, peer in PEERS.items():
        for what, kind in kinds.items():
            rng = np.random.default_rng(10)
            share = np.mean([peer(course(kind, rng)) is not None for _ in range(PEER_RUNS)])
            rows.append(row(f"{name}: {what}", 100 * float(share), "%"))
    return rows


def played(kind: Kind, runs: int, seed: int, *, looks: int = LOOKS, strategy: Strategy = ONE_STEP) -> list[Outcome]:
    """That many canaries of a kind, each judged to its end."""
    rng = np.random.default_rng(seed)
    return [judge_course(course(kind, rng, looks=looks), strategy) for _ in range(runs)]


def withdrawn_in_steps(seed: int) -> bool:
    """Whether a healthy canary is withdrawn in a release of two steps, each with a judge and half of the budget."""
    rng = np.random.default_rng(1000 + seed)
    strategy = replace(ONE_STEP, steps=(10, 50, 100))
    return any(judge_course(course(HEALTHY, rng), strategy).verdict is Verdict.UNHEALTHY for _step in range(2))


def found(outcomes: Sequence[Outcome], *, within: int = LOOKS) -> float:
    """Percent withdrawn at a look not later than ``within``."""
    return 100 * sum(end.look is not None and end.look <= within for end in outcomes) / len(outcomes)


def held(outcomes: Sequence[Outcome]) -> float:
    """Percent neither withdrawn nor healthy at the end: they wait, and are withdrawn if it stays so."""
    return 100 * sum(end.verdict is Verdict.INCONCLUSIVE for end in outcomes) / len(outcomes)


def median_look(outcomes: Sequence[Outcome]) -> float:
    """Of those that were withdrawn."""
    return float(statistics.median(end.look for end in outcomes if end.look is not None))


def best_possible() -> float:
    """Percent of 1→5 % that the most powerful test of that level finds among the requests of two looks."""
    observed = 2 * CANARY
    rare, frequent = stats.binom(observed, HEALTHY.error_rate), stats.binom(observed, FIVEFOLD.error_rate)
    least = next(count for count in range(observed) if rare.sf(count) <= FALSE_ALARMS)
    coin = (FALSE_ALARMS - rare.sf(least)) / rare.pmf(least)  # at exactly so many it decides by chance
    return float(100 * (frequent.sf(least) + coin * frequent.pmf(least)))


if __name__ == "__main__":
    sys.exit(main())
