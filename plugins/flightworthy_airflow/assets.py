"""The events by which new data and drift wake a deployment."""

from __future__ import annotations

from airflow.sdk import Asset, AssetWatcher

from flightworthy_airflow.triggers.new_partition import NewPartitionTrigger

__all__ = ["drift_asset", "new_partition_asset"]


def new_partition_asset(model: str) -> Asset:
    """A model's incoming partitions, watched at their source.

    The asset's own URI is a name, not an address: the source may move without the history of its events being lost.
    Whoever pushes raises its event with ``{"partition": …}`` as the extra.
    """
    return Asset(
        name=f"{model}.new_partition",
        uri=f"flightworthy://{model}/new_partition",
        group="flightworthy",
        watchers=[AssetWatcher(name=f"{model}.new_partition", trigger=NewPartitionTrigger(model=model))],
    )


def drift_asset(model: str) -> Asset:
    """Raised by ``<model>.monitor`` when it asks for a retrain."""
    return Asset(name=f"{model}.drift", uri=f"flightworthy://{model}/drift", group="flightworthy")
