"""Several prompts as one moving picture: python examples/grid.py -o grid.gif PROMPT PROMPT ..."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

import reelworld
from reelworld.core.video import write


def tiled(videos: list[reelworld.Video], columns: int, gap: int = 2) -> reelworld.Video:
    """Lay videos of one shape out in rows."""
    cells = [np.pad(v.frames, ((0, 0), (gap, gap), (gap, gap), (0, 0)), constant_values=255) for v in videos]
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % columns)
    rows = [np.concatenate(cells[i : i + columns], axis=2) for i in range(0, len(cells), columns)]
    return reelworld.Video(np.concatenate(rows, axis=1), videos[0].fps)


def main() -> None:
    """Generate each prompt with seed 0 and write them side by side."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("prompts", nargs="+")
    options.add_argument("--weights", type=Path)
    options.add_argument("--columns", type=int, default=4)
    options.add_argument("--steps", type=int, default=20)
    options.add_argument("--scale", type=int, default=2)
    options.add_argument("-o", "--out", type=Path, default=Path("grid.gif"))
    given = options.parse_args()
    pipeline = reelworld.load(given.weights)
    videos = [pipeline(prompt, num_inference_steps=given.steps)[0] for prompt in given.prompts]
    print(write(tiled(videos, given.columns), given.out, scale=given.scale, enlarge="lanczos"))


if __name__ == "__main__":
    main()
