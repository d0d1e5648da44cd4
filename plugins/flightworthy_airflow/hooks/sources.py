"""Where a model's partitions land: listed for triggers, read for ingest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from flightworthy.adapters.partition_files import PartitionFiles
    from flightworthy.adapters.personal_columns import Protection
    from flightworthy.partition import SourceFile
    from flightworthy.spec import Spec

__all__ = ["listing", "source_of"]


def listing(uri: str, partition_format: str) -> tuple[SourceFile, ...]:
    """Every landed file by partition key. Blocks; call it from a thread."""
    from flightworthy.adapters.partition_files.listing import Landing
    from flightworthy.spec import Source

    return Landing.of(Source(uri=uri, partition=partition_format)).files()


def source_of(spec: Spec, protection: Protection) -> PartitionFiles:
    """The model's source, typed as its spec says; what names a person is treated before anybody sees it."""
    from flightworthy.adapters.partition_files import PartitionFiles

    return PartitionFiles.of(spec, protect=protection.begin)
