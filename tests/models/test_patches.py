"""Patches: exact round trips, what a window sees, seamless blending, gradients."""

import pytest
import torch

from reelworld.core.errors import ConfigError, ShapeError
from reelworld.models.patches import Grid, PatchConfig, blending_weights, patchify, unpatchify

OVERLAPS = [(0, 0, 0), (1, 2, 2), (0, 1, 2), (2, 4, 4), (1, 0, 0)]


def grid_of(video: torch.Tensor, config: PatchConfig) -> Grid:
    return Grid.of(*video.shape[1:4], config)


@pytest.mark.parametrize("overlap", OVERLAPS)
@pytest.mark.parametrize("shape", [(2, 8, 24, 16, 3), (1, 4, 8, 8, 1), (1, 12, 8, 40, 4)])
def test_unpatchify_inverts_patchify(overlap, shape, generator):
    config = PatchConfig(overlap=overlap)
    video = torch.randn(shape, generator=generator)
    tokens = patchify(video, config)
    assert tokens.shape == (shape[0], grid_of(video, config).num_tokens, config.window_pixels * shape[-1])
    torch.testing.assert_close(unpatchify(tokens, grid_of(video, config), config), video)


def test_a_window_holds_its_tubelet_and_its_neighbours_rims(generator):
    config = PatchConfig(overlap=(1, 2, 2))
    video = torch.randn((1, 12, 24, 24, 3), generator=generator)
    windows = patchify(video, config).view(1, 3, 3, 3, 6, 12, 12, 3)
    assert torch.equal(windows[0, 1, 1, 1], video[0, 3:9, 6:18, 6:18])
    assert torch.equal(windows[0, 0, 0, 0, 1:, 2:, 2:], video[0, :5, :10, :10])
    assert windows[0, 0, 0, 0, 0].abs().max() == 0  # before the first frame there is nothing


def test_plain_patches_are_the_tubelets_in_order(generator):
    config = PatchConfig(overlap=(0, 0, 0))
    video = torch.randn((2, 8, 16, 24, 3), generator=generator)
    tokens = patchify(video, config)
    index = 1 * 2 * 3 + 1 * 3 + 2  # second in time, second row, third column
    assert torch.equal(tokens[:, index].view(2, 4, 8, 8, 3), video[:, 4:8, 8:16, 16:24])


def test_an_image_is_four_equal_frames(generator):
    config = PatchConfig()
    image = torch.randn((2, 1, 16, 16, 3), generator=generator)
    assert torch.equal(patchify(image, config), patchify(image.expand(-1, 4, -1, -1, -1), config))
    assert Grid.of(1, 16, 16, config) == Grid(frames=1, rows=2, columns=2)


@pytest.mark.parametrize(("num_tiles", "size", "margin"), [(1, 4, 1), (2, 4, 2), (5, 8, 2), (3, 8, 4)])
def test_weights_are_a_partition_of_unity(num_tiles, size, margin):
    weights = blending_weights(num_tiles, size, margin)
    total = torch.zeros(num_tiles * size + 2 * margin)
    for tile in range(num_tiles):
        total[tile * size : (tile + 1) * size + 2 * margin] += weights[tile]
    torch.testing.assert_close(total[margin : margin + num_tiles * size], torch.ones(num_tiles * size))
    assert (weights >= 0).all()


def test_blending_turns_a_jump_between_tubelets_into_a_ramp():
    tokens = torch.stack([torch.zeros(48), torch.ones(48)])[
        None
    ]  # two neighbours that disagree: black, white
    config = PatchConfig(frames=1, height=4, width=8, overlap=(0, 0, 2))
    row = unpatchify(tokens, Grid.of(1, 4, 16, config), config)[0, 0, 0, :, 0]
    steps = row.diff()
    assert (steps >= 0).all()
    assert steps.max() < 0.4  # a seam without blending would be a step of 1
    assert torch.equal(row[:6], torch.zeros(6))
    assert torch.equal(row[-6:], torch.ones(6))


def test_gradient_of_blending_is_its_adjoint(generator):
    config = PatchConfig(frames=2, height=4, width=4, overlap=(1, 1, 2))
    grid = Grid.of(4, 8, 8, config)
    size = (1, grid.num_tokens, config.window_pixels)
    tokens = torch.randn(size, generator=generator, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(lambda t: unpatchify(t, grid, config), (tokens,))


def test_bad_shapes_and_sizes_are_refused():
    config = PatchConfig()
    with pytest.raises(ShapeError, match="multiple of 4, height"):
        patchify(torch.zeros(1, 6, 16, 16, 3), config)
    with pytest.raises(ShapeError, match="width of 8"):
        Grid.of(4, 16, 20, config)
    with pytest.raises(ShapeError, match="do not fill a grid"):
        unpatchify(torch.zeros(1, 3, config.window_pixels * 3), Grid.of(4, 16, 16, config), config)
    with pytest.raises(ConfigError, match="half"):
        PatchConfig(overlap=(3, 2, 2))
