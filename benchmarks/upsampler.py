"""The upsampler beside bicubic and Lanczos: on held-out renders, on the model's own samples, and in time.

python benchmarks/upsampler.py --samples 6 -o docs/pictures/upsampler.png

PSNR and SSIM against renders of 256 x 256; edge sharpness: mean gradient, as a share of the render's;
flicker: mean change from frame to frame where the render stands still.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from record import best, gemm_flops, record
from reelworld.core import runtime
from reelworld.core.sheet import contact_sheet
from reelworld.core.types import Frames, Video
from reelworld.generate.enlarge import Enlarger
from reelworld.generate.pipeline import Pipeline
from reelworld.models.upsampler import shrink
from reelworld.world.stream import WorldConfig, film, plan

SCALE, SEED = 4, 606
QUIET = 2  # grey levels: a pixel of the render that changes less stands still


def resized(how: Image.Resampling) -> Callable[[Frames], Frames]:
    """Return a function that enlarges frames by Pillow."""

    def enlarge(frames: Frames) -> Frames:
        size = (frames.shape[2] * SCALE, frames.shape[1] * SCALE)
        return np.stack([np.asarray(Image.fromarray(frame).resize(size, how)) for frame in frames])

    return enlarge


def smaller(frames: Frames) -> Frames:
    """Return each frame at a quarter of its size, as training does it."""
    x = torch.from_numpy(frames).float().permute(0, 3, 1, 2)
    small: Frames = shrink(x, SCALE).round().byte().permute(0, 2, 3, 1).numpy()
    return small


def gradient(frames: Frames) -> float:
    """Return the mean absolute difference of neighbouring pixels."""
    x = frames.astype(np.float32)
    return float(np.abs(np.diff(x, axis=1)).mean() + np.abs(np.diff(x, axis=2)).mean())


def flicker(frames: Frames, true: Frames) -> float:
    """Return the mean change from frame to frame where the render stands still, in grey levels."""
    still = np.abs(np.diff(true.astype(np.float32), axis=0)).max(-1) < QUIET
    return float(np.abs(np.diff(frames.astype(np.float32), axis=0)).mean(-1)[still].mean())


def blurred(frames: Frames, sigma: float) -> Frames:
    """Blur small frames, as a model's samples are."""
    reach = 3
    x = torch.from_numpy(frames).float().permute(0, 3, 1, 2)
    kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / sigma) ** 2)
    kernel = (kernel / kernel.sum()).repeat(3, 1)
    x = F.conv2d(F.pad(x, (0, 0, reach, reach), mode="replicate"), kernel[:, None, :, None], groups=3)
    x = F.conv2d(F.pad(x, (reach, reach, 0, 0), mode="replicate"), kernel[:, None, None], groups=3)
    soft: Frames = x.round().byte().permute(0, 2, 3, 1).numpy()
    return soft


def figures(made: Frames, true: Frames) -> tuple[float, float, float, float]:
    """Return PSNR (dB), SSIM, sharpness as a share of the truth's, flicker."""
    psnr = peak_signal_noise_ratio(true, made)
    ssim = np.mean(
        [structural_similarity(a, b, channel_axis=-1) for a, b in zip(true[::4], made[::4], strict=True)]
    )
    return float(psnr), float(ssim), gradient(made) / gradient(true), flicker(made, true)


def main() -> None:
    options = argparse.ArgumentParser()
    options.add_argument("--clips", type=int, default=12, help="renders of each level")
    options.add_argument("--samples", type=int, default=6, help="videos of the model to enlarge")
    options.add_argument("--output", "-o", type=Path, help="picture of samples side by side")
    arguments = options.parse_args()
    runtime.set_threads()
    enlarger = Enlarger.load()
    ways = {
        "bicubic": resized(Image.Resampling.BICUBIC),
        "Lanczos": resized(Image.Resampling.LANCZOS),
        "upsampler": enlarger.enlarge,
    }
    with record("upsampler") as say:
        say("weights", enlarger.weights_hash)
        for level in (1, 2):
            config = WorldConfig(level=level, split="heldout", width=256, height=256, seed=SEED)
            films = [film([clip], config)[0].numpy() for clip in plan(config, range(arguments.clips))]
            for name, dirty in (
                ("renders", smaller),
                ("blurred renders", lambda f: blurred(smaller(f), 0.8)),
            ):
                for way, enlarge in ways.items():
                    psnr, ssim, sharp, flickers = np.mean(
                        [figures(enlarge(dirty(f)), f) for f in films], axis=0
                    )
                    say(
                        f"level {level}, {name}, {way}",
                        f"PSNR {psnr:.2f} dB, SSIM {ssim:.4f}, sharpness {sharp:.2f}, flicker {flickers:.2f}",
                    )
        prompts = [c.caption for c in plan(WorldConfig(split="heldout", seed=SEED), range(arguments.samples))]
        pipeline = Pipeline.load()
        samples = [pipeline(prompt, seed=n)[0].frames for n, prompt in enumerate(prompts)]
        for way, enlarge in ways.items():
            sharp = np.mean([gradient(enlarge(s)) for s in samples])
            say(f"own samples, {way}", f"mean gradient {sharp:.2f} grey levels")
        seconds = best(lambda: enlarger.enlarge(samples[0]))
        say("16 frames 64x64 to 256x256", f"{seconds:.3f} s at {gemm_flops() / 1e9:.0f} GFLOP/s of GEMM")
        if arguments.output:
            pairs = [tuple(Video(enlarge(s)) for enlarge in ways.values()) for s in samples]
            page = contact_sheet(pairs, prompts, headings=tuple(ways), title="Samples, enlarged")
            page.save(arguments.output)


if __name__ == "__main__":
    main()
