"""What it is worth to tell short prompts in full: the same prompts and seeds, as they are and told.

python benchmarks/expansion.py --prompts 40 -o docs/pictures/expansion.png

The prompts are short captions of held-out scenes. A check is asked where the short prompt says what it is
about; a video of the full one is judged by the same short prompt.
"""

from __future__ import annotations

import argparse
from collections import defaultdict
from pathlib import Path

import numpy as np
from scipy.stats import binomtest

from record import record
from reelworld.core import runtime
from reelworld.core.sheet import contact_sheet
from reelworld.evaluate.checks import judge
from reelworld.evaluate.perceive import Perceiver
from reelworld.evaluate.told import told
from reelworld.generate.pipeline import Pipeline
from reelworld.world.stream import WorldConfig, plan

SEED = 707
CHECKS = ("binding", "count", "kind", "size", "left_right")  # that a text alone decides
SHOWN = 8


def prompts(count: int) -> list[str]:
    """Return short captions of held-out scenes that one of the checks can be asked of."""
    config = WorldConfig(split="heldout", seed=SEED, caption_mix=(0.0, 1.0, 0.0))
    captions = dict.fromkeys(clip.caption for clip in plan(config, range(4 * count)))
    return [text for text in captions if set(told(text)[1]) & set(CHECKS)][:count]


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--prompts", type=int, default=40)
    options.add_argument("--weights", type=Path)
    options.add_argument("--output", "-o", type=Path, help="picture of both, side by side")
    arguments = options.parse_args()
    runtime.set_threads()
    pipeline, parser = Pipeline.load(arguments.weights), Perceiver.load()
    passed: dict[str, list[tuple[bool, bool]]] = defaultdict(list)
    shown, texts = [], prompts(arguments.prompts)
    for seed, text in enumerate(texts):
        scene, asked = told(text)
        pair = tuple(pipeline(p, seed=seed)[0] for p in (text, pipeline.expand(text, seed=seed).text))
        verdicts = [judge(scene, parser.look(video.frames)) for video in pair]
        for check in set(asked) & set(CHECKS):
            passed[check].append((verdicts[0][check] is True, verdicts[1][check] is True))
        shown += [pair] if len(shown) < SHOWN else []
    with record("expansion") as say:
        say("weights", pipeline.weights_hash)
        say("prompts", f"{len(texts)}, short captions of held-out scenes, one seed each")
        for check in CHECKS:
            if passed[check]:
                pairs = np.array(passed[check]).T
                gained, lost = int((pairs[1] & ~pairs[0]).sum()), int((pairs[0] & ~pairs[1]).sum())
                p = binomtest(gained, gained + lost).pvalue if gained + lost else 1.0
                as_it_is, in_full = pairs.mean(1)
                say(
                    f"{check}, of {pairs.shape[1]}",
                    f"{as_it_is:.2f} as it is, {in_full:.2f} told in full (sign test p = {p:.3f})",
                )
    if arguments.output:
        page = contact_sheet(
            shown, texts[:SHOWN], headings=("as it is", "told in full"), title="Short prompts"
        )
        page.save(arguments.output)


if __name__ == "__main__":
    main()
