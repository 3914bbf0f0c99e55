"""What a process gives up before it reads a stranger's file: network, programs, other processes, other files.

    if confine(folder):                     # writes nowhere but there
        video = read(folder / "upload.mp4")

Each of these is for good and needs no privileges; it is done while there is one thread, and threads are all
that can be added to it. Without network, or not at all: the kernel says whether. Files are shut where it
knows Landlock.
"""

from __future__ import annotations

import ctypes
import errno
import os
import platform
import resource
import struct
import sys
from collections.abc import Iterable
from pathlib import Path

MEMORY, SECONDS, WRITES = 3 << 30, 30, 1 << 30
NEW_USER, NEW_NET = 0x10000000, 0x40000000  # Source: linux/sched.h, CLONE_NEWUSER and CLONE_NEWNET
ARCHITECTURES = {  # AUDIT_ARCH_..., numbers of clone; socket, execve, execveat; ptrace, process_vm_readv,
    # _writev, kill, tkill, tgkill; fork, vfork
    "x86_64": (0xC000003E, 56, (41, 59, 322, 101, 310, 311, 62, 200, 234, 57, 58)),
    "aarch64": (0xC00000B7, 220, (198, 221, 281, 117, 270, 271, 129, 130, 131)),
}
CLONE3, A_THREAD = 435, 0x10000  # its flags are out of sight; CLONE_THREAD
EVERYWHERE = (425, 424, 434, 438)  # io_uring_setup, which makes sockets too; pidfd_send_signal, _open, _getfd
X32 = 0x40000000  # numbers of another calling convention
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = (
    444,
    445,
    446,
)  # of Landlock; Source: linux/landlock.h, as what follows
READING, ANYTHING = 1 << 0 | 1 << 2 | 1 << 3, (1 << 13) - 1  # execute, read files and folders; all of ABI 1
WRITING = ANYTHING & ~(1 << 6 | 0b1111 << 9)  # without making devices, sockets, pipes and links
BENEATH = 1
SYSTEM = ("/usr", "/lib", "/lib64", "/etc/ld.so.cache", "/sys/devices/system", "/dev/null", "/dev/urandom")
NO_NEW_PRIVILEGES, SET_SECCOMP, BY_FILTER = 38, 22, 2  # Source: linux/prctl.h, linux/seccomp.h


def confine(folder: Path) -> bool:
    """Give up what decoding does not need, but writing into `folder`; return whether the network is gone."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_FSIZE, WRITES),
        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 64),
    ):  # fmt: skip
        resource.setrlimit(limit, (value, value))
    if sys.platform != "linux":
        return False
    left = leave_network()
    shut_files([*sys.path, sys.prefix, sys.base_prefix, *SYSTEM], folder)
    forbidden = forbid_calls()  # both: a network of its own has UNIX sockets still
    return left or forbidden


def libc() -> ctypes.CDLL:
    """Return the C library."""
    return ctypes.CDLL(None, use_errno=True)


def leave_network() -> bool:
    """Go into a network namespace with nothing in it; containers often forbid that."""
    return libc().unshare(NEW_NET) == 0 or libc().unshare(NEW_USER | NEW_NET) == 0


def gain_no_privileges() -> bool:
    """Promise to gain none, as the kernel wants it before it lets whoever has none shut files and calls."""
    done: bool = libc().prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0) == 0
    return done


def shut_files(readable: Iterable[str], writable: Path) -> bool:
    """Leave only some files and folders to be read, and one to be written into, with all below them.

    So what others' processes hold in /proc is shut too. Returns False where the kernel has no Landlock.
    Source: Linux, Documentation/userspace-api/landlock.rst.
    """
    gain_no_privileges()
    attributes = ctypes.create_string_buffer(struct.pack("Q", ANYTHING), 8)
    ruleset = libc().syscall(CREATE_RULESET, attributes, 8, 0)
    if ruleset < 0:
        return False
    for path, access in (*((path, READING) for path in readable), (str(writable), WRITING)):
        if os.path.exists(path):
            _allow(ruleset, path, access if os.path.isdir(path) else access & ~(1 << 3))
    shut: bool = libc().syscall(RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return shut


def _allow(ruleset: int, path: str, access: int) -> None:
    """Add a rule to a ruleset of Landlock: this may be done to a path, and all below it."""
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    rule = ctypes.create_string_buffer(struct.pack("=Qi", access, place), 12)
    libc().syscall(ADD_RULE, ruleset, BENEATH, rule, 0)
    os.close(place)


def forbid_calls() -> bool:
    """Let every call fail that makes a socket or a process, starts a program, or reaches into another.

    Source: Linux, Documentation/userspace-api/seccomp_filter.rst; the program is of classic BPF.
    """
    if platform.machine() not in ARCHITECTURES:
        return False
    architecture, clone, calls = ARCHITECTURES[platform.machine()]
    load, equal, at_least, has, give = 0x20, 0x15, 0x35, 0x45, 0x06
    denied, allowed = 0x00050000 | errno.EACCES, 0x7FFF0000  # SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW
    tests = [(at_least, X32), *((equal, number) for number in (*calls, *EVERYWHERE))]
    rest = [
        (equal, 0, 1, CLONE3), (give, 0, 0, 0x00050000 | errno.ENOSYS),  # so the C library takes clone
        (equal, 0, 2, clone), (load, 0, 0, 16), (has, 0, 1, A_THREAD),  # one that makes no thread: denied
        (give, 0, 0, allowed),
    ]  # fmt: skip
    last = len(tests) + len(rest)
    program = [
        (load, 0, 0, 4), (equal, 0, last + 1, architecture),  # another architecture's calls: denied
        (load, 0, 0, 0), *((test, last - 1 - n, 0, of) for n, (test, of) in enumerate(tests)),
        *rest, (give, 0, 0, denied),
    ]  # fmt: skip
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    lines = ctypes.create_string_buffer(code, len(code))
    holder = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program), ctypes.addressof(lines)), 16)
    if not gain_no_privileges():
        return False
    return bool(libc().prctl(SET_SECCOMP, BY_FILTER, holder, 0, 0) == 0)
