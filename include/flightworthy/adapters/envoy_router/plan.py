"""What the router is to do for one model, and the Envoy resources that say so.

Each slot is a cluster, ``<model>.a`` and ``<model>.b``, and each order of the two an aggregate that falls back from the
first to the second. Which of the four an arm uses is the whole difference between "may fall back" and "may not". While
the other slot is a shadow its server is a fifth, ``<model>.shadow``, with counters and narrow limits of its own.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flightworthy.release import Slot

Json = dict[str, Any]

_TYPES = "type.googleapis.com/envoy"
_LIMITS = {"max_retries": 1024, "max_connections": 4096, "max_pending_requests": 4096, "max_requests": 4096}
"""Envoy's own default of three concurrent retries loses requests whenever a server stops under load."""


_MIRROR_LIMITS = {"max_retries": 0, "max_connections": 32, "max_pending_requests": 32, "max_requests": 64}
"""A shadow that hangs holds no more requests than this; further ones are not mirrored, and nobody waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Backend:
    """A release's server, where the router finds it."""

    release: str
    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelPlan:
    """The slots of a model and how its traffic is split.

    ``stable`` is the champion's slot, None while there is no champion. ``share`` is the other slot's part in percent.
    ``falls_back`` says that the other slot holds a vetted release, which may answer when the champion's server cannot.
    ``mirrors`` says that the other slot gets a copy of each request, whose answer the router drops.
    """

    model: str
    generation: int
    slots: Mapping[Slot, Backend | None]
    stable: Slot | None
    share: int
    falls_back: bool
    mirrors: bool = False


def clusters(plan: ModelPlan) -> list[Json]:
    """The four clusters of a model, and that of its shadow."""
    name = plan.model
    shadow = plan.slots["b" if plan.stable == "a" else "a"] if plan.mirrors else None
    return [
        _cluster(f"{name}.a", plan.slots["a"]),
        _cluster(f"{name}.b", plan.slots["b"]),
        _aggregate(f"{name}.ab", [f"{name}.a", f"{name}.b"]),
        _aggregate(f"{name}.ba", [f"{name}.b", f"{name}.a"]),
        *([] if shadow is None else [_mirror(f"{name}.shadow", shadow)]),
    ]


def route(plan: ModelPlan) -> Json:
    """The route ``/<model>/…``; 503 while the model has no champion."""
    match: Json = {
        "match": {"prefix": f"/{plan.model}/"},
        "metadata": {
            "filter_metadata": {
                "flightworthy": {
                    "model": plan.model,
                    "generation": plan.generation,
                    "stable": plan.stable or "",
                    "share": plan.share,
                    "falls_back": plan.falls_back,
                    "mirrors": plan.mirrors,
                }
            }
        },
    }
    if plan.stable is None:
        return {**match, **problem(503, f"{plan.model} has no release that serves yet")}
    return {**match, "route": _split(plan, plan.stable)}


def problem(status: int, detail: str) -> Json:
    """A direct answer in the form that the model servers use for their own refusals."""
    body = json.dumps({"type": "about:blank", "title": "Not served", "status": status, "detail": detail})
    as_problem = {"key": "content-type", "value": "application/problem+json"}
    return {
        "direct_response": {"status": status, "body": {"inline_string": body}},
        "response_headers_to_add": [{"header": as_problem, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}],
    }


def _split(plan: ModelPlan, stable: Slot) -> Json:
    other = "b" if stable == "a" else "a"
    stable_arm = f"{plan.model}.{stable}{other}" if plan.falls_back else f"{plan.model}.{stable}"
    # The challenger's arm first: its part of the hash range then only grows, and no entity moves back and forth.
    arms = [
        {"name": f"{plan.model}.{other}{stable}", "weight": plan.share},
        {"name": stable_arm, "weight": 100 - plan.share},
    ]
    return {
        "prefix_rewrite": "/",
        "weighted_clusters": {"clusters": arms, "use_hash_policy": True},
        "hash_policy": [{"header": {"header_name": "x-entity-id"}}],
        "request_mirror_policies": [_copies(f"{plan.model}.shadow")] if plan.mirrors else [],
        "timeout": "7s",
        "retry_policy": {
            "retry_on": "connect-failure,reset,refused-stream,gateway-error,retriable-status-codes",
            "retriable_status_codes": [500],
            "num_retries": 2,
            "per_try_timeout": "2s",
            "retry_back_off": {"base_interval": "0.005s", "max_interval": "0.02s"},
            "retry_priority": {
                "name": "envoy.retry_priorities.previous_priorities",
                "typed_config": {
                    "@type": f"{_TYPES}.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig",
                    "update_frequency": 1,
                },
            },
        },
    }


def _copies(cluster: str) -> Json:
    """Copies of requests, marked as such; a server that does not know the mark writes them nowhere."""
    mark = {"header": {"key": "x-flightworthy-rehearsal", "value": "shadow"}}
    return {
        "cluster": cluster,
        "disable_shadow_host_suffix_append": True,
        "request_headers_mutations": [{"append": {**mark, "append_action": "OVERWRITE_IF_EXISTS_OR_ADD"}}],
    }


def _mirror(name: str, backend: Backend) -> Json:
    """Without health checks: what cannot be reached fails, and is counted, and nobody waits for it."""
    return {
        **_without_checks(name, backend),
        "circuit_breakers": {"thresholds": [_MIRROR_LIMITS]},
    }


def _cluster(name: str, backend: Backend | None) -> Json:
    return {
        **_without_checks(name, backend),
        "circuit_breakers": {"thresholds": [_LIMITS]},
        "health_checks": [
            {
                "timeout": "1s",
                "interval": "0.5s",
                "unhealthy_interval": "0.2s",
                "no_traffic_interval": "0.2s",
                "unhealthy_threshold": 2,
                "healthy_threshold": 1,
                "http_health_check": {"path": "/healthz"},
            }
        ],
        # Never send traffic to hosts that are down because too many are.
        "common_lb_config": {"healthy_panic_threshold": {"value": 0}},
    }


def _without_checks(name: str, backend: Backend | None) -> Json:
    endpoints: list[Json] = []
    if backend is not None:
        address = {"socket_address": {"address": backend.host, "port_value": backend.port}}
        endpoints = [{"lb_endpoints": [{"endpoint": {"address": address}}]}]
    return {
        "@type": f"{_TYPES}.config.cluster.v3.Cluster",
        "name": name,
        "type": "STATIC",
        "connect_timeout": "0.25s",
        "metadata": {"filter_metadata": {"flightworthy": {"release": backend.release if backend else ""}}},
        "load_assignment": {"cluster_name": name, "endpoints": endpoints},
    }


def _aggregate(name: str, members: list[str]) -> Json:
    return {
        "@type": f"{_TYPES}.config.cluster.v3.Cluster",
        "name": name,
        "connect_timeout": "0.25s",
        "lb_policy": "CLUSTER_PROVIDED",
        "circuit_breakers": {"thresholds": [_LIMITS]},
        "cluster_type": {
            "name": "envoy.clusters.aggregate",
            "typed_config": {
                "@type": f"{_TYPES}.extensions.clusters.aggregate.v3.ClusterConfig",
                "clusters": members,
            },
        },
    }
