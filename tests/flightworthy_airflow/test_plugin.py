"""The plugin: loaded by its entry point and not by its folder, and closed to whoever is not logged in."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from starlette.testclient import TestClient

from flightworthy_airflow.web.application import application
from flightworthy_airflow.web.reports import resolve

ROOT = Path(__file__).parents[2]


def test_airflow_finds_the_plugin_by_its_entry_point() -> None:
    """One registration, whoever installs the distribution."""
    (found,) = entry_points(group="airflow.plugins", name="flightworthy")

    assert found.load().name == "flightworthy"


def test_airflow_does_not_run_the_files_of_the_plugin_folder() -> None:
    """Without .airflowignore each file runs as a top-level module: hooks/mlflow.py becomes *the* mlflow."""
    code = (
        "from airflow.plugins_manager import _get_plugins; plugins, errors = _get_plugins(); import sys;"
        "assert not errors, errors; assert [p.name for p in plugins].count('flightworthy') == 1;"
        "own = [n for n, m in sys.modules.items() if 'flightworthy_airflow' in str(getattr(m, '__file__', ''))];"
        "assert all(n.startswith('flightworthy_airflow') for n in own), own"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)

    assert done.returncode == 0, done.stderr


def test_every_route_asks_who_is_there() -> None:
    """A plugin's application is open to anyone unless each route says otherwise."""
    app = application()
    client = TestClient(app)
    paths = [str(getattr(route, "path", "")) for route in app.routes]

    assert paths == ["/reports/{path:path}", "/webhooks/mlflow"]
    assert client.get("/reports/anything.html").status_code in (401, 403)
    assert client.post("/webhooks/mlflow", json={}).status_code == 401
    for documentation in ("/docs", "/redoc", "/openapi.json"):
        assert client.get(documentation).status_code == 404


def test_a_path_that_leads_outside_finds_nothing(tmp_path: Path) -> None:
    """Neither by dots nor through a link."""
    reports = tmp_path / "reports"
    reports.mkdir()
    (tmp_path / "secret").write_text("s")
    (reports / "page.html").write_text("p")
    (reports / "link.html").symlink_to(tmp_path / "secret")

    assert resolve(reports, "page.html") == reports / "page.html"
    assert resolve(reports, "../secret") is None
    assert resolve(reports, "/etc/passwd") is None
    assert resolve(reports, "link.html") is None
    assert resolve(reports, "") is None
