"""What a person sees in a browser: the line in Airflow's own pages, and the report behind a task's link."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Error, Page, expect, sync_playwright

from demo.airflow_api import AirflowApi, Json
from demo.stack import Stack

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
pytestmark = [
    pytest.mark.stack,
    pytest.mark.slow,
    pytest.mark.chromium,
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine"),
]
DEPLOY = "diagnosis.deploy"
SLOW_PAGE = 60_000
"""Milliseconds: Airflow's pages are large and the machine may be busy."""


@pytest.fixture(scope="module")
def page(stack: Stack) -> Iterator[Page]:
    """A browser in which the admin is logged in."""
    quiet = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=quiet)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        page.set_default_timeout(SLOW_PAGE)
        page.goto(f"{stack.settings.airflow_url}/auth/login")
        page.fill('input[name="username"]', "admin")
        page.fill('input[name="password"]', stack.places.secret("airflow_admin_password"))
        page.click('button[type="submit"]')
        page.wait_for_url(lambda url: "/auth/login" not in url)
        yield page
        browser.close()


def test_the_run_shows_the_line(page: Page, stack: Stack, first_deployment: Json) -> None:
    """Every task under the word that the docs use for it."""
    page.goto(f"{stack.settings.airflow_url}/dags/{DEPLOY}/runs/{first_deployment['dag_run_id']}")

    for task in ("ingest", "check_expectations", "train", "evaluate", "register", "containerize", "promote"):
        expect(page.get_by_text(task).first).to_be_visible(timeout=SLOW_PAGE)


def test_a_report_opens_behind_the_login_and_sees_nothing_of_it(
    page: Page, airflow: AirflowApi, first_deployment: Json
) -> None:
    """The page shows the decision; a script in it would have no cookie to read."""
    link = airflow.links(DEPLOY, first_deployment["dag_run_id"], "evaluate")["Report"]
    page.goto(str(link))

    expect(page.get_by_text("Approved.")).to_be_visible()
    with pytest.raises(Error, match="sandboxed"):
        page.evaluate("document.cookie")
