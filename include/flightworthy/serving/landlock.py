"""Landlock: what of the file system and the network a process may touch from now on, asked of the kernel directly.

See the kernel's manual, ``userspace-api/landlock``. The rules hold for the thread that asks and all that it starts, for
ever; each kernel knows a part of them, which its version of the interface tells.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Final

__all__ = ["restrict"]

_CREATE, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR, _REMOVE_FILE, _MAKE_REG = 1, 2, 4, 8, 1 << 5, 1 << 8
_TRUNCATE: Final = 1 << 14
_READ: Final = _READ_FILE | _READ_DIR
_OF_FILES: Final = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
"""What can be allowed of a file; the rest is about folders."""
_FILE_RIGHTS_SINCE: Final = {1: (1 << 13) - 1, 2: 1 << 13, 3: _TRUNCATE, 5: 1 << 15}
_BIND, _CONNECT = 1, 2
_SCOPES: Final = 3
"""Neither signals to strangers nor their abstract sockets."""
_PATH_RULE, _PORT_RULE = 1, 2


class _Ruleset(ctypes.Structure):
    _fields_ = (("files", ctypes.c_uint64), ("network", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathRule(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("folder", ctypes.c_int32))


class _PortRule(ctypes.Structure):
    _fields_ = (("allowed", ctypes.c_uint64), ("port", ctypes.c_uint64))


def restrict(*, readable: Iterable[Path], writable: Iterable[Path], port: int) -> int:
    """Leave reading below ``readable``, files of its own below ``writable``, and listening on ``port``; the version.

    Paths that do not exist are left out. Raises OSError where the kernel has no Landlock, and then nothing changed.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    version = _call(libc, _CREATE, None, 0, 1)
    known = sum(rights for since, rights in _FILE_RIGHTS_SINCE.items() if since <= version)
    asked = _Ruleset(known, _BIND | _CONNECT if version >= 4 else 0, _SCOPES if version >= 6 else 0)
    size = 24 if version >= 6 else 16 if version >= 4 else 8
    ruleset = _call(libc, _CREATE, ctypes.byref(asked), size, 0)
    try:
        for path in readable:
            _allow(libc, ruleset, path, _READ & known)
        for path in writable:
            own = _READ | _WRITE_FILE | _MAKE_REG | _REMOVE_FILE | _TRUNCATE
            _allow(libc, ruleset, path, own & known)
        if asked.network:
            rule = _PortRule(_BIND, port)
            _call(libc, _ADD_RULE, ruleset, _PORT_RULE, ctypes.byref(rule), 0)
        _call(libc, _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)
    return version


def _allow(libc: ctypes.CDLL, ruleset: int, path: Path, rights: int) -> None:
    try:
        handle = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return
    try:
        rule = _PathRule(rights if path.is_dir() else rights & _OF_FILES, handle)
        _call(libc, _ADD_RULE, ruleset, _PATH_RULE, ctypes.byref(rule), 0)
    finally:
        os.close(handle)


def _call(libc: ctypes.CDLL, number: int, *arguments: object) -> int:
    answer = int(libc.syscall(ctypes.c_long(number), *arguments))
    if answer < 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))
    return answer
