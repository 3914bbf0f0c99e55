"""Which pixels are known: image-to-video, extend, infill, loop and connect are all one mask.

A mask is 1 where a pixel is given and 0 where it is to be made. Training draws masks at random, so that one
model learns every such task; sampling builds the mask of the task at hand, and pins the given pixels at the
end, after what is made was joined to them. Where a mask lies between 0 and 1 the model sees what is given,
and the end cross-fades.

    mask = sample_masks(pixels.shape, generator)
    clean = model(noisy, t, known=pixels * mask, mask=mask)
    video = pin_known(join(clean, known, mask), known, mask)
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import astuple, dataclass
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor

from reelworld.core.errors import ConfigError, ShapeError
from reelworld.core.types import Mask

# Of half the range: a pixel that differs by as much from itself at another time may well show something else;
# one that differs by as much from what is known there was not softer, but wrong.
ALIKE, OFF = 0.15, 0.3


@dataclass(frozen=True, kw_only=True)
class MaskConfig:
    """How often training sees each kind of mask; the shares add up to one."""

    none: float = 0.60
    first: float = 0.15
    first_last: float = 0.06
    prefix: float = 0.07
    suffix: float = 0.05
    spans: float = 0.07

    def __post_init__(self) -> None:
        shares = astuple(self)
        if min(shares) < 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
            raise ConfigError(
                f"mask shares must be non-negative and add up to 1, got {shares} = {sum(shares):.4f}; "
                "raise or lower `none` to make up the difference"
            )


def sample_masks(shape: Sequence[int], generator: torch.Generator, config: MaskConfig | None = None) -> Mask:
    """Draw one mask of whole frames for each clip of a pixel batch of shape [B, T, H, W, C].

    At least one frame stays unknown, so an image (T = 1) has no known pixel. The mask is a view that holds
    one number a frame.
    """
    batch, frames, height, width, _ = shape
    shares = torch.tensor(astuple(config or MaskConfig()), device=generator.device)
    kind = torch.multinomial(shares, batch, replacement=True, generator=generator)
    every_kind = _masks_of_every_kind(batch, frames, generator)
    mask = every_kind[kind, torch.arange(batch, device=kind.device)]
    if frames == 1:
        mask = torch.zeros_like(mask)
    return mask.float()[:, :, None, None, None].expand(batch, frames, height, width, 1)


def _masks_of_every_kind(batch: int, frames: int, generator: torch.Generator) -> Tensor:
    """Return bool [kind, B, T], kinds in the order of the fields of MaskConfig."""
    frame = torch.arange(frames, device=generator.device)
    first, last = frame == 0, frame == frames - 1
    length = _uniform(1, max(frames - 1, 1), batch, generator)
    share = torch.rand(batch, 1, generator=generator, device=generator.device)
    start = (share * (frames - length + 1)).long()  # 0 ... frames - length
    inside = (frame >= start) & (frame < start + length)
    flip = _uniform(0, 1, batch, generator).bool()
    both_ends = first | last if frames > 2 else first
    fixed = [torch.zeros_like(first), first, both_ends]
    drawn = [frame < length, frame >= frames - length, inside ^ flip]
    return torch.stack([kind.expand(batch, frames) for kind in fixed + drawn])


def _uniform(low: int, high: int, num: int, generator: torch.Generator) -> Tensor:
    """Draw whole numbers [num, 1] in low ... high, both ends included."""
    return torch.randint(low, high + 1, (num, 1), generator=generator, device=generator.device)


def known_frames(num_frames: int, indices: Iterable[int], soft: int = 0) -> Float[Tensor, "1 T 1 1 1"]:
    """Return the mask in which the given frames are known; negative indices count from the end.

    The `soft` known frames next to one that is not fade into what is made: the n-th of them counts
    n / (soft + 1). Raises: ShapeError if an index lies outside the clip.
    """
    mask = torch.zeros(1, num_frames, 1, 1, 1)
    for index in indices:
        if not -num_frames <= index < num_frames:
            raise ShapeError(
                f"frame {index} lies outside a clip of {num_frames} frames; "
                f"use {-num_frames} to {num_frames - 1}, or ask for more frames"
            )
        mask[:, index] = 1
    if len(made := (mask.flatten() == 0).nonzero()):
        away = (torch.arange(num_frames) - made).abs().amin(0)
        mask = (away / (soft + 1)).clamp(max=1).view_as(mask)
    return mask


def pin_known(clean: Tensor, known: Tensor, mask: Tensor) -> Tensor:
    """Return mask * known + (1 - mask) * clean: given pixels exactly as given, a soft mask cross-fades."""
    return mask * known + (1 - mask) * clean


def join(clean: Tensor, known: Tensor, mask: Tensor) -> Tensor:
    """Return frames [B, T, H, W, C] that were made, joined without a seam to known ones of the same batch.

    A model predicts known frames too, softer than they are and in a slightly other light. With the offsets
    d = known - clean of the whole known frames l and r beside those to be made, frame t of these becomes

        clean_t + (r - t) / (r - l) w_l d_l + (t - l) / (r - l) w_r d_r,
        w_s = exp(-|clean_t - clean_s|^2 / ALIKE^2 - |d_s|^2 / OFF^2),

    which keeps the changes in time that the model made: of all ways from one offset to the other the straight
    one bends least, and an end without known frames has none. Where something else is seen than beside the
    border, or was there, the offset says nothing (w). Sources: Perez et al. 2003, "Poisson image editing"
    (membranes); Tomasi and Manduchi 1998, "Bilateral filtering" (w). Measured in docs/design/0021.
    """
    whole = (mask == 1).flatten(2).all(-1).all(0).tolist()
    borders = [-1, *(t for t, seen in enumerate(whole) if seen), len(whole)]
    joined = clean.clone()
    for left, right in pairwise(borders):
        for t in range(left + 1, right):
            for side, other in ((left, right), (right, left)):
                if 0 <= side < len(whole):
                    offset, since = known[:, side] - clean[:, side], clean[:, t] - clean[:, side]
                    unlike = (since / ALIKE).square() + (offset / OFF).square()
                    share = abs(other - t) / (right - left)
                    joined[:, t] += share * torch.exp(-unlike.mean(-1, keepdim=True)) * offset
    return joined
