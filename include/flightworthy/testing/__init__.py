"""Stand-ins for the real stores, in memory, for tests of what is built on them; held to the same contracts."""

from flightworthy.testing.arrivals import MemoryArrivals
from flightworthy.testing.registry import MemoryRegistry
from flightworthy.testing.releases import MemoryReleases
from flightworthy.testing.runs import MemoryRuns

__all__ = ["MemoryArrivals", "MemoryRegistry", "MemoryReleases", "MemoryRuns"]
