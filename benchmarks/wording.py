"""Does the model hear each word? The loss of a video under its caption, and under one with one fact wrong.

python benchmarks/wording.py --clips 48
python benchmarks/wording.py --weights runs/a/weights.safetensors --weights runs/b/weights.safetensors

The clips are held-out renders of two things; video and noise are the same for both captions, so that a model
whose loss does not rise has not understood what was changed. Printed for each change and timestep t: how
often the loss rises, and by how much in per cent. Needs no sampling and no parser, and so tells two trainings
apart that judged videos cannot. Sources: arXiv:2303.16203 ("diffusion classifier"), arXiv:2204.03162
("Winoground").
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from record import record
from reelworld.core import runtime
from reelworld.generate.pipeline import Pipeline
from reelworld.world.scene import Motion, Thing
from reelworld.world.stream import Clip, WorldConfig, film, plan, write_caption

CONFIG = WorldConfig(split="heldout", seed=909, caption_mix=(0.0, 0.0, 1.0))
TIMESTEPS = (0.5, 0.7, 0.85, 0.95)
OTHER_WAY = {"left": "right", "right": "left", "toward": "away", "away": "toward"}
Change = Callable[[Clip], Clip]


def exchanged(*names: str) -> Change:
    """Return the change that gives each of the two things what the other has."""

    def change(clip: Clip) -> Clip:
        one, other = clip.told.cast
        cast = (_with(one, other, names), _with(other, one, names))
        return replace(clip, told=replace(clip.told, cast=cast))

    return change


def _with(thing: Thing, other: Thing, names: tuple[str, ...]) -> Thing:
    return replace(thing, **{name: getattr(other, name) for name in names})


def mirrored(clip: Clip) -> Clip:
    """Exchange who stands on the left and who on the right, and nothing else."""
    words = clip.caption.split(" ")
    for n, (word, following) in enumerate(pairwise(words)):
        if following == "of" and word in ("left", "right"):
            words[n] = OTHER_WAY[word]
    return replace(clip, caption=" ".join(words))


def turned(clip: Clip) -> Clip:
    """Turn the directions of all motions around."""
    cast = tuple(replace(t, motion=_turned(t)) for t in clip.told.cast)
    return replace(clip, told=replace(clip.told, cast=cast))


def _turned(thing: Thing) -> Motion:
    way = thing.motion.direction
    return replace(thing.motion, direction=OTHER_WAY.get(way, way)) if way else thing.motion


CHANGES: dict[str, Change] = {
    "colours exchanged": exchanged("color"),
    "sizes exchanged": exchanged("size"),
    "motions exchanged": exchanged("motion"),
    "left and right exchanged": mirrored,
    "directions turned": turned,
}


def caption(clip: Clip, seed: int) -> str:
    """Write the caption; the same seed chooses the same patterns."""
    return write_caption(clip, np.random.default_rng(seed), CONFIG)


def wrong(change: Change, clip: Clip, seed: int) -> str:
    """Return the caption with one fact changed; as it was where the change changes nothing."""
    changed = change(clip)
    return changed.caption if changed.caption != clip.caption else caption(changed, seed)


def losses(pipeline: Pipeline, films: list[np.ndarray], texts: list[str], noises: int) -> np.ndarray:
    """Return the loss of each film under its text, [clips, timesteps], the mean over noises."""
    return np.array([
        [np.mean([pipeline.loss(f, text, t, seed=s) for s in range(noises)]) for t in TIMESTEPS]
        for f, text in zip(films, texts, strict=True)
    ])  # fmt: skip


def said(true: np.ndarray, false: np.ndarray) -> str:
    """Say for each timestep how often the false caption has the higher loss, and by how much."""
    columns = zip(TIMESTEPS, (false > true).mean(0), false.sum(0) / true.sum(0) - 1, strict=True)
    return "; ".join(f"t {t}: {share:.2f} {100 * more:+.1f} %" for t, share, more in columns)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clips", type=int, default=48)
    options.add_argument("--noises", type=int, default=1, help="noises for each clip and timestep")
    options.add_argument("--weights", type=Path, action="append", help="the packaged ones, if none are named")
    arguments = options.parse_args()
    runtime.set_threads()
    drawn = [clip for clip in plan(CONFIG, range(4 * arguments.clips)) if len(clip.told.cast) == 2]
    clips = [replace(c, caption=caption(c, n)) for n, c in enumerate(drawn[: arguments.clips])]
    films = list(film(clips, CONFIG).numpy())
    with record("wording") as say:
        say("clips", f"{len(clips)} of two things, held-out, {arguments.noises} noises each")
        for path in arguments.weights or [None]:
            pipeline = Pipeline.load(path)
            name = "" if path is None else f"{path.parent.name} "
            true = losses(pipeline, films, [c.caption for c in clips], arguments.noises)
            means = "; ".join(f"t {t}: {loss:.5f}" for t, loss in zip(TIMESTEPS, true.mean(0), strict=True))
            say(f"{name}{pipeline.weights_hash}, loss under the caption", means)
            for what, change in CHANGES.items():
                texts = [wrong(change, clip, n) for n, clip in enumerate(clips)]
                differ = [
                    n for n, (text, clip) in enumerate(zip(texts, clips, strict=True)) if text != clip.caption
                ]
                false = losses(
                    pipeline, [films[n] for n in differ], [texts[n] for n in differ], arguments.noises
                )
                say(f"  {what}, {len(differ)} clips", said(true[differ], false))


if __name__ == "__main__":
    main()
