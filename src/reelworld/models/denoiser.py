"""The diffusion transformer: noisy video, timestep and text -> clean video.

    denoiser = Denoiser(DenoiserConfig())
    text = denoiser.encode_text(tokenizer.encode(["a red ball"]))    # once per prompt
    clean = denoiser(noisy, timestep, text)                          # [B, T, H, W, 3], in [-1, 1]

Known pixels (image-to-video, extend, infill, loop) enter as `known` and `mask`. An image is one frame.
Characters enter as `references`, pictures whose tokens stand beside the video's at times of their own.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn
from torch.nn.utils.rnn import pad_sequence

from reelworld.core.errors import ConfigError, ShapeError
from reelworld.core.types import Mask, Pixels, References, Timesteps
from reelworld.models.attention import SelfAttention, key_bias
from reelworld.models.layers import (
    Condition,
    SwiGLU,
    check_size,
    modulate,
    narrowed,
    rms_norm,
    rotary_angles,
    rotary_split,
)
from reelworld.models.patches import Grid, PatchConfig, patchify, unpatchify
from reelworld.models.text import TextConfig, TextEncoder, TextFeatures

Rotary = tuple[Tensor, Tensor]
REFERENCE_FPS = 8.0  # the frame rate at which neighbouring tubelets of 4 frames are one unit of time apart
REFERENCE_FRAMES = 4
ASIDE = 8.0  # units of time before the first frame, and between them, at which pictures of characters stand


@dataclass(frozen=True, kw_only=True)
class DenoiserConfig:
    """The diffusion transformer's size; rotary_theta is its slowest period in tubelets, over 2 pi."""

    dim: int = 256
    depth: int = 8
    num_heads: int = 4
    mlp_ratio: float = 2.0
    channels: int = 3
    rotary_theta: float = 100.0
    patch: PatchConfig = field(default_factory=PatchConfig)
    text: TextConfig = field(default_factory=TextConfig)

    def __post_init__(self) -> None:
        check_size(self.dim, self.depth, self.num_heads, self.mlp_ratio, multiple=16)
        if self.channels < 1 or self.rotary_theta <= 1:
            raise ConfigError("a denoiser needs at least 1 channel and a rotary_theta above 1")


class Block(nn.Module):
    """Attention to video and text, then SwiGLU, each normalised and modulated before and gated after.

    x + gate * f(rms_norm(x) * scale + shift), where (shift, scale, gate) is the modulation shared by all
    blocks plus the block's own bias. Source: arXiv:2310.00426 section 2.3 (adaLN-single).
    """

    def __init__(self, config: DenoiserConfig) -> None:
        super().__init__()
        self.attention = SelfAttention(config.dim, config.num_heads)
        self.mlp = SwiGLU(config.dim, config.mlp_ratio)
        self.bias = nn.Parameter(torch.zeros(6, config.dim))

    def forward(
        self, x: Tensor, modulation: Tensor, rotary: Rotary, mask: Tensor, text: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Transform tokens [B, N, dim] under a modulation [B, 6, dim]; text: this block's keys, values."""
        shift_a, scale_a, gate_a, shift_m, scale_m, gate_m = (
            (modulation + self.bias).unsqueeze(2).unbind(1)
        )  # each [B, 1, dim]
        attended = self.attention(modulate(x, shift_a, scale_a), rotary, mask, text)
        x = torch.addcmul(x, attended, gate_a)
        return torch.addcmul(x, self.mlp(modulate(x, shift_m, scale_m)), gate_m)


class Denoiser(nn.Module):
    """Predicts the clean video from a noisy one; at initialisation it predicts zero (mid-grey)."""

    def __init__(self, config: DenoiserConfig, generator: torch.Generator | None = None) -> None:
        """Build with weights drawn from `generator` (default: seed 0)."""
        super().__init__()
        self.config = config
        window = config.patch.window_pixels * config.channels
        self.embed_noisy = nn.Linear(window, config.dim)
        self.embed_known = nn.Linear(
            config.patch.tubelet_pixels * (config.channels + 1), config.dim, bias=False
        )
        self.condition = Condition(config.dim)
        self.text_encoder = TextEncoder(config.text)
        self.text_keys_values = nn.Linear(config.text.dim, config.depth * 2 * config.dim, bias=False)
        self.text_key_scale = nn.Parameter(torch.ones(config.depth, 1, config.dim // config.num_heads))
        self.blocks = nn.ModuleList(Block(config) for _ in range(config.depth))
        self.final_modulation = nn.Linear(config.dim, 2 * config.dim)
        self.final = nn.Linear(config.dim, window)
        self._initialise(generator or torch.Generator().manual_seed(0))

    def encode_text(self, token_ids: Tensor) -> TextFeatures:
        """Turn ids [B, L] into every block's keys and values, in one product."""
        return self.encode_words(token_ids)[1]

    def encode_words(self, token_ids: Tensor) -> tuple[Tensor, TextFeatures]:
        """Turn ids [B, L] into features [B, L, dim] of words, and every block's keys and values of them."""
        features, mask = self.text_encoder(token_ids)
        shape = (self.config.depth, 2, self.config.num_heads, -1)
        keys, values = self.text_keys_values(features).unflatten(-1, shape).unbind(3)
        text = TextFeatures((rms_norm(keys) * self.text_key_scale).type_as(values), values, mask)
        return features, text

    def forward(
        self,
        noisy: Pixels,
        timestep: Timesteps,
        text: TextFeatures,
        known: Pixels | None = None,
        mask: Mask | None = None,
        fps: float = REFERENCE_FPS,
        references: References | None = None,
    ) -> Pixels:
        """Predict the clean video [B, T, H, W, C] of a noisy one at timesteps [B] (0 = clean, 1 = noise).

        known [B, T, H, W, C] counts where mask [B, T, H, W, 1] is 1; references show the characters of the
        text, the first "Alpha", the second "Beta" (`world/portrait.py`). Raises: ShapeError.
        """
        return self.forward_with_features(noisy, timestep, text, known, mask, fps, references)[0]

    def forward_with_features(
        self,
        noisy: Pixels,
        timestep: Timesteps,
        text: TextFeatures,
        known: Pixels | None = None,
        mask: Mask | None = None,
        fps: float = REFERENCE_FPS,
        references: References | None = None,
        layer: int = 0,
    ) -> tuple[Pixels, Tensor]:
        """Predict as `forward` does; return also the video's tokens [B, N, dim] after `layer` blocks."""
        batch, num_frames, height, width, _ = noisy.shape
        self._check(noisy, timestep, text, known, mask)
        grid = Grid.of(num_frames, height, width, self.config.patch)
        tokens = self._embed(noisy, known, mask)
        positions = self.positions(grid, fps, noisy.device)
        seen = torch.ones(batch, grid.num_tokens, dtype=torch.bool, device=noisy.device)
        if references is not None:
            pictures, beside, shown = self._refer(references, batch)
            tokens = torch.cat([tokens, pictures], 1)
            positions, seen = torch.cat([positions, beside]), torch.cat([seen, shown], 1)
        is_image = torch.full((batch,), int(num_frames == 1), device=noisy.device)
        rotary = self._angles(positions)
        windows, features = self._transform(
            tokens, timestep, is_image, rotary, seen, text, grid.num_tokens, layer
        )
        return self._to_video(windows, grid, num_frames), features

    def forward_packed(
        self,
        noisy: Sequence[Tensor],
        timestep: Timesteps,
        text: TextFeatures,
        known: Sequence[Tensor] | None = None,
        mask: Sequence[Tensor] | None = None,
        fps: Sequence[float] | None = None,
    ) -> list[Tensor]:
        """Predict clean videos of different shapes [T_i, H_i, W_i, C] in one batch, each as if it were alone.

        Tokens are padded to the longest sample and the padding is hidden from attention. Raises: ShapeError.
        """
        known = known or [torch.zeros_like(sample) for sample in noisy]
        mask = mask or [torch.zeros_like(sample[..., :1]) for sample in noisy]
        rates = fps or [REFERENCE_FPS] * len(noisy)
        samples = [tuple(part[None] for part in sample) for sample in zip(noisy, known, mask, strict=True)]
        for index, sample in enumerate(samples):
            self._check(sample[0], timestep[index, None], text[index], *sample[1:])
        grids = [
            Grid.of(len(sample), sample.shape[1], sample.shape[2], self.config.patch) for sample in noisy
        ]
        tokens = pad_sequence([self._embed(*sample)[0] for sample in samples], batch_first=True)
        device = tokens.device
        positions = [self.positions(g, rate, device) for g, rate in zip(grids, rates, strict=True)]
        rotary = self._angles(pad_sequence(positions, batch_first=True))
        lengths = torch.tensor([g.num_tokens for g in grids], device=device)
        seen = torch.arange(tokens.shape[1], device=device) < lengths[:, None]
        is_image = torch.tensor([int(len(sample) == 1) for sample in noisy], device=device)
        windows, _ = self._transform(tokens, timestep, is_image, rotary, seen, text, tokens.shape[1])
        return [
            self._to_video(row[None, : g.num_tokens], g, len(sample))[0]
            for row, g, sample in zip(windows, grids, noisy, strict=True)
        ]

    def positions(self, grid: Grid, fps: float, device: torch.device) -> Tensor:
        """Return each token's time, height and width [N, 3].

        Time starts at 0 and is measured in units of 4 frames at 8 fps, so that motion has one speed at every
        frame rate. Height and width are in tubelets from the picture's centre: text keys are not rotated, so
        the scores between a token and a word tell where in the picture the token lies, at any resolution.
        """
        unit = self.config.patch.frames / REFERENCE_FRAMES * REFERENCE_FPS / fps
        axes = [
            torch.arange(grid.frames, device=device) * unit,
            torch.arange(grid.rows, device=device) - (grid.rows - 1) / 2,
            torch.arange(grid.columns, device=device) - (grid.columns - 1) / 2,
        ]
        return torch.stack(torch.meshgrid(*axes, indexing="ij"), dim=-1).flatten(0, 2)

    def _embed(self, noisy: Tensor, known: Tensor | None, mask: Tensor | None) -> Tensor:
        """Embed windows of noisy pixels, and the tubelets' known pixels and mask."""
        tokens = self.embed_noisy(patchify(narrowed(noisy), self.config.patch))
        if known is None or mask is None:
            return tokens
        pixels = narrowed(torch.cat([known * mask, mask], dim=-1))
        return tokens + self.embed_known(patchify(pixels, self.config.patch.without_overlap()))

    def _refer(self, references: References, batch: int) -> tuple[Tensor, Tensor, Tensor]:
        """Embed pictures as known images [B, R * n, dim]; return also their positions, and which are seen."""
        pixels, seen = references
        count, height, width = pixels.shape[1:4]
        wanted = (batch, count, height, width, self.config.channels)
        if pixels.shape != wanted or seen.shape != (batch, count):
            raise ShapeError(
                f"references {tuple(pixels.shape)}, seen {tuple(seen.shape)}: expected "
                f"[{batch}, R, H, W, {self.config.channels}] and [{batch}, R]"
            )
        pictures = pixels.flatten(0, 1)[:, None]
        tokens = self._embed(pictures, pictures, torch.ones_like(pictures[..., :1]))
        grid = Grid.of(1, height, width, self.config.patch)
        place = self.positions(grid, REFERENCE_FPS, pixels.device).repeat(count, 1, 1)
        place[..., 0] -= ASIDE * torch.arange(1, count + 1, device=pixels.device)[:, None]
        shown = seen.repeat_interleave(grid.num_tokens, 1)
        return tokens.unflatten(0, (batch, count)).flatten(1, 2), place.flatten(0, 1), shown

    def _angles(self, positions: Tensor) -> Rotary:
        """Return the rotation of each token's heads."""
        split = rotary_split(self.config.dim // self.config.num_heads)
        return rotary_angles(positions, split, self.config.rotary_theta)

    def _transform(
        self,
        tokens: Tensor,
        timestep: Tensor,
        is_image: Tensor,
        rotary: Rotary,
        seen: Tensor,
        text: TextFeatures,
        count: int,
        layer: int = 0,
    ) -> tuple[Tensor, Tensor]:
        """Run the blocks; predict the windows [B, count, window pixels * C] of the first tokens.

        Return also what these tokens are after a layer.
        """
        embedding, modulation = self.condition(timestep, is_image)
        mask = key_bias(torch.cat([text.mask, seen], dim=1))
        features = tokens
        said = zip(text.keys.unbind(2), text.values.unbind(2), strict=True)  # one gradient, not one a block
        for index, (block, words) in enumerate(zip(self.blocks, said, strict=True), 1):
            tokens = block(tokens, modulation, rotary, mask, words)
            features = tokens[:, :count] if index == layer else features
        shift, scale = self.final_modulation(nn.functional.silu(embedding)).chunk(2, dim=-1)
        return self.final(modulate(tokens[:, :count], shift, 1 + scale)), features

    def _to_video(self, windows: Tensor, grid: Grid, num_frames: int) -> Tensor:
        """Blend windows into a video; an image is the mean of its tubelet's frames."""
        video = unpatchify(windows, grid, self.config.patch)
        return video.mean(dim=1, keepdim=True) if num_frames == 1 else video

    def _check(
        self, noisy: Tensor, timestep: Tensor, text: TextFeatures, known: Tensor | None, mask: Tensor | None
    ) -> None:
        """Raise ShapeError when the inputs do not belong together."""
        batch = noisy.shape[0]
        if noisy.shape[-1] != self.config.channels or timestep.shape != (batch,) or len(text) != batch:
            raise ShapeError(
                f"noisy {tuple(noisy.shape)}, timestep {tuple(timestep.shape)}, {len(text)} texts: expected "
                f"[B, T, H, W, {self.config.channels}], [B] and B texts; text.expand(B) repeats one text"
            )
        if (known is None) != (mask is None):
            raise ShapeError("known pixels and their mask come together; pass both or neither")
        if known is None or mask is None:
            return
        if known.shape != noisy.shape or mask.shape != (*noisy.shape[:-1], 1):
            raise ShapeError(
                f"known {tuple(known.shape)} and mask {tuple(mask.shape)} do not match noisy "
                f"{tuple(noisy.shape)}; the mask has one channel"
            )

    @torch.no_grad()
    def _initialise(self, generator: torch.Generator) -> None:
        """Draw weights with variance 1 / inputs; what adds to the residual stream or modulates it is zero."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                module.weight.normal_(std=module.in_features**-0.5, generator=generator)
            elif isinstance(module, nn.Embedding):
                module.weight.normal_(generator=generator)
        layers = [m.out for m in self.modules() if isinstance(m, (SelfAttention, SwiGLU))]
        for linear in (*layers, self.condition.modulation, self.final_modulation, self.final):
            linear.weight.zero_()
        for name, parameter in self.named_parameters():
            if name.endswith(".bias"):
                parameter.zero_()
