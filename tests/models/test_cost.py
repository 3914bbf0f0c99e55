"""Cost against PyTorch's own counter."""

from dataclasses import replace

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from reelworld.core.types import References, VideoShape
from reelworld.models.cost import Cost, num_parameters
from reelworld.models.denoiser import Denoiser, DenoiserConfig
from reelworld.models.patches import PatchConfig

WIDE = DenoiserConfig(dim=128, depth=3, num_heads=2, mlp_ratio=2.5, patch=PatchConfig(overlap=(0, 0, 0)))


def counted(function) -> int:
    """Count with the attention that the counter knows (it does not count the CPU's fused kernel)."""
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        function()
    return counter.get_total_flops()


@pytest.mark.parametrize(
    ("config", "size", "text_length", "known", "pictures"),
    [
        (DenoiserConfig(), (64, 64, 4), 64, True, 0),
        (DenoiserConfig(), (64, 32, 1), 32, False, 0),
        (WIDE, (32, 48, 8), 96, True, 2),
        (replace(WIDE, dim=64, depth=1), (24, 16, 16), 128, False, 1),
    ],
)
def test_flops_are_those_counted(config, size, text_length, known, pictures):
    width, height, num_frames = size
    shape = VideoShape(width=width, height=height, num_frames=num_frames, fps=8.0)
    cost = Cost.of(config, shape, text_length, known, pictures)
    denoiser = Denoiser(config)
    noisy = torch.zeros(1, num_frames, height, width, 3)
    pair = (noisy, noisy[..., :1]) if known else (None, None)
    shown = References(torch.zeros(1, pictures, height, width, 3), torch.ones(1, pictures, dtype=torch.bool))
    beside = (8.0, shown if pictures else None)
    text = denoiser.encode_text(torch.ones(1, text_length, dtype=torch.long))

    def forward() -> torch.Tensor:
        return denoiser(noisy, torch.zeros(1), text, *pair, *beside)

    def training() -> None:
        ids = torch.ones(1, text_length, dtype=torch.long)
        denoiser(noisy, torch.zeros(1), denoiser.encode_text(ids), *pair, *beside).sum().backward()

    assert cost.denoise_flops == pytest.approx(counted(forward), rel=0.02)
    assert cost.training_flops == pytest.approx(counted(training), rel=0.02)
    assert cost.num_parameters == sum(p.numel() for p in denoiser.parameters())
    assert cost.text_bytes == text.keys.nbytes + text.values.nbytes


def test_nano_has_about_ten_million_parameters():
    assert 9e6 < num_parameters(DenoiserConfig()) < 10.5e6
