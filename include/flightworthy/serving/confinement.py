"""As much of a container's confinement as a process can give itself, for good, before it reads a model.

Nothing here is taken for granted: what this kernel or this user may not do is said, and the server starts all the same.
In a container it says the same again, from within.
"""

from __future__ import annotations

import ctypes
import os
import resource
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import flightworthy
from flightworthy.serving.landlock import restrict
from flightworthy.serving.syscall_filter import refuse_what_no_server_does

__all__ = ["Confinement", "confine"]

_LIMITS: Final[Mapping[int, int]] = {
    resource.RLIMIT_CORE: 0,
    # A server's log may be large, and nothing else that it writes comes near.
    resource.RLIMIT_FSIZE: 4 << 30,
    # Twice the memory of a container: this counts what was asked for, not what is used. Unlike the limit on address
    # space it leaves what libraries only reserve alone; and since every thread asks for a stack, it bounds threads.
    resource.RLIMIT_DATA: 2 << 30,
}
_SYSTEM: Final = (
    *("/usr", "/lib", "/lib32", "/lib64", "/nix/store", "/opt/conda", "/proc", "/sys"),
    *("/dev/null", "/dev/urandom", "/dev/random", "/dev/zero"),
    # Of /etc only what libraries look up; it also holds secrets.
    *("/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime", "/etc/timezone", "/etc/hosts", "/etc/nsswitch.conf"),
    *("/etc/gai.conf", "/etc/host.conf", "/etc/resolv.conf", "/etc/passwd", "/etc/group", "/etc/mime.types"),
    "/etc/os-release",
)
_SET_NO_NEW_PRIVILEGES, _DROP_FROM_BOUNDS, _AMBIENT, _CLEAR_AMBIENT = 38, 24, 47, 4
_OVERRIDE_OWNERS: Final = 1
"""CAP_DAC_OVERRIDE: root without it cannot write into a folder that is somebody else's."""
_CAPABILITIES_3: Final = 0x20080522


@dataclass(slots=True, kw_only=True)
class Confinement:
    """What was applied, and what was not, with the reason."""

    applied: list[str] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)

    def attempt(self, what: str, act: Callable[[], object]) -> None:
        """Do it; what refuses is noted."""
        try:
            act()
        except (OSError, ValueError, AttributeError) as error:
            self.refused[what] = str(error)
        else:
            self.applied.append(what)


def confine(*, artifact: Path, predictions: Path | None, port: int) -> Confinement:
    """Confine this process to reading its code and ``artifact``, writing ``predictions`` and answering on ``port``.

    Called before any thread is started: some of it holds for the calling thread and its descendants alone. None of it
    can be taken back.
    """
    done = Confinement()
    os.umask(0o022)
    done.attempt("limits", _limit)
    if sys.platform != "linux":
        done.refused["kernel"] = f"{sys.platform} has nothing of the kind"
        return done
    if predictions is not None:
        # While it still may; whether it can write there is the log's own affair.
        done.attempt("folder of the log", lambda: predictions.mkdir(parents=True, exist_ok=True))
    kept = _kept_capabilities(predictions)
    done.attempt("no new privileges", lambda: _prctl(_SET_NO_NEW_PRIVILEGES, 1))
    done.attempt("capability bounds", lambda: _drop_from_bounds(kept))
    writable = [path for path in (predictions, Path("/dev/null")) if path is not None]
    done.attempt("landlock", lambda: restrict(readable=_readable(artifact), writable=writable, port=port))
    done.attempt("capabilities", lambda: _keep_only(kept))
    done.attempt("system calls", refuse_what_no_server_does)
    return done


def _limit() -> None:
    for kind, wanted in _LIMITS.items():
        _, hard = resource.getrlimit(kind)
        limit = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
        resource.setrlimit(kind, (limit, limit))


def _readable(artifact: Path) -> list[Path]:
    """Where Python, its libraries and ours are, and the model. Not the folder that it was started in."""
    here = Path.cwd()
    code = [Path(entry) for entry in sys.path if entry and Path(entry) != here]
    python = [Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable).resolve().parent]
    libraries = [Path(entry) for entry in os.environ.get("LD_LIBRARY_PATH", "").split(os.pathsep) if entry]
    ours = Path(flightworthy.__file__).parent
    return [*map(Path, _SYSTEM), *code, *python, *libraries, ours, artifact]


def _kept_capabilities(predictions: Path | None) -> int:
    """None; but a server of root's keeps the right to write where the log's folder is a container's."""
    if predictions is None or os.geteuid() != 0:
        return 0
    try:
        is_ours = predictions.stat().st_uid == 0
    except OSError:
        is_ours = True
    return 0 if is_ours else 1 << _OVERRIDE_OWNERS


def _drop_from_bounds(kept: int) -> None:
    last = int(Path("/proc/sys/kernel/cap_last_cap").read_text())
    for number in range(last + 1):
        if not kept >> number & 1:
            _prctl(_DROP_FROM_BOUNDS, number)


def _keep_only(kept: int) -> None:
    _prctl(_AMBIENT, _CLEAR_AMBIENT)
    head = (ctypes.c_uint32 * 2)(_CAPABILITIES_3, 0)
    low, high = kept & 0xFFFFFFFF, kept >> 32
    body = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(ctypes.byref(head), ctypes.byref(body)) != 0:
        raise _last_error()


def _prctl(option: int, value: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    zero = ctypes.c_ulong(0)
    if libc.prctl(option, ctypes.c_ulong(value), zero, zero, zero) != 0:
        raise _last_error()


def _last_error() -> OSError:
    error = ctypes.get_errno()
    return OSError(error, os.strerror(error))
