"""Decode one untrusted file in a process of its own: no network, no programs, little memory, a time limit.

    python -m reelworld.serve.decode FILE OUT --width 64 --height 64 --fps 8 --frames 160

Writes frames as OUT, plain bytes beside FILE, and exits 0; exits 3 with one line for a file that cannot be
used, 4 where the kernel gives no way to be without network (then nothing is decoded), 5 where OUT finds no
room.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from reelworld.serve.confine import confine

UNUSABLE, UNSAFE, FULL = 3, 4, 5  # exit codes


def main() -> int:
    """Decode as the command line says."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("file", type=Path)
    options.add_argument("out", type=Path)
    for name in ("width", "height", "frames"):
        options.add_argument(f"--{name}", type=int, required=True)
    options.add_argument("--fps", type=float, required=True)
    given = options.parse_args()
    if not confine(given.out.parent):
        return UNSAFE

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
    try:
        given.out.write_bytes(video.frames.tobytes())
    except OSError as error:
        print(error.strerror, file=sys.stderr)
        return FULL
    return 0


if __name__ == "__main__":
    sys.exit(main())
