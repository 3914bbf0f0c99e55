"""A teacher beside the denoiser: its tokens, half way through the blocks, must tell what their tubelets show.

    head = TokenLabels(dim=256)
    loss = head.loss(features, labels, PatchConfig())          # features [B, N, dim]

What a scene holds and where is decided early in the network; the renderer knows it, so the early blocks can
be told directly. The idea is REPA's (arXiv:2410.06940), with the world's own labels for its teacher.
"""

from collections.abc import Mapping

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from reelworld.models.patches import Grid, PatchConfig
from reelworld.models.perception import DEPTH_MIDDLE, DEPTH_SCALE, NUM_COLORS, NUM_KINDS

CLASSES = {"kind": NUM_KINDS, "color": NUM_COLORS + 1}  # 0: nothing
THING_WEIGHT = 4.0  # of a tubelet full of a thing beside an empty one
DEPTH_WEIGHT = 0.5


class TokenLabels(nn.Module):
    """A linear layer from tokens to the shares of kinds and colours in their tubelets, and the log depth."""

    def __init__(self, dim: int, generator: torch.Generator | None = None) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.out = nn.Linear(dim, sum(CLASSES.values()) + 1)
        with torch.no_grad():
            self.out.weight.normal_(std=dim**-0.5, generator=generator)
            self.out.bias.zero_()

    def loss(self, features: Tensor, labels: Mapping[str, Tensor], patch: PatchConfig) -> Tensor:
        """Return the cross entropy of kinds and colours and the error of depth, averaged over tokens.

        features [B, N, dim]; labels as `world.labels` has them, [B, T, H, W] each.
        """
        kind, color, depth = self.out(self.norm(features)).float().split([*CLASSES.values(), 1], -1)
        shares = {name: token_shares(labels[name], count, patch) for name, count in CLASSES.items()}
        weight = 1.0 + (THING_WEIGHT - 1.0) * (1.0 - shares["kind"][..., 0])
        named = _entropy(kind, shares["kind"]) + _entropy(color, shares["color"])
        far, known = token_depth(labels["depth"], patch)
        off = F.huber_loss(depth.squeeze(-1), (far - DEPTH_MIDDLE) / DEPTH_SCALE, reduction="none")
        return ((named * weight).sum() + DEPTH_WEIGHT * (off * known * weight).sum()) / weight.sum()


def token_shares(classes: Tensor, count: int, patch: PatchConfig) -> Tensor:
    """Return the share of each class among a tubelet's pixels: [B, T, H, W] -> float [B, N, count]."""
    tubelets = _tubelets(classes.long(), patch)
    batch, tokens, pixels = tubelets.shape
    place = torch.arange(batch * tokens, device=classes.device)[:, None] * count + tubelets.flatten(0, 1)
    counts = torch.bincount(place.flatten(), minlength=batch * tokens * count)
    return counts.view(batch, tokens, count).float() / pixels


def token_depth(depth: Tensor, patch: PatchConfig) -> tuple[Tensor, Tensor]:
    """Return the mean log depth of each tubelet's pixels that are not sky, and 1 where there are any."""
    tubelets = _tubelets(depth.float(), patch)
    solid = (tubelets > 0).float()
    total = solid.sum(-1)
    return (tubelets.clamp(min=0.1).log() * solid).sum(-1) / total.clamp(min=1.0), (total > 0).float()


def _tubelets(values: Tensor, patch: PatchConfig) -> Tensor:
    """Cut [B, T, H, W] into tubelets without margins [B, N, pixels]; an image is one of equal frames."""
    _, frames, height, width = values.shape
    grid = Grid.of(frames, height, width, patch)
    if frames == 1:
        values = values.expand(-1, patch.frames, -1, -1)
    split = (
        values.unflatten(3, (grid.columns, -1)).unflatten(2, (grid.rows, -1)).unflatten(1, (grid.frames, -1))
    )
    return split.permute(0, 1, 3, 5, 2, 4, 6).flatten(4).flatten(1, 3)


def _entropy(logits: Tensor, shares: Tensor) -> Tensor:
    """Return the cross entropy of predicted and true shares [B, N]."""
    return -(shares * logits.log_softmax(-1)).sum(-1)
