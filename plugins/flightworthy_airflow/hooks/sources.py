"""Where a model's partitions land: listed for triggers, read for ingest."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from flightworthy.adapters.partition_files import Progress
    from flightworthy.adapters.partition_files.wholeness import Wholeness
    from flightworthy.adapters.personal_columns import ProtectedSource, Protection
    from flightworthy.partition import SourceFile
    from flightworthy.spec import Source, Spec

__all__ = ["listing", "source_of", "wholeness_of"]


def listing(source: Source) -> tuple[SourceFile, ...]:
    """Every landed file by partition key. Blocks; call it from a thread."""
    from flightworthy.adapters.partition_files.listing import Landing

    return Landing.of(source).files()


def wholeness_of(source: Source) -> Wholeness:
    """Who says whether a partition is all there, by its marker or manifest."""
    from flightworthy.adapters.partition_files.wholeness import Wholeness

    return Wholeness.of(source)


def source_of(spec: Spec, protection: Protection, *, progress: Callable[[Progress], None]) -> ProtectedSource:
    """The model's source, typed as its spec says; what names a person is treated before anybody sees it.

    ``progress`` is told now and then how far a long reading is.
    """
    from flightworthy.adapters.partition_files import PartitionFiles
    from flightworthy.adapters.personal_columns import ProtectedSource

    return ProtectedSource(source=PartitionFiles.of(spec, progress=progress), protection=protection)
