"""Whether MLflow has a version, asked without MLflow's library, which takes seconds to import."""

from __future__ import annotations

from dataclasses import dataclass, field

import requests

from flightworthy.errors import Unavailable

__all__ = ["MlflowPresence"]

_SECONDS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class MlflowPresence:
    """One question to one tracking server."""

    uri: str
    username: str | None
    password: str | None = field(repr=False)

    def has(self, model: str, version: int) -> bool:
        """Whether the version stands. Raises Unavailable where MLflow gives neither yes nor no."""
        login = None if self.username is None else (self.username, self.password or "")
        try:
            answer = requests.get(
                f"{self.uri}/api/2.0/mlflow/model-versions/get",
                params={"name": model, "version": str(version)},
                auth=login,
                timeout=_SECONDS,
            )
        except requests.RequestException as error:
            raise self._unavailable(type(error).__name__) from error
        if answer.status_code not in (200, 404):
            raise self._unavailable(f"HTTP {answer.status_code}")
        return answer.status_code == 200

    def _unavailable(self, why: str) -> Unavailable:
        return Unavailable(
            f"MLflow at {self.uri} did not say whether a version stands ({why}); see that the server runs and lets "
            "this connection in, then run this task again",
            uri=self.uri,
        )
