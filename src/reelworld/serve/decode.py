"""Decode one untrusted file in a process of its own: no network, little memory, a time limit.

    python -m reelworld.serve.decode FILE OUT --width 64 --height 64 --fps 8 --frames 160

Writes frames as OUT (.npy) and exits 0, or 4 where the kernel let it keep the network; exits 3 with one line
for a file that cannot be used.
"""

from __future__ import annotations

import argparse
import ctypes
import resource
import sys
from pathlib import Path

MEMORY, SECONDS, WRITES = 3 << 30, 30, 1 << 30
UNUSABLE, WITH_NETWORK = 3, 4  # exit codes
NEW_USER, NEW_NET = 0x10000000, 0x40000000  # Source: linux/sched.h, CLONE_NEWUSER and CLONE_NEWNET


def confine() -> bool:
    """Give up what decoding does not need, while there is one thread; return whether the network is gone."""
    for limit, value in (
        (resource.RLIMIT_AS, MEMORY), (resource.RLIMIT_CPU, SECONDS), (resource.RLIMIT_FSIZE, WRITES),
        (resource.RLIMIT_CORE, 0), (resource.RLIMIT_NOFILE, 64),
    ):  # fmt: skip
        resource.setrlimit(limit, (value, value))
    if sys.platform != "linux":
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.unshare(NEW_NET) == 0 or libc.unshare(NEW_USER | NEW_NET) == 0


def main() -> int:
    """Decode as the command line says."""
    alone = confine()
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
    return 0 if alone else WITH_NETWORK


if __name__ == "__main__":
    sys.exit(main())
