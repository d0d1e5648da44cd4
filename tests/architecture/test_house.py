"""What a reader may rely on in every file of the tree."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = (ROOT / "include" / "flightworthy", ROOT / "plugins" / "flightworthy_airflow")
BANNED = {"utils", "helpers", "common", "base", "manager", "handler", "processor", "data", "info", "misc"}
NOT_DOMAIN = {"adapters", "cli", "deployer", "serving", "testing"}
MACHINE_PATHS = re.compile(r"(?<![\w.])/(root|home/\w+|work|Users/\w+)/|\.\./shared")
INDEX_HOSTS = re.compile(
    r"pypi\.org|files\.pythonhosted\.org|--index-url|--extra-index-url|artifactory|devpi", re.IGNORECASE
)


def modules(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py"))


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def tracked() -> Iterator[tuple[Path, str]]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a git checkout, so there is no list of files")
    for name in filter(None, listed.stdout.split("\0")):
        path = ROOT / name
        try:
            yield path, path.read_text(encoding="utf-8")
        except (UnicodeDecodeError, FileNotFoundError, IsADirectoryError):
            continue


@pytest.mark.parametrize("path", modules(*PACKAGES, ROOT / "dags"), ids=shown)
def test_a_module_says_what_it_is_for(path: Path) -> None:
    """Its first line can be read down the folder by a newcomer: one sentence, ended by a full stop."""
    docstring = ast.get_docstring(ast.parse(path.read_text()))

    assert docstring, f"{shown(path)} has no docstring"
    summary = docstring.split("\n\n")[0]
    assert summary.rstrip().endswith((".", "?", "::", ":")), f"{shown(path)} starts with half a sentence: {summary!r}"


@pytest.mark.parametrize(
    "path", modules(*PACKAGES, ROOT / "dags", ROOT / "demo", ROOT / "benchmarks", ROOT / "drill"), ids=shown
)
def test_no_module_is_named_for_nothing(path: Path) -> None:
    """`utils` and its kind collect what nobody found a word for."""
    parts = {part for name in path.relative_to(ROOT).with_suffix("").parts for part in name.split("_")}

    assert not parts & BANNED, f"{shown(path)}: find the word for what it holds"


@pytest.mark.parametrize("path", modules(ROOT / "tests"), ids=shown)
def test_every_test_states_its_behaviour(path: Path) -> None:
    """A test's docstring says in a sentence what holds, so that a failure can be read without the code."""
    functions = [node for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)]
    silent = [node.name for node in functions if node.name.startswith("test_") and not ast.get_docstring(node)]

    assert not silent


def test_the_domain_imports_only_the_standard_library() -> None:
    """And pydantic, in the spec; also inside functions, and also what import-linter has not been told of."""
    foreign = {
        f"{shown(path)}: {name}"
        for path in modules(PACKAGES[0])
        if path.relative_to(PACKAGES[0]).parts[0].removesuffix(".py") not in NOT_DOMAIN
        for name in imported(path)
        if name not in sys.stdlib_module_names | {"flightworthy"}
        and not (name in {"pydantic", "pydantic_core"} and "spec" in path.relative_to(PACKAGES[0]).parts)
    }

    assert not foreign


def imported(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.split(".")[0])
    return names


def test_airflow_does_not_scan_the_plugins_folder() -> None:
    """Airflow runs every file under plugins/ as a module named by its stem; an entry point registers ours."""
    ignore = ROOT / "plugins" / ".airflowignore"

    assert ignore.read_text().split() == ["*"]


def test_no_file_knows_the_machine_that_it_was_written_on() -> None:
    """No path of somebody's home, nothing beside the checkout; .ci/ alone is about the machine that it runs on."""
    elsewhere = [(path, text) for path, text in tracked() if path != Path(__file__) and ".ci" not in path.parts]
    found = [shown(path) for path, text in elsewhere if MACHINE_PATHS.search(text)]

    assert not found


def test_no_file_names_a_package_index() -> None:
    """So that an installation works behind any mirror; the lock least of all."""
    found = [shown(path) for path, text in tracked() if path != Path(__file__) and INDEX_HOSTS.search(text)]

    assert not found
