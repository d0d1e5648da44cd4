"""What a server process may still do once it has confined itself: each forbidden thing is tried, on this kernel."""

from __future__ import annotations

import ctypes
import json
import os
import platform
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from tests.flightworthy.serving.making import golden_rows
from tests.flightworthy.serving.test_server_process import ENVIRON, free_port, options

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="confinement is Linux's")

PROBE = """
import ctypes, json, os, resource, signal, socket, subprocess, sys, threading
import numpy
from pathlib import Path
from flightworthy.serving.confinement import confine

given = json.loads(sys.argv[1])
handle = open(given["secret"])
done = confine(artifact=Path(given["artifact"]), predictions=Path(given["predictions"]), port=given["port"])
libc = ctypes.CDLL(None, use_errno=True)
tried = {}
def attempt(what, act):
    try:
        act()
        tried[what] = "allowed"
    except (OSError, MemoryError) as error:
        tried[what] = type(error).__name__
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "refused")
here, port = given["artifact"], given["port"]
attempt("read a secret", lambda: open(given["secret"]))
attempt("list the folder it was started in", lambda: os.listdir("."))
attempt("read the passwords of the machine", lambda: open("/etc/shadow"))
attempt("read another process's environment", lambda: open(f"/proc/{os.getppid()}/environ").read())
attempt("change the model", lambda: open(f"{here}/model.skops", "ab"))
attempt("add a file to the model", lambda: open(f"{here}/model.pkl", "wb"))
attempt("remove a file of the model", lambda: os.unlink(f"{here}/golden.json"))
attempt("write outside", lambda: open(given["outside"], "w"))
attempt("a link out of its folder", lambda: os.symlink("/etc", given["predictions"] + "/etc"))
attempt("start a program", lambda: subprocess.run(["/bin/true"]))
attempt("become a program", lambda: os.execv("/bin/true", ["true"]))
attempt("fork", lambda: os.fork() or os._exit(0))
attempt("connect", lambda: socket.create_connection(("127.0.0.1", given["open"]), timeout=2))
attempt("connect while sending", lambda: socket.socket().sendto(b"x", 0x20000000, ("127.0.0.1", given["open"])))
attempt("the Docker socket", lambda: socket.socket(socket.AF_UNIX).connect("/var/run/docker.sock"))
attempt("send a datagram", lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)))
attempt("a raw socket", lambda: socket.socket(socket.AF_INET, socket.SOCK_RAW, 1))
attempt("listen on another port", lambda: socket.create_server(("127.0.0.1", given["other"])))
attempt("signal another process", lambda: os.kill(os.getppid(), signal.SIGCONT))
attempt("trace another process", lambda: call("ptrace", 16, os.getppid(), 0, 0))
attempt("become another user", lambda: os.setuid(12345) if os.getuid() == 0 else os.setuid(0))
attempt("mount", lambda: call("mount", b"none", b"/mnt", b"tmpfs", 0, None))
attempt("a namespace", lambda: call("unshare", 0x10000000))
attempt("change the time", lambda: call("settimeofday", ctypes.byref((ctypes.c_long * 2)(0, 0)), None))
attempt("allocate without end", lambda: bytearray(3 << 30))
attempt("io_uring", lambda: call("syscall", ctypes.c_long(425), 8, ctypes.byref((ctypes.c_char * 256)())))

still = {}
ran = []
thread = threading.Thread(target=ran.append, args=(1,))
thread.start(), thread.join()
still["threads"] = bool(ran)
still["arithmetic"] = float(numpy.linalg.inv(numpy.eye(200)).sum()) == 200.0
still["the model"] = bool(open(f"{here}/model.skops", "rb").read(1))
with open(given["predictions"] + "/log.jsonl", "w") as log:
    still["the log"] = bool(log.write("line"))
still["its port"] = bool(socket.create_server(("127.0.0.1", port)).getsockname())
still["what was open before"] = handle.read() == "secret"
status = dict(line.split(":", 1) for line in open("/proc/self/status"))
print(json.dumps({"applied": done.applied, "refused": done.refused, "tried": tried, "still": still,
                  "capabilities": [status[name].strip() for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")],
                  "no new privileges": status["NoNewPrivs"].strip(), "core": resource.getrlimit(resource.RLIMIT_CORE)}))
"""


def landlock_version() -> int:
    return int(ctypes.CDLL(None).syscall(ctypes.c_long(444), None, ctypes.c_long(0), ctypes.c_long(1)))


def probed(fraud: Path, folder: Path) -> dict[str, Any]:
    import socket

    (folder / "secret").write_text("secret")
    with socket.create_server(("127.0.0.1", 0)) as listening:
        given = {
            # A copy: a probe that got through would leave others a model that it changed.
            "artifact": str(shutil.copytree(fraud, folder / "model")),
            "predictions": str(folder / "predictions" / "fraud"),
            "secret": str(folder / "secret"),
            "outside": str(folder / "outside"),
            "port": free_port(),
            "other": free_port(),
            "open": listening.getsockname()[1],
        }
        done = subprocess.run(
            [sys.executable, "-c", PROBE, json.dumps(given)],
            env=ENVIRON, cwd=folder, capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.mark.skipif(landlock_version() < 6 or platform.machine() != "x86_64", reason="this kernel knows a part of it")
def test_a_confined_process_gets_nowhere_and_still_does_its_work(fraud: Path, tmp_path: Path) -> None:
    """Files, programs, network, memory, privileges: every attempt fails; model, log, port and threads are there."""
    found = probed(fraud, tmp_path)
    assert found["refused"] == {}
    assert len(found["tried"]) == 26
    assert {what: how for what, how in found["tried"].items() if how == "allowed"} == {}
    assert {what: works for what, works in found["still"].items() if not works} == {}
    assert {int(each, 16) for each in found["capabilities"]} == {0}
    assert (found["no new privileges"], found["core"]) == ("1", [0, 0])
    assert not (tmp_path / "outside").exists()


def test_a_server_confines_itself_and_answers(fraud: Path, tmp_path: Path) -> None:
    """As the deployer starts it: it says what was applied, answers as in training, and writes its log."""
    rows, predictions = golden_rows(fraud)
    port = free_port()
    command = [sys.executable, "-m", "flightworthy.serving", *options(fraud, port, "--predictions", str(tmp_path))]
    with subprocess.Popen(command, env=ENVIRON, stderr=subprocess.PIPE, text=True, cwd=tmp_path) as process:
        try:
            answer = ask(port, rows)
        finally:
            process.terminate()
        said = [json.loads(line) for line in process.stderr or () if line.startswith("{")]
    assert answer == pytest.approx(predictions)
    assert process.returncode == 0, said
    (confined,) = [line for line in said if line["event"] == "confined"]
    assert {"limits", "no new privileges", "capabilities"} <= set(confined["applied"])
    logged = [line for path in (tmp_path / "fraud").iterdir() for line in path.read_text().splitlines()]
    assert len(logged) == len(rows)


def ask(port: int, rows: list[dict[str, Any]]) -> Any:
    import time

    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations",
        data=json.dumps({"dataframe_records": rows}).encode(),
        headers={"content-type": "application/json"},
    )
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return json.loads(answer.read())["predictions"]
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


OLD_KERNEL = """
import errno, json, os, sys
from pathlib import Path
from flightworthy.serving import confinement
def absent(**_):
    raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
confinement.restrict = confinement.refuse_what_no_server_does = lambda *_, **__: absent()
done = confinement.confine(artifact=Path(sys.argv[1]), predictions=None, port=1)
print(json.dumps([done.applied, done.refused]))
"""


def test_what_a_kernel_does_not_know_is_said_and_the_rest_holds(fraud: Path) -> None:
    """An old one, or one whose container lets nobody ask."""
    done = subprocess.run(
        [sys.executable, "-c", OLD_KERNEL, str(fraud)], env=ENVIRON, capture_output=True, text=True, check=True
    )
    applied, refused = json.loads(done.stdout)
    assert refused == dict.fromkeys(["landlock", "system calls"], f"[Errno 38] {os.strerror(38)}")
    assert {"limits", "no new privileges"} <= set(applied)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, who alone may give a folder away")
def test_root_keeps_the_right_to_write_into_a_container_s_log(fraud: Path, tmp_path: Path) -> None:
    """A release that was a container before left its folder to another user; of all rights that one is kept."""
    folder = tmp_path / "predictions" / "fraud"
    folder.mkdir(parents=True)
    os.chown(folder, 10001, 10001)
    found = probed(fraud, tmp_path)
    assert {int(each, 16) for each in found["capabilities"]} == {0, 2}
    assert found["still"]["the log"]
