"""Two arms' binned observations compared whole: by ranks (Mann-Whitney) and by distribution (Kolmogorov-Smirnov).

Both are tests for one look; whoever looks again spends a part of the chance of a false alarm each time (``Looks``).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from flightworthy.canary.samples import Bins

__all__ = ["Distance", "Looks", "Ranks", "kolmogorov_smirnov", "mann_whitney"]

_GROWTH = 1.25


@dataclass(slots=True)
class Looks:
    """When to look, and what each look may spend.

    A look is due once ``first`` observations are there, and again whenever they grew by a quarter: their number grows
    with the logarithm of the traffic. Look k may spend alpha / (k (k + 1)), which sums to alpha however many come: a
    Bonferroni correction that needs no plan of how long a step will hold.
    """

    first: int
    taken: int = 0
    _next: float = 0.0

    def is_due(self, observations: int) -> bool:
        """Whether to look at this many; a look that is due is taken."""
        if observations < max(self.first, self._next):
            return False
        self.taken += 1
        self._next = observations * _GROWTH
        return True

    def share(self) -> float:
        """The part of alpha that the latest look may spend."""
        return 1.0 / (self.taken * (self.taken + 1))


@dataclass(frozen=True, slots=True, kw_only=True)
class Ranks:
    """``superiority`` is the chance that the challenger's observation is the larger, ties counted half."""

    superiority: float
    chance: float
    """Of ranks as high as these or higher, were the arms alike."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Distance:
    """The largest difference of the cumulative shares, and the chance of one as large, were the arms alike.

    That tells chance and not size: where everybody is answered 0.61 by one arm and 0.62 by the other it is 1. ``moved``
    is the size.
    """

    value: float
    chance: float
    moved: float
    """How far an observation moved on average: the area between the cumulative shares (Wasserstein), in bins."""


def mann_whitney(challenger: Bins, champion: Bins) -> Ranks:
    """Is the challenger's the larger? One-sided, by the normal approximation with ties and continuity corrected.

    With n and m observations and N = n + m, U has the mean nm/2 and the variance
    nm/12 (N + 1 - sum (t^3 - t) / (N (N - 1))) over the sizes t of ties (Lehmann, "Nonparametrics", 1.2 and appendix);
    here each bin is a tie.
    """
    n, m = sum(challenger.values()), sum(champion.values())
    total, below, wins, ties = n + m, 0, 0.0, 0
    for place in sorted({*challenger, *champion}):
        mine, theirs = challenger.get(place, 0), champion.get(place, 0)
        wins += mine * (below + theirs / 2)
        below += theirs
        ties += (mine + theirs) ** 3 - (mine + theirs)
    if not n or not m:
        return Ranks(superiority=0.5, chance=1.0)
    variance = n * m / 12 * (total + 1 - ties / (total * (total - 1)))
    if variance <= 0:
        return Ranks(superiority=wins / (n * m), chance=1.0)
    z = (wins - n * m / 2 - 0.5) / math.sqrt(variance)
    return Ranks(superiority=wins / (n * m), chance=0.5 * math.erfc(z / math.sqrt(2)))


def kolmogorov_smirnov(challenger: Bins, champion: Bins) -> Distance:
    """Do the arms differ in distribution? Two-sided; bins can only hide a difference, never make one.

    The chance by Kolmogorov's series 2 sum (-1)^(k-1) exp(-2 k^2 l^2) with Stephens' correction for small samples,
    l = (sqrt(e) + 0.12 + 0.11/sqrt(e)) D and e = nm/(n + m) (Press et al., "Numerical Recipes", section 14.3).
    """
    n, m = sum(challenger.values()), sum(champion.values())
    if not n or not m:
        return Distance(value=0.0, chance=1.0, moved=0.0)
    places = sorted({*challenger, *champion})
    mine = theirs = 0
    largest = area = 0.0
    for place, following in zip(places, [*places[1:], places[-1]], strict=True):
        mine += challenger.get(place, 0)
        theirs += champion.get(place, 0)
        apart = abs(mine / n - theirs / m)
        largest, area = max(largest, apart), area + apart * (following - place)
    root = math.sqrt(n * m / (n + m))
    return Distance(value=largest, chance=_kolmogorov((root + 0.12 + 0.11 / root) * largest), moved=area)


def _kolmogorov(reach: float) -> float:
    if reach < 0.2:
        return 1.0  # the series alternates without end there, and its value is 1 to twelve digits
    series = (2 * (-1) ** (k - 1) * math.exp(-2 * (k * reach) ** 2) for k in range(1, 101))
    return min(1.0, max(0.0, math.fsum(series)))
