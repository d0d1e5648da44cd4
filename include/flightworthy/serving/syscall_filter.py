"""A seccomp filter: what a server never asks of the kernel, refused from now on in every thread of the process.

No program is started and no process, no connection is opened, nothing is mounted, traced or loaded into the kernel.
Threads are started as ever.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import struct
from collections.abc import Iterator, Mapping
from typing import Final

__all__ = ["refuse_what_no_server_does"]

_X86: Final = """
    connect=42 fork=57 vfork=58 execve=59 execveat=322 sendmmsg=307 ptrace=101 process_vm_readv=310
    process_vm_writev=311 pidfd_getfd=438 mount=165 umount2=166 pivot_root=155 chroot=161 unshare=272 setns=308
    fsopen=430 fsmount=432 open_tree=428 move_mount=429 mount_setattr=442 init_module=175 finit_module=313
    delete_module=176 kexec_load=246 kexec_file_load=320 bpf=321 perf_event_open=298 userfaultfd=323
    open_by_handle_at=304 mknod=133 mknodat=259 add_key=248 request_key=249 keyctl=250 reboot=169 swapon=167
    swapoff=168 acct=163 settimeofday=164 clock_settime=227 sethostname=170 setdomainname=171 quotactl=179
"""
_ARM: Final = """
    connect=203 execve=221 execveat=281 sendmmsg=269 ptrace=117 process_vm_readv=270 process_vm_writev=271
    pidfd_getfd=438 mount=40 umount2=39 pivot_root=41 chroot=51 unshare=97 setns=268 fsopen=430 fsmount=432
    open_tree=428 move_mount=429 mount_setattr=442 init_module=105 finit_module=273 delete_module=106 kexec_load=104
    kexec_file_load=294 bpf=280 perf_event_open=241 userfaultfd=282 open_by_handle_at=265 mknodat=33 add_key=217
    request_key=218 keyctl=219 reboot=142 swapon=224 swapoff=225 acct=89 settimeofday=170 clock_settime=112
    sethostname=161 setdomainname=162 quotactl=60
"""
_UNKNOWN_TO_IT: Final = {"clone3": 435, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}
"""Answered as by a kernel that has none of them: whoever asks has another way, and that one can be looked at."""
_MACHINES: Final = {
    "x86_64": (0xC000003E, _X86, {"clone": 56, "socket": 41, "sendto": 44, "sendmsg": 46, "seccomp": 317}),
    "aarch64": (0xC00000B7, _ARM, {"clone": 220, "socket": 198, "sendto": 206, "sendmsg": 211, "seccomp": 277}),
}

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _AND, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x54, 0x06
_ALLOW: Final = 0x7FFF0000
_REFUSE: Final = 0x00050000
_NUMBER, _ARCHITECTURE, _FIRST, _SECOND, _THIRD, _FOURTH = 0, 4, 16, 24, 32, 40
"""Where the kernel lays down a call's number, its machine and its arguments."""
_OTHER_ABI: Final = 0x40000000
_CLONE_THREAD: Final = 0x00010000
_FAST_OPEN: Final = 0x20000000
"""Sends the first bytes with the connection that they open."""
_INET, _INET6, _STREAM = 2, 10, 1
_SET_FILTER, _ALL_THREADS = 1, 1

Instruction = tuple[int, int, int, int]


def refuse_what_no_server_does() -> None:
    """Install the filter. Raises OSError where kernel or machine do not know it, and then nothing changed."""
    if platform.machine() not in _MACHINES or not hasattr(os, "O_PATH"):
        raise OSError(errno.ENOSYS, f"no filter is known for {platform.system()} on {platform.machine()}")
    architecture, refused, calls = _MACHINES[platform.machine()]
    program = list(_program(architecture, refused, calls))
    code = b"".join(struct.pack("HBBI", *instruction) for instruction in program)
    body = ctypes.create_string_buffer(code, len(code))
    head = ctypes.create_string_buffer(struct.pack("@HP", len(program), ctypes.addressof(body)))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.syscall(ctypes.c_long(calls["seccomp"]), _SET_FILTER, _ALL_THREADS, head) != 0:
        error = ctypes.get_errno()
        raise OSError(error, os.strerror(error))


def _program(architecture: int, refused: str, calls: Mapping[str, int]) -> Iterator[Instruction]:
    no, unknown = _REFUSE | errno.EPERM, _REFUSE | errno.ENOSYS
    yield _LOAD, 0, 0, _ARCHITECTURE
    yield from _unless(_EQUAL, architecture, no)
    yield _LOAD, 0, 0, _NUMBER
    yield from _if(_AT_LEAST, _OTHER_ABI, no)
    for number in sorted(int(call.partition("=")[2]) for call in refused.split()):
        yield from _if(_EQUAL, number, no)
    for number in sorted(_UNKNOWN_TO_IT.values()):
        yield from _if(_EQUAL, number, unknown)
    # A clone is a thread, or it is refused.
    yield _EQUAL, 0, 4, calls["clone"]
    yield _LOAD, 0, 0, _FIRST
    yield _ANY_BIT, 1, 0, _CLONE_THREAD
    yield _RETURN, 0, 0, no
    yield _RETURN, 0, 0, _ALLOW
    for call, flags in (("sendto", _FOURTH), ("sendmsg", _THIRD)):
        yield _EQUAL, 0, 4, calls[call]
        yield _LOAD, 0, 0, flags
        yield _ANY_BIT, 0, 1, _FAST_OPEN
        yield _RETURN, 0, 0, no
        yield _RETURN, 0, 0, _ALLOW
    # A socket speaks TCP, or it is refused.
    yield _EQUAL, 0, 8, calls["socket"]
    yield _LOAD, 0, 0, _FIRST
    yield _EQUAL, 2, 0, _INET
    yield _EQUAL, 1, 0, _INET6
    yield _RETURN, 0, 0, no
    yield _LOAD, 0, 0, _SECOND
    yield _AND, 0, 0, 0xF
    yield from _unless(_EQUAL, _STREAM, no)
    yield _RETURN, 0, 0, _ALLOW


def _if(test: int, value: int, answer: int) -> Iterator[Instruction]:
    yield test, 0, 1, value
    yield _RETURN, 0, 0, answer


def _unless(test: int, value: int, answer: int) -> Iterator[Instruction]:
    yield test, 1, 0, value
    yield _RETURN, 0, 0, answer
