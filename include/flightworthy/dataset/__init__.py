"""Dataset versions: immutable sets of partitions named by their digest, and the verb that takes new data in.

Nothing here knows how rows are stored. A `PartitionSource` reads partitions where they land, a `DatasetStore` keeps
them; between the two go `Rows`, batch by batch, so that no partition needs to fit into memory. Everything after ingest
speaks keys and digests.
"""

from flightworthy.dataset.ingesting import Ingested, ingest
from flightworthy.dataset.splitting import Split, split_of
from flightworthy.dataset.storing import DatasetStore, PartitionSource, Rows, Staged
from flightworthy.dataset.version import (
    Belated,
    DatasetVersion,
    PartitionVersion,
    Revised,
    Revision,
    known_by,
    newer_than,
    revised,
    version_of,
)

__all__ = [
    "Belated",
    "DatasetStore",
    "DatasetVersion",
    "Ingested",
    "PartitionSource",
    "PartitionVersion",
    "Revised",
    "Revision",
    "Rows",
    "Split",
    "Staged",
    "ingest",
    "known_by",
    "newer_than",
    "revised",
    "split_of",
    "version_of",
]
