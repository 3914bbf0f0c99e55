"""A contact sheet of the simulated world: python examples/gallery.py --level 2 --count 32 -o gallery.png

With --programs, the fixed scenes of `world/gallery.py` instead of sampled ones.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from reelworld.core.sheet import contact_sheet
from reelworld.core.types import Video
from reelworld.world.dataset import replay
from reelworld.world.gallery import programs
from reelworld.world.stream import WorldConfig, film, plan


def sampled(config: WorldConfig, count: int) -> tuple[list[Video], list[str]]:
    """Film clips 0 ... count - 1 of a seed."""
    clips = plan(config, range(count))
    videos = [Video(pixels.numpy(), config.fps) for pixels in film(clips, config)]
    return videos, [clip.caption for clip in clips]


def fixed(config: WorldConfig) -> tuple[list[Video], list[str]]:
    """Film the fixed programs."""
    pairs = programs().values()
    films = [replay(scene, width=config.width, height=config.height)[2] for _, scene in pairs]
    return films, [prompt for prompt, _ in pairs]


def main() -> None:
    """Film scenes and lay them out with their captions."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--level", type=int, default=2)
    options.add_argument("--split", default="train")
    options.add_argument("--count", type=int, default=32)
    options.add_argument("--seed", type=int, default=7)
    options.add_argument("--size", type=int, default=96)
    options.add_argument("--programs", action="store_true")
    options.add_argument("--columns", type=int, default=2)
    options.add_argument("-o", "--out", type=Path, default=Path("gallery.png"))
    given = options.parse_args()
    config = WorldConfig(
        level=given.level, split=given.split, seed=given.seed, width=given.size, height=given.size,
        caption_mix=(0.0, 0.0, 1.0),
    )  # fmt: skip
    videos, captions = fixed(config) if given.programs else sampled(config, given.count)
    contact_sheet(videos, captions, columns=given.columns, frame_height=given.size).save(
        given.out, optimize=True
    )
    print(given.out)


if __name__ == "__main__":
    main()
