"""Teach a text encoder to read: python examples/teach_reading.py nano.safetensors -o taught.safetensors

Weights that were trained without `loss.reading_weight` hardly hear which of two things a sentence is about
(docs/design/0015). Three minutes on two cores mend the encoder; what the denoiser reads of it, the keys and
values of every block, is held near to what it was, so that the weights go on working and can be trained on:

    python -m reelworld.train nano --out runs/nano --init taught.safetensors
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor

from reelworld.core import runtime
from reelworld.core.progress import progress
from reelworld.models.released import checkpoint_to_denoiser, denoiser_to_checkpoint
from reelworld.models.text import TextFeatures, encode
from reelworld.train.reading import UNKNOWN, Reading, batch_labels
from reelworld.world.stream import WorldConfig, plan

HELD = 20.0  # weight of the keys' and values' relative squared change
BATCH, RATE, LENGTH = 64, 1e-3, 64


def change(now: TextFeatures, before: TextFeatures) -> Tensor:
    """|now - before|^2 / |before|^2, over the words' keys and values."""
    mask = now.mask[..., None, None, None]
    pairs = ((now.keys, before.keys), (now.values, before.values))
    moved = sum((((a - b) * mask) ** 2).sum() for a, b in pairs)
    return moved / sum(((b * mask) ** 2).sum() for _, b in pairs)


def share(told: Tensor, true: Tensor) -> float:
    """Return how often what is told is true, of the words that say anything."""
    return float((told == true)[true != UNKNOWN].float().mean())


def main() -> None:
    """Teach, and write the weights."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("weights", type=Path)
    options.add_argument("-o", "--out", type=Path, required=True)
    options.add_argument("--steps", type=int, default=250)
    options.add_argument("--captions", type=int, default=9000)
    options.add_argument("--seed", type=int, default=0)
    given = options.parse_args()
    runtime.set_threads()
    world = WorldConfig(seed=given.seed, caption_mix=(0.0, 0.05, 0.95))
    captions = [clip.caption for clip in plan(world, range(given.captions))]
    taught, tokenizer, card = checkpoint_to_denoiser(given.weights)
    before, _, _ = checkpoint_to_denoiser(given.weights)
    ids, labels = encode(tokenizer, captions, LENGTH), batch_labels(captions, LENGTH)
    generator = runtime.generator(given.seed)
    head = Reading(taught.config.text.dim, generator)
    learners = [*taught.text_encoder.requires_grad_(True).parameters(), *head.parameters()]
    optimizer = torch.optim.AdamW(learners, RATE, weight_decay=0.0)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, RATE, total_steps=given.steps, pct_start=0.1)
    with progress("auto", given.steps, "reading") as bar:
        for _ in range(given.steps):
            rows = torch.randint(0, len(captions), (BATCH,), generator=generator)
            optimizer.zero_grad()
            words, text = taught.encode_words(ids[rows])
            with torch.no_grad():
                was = before.encode_text(ids[rows])
            moved = change(text, was)
            loss = head.loss(words, {name: of[rows] for name, of in labels.items()})
            (loss + HELD * moved).backward()
            optimizer.step()
            schedule.step()
            bar.advance(loss=float(loss.detach()))
    denoiser_to_checkpoint(given.out, taught, tokenizer, card)
    with torch.no_grad():
        words, _ = taught.encode_words(ids[:500])
        told = {name: (logits.argmax(-1), labels[name][:500]) for name, logits in head(words).items()}
    said = {name: pair for name, pair in told.items() if (pair[1] != UNKNOWN).any()}
    read = ", ".join(f"{name} {share(*pair):.2f}" for name, pair in said.items())
    print(f"{given.out}: read {read}; keys and values moved {float(moved.detach()):.3f}")


if __name__ == "__main__":
    main()
