"""What Envoy says that it does: which split it has loaded, whom it sees healthy, what each slot answered and failed.

Read from the loaded configuration and the hosts' own counters, which count every attempt and thus what retries hide.
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from flightworthy.errors import Unavailable
from flightworthy.release import Slot

_UNHEALTHY = ("failed_active_health_check", "failed_outlier_check", "pending_dynamic_removal", "pending_active_hc")


@dataclass(frozen=True, slots=True, kw_only=True)
class SlotView:
    """A slot as the router has it. Counters run since the router first saw this address."""

    release: str
    host: str
    port: int
    healthy: bool
    attempts: int
    errors: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadedRoute:
    """A model's split as the router has loaded it; the fields are those of the plan it was made from."""

    generation: int
    stable: Slot | None
    share: int
    falls_back: bool
    mirrors: bool = False

    def share_of(self, slot: Slot) -> int:
        """The slot's part of the traffic in percent, fallback apart."""
        if self.stable is None:
            return 0
        return 100 - self.share if slot == self.stable else self.share


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelView:
    """One model as the router has it; a slot without a server is None. ``shadow`` counts the copies of requests."""

    route: LoadedRoute | None
    slots: Mapping[Slot, SlotView | None]
    shadow: SlotView | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RouterView:
    """Everything that the router has loaded."""

    models: Mapping[str, ModelView]


def read_view(admin_port: int, *, timeout: float = 2.0) -> RouterView:
    """Ask the router; raises Unavailable if it does not answer or has nothing loaded yet."""
    clusters = _ask(admin_port, "/config_dump?resource=dynamic_active_clusters", timeout)
    routes = _ask(admin_port, "/config_dump?resource=dynamic_route_configs", timeout)
    hosts = _ask(admin_port, "/clusters?format=json", timeout)
    if not routes.get("configs"):
        raise Unavailable(f"the router at admin port {admin_port} has loaded nothing yet; ask again", port=admin_port)
    split_of = dict(_splits(routes["configs"][0]["route_config"]))
    slots = dict(_slots(clusters.get("configs", []), _hosts_by_cluster(hosts)))
    models = {
        model: ModelView(
            route=split_of.get(model),
            slots={"a": slots.get((model, "a")), "b": slots.get((model, "b"))},
            shadow=slots.get((model, "shadow")),
        )
        for model in {*split_of, *(model for model, _ in slots)}
    }
    return RouterView(models=models)


def _ask(port: int, path: str, timeout: float) -> dict[str, Any]:
    url = f"http://127.0.0.1:{port}{path}"
    try:
        with urllib.request.urlopen(url, timeout=timeout) as answer:
            return dict(json.load(answer))
    except (OSError, ValueError, urllib.error.URLError) as error:
        raise Unavailable(f"the router did not answer {url}: {error}. Is it running?", url=url) from error


def _splits(route_config: Mapping[str, Any]) -> Iterator[tuple[str, LoadedRoute]]:
    for host in route_config.get("virtual_hosts", []):
        for found in host.get("routes", []):
            told = found.get("metadata", {}).get("filter_metadata", {}).get("flightworthy")
            if told:
                stable: Slot | None = _slot(told["stable"]) if told["stable"] else None
                yield (
                    str(told["model"]),
                    LoadedRoute(
                        generation=int(told["generation"]),
                        stable=stable,
                        share=int(told["share"]),
                        falls_back=bool(told["falls_back"]),
                        mirrors=bool(told.get("mirrors")),
                    ),
                )


def _slots(
    configs: list[dict[str, Any]], hosts: Mapping[str, dict[str, Any]]
) -> Iterator[tuple[tuple[str, str], SlotView]]:
    for config in configs:
        cluster = config["cluster"]
        release = cluster.get("metadata", {}).get("filter_metadata", {}).get("flightworthy", {}).get("release")
        host = hosts.get(cluster["name"])
        if release and host:
            model, _, name = cluster["name"].rpartition(".")
            yield (model, name), _slot_view(release, host)


def _slot_view(release: str, host: Mapping[str, Any]) -> SlotView:
    counted = {stat["name"]: int(stat.get("value", 0)) for stat in host["stats"]}
    address = host["address"]["socket_address"]
    return SlotView(
        release=release,
        host=str(address["address"]),
        port=int(address["port_value"]),
        healthy=not any(host["health_status"].get(flag) for flag in _UNHEALTHY),
        attempts=counted["rq_success"] + counted["rq_error"],
        errors=counted["rq_error"],
    )


def _hosts_by_cluster(hosts: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {
        status["name"]: status["host_statuses"][0]
        for status in hosts.get("cluster_statuses", [])
        if status.get("host_statuses")
    }


def _slot(name: str) -> Literal["a", "b"]:
    return "a" if name == "a" else "b"
