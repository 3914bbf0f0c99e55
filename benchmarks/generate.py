"""Generating: cold start to a finished mp4, and the denoiser's forward pass beside diffusers' Wan.

python benchmarks/generate.py
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from record import bests, gemm_flops, record
from reelworld.core import runtime
from reelworld.core.types import VideoShape
from reelworld.models.cost import Cost
from reelworld.models.denoiser import Denoiser, DenoiserConfig
from reelworld.models.layers import swiglu_width

TEXT, SHAPE = 64, VideoShape(width=64, height=64, num_frames=16, fps=8.0)
PROMPT = "a large red ball bounces in a meadow. the camera stays still."


def cold_start() -> float:
    """Return the seconds from the shell to the finished file, for the default clip."""
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "reelworld.cli",
            "generate",
            PROMPT,
            "-o",
            str(Path(folder) / "ball.mp4"),
        ]
        start = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        return time.perf_counter() - start


def ours(batch: int) -> Callable[[], torch.Tensor]:
    """One evaluation as sampling does it: text encoded once, before."""
    model = Denoiser(DenoiserConfig()).eval()
    text = model.encode_text(torch.randint(3, 500, (batch, TEXT)))
    noisy, timestep = torch.randn(batch, *SHAPE.size, 3), torch.rand(batch)
    return lambda: model(noisy, timestep, text)


def wan(batch: int) -> Callable[[], torch.Tensor]:
    """The peer with the same width, depth, heads, tokens, text length and parameters in its feed-forward."""
    from diffusers import WanTransformer3DModel

    config = DenoiserConfig()
    ffn = swiglu_width(config.dim, config.mlp_ratio) * 3 // 2
    model = WanTransformer3DModel(
        patch_size=(4, 8, 8), num_attention_heads=config.num_heads, 
        attention_head_dim=config.dim // config.num_heads,
        in_channels=3, out_channels=3, text_dim=config.text.dim, ffn_dim=ffn, num_layers=config.depth,
    ).eval()  # fmt: skip
    frames, height, width = SHAPE.size
    noisy, timestep = torch.randn(batch, 3, frames, height, width), torch.full((batch,), 500)
    text = torch.randn(batch, TEXT, config.text.dim)
    return lambda: model(noisy, timestep, text, return_dict=False)[0]


def rounds(batch: int, *, compiled: bool) -> list[list[float]]:
    """Return the best times of an evaluation, ours and the peer's in turns, of several rounds."""
    works = [torch.compile(work) if compiled else work for work in (ours(batch), wan(batch))]
    with torch.inference_mode():
        return [bests(works, 15) for _ in range(9)]


def main() -> None:
    """Run all figures."""
    runtime.set_threads()  # as the `reel` command does
    torch.manual_seed(0)
    batch = 2  # prompt and no prompt
    flops = batch * Cost.of(DenoiserConfig(), SHAPE, TEXT, known=False).denoise_flops
    with record("generate") as say:
        gemm = gemm_flops()
        say("float32 GEMM", f"{gemm / 1e9:.0f} GFLOP/s")
        for name, compiled in (("eager", False), ("compiled", True)):
            times = rounds(batch, compiled=compiled)
            mine, theirs = (min(column) for column in zip(*times, strict=True))
            ratios = sorted(peer / own for own, peer in times)
            say(f"{name}: denoiser", f"{1e3 * mine:.0f} ms, {flops / mine / gemm:.2f} of GEMM")
            say(f"{name}: WanTransformer3DModel", f"{1e3 * theirs:.0f} ms")
            spread = f"{ratios[0]:.2f} to {ratios[-1]:.2f} in {len(ratios)} rounds"
            say(f"{name}: ratio", f"{median(ratios):.2f} times faster (goal 1.2); {spread}")
        say("cold start to finished mp4", f"{min(cold_start() for _ in range(3)):.1f} s (goal 15 s)")


if __name__ == "__main__":
    main()
