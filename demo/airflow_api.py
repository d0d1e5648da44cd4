"""Airflow as its clients see it: the REST API, by a token that a user's password buys."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any, TypeVar

import requests

_BUSY = (429, 500, 502, 503, 504)
"""Answers worth another try: SQLite's lock shows as a 500."""

_DONE = ("success", "failed")

_SHOWN_APART = ("timestamp", "level", "event", "logger", "error_detail", "filename", "lineno")

Json = dict[str, Any]
T = TypeVar("T")


class AirflowAnswer(Exception):
    """Airflow answered otherwise than hoped for; carries the status code and what it said."""

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class AirflowApi:
    """One user's view of one Airflow.

    ``watch`` is called while waiting; a stack's ``check`` makes a wait end when a component has died.
    """

    def __init__(self, url: str, *, user: str, password: str, watch: Callable[[], None] = lambda: None) -> None:
        self.url = url.rstrip("/")
        self._user = user
        self._password = password
        self._watch = watch
        self._session = requests.Session()
        self._session.trust_env = False

    def call(self, method: str, path: str, *, expect: int | None = None, **options: Any) -> requests.Response:
        """One request, by the user's token, tried again while Airflow is busy; any other error raises AirflowAnswer.

        ``path`` begins with a slash; below ``/api/v2`` unless it names another application, such as ``/flightworthy``.
        With ``expect`` that very status is wanted and handed back, be it a refusal.
        """
        full = path if path.startswith(("/api/", "/auth/", "/flightworthy")) else f"/api/v2{path}"
        answer = self._once(method, full, options)
        if answer.status_code == 401 and expect != 401:
            self._session.headers.pop("Authorization", None)
            answer = self._once(method, full, options)
        for attempt in range(6):
            if answer.status_code == expect or answer.status_code not in _BUSY:
                break
            time.sleep(0.2 * 2**attempt)
            answer = self._once(method, full, options)
        if answer.status_code != expect and (expect is not None or not answer.ok):
            raise AirflowAnswer(f"{method} {full}: {answer.status_code} {answer.text[:500]}", status=answer.status_code)
        return answer

    def get(self, path: str, **params: Any) -> Json:
        """The JSON at that path."""
        found: Json = self.call("GET", path, params=params).json()
        return found

    # -- runs ----------------------------------------------------------------------------------------------------------

    def trigger(self, dag_id: str, *, conf: Mapping[str, Any] | None = None, logical_at: datetime | None = None) -> str:
        """Start a run; returns its run id."""
        body = {"logical_date": logical_at.isoformat() if logical_at else None, "conf": dict(conf or {})}
        run_id: str = self.call("POST", f"/dags/{dag_id}/dagRuns", json=body).json()["dag_run_id"]
        return run_id

    def runs(self, dag_id: str, *, limit: int = 100, **where: Any) -> list[Json]:
        """The runs of a DAG, oldest first; ``where`` is Airflow's own filter (``run_type="backfill"``, ``state=…``)."""
        found: list[Json] = self.get(f"/dags/{dag_id}/dagRuns", limit=limit, order_by="id", **where)["dag_runs"]
        return found

    def run(self, dag_id: str, run_id: str) -> Json:
        """One run as it stands."""
        return self.get(f"/dags/{dag_id}/dagRuns/{run_id}")

    def wait_for_run(self, dag_id: str, run_id: str, *, within: float = 180) -> Json:
        """The run once it is done, successful or failed."""

        def done() -> Json | None:
            run = self.run(dag_id, run_id)
            return run if run["state"] in _DONE else None

        return self.wait(
            done, within=within, what=lambda: f"{dag_id} {run_id} to finish; {self.states(dag_id, run_id)}"
        )

    def wait(self, look: Callable[[], T | None], *, within: float, what: Callable[[], str], every: float = 0.3) -> T:
        """What ``look`` finds, once it finds it; after ``within`` seconds AirflowAnswer, naming what was awaited."""
        deadline = time.monotonic() + within
        while time.monotonic() < deadline:
            if (found := look()) is not None:
                return found
            self._watch()
            time.sleep(every)
        raise AirflowAnswer(f"waited {within:.0f} s for {what()}")

    # -- tasks ---------------------------------------------------------------------------------------------------------

    def tasks(self, dag_id: str, run_id: str) -> list[Json]:
        """The task instances of a run, mapped ones one by one."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances"
        found: list[Json] = self.get(path, limit=200, order_by="id")["task_instances"]
        return found

    def states(self, dag_id: str, run_id: str) -> dict[str, str | None]:
        """Each task's state; those of a mapped task under ``task[0]``, ``task[1]`` and so on."""
        return {
            task["task_id"] if task["map_index"] < 0 else f"{task['task_id']}[{task['map_index']}]": task["state"]
            for task in self.tasks(dag_id, run_id)
        }

    def log(self, dag_id: str, run_id: str, task_id: str, *, try_number: int | None = None, map_index: int = -1) -> str:
        """What a try of a task (the last, unless told) wrote, one event a line, with its keys and any traceback."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}"
        if try_number is None:
            found = next(
                task
                for task in self.tasks(dag_id, run_id)
                if task["task_id"] == task_id and task["map_index"] == map_index
            )
            try_number = max(1, found["try_number"])
        content = self.get(f"{path}/logs/{try_number}", map_index=map_index, full_content=True)["content"]
        return "\n".join(_line(event) for event in content)

    def xcom(self, dag_id: str, run_id: str, task_id: str, *, key: str = "return_value", map_index: int = -1) -> Any:
        """What a task handed on."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/xcomEntries/{key}"
        return self.get(path, map_index=map_index, deserialize=False)["value"]

    def links(self, dag_id: str, run_id: str, task_id: str, *, map_index: int = -1) -> dict[str, str | None]:
        """A task's extra links, by their names."""
        path = f"/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task_id}/links"
        found: dict[str, str | None] = self.get(path, map_index=map_index)["extra_links"]
        return found

    # -- pools ---------------------------------------------------------------------------------------------------------

    def resize_pool(self, pool: str, slots: int) -> None:
        """Give a pool so many slots, as a person does under *Admin*, *Pools*."""
        body = {"pool": pool, "slots": slots, "include_deferred": False}
        self.call("PATCH", f"/pools/{pool}", json=body, params={"update_mask": "slots"})

    # -- the whole -----------------------------------------------------------------------------------------------------

    def dag_ids(self) -> set[str]:
        """The DAGs that Airflow knows."""
        return {dag["dag_id"] for dag in self.get("/dags", limit=500)["dags"]}

    def import_errors(self) -> dict[str, str]:
        """What is wrong with DAG files and plugins: file or plugin, and the trace."""
        dags = {each["filename"]: each["stack_trace"] for each in self.get("/importErrors")["import_errors"]}
        plugins = {each["source"]: each["error"] for each in self.get("/plugins/importErrors")["import_errors"]}
        return dags | plugins

    def wait_for_dags(self, *dag_ids: str, within: float = 120) -> None:
        """Until those DAGs are known; a DAG file or plugin that does not import ends the wait, with its trace."""

        def known() -> bool | None:
            if errors := self.import_errors():
                raise AirflowAnswer("\n".join(f"{name} does not import: {trace}" for name, trace in errors.items()))
            return True if self.dag_ids() >= set(dag_ids) else None

        self.wait(known, within=within, what=lambda: f"the DAGs {sorted(dag_ids)}; known: {sorted(self.dag_ids())}")

    def _once(self, method: str, path: str, options: Json) -> requests.Response:
        if "Authorization" not in self._session.headers:
            self._log_in()
        return self._session.request(method, f"{self.url}{path}", timeout=30, **options)

    def _log_in(self) -> None:
        answer = self._session.post(
            f"{self.url}/auth/token", json={"username": self._user, "password": self._password}, timeout=30
        )
        if not answer.ok:
            raise AirflowAnswer(f"{self._user} may not enter: {answer.status_code} {answer.text[:200]}")
        self._session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"


def _line(event: str | Json) -> str:
    if isinstance(event, str):
        return event
    rest = {key: value for key, value in event.items() if key not in _SHOWN_APART}
    words = (event.get("timestamp"), event.get("level"), event.get("event"), *(f"{k}={v}" for k, v in rest.items()))
    line = " ".join(str(word) for word in words if word is not None)
    return "\n".join([line, *(_raised(each) for each in event.get("error_detail") or ())])


def _raised(error: Json) -> str:
    frames = [f"  {frame['filename']}:{frame['lineno']} in {frame['name']}" for frame in error.get("frames", ())]
    return "\n".join([*frames, f"{error['exc_type']}: {error['exc_value']}"])
