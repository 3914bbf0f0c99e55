"""The parser: shapes, what reaches how far in time, and the vocabulary that it shares with the labels."""

from typing import get_args

import pytest
import torch

from reelworld.core.errors import CheckpointError, ConfigError, ShapeError
from reelworld.models import perception
from reelworld.models.perception import PER_PIXEL, Perception, PerceptionConfig
from reelworld.models.released import checkpoint_to_denoiser, checkpoint_to_network, network_to_checkpoint
from reelworld.world import labels
from reelworld.world.scene import COLORS, Kind, Size

TINY = PerceptionConfig(widths=(8, 16, 16))


def stirred(config=TINY):
    """Build a network whose zero-initialised weights are stirred, so that every part has a say."""
    generator = torch.Generator().manual_seed(1)
    network = Perception(config, generator)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


@pytest.fixture(scope="module")
def network():
    return stirred()


def video(*shape):
    return 2 * torch.rand(*shape, 3, generator=torch.Generator().manual_seed(2)) - 1


@pytest.mark.parametrize("shape", [(2, 4, 16, 16), (1, 1, 24, 40)])
@torch.inference_mode()
def test_each_pixel_and_each_frame_says_something(network, shape):
    seen = network(video(*shape))
    for name, channels in PER_PIXEL.items():
        assert getattr(seen, name).shape == (shape if name == "depth" else (*shape, channels))
    assert seen.camera.shape == (*shape[:2], len(perception.CAMERA))
    assert all(bool(torch.isfinite(field).all()) and field.any() for field in seen)


@torch.inference_mode()
def test_more_levels_see_coarser_pictures():
    deep = stirred(PerceptionConfig(widths=(8, 8, 8, 8)))
    assert deep(video(1, 2, 16, 32)).kind.shape == (1, 2, 16, 32, PER_PIXEL["kind"])
    with pytest.raises(ShapeError, match="multiples of 16, not 24x32"):
        deep(video(1, 2, 24, 32))


@pytest.mark.parametrize(("height", "width"), [(12, 16), (16, 20), (15, 16)])
def test_sizes_that_the_levels_do_not_divide_are_refused(network, height, width):
    with pytest.raises(ShapeError, match=f"multiples of 8, not {height}x{width}"):
        network(video(1, 2, height, width))


@pytest.mark.parametrize("widths", [(8, 16), (8, 12, 16), (0, 8, 8), ()])
def test_widths_that_cannot_be_normalised_are_refused(widths):
    with pytest.raises(ConfigError, match="three levels or more, multiples of 8"):
        PerceptionConfig(widths=widths)


def test_weights_come_from_the_generator_alone():
    drawn = []
    for outside, seed in ((0, 5), (1, 5), (1, 6)):
        with torch.random.fork_rng():
            torch.manual_seed(outside)
            drawn.append(Perception(TINY, torch.Generator().manual_seed(seed)).state_dict())
    torch.testing.assert_close(drawn[0], drawn[1], rtol=0, atol=0)
    assert not torch.equal(drawn[0]["stem.weight"], drawn[2]["stem.weight"])


@torch.inference_mode()
def test_it_has_the_same_answer_for_a_clip_alone_and_among_others(network):
    clips = video(3, 4, 16, 16)
    together = network(clips)
    for field, alone in zip(together, network(clips[1:2]), strict=True):
        torch.testing.assert_close(field[1:2], alone, rtol=1e-4, atol=1e-4)


def frames_that_change(network, changed=4, count=9):
    """Return the frames whose pixels, and those whose camera, depend on one frame."""
    clip = video(1, count, 16, 16)
    other = clip.clone()
    other[:, changed] = -other[:, changed]
    before, after = network(clip), network(other)
    pixels, camera = (
        (getattr(after, name) - getattr(before, name)).abs().flatten(2).amax(-1)[0] > 1e-4
        for name in ("kind", "camera")
    )
    return pixels.nonzero().flatten().tolist(), camera.nonzero().flatten().tolist()


@torch.inference_mode()
def test_a_frame_is_seen_by_its_neighbours_only(network):
    pixels, camera = frames_that_change(network)
    assert pixels == [2, 3, 4, 5, 6], "two levels look one frame to each side"
    assert camera == [4, 5], "from the pixels of this frame and of the one before"


@torch.inference_mode()
def test_untrained_pixels_look_at_their_own_frame():
    fresh = Perception(TINY, torch.Generator().manual_seed(0)).eval()
    assert frames_that_change(fresh) == ([4], [4, 5])


def test_its_classes_are_those_of_the_labels():
    assert PER_PIXEL["kind"] == 1 + len(get_args(Kind))
    assert PER_PIXEL["color"] == len(COLORS)
    assert PER_PIXEL["size"] == len(get_args(Size))
    assert PER_PIXEL["side"] == 1 + max(labels.NO_LEG, labels.LEFT, labels.RIGHT)
    assert (*labels.MOTION, "cut") == perception.CAMERA


@torch.inference_mode()
def test_weights_come_back_from_a_file(network, tmp_path):
    path = network_to_checkpoint(tmp_path / "perception.safetensors", network, {"recipe": "tiny"})
    loaded, card = checkpoint_to_network(path, Perception, PerceptionConfig)
    assert (loaded.config, card["recipe"]) == (network.config, "tiny")
    assert not loaded.training
    clip = video(1, 3, 16, 16)
    for there, here in zip(loaded(clip), network(clip), strict=True):
        torch.testing.assert_close(there, here, rtol=0, atol=0)


def test_its_weights_are_no_denoiser(network, tmp_path):
    path = network_to_checkpoint(tmp_path / "perception.safetensors", network, {})
    with pytest.raises(CheckpointError, match=r"'reelworld-perception-1'.*give weights of denoiser"):
        checkpoint_to_denoiser(path)
