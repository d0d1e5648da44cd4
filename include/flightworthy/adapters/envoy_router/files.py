"""The files by which Envoy is told: bootstrap, clusters, routes. Replaced by rename, never read half.

Envoy refuses a file that is wrong and keeps the last good one; what it took is asked of it (``admin``), not assumed.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

from flightworthy.adapters.envoy_router.plan import Json, ModelPlan, clusters, problem, route

_FILTERS = "type.googleapis.com/envoy.extensions.filters"
_PRIVATE_HEADERS = ("x-flightworthy-", "x-envoy-")
"""What only this router and its servers may say; a client's are taken off."""


class RouterFiles:
    """The folder of one router that listens on ``port`` and answers questions on ``admin_port`` (loopback only)."""

    def __init__(self, folder: Path, *, port: int, admin_port: int, host: str = "127.0.0.1") -> None:
        self.folder = folder
        self.host, self.port, self.admin_port = host, port, admin_port
        self._edits: list[str] = []

    @property
    def bootstrap(self) -> Path:
        return self.folder / "bootstrap.json"

    def write_bootstrap(self) -> bool:
        """Write what Envoy starts from; True if it is new, and a running router out of date."""
        self.folder.mkdir(parents=True, exist_ok=True)
        return self._replace(self.bootstrap, self._bootstrap())

    def write_missing(self) -> None:
        """Write files that route nothing, where there are none: Envoy does not start without."""
        if not (self.folder / "cds.json").exists():
            self.write_clusters([])
        if not (self.folder / "rds.json").exists():
            self.write_routes([])

    def write_clusters(self, plans: Sequence[ModelPlan]) -> bool:
        """Say where the servers are; True if that is news."""
        return self._write_resources("cds.json", [cluster for plan in plans for cluster in clusters(plan)])

    def write_routes(self, plans: Sequence[ModelPlan]) -> bool:
        """Say how traffic is split; True if that is news."""
        nowhere = {"match": {"prefix": "/"}, **problem(404, "no model is served at this path")}
        configuration = {
            "@type": "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
            "name": "models",
            "response_headers_to_remove": ["x-envoy-upstream-service-time"],
            "virtual_hosts": [
                {"name": "models", "domains": ["*"], "routes": [*(route(plan) for plan in plans), nowhere]}
            ],
        }
        return self._write_resources("rds.json", [configuration])

    def taken_edits(self) -> list[str]:
        """The files that were replaced since it was last asked and that were not as we had written them."""
        edits, self._edits = self._edits, []
        return edits

    def _write_resources(self, name: str, resources: list[Json]) -> bool:
        path = self.folder / name
        before = path.read_text() if path.exists() else None
        wrote = self._replace(path, {"version_info": _version(resources), "resources": resources})
        if wrote and before is not None and not _is_ours(before):
            self._edits.append(name)
        return wrote

    def _replace(self, path: Path, content: Json) -> bool:
        text = json.dumps(content, indent=1)
        if path.exists() and path.read_text() == text:
            return False
        # Beside the watched folder's own files, on the same file system, or the rename would not be one.
        draft = path.with_name(f".{path.name}.{os.getpid()}")
        with draft.open("w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
        return True

    def _source(self, name: str) -> Json:
        watched = {"path": str(self.folder / name), "watched_directory": {"path": str(self.folder)}}
        return {"resource_api_version": "V3", "path_config_source": watched}

    def _bootstrap(self) -> Json:
        return {
            "node": {"id": "flightworthy-router", "cluster": "flightworthy"},
            "admin": {"address": _address("127.0.0.1", self.admin_port)},
            "dynamic_resources": {"cds_config": self._source("cds.json")},
            "static_resources": {
                "listeners": [
                    {
                        "name": "models",
                        "address": _address(self.host, self.port),
                        "per_connection_buffer_limit_bytes": 1048576,
                        "filter_chains": [{"filters": [self._connection_manager()]}],
                    }
                ]
            },
        }

    def _connection_manager(self) -> Json:
        name = "envoy.filters.network.http_connection_manager"
        return {
            "name": name,
            "typed_config": {
                "@type": f"{_FILTERS}.network.http_connection_manager.v3.HttpConnectionManager",
                "stat_prefix": "models",
                "codec_type": "AUTO",
                "request_timeout": "10s",
                "request_headers_timeout": "5s",
                "stream_idle_timeout": "30s",
                "preserve_external_request_id": True,
                "always_set_request_id_in_response": True,
                "rds": {"route_config_name": "models", "config_source": self._source("rds.json")},
                "http_filters": [
                    _filter("header_mutation", "HeaderMutation", mutations=_private_headers_off()),
                    _filter("buffer", "Buffer", max_request_bytes=1048576),
                    _filter("router", "Router", suppress_envoy_headers=True),
                ],
            },
        }


def _version(resources: list[Json]) -> str:
    return hashlib.sha256(json.dumps(resources, sort_keys=True).encode()).hexdigest()[:16]


def _is_ours(text: str) -> bool:
    """Whether a file is as one of us wrote it, this deployer or an earlier one: its version is made of its content."""
    try:
        told = json.loads(text)
        return bool(told["version_info"] == _version(told["resources"]))
    except (ValueError, TypeError, KeyError):
        return False


def _private_headers_off() -> Json:
    off = [{"remove_on_match": {"key_matcher": {"prefix": prefix}}} for prefix in _PRIVATE_HEADERS]
    return {"request_mutations": off}


def _filter(name: str, kind: str, **settings: object) -> Json:
    typed = {"@type": f"{_FILTERS}.http.{name}.v3.{kind}", **settings}
    return {"name": f"envoy.filters.http.{name}", "typed_config": typed}


def _address(host: str, port: int) -> Json:
    return {"socket_address": {"address": host, "port_value": port}}
