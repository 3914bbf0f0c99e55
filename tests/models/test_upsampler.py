"""The upsampler: bicubic until it has learned something, any size, frames that look at their neighbours."""

import pytest
import torch

from reelworld.core.errors import CheckpointError, ConfigError
from reelworld.models.perception import Perception, PerceptionConfig
from reelworld.models.released import checkpoint_to_network, network_to_checkpoint
from reelworld.models.upsampler import Upsampler, UpsamplerConfig, bicubic, shrink


def video(*shape):
    return 2 * torch.rand(*shape, 3, generator=torch.Generator().manual_seed(2)) - 1


def stirred(**settings):
    """Build a network whose zero-initialised weights are stirred, so that every part has a say."""
    generator = torch.Generator().manual_seed(1)
    network = Upsampler(UpsamplerConfig(**({"width": 8, "num_blocks": 1} | settings)), generator)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


@pytest.mark.parametrize("scale", [2, 4])
@torch.inference_mode()
def test_untrained_it_is_bicubic(scale):
    config = UpsamplerConfig(width=8, num_blocks=3, scale=scale)
    clip = video(2, 3, 8, 10)
    large = Upsampler(config, torch.Generator().manual_seed(0))(clip)
    wanted = bicubic(clip.flatten(0, 1).permute(0, 3, 1, 2), scale)
    assert torch.equal(large.flatten(0, 1).permute(0, 3, 1, 2), wanted)


@pytest.mark.parametrize("shape", [(1, 1, 8, 8), (2, 3, 5, 7), (1, 4, 1, 9)])
@torch.inference_mode()
def test_any_size_grows_by_the_scale(shape):
    batch, frames, height, width = shape
    assert stirred()(video(*shape)).shape == (batch, frames, 4 * height, 4 * width, 3)
    assert stirred(scale=3)(video(*shape)).shape == (batch, frames, 3 * height, 3 * width, 3)


@pytest.mark.parametrize("num_blocks", [1, 2, 3])
@torch.inference_mode()
def test_each_second_block_looks_one_frame_further(num_blocks):
    network, clip = stirred(num_blocks=num_blocks), video(1, 9, 6, 6)
    other = clip.clone()
    other[:, 4] = -other[:, 4]
    changed = (network(other) - network(clip)).abs().flatten(2).amax(-1)[0] > 1e-4
    reach = (num_blocks + 1) // 2
    assert changed.nonzero().flatten().tolist() == list(range(4 - reach, 5 + reach))


@pytest.mark.parametrize("settings", [{"width": 0}, {"num_blocks": 0}, {"scale": 1}])
def test_settings_that_build_nothing_are_refused(settings):
    with pytest.raises(ConfigError, match="give 1 or more"):
        UpsamplerConfig(**settings)


def test_weights_come_from_the_generator_alone():
    drawn = []
    for outside in (0, 1):
        with torch.random.fork_rng():
            torch.manual_seed(outside)
            generator = torch.Generator().manual_seed(5)
            drawn.append(Upsampler(UpsamplerConfig(width=8, num_blocks=2), generator).state_dict())
    torch.testing.assert_close(drawn[0], drawn[1], rtol=0, atol=0)


@torch.inference_mode()
def test_weights_come_back_from_a_file(tmp_path):
    network = stirred(num_blocks=2)
    path = network_to_checkpoint(tmp_path / "upsampler.safetensors", network, {"recipe": "tiny"})
    loaded, card = checkpoint_to_network(path, Upsampler, UpsamplerConfig)
    assert (loaded.config, card["recipe"]) == (network.config, "tiny")
    clip = video(1, 3, 6, 6)
    torch.testing.assert_close(loaded(clip), network(clip), rtol=0, atol=0)
    with pytest.raises(CheckpointError, match="give weights of perception networks"):
        checkpoint_to_network(path, Perception, PerceptionConfig)


def test_shrinking_averages_the_pixels_that_are_covered():
    pictures = torch.arange(64.0).view(1, 1, 8, 8)
    assert shrink(pictures, 4).flatten().tolist() == [13.5, 17.5, 45.5, 49.5]
    small = video(2, 1, 5, 7)[:, 0].permute(0, 3, 1, 2)
    large = small.repeat_interleave(3, 2).repeat_interleave(3, 3)
    torch.testing.assert_close(shrink(large, 3), small)
