"""Decode one untrusted file in a process of its own: no network, no programs, little memory, a time limit.

    python -m reelworld.serve.decode FILE OUT --width 64 --height 64 --fps 8 --frames 160

Writes frames as OUT (.npy) and exits 0; exits 3 with one line for a file that cannot be used, and 4 where the
kernel gives no way to be without network: then nothing is decoded.
"""

from __future__ import annotations

import argparse
import ctypes
import errno
import platform
import resource
import struct
import sys
from pathlib import Path

MEMORY, SECONDS, WRITES = 3 << 30, 30, 1 << 30
UNUSABLE, UNSAFE = 3, 4  # exit codes
NEW_USER, NEW_NET = 0x10000000, 0x40000000  # Source: linux/sched.h, CLONE_NEWUSER and CLONE_NEWNET
ARCHITECTURES = {  # AUDIT_ARCH_...; numbers of socket(), execve() and execveat()
    "x86_64": (0xC000003E, (41, 59, 322)),
    "aarch64": (0xC00000B7, (198, 221, 281)),
}
IO_URING, X32 = 425, 0x40000000  # io_uring_setup() makes sockets too; numbers of another calling convention


def confine() -> bool:
    """Give up what decoding does not need, while there is one thread; return whether the network is gone."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_FSIZE, WRITES),
        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 64),
    ):  # fmt: skip
        resource.setrlimit(limit, (value, value))
    if sys.platform != "linux":
        return False
    left, forbidden = leave_network(), forbid_calls()  # both: a network of its own has UNIX sockets still
    return left or forbidden


def leave_network() -> bool:
    """Go into a network namespace with nothing in it; containers often forbid that."""
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.unshare(NEW_NET) == 0 or libc.unshare(NEW_USER | NEW_NET) == 0


def forbid_calls() -> bool:
    """Let every call that makes a socket or starts a program fail, for good; this needs no privileges.

    Source: Linux, Documentation/userspace-api/seccomp_filter.rst; the program is of classic BPF.
    """
    if platform.machine() not in ARCHITECTURES:
        return False
    architecture, calls = ARCHITECTURES[platform.machine()]
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    denied, allowed = 0x00050000 | errno.EACCES, 0x7FFF0000  # SECCOMP_RET_ERRNO, SECCOMP_RET_ALLOW
    tests = [(at_least, X32), *((equal, number) for number in (*calls, IO_URING))]
    program = [
        (load, 0, 0, 4), (equal, 0, len(tests) + 2, architecture),  # another architecture's calls: denied
        (load, 0, 0, 0), *((test, len(tests) - n, 0, of) for n, (test, of) in enumerate(tests)),
        (give, 0, 0, allowed), (give, 0, 0, denied),
    ]  # fmt: skip
    code = b"".join(struct.pack("HBBI", *line) for line in program)
    lines = ctypes.create_string_buffer(code, len(code))
    holder = struct.pack("HxxxxxxP", len(program), ctypes.addressof(lines))
    libc = ctypes.CDLL(None, use_errno=True)
    no_new_privileges, set_filter, by_filter = 38, 22, 2  # PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, its mode
    if libc.prctl(no_new_privileges, 1, 0, 0, 0) != 0:
        return False
    return bool(
        libc.prctl(set_filter, by_filter, ctypes.create_string_buffer(holder, len(holder)), 0, 0) == 0
    )


def main() -> int:
    """Decode as the command line says."""
    if not confine():
        return UNSAFE
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("file", type=Path)
    options.add_argument("out", type=Path)
    for name in ("width", "height", "frames"):
        options.add_argument(f"--{name}", type=int, required=True)
    options.add_argument("--fps", type=float, required=True)
    given = options.parse_args()

    import numpy as np

    from reelworld.core.errors import ReelWorldError
    from reelworld.core.media import Limits
    from reelworld.core.video import read

    limits = Limits(
        max_side=8192, max_pixels=1 << 26, max_work=1 << 31, max_frames=3000, max_seconds=120.0,
        max_bytes=1 << 29,
    )  # fmt: skip
    try:
        video = read(
            given.file,
            width=given.width,
            height=given.height,
            fps=given.fps,
            num_frames=given.frames,
            limits=limits,
        )
    except (ReelWorldError, MemoryError) as error:
        print(str(error).replace(str(given.file), "the file") or "the file is too large", file=sys.stderr)
        return UNUSABLE
    np.save(given.out, video.frames, allow_pickle=False)
    return 0


if __name__ == "__main__":
    sys.exit(main())
