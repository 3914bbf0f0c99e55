"""From a run to weights that can be shipped: python examples/release.py runs/nano -o nano.safetensors

Stores bfloat16 (half the size). Weights that were trained before words were noted learn them from `--level`.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from reelworld.models.released import checkpoint_to_denoiser, denoiser_to_checkpoint
from reelworld.world.stream import WorldConfig, plan


def main() -> None:
    """Read the average weights of a run and write them small."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("run", type=Path)
    options.add_argument("-o", "--out", type=Path, required=True)
    options.add_argument("--level", type=int, default=1)
    given = options.parse_args()
    denoiser, tokenizer, card = checkpoint_to_denoiser(given.run / "weights.safetensors")
    if not tokenizer.learnt:
        clips = plan(WorldConfig(level=given.level, caption_mix=(0.0, 0.05, 0.95)), range(1000))
        tokenizer.learn(tokenizer.encode([clip.caption for clip in clips]))
    denoiser_to_checkpoint(given.out, denoiser, tokenizer, card, dtype=torch.bfloat16)
    size = given.out.stat().st_size / 2**20
    print(f"{given.out}: {size:.1f} MiB, {len(tokenizer.learnt)} words, {card['trained']}")


if __name__ == "__main__":
    main()
