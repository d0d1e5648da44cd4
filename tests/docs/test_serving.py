"""docs/serving.md: every example of it is run against a real server, and it names all that there is."""

from __future__ import annotations

import ast
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flightworthy.image.recipe import SERVER_ENVIRONMENT
from flightworthy.personal import KEY, KEY_FILE
from flightworthy.serving.__main__ import _parser
from flightworthy.serving.metrics import Metrics
from flightworthy.serving.problem import TITLES
from tests.flightworthy.serving.making import make_fraud
from tests.flightworthy.serving.running import serving

ROOT = Path(__file__).resolve().parents[2]
PAGE = (ROOT / "docs" / "serving.md").read_text(encoding="utf-8")
EXAMPLES = re.findall(r"```(bash|python)\n(.*?)```\n```json\n(.*?)```", PAGE, flags=re.DOTALL)


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    artifact = tmp_path_factory.mktemp("docs") / "fraud"
    make_fraud(artifact)
    with serving(artifact) as (_, port):
        yield port


def test_every_example_has_its_answer_beside_it() -> None:
    """So that the test below runs them all, in every protocol."""
    assert len(re.findall(r"```(?:bash|python)\n", PAGE)) == len(EXAMPLES) == 6


@pytest.mark.parametrize("language, code, told", EXAMPLES, ids=[str(at) for at in range(len(EXAMPLES))])
def test_an_example_of_the_page_answers_what_the_page_says(port: int, language: str, code: str, told: str) -> None:
    """Pasted as it stands; only the port is another, and the last digits are left out on the page."""
    if language == "bash" and shutil.which("curl") is None:
        pytest.skip("no curl on this machine")
    command = ["bash", "-euo", "pipefail", "-c"] if language == "bash" else [sys.executable, "-c"]
    run = [*command, code.replace("127.0.0.1:8080", f"127.0.0.1:{port}")]
    done = subprocess.run(run, capture_output=True, text=True, check=True, timeout=60)
    assert rounded(spoken(done.stdout)) == rounded(json.loads(told))


def spoken(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return ast.literal_eval(text)


def rounded(value: Any) -> Any:
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, dict):
        return {name: rounded(each) for name, each in value.items()}
    return [rounded(each) for each in value] if isinstance(value, list) else value


def test_every_status_of_a_refusal_is_in_the_table() -> None:
    """With what it means and whether to ask again."""
    assert re.findall(r"^\| (\d{3}) \| \S.* \| \S.* \|$", PAGE, flags=re.MULTILINE) == [str(each) for each in TITLES]


def test_every_metric_is_in_the_table() -> None:
    """By its name on Prometheus' page."""
    text = Metrics({"model": "m"}).exposition(ready=True, log_rows=0, log_dropped=0)
    names = re.findall(r"^# HELP flightworthy_(\w+) ", text, flags=re.MULTILINE)
    assert len(names) > 10
    assert [name for name in names if f"`{name}`" not in PAGE] == []


def test_every_option_and_variable_of_the_server_is_on_the_page() -> None:
    """As one would type it, with its default."""
    actions = [action for action in _parser()._actions if action.dest != "help"]
    rows = re.findall(r"^\| (`--.*?) \| (.*?) \|", PAGE, flags=re.MULTILINE)
    told = {option: default for options, default in rows for option in re.findall(r"`(--[a-z-]+)`", options)}
    assert sorted(told) == sorted(action.option_strings[0] for action in actions)
    for action in actions:
        default = told[action.option_strings[0]]
        assert (default == "required") == action.required
        if action.default is not None:
            assert re.search(rf"`{str(action.default).removesuffix('.0')}`", default), action.option_strings
    assert [name for name in (KEY, KEY_FILE, *SERVER_ENVIRONMENT) if f"`{name}`" not in PAGE] == []


def test_every_event_of_the_server_s_log_is_on_the_page() -> None:
    """Who reads the log looks for the word that it begins with."""
    folder = ROOT / "include" / "flightworthy" / "serving"
    events = {event for path in folder.glob("*.py") for event in re.findall(r'\bsay\(\s*"(\w+)"', path.read_text())}
    assert {"answered", "stopped"} <= events
    assert sorted(event for event in events if f"`{event}`" not in PAGE) == []
