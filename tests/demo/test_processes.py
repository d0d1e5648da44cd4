"""Processes: started, watched, and none left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import pytest

from demo.places import Places
from demo.processes import Component, ComponentDied, Processes, marked

SLEEP = "import time; time.sleep(600)"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('deaf', flush=True); {SLEEP}"


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    places = Places(home=tmp_path / "home")
    places.make()
    started = Processes(places)
    yield started
    started.end(patience=0.5)


def component(code: str, *, name: str = "sleeper") -> Component:
    return Component(
        name=name, command=(sys.executable, "-c", code), environment=dict(os.environ), healthy=lambda: True
    )


def wait_until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 20
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_what_was_started_is_running_until_it_is_ended(processes: Processes) -> None:
    """After the end nothing carries the home's mark, and the notes are gone."""
    processes.start(component(SLEEP))
    assert processes.running() == {"sleeper": True}
    processes.check()

    assert processes.end() == 1

    assert processes.running() == {}
    assert list(marked(processes.places.home)) == []


def test_a_component_that_died_is_named_with_the_end_of_its_log(processes: Processes) -> None:
    """A reader of the message knows who, how, and why, without opening a file."""
    processes.start(component("print('the cellar is flooded'); raise SystemExit(3)", name="cellar"))
    processes.children["cellar"].wait(timeout=20)

    with pytest.raises(ComponentDied, match=r"cellar exited with 3[\s\S]*the cellar is flooded"):
        processes.check()


def test_a_component_that_was_killed_says_by_which_signal(processes: Processes) -> None:
    """Out of memory looks like SIGKILL, and the message says so much."""
    processes.start(component(SLEEP, name="big"))
    os.kill(processes.children["big"].pid, signal.SIGKILL)
    processes.children["big"].wait(timeout=20)

    with pytest.raises(ComponentDied, match="big was ended by SIGKILL"):
        processes.check()


def test_a_process_that_does_not_listen_is_made_to_end(processes: Processes) -> None:
    """Asked first; made to after the patience is over."""
    processes.start(component(DEAF, name="deaf"))
    wait_until(lambda: "deaf" in processes.log("deaf").read_text(encoding="utf-8"))

    processes.end(patience=0.5)

    assert list(marked(processes.places.home)) == []


def test_a_grandchild_in_a_session_of_its_own_is_ended_too(processes: Processes) -> None:
    """The mark is inherited, however far a process went."""
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {SLEEP!r}], start_new_session=True)"
    processes.start(component(nested))
    wait_until(lambda: len(list(marked(processes.places.home))) == 2)

    assert processes.end() == 2

    assert list(marked(processes.places.home)) == []


def test_what_a_killed_stack_left_is_ended_by_the_next(tmp_path: Path) -> None:
    """SIGKILL leaves orphans; whoever comes next finds them by their mark."""
    home = tmp_path / "home"
    code = f"""
        import os, pathlib, signal, sys
        from demo.places import Places
        from demo.processes import Component, Processes
        places = Places(home=pathlib.Path({str(home)!r}))
        places.make()
        Processes(places).start(
            Component(name="orphan", command=(sys.executable, "-c", {SLEEP!r}), environment={{}}, healthy=lambda: True)
        )
        os.kill(os.getpid(), signal.SIGKILL)
    """
    root = Path(__file__).resolve().parents[2]
    parent = subprocess.run([sys.executable, "-c", textwrap.dedent(code)], cwd=root, timeout=60, check=False)
    assert parent.returncode == -signal.SIGKILL
    left = Processes(Places(home=home))
    assert left.running() == {"orphan": True}

    assert left.end() == 1

    assert left.running() == {}


def test_another_home_is_left_alone(processes: Processes, tmp_path: Path) -> None:
    """The demo never touches the stack that stays up, though one home is inside the other."""
    places = Places(home=processes.places.home / "demo")
    places.make()
    other = Processes(places)
    other.start(component(SLEEP))

    assert processes.end() == 0

    assert other.running() == {"sleeper": True}
    other.end()


def test_a_model_server_and_a_router_are_known_by_their_arguments(processes: Processes) -> None:
    """The deployer hands them no environment; another home's servers are not taken for them."""
    home = processes.places.home
    plain = {"PATH": os.defpath}
    ours = [
        subprocess.Popen([sys.executable, "-c", SLEEP, "--predictions", str(home / "predictions")], env=plain),
        subprocess.Popen([sys.executable, "-c", SLEEP, "-c", str(home / "router" / "bootstrap.json")], env=plain),
    ]
    foreign = subprocess.Popen([sys.executable, "-c", SLEEP, "--predictions", str(home / "demo" / "predictions")])

    assert processes.end() == 2

    assert not any(psutil.pid_exists(each.pid) for each in ours)
    assert all(each.wait(timeout=20) is not None for each in ours)
    assert foreign.poll() is None
    foreign.kill()
    foreign.wait()


def test_a_note_about_a_reused_process_id_counts_as_ended(processes: Processes) -> None:
    """A process that started at another time is another process."""
    processes.start(component(SLEEP))
    note = processes.places.run / "sleeper.json"
    started_at = psutil.Process(processes.children["sleeper"].pid).create_time()
    note.write_text(note.read_text(encoding="utf-8").replace(str(started_at), str(started_at - 60)), encoding="utf-8")

    assert processes.running() == {"sleeper": False}
