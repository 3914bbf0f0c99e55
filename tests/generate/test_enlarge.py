"""Enlarging videos: four times as large, no seam where chunks of frames meet, an account of the weights."""

from itertools import pairwise

import numpy as np
import pytest
import torch

from reelworld.core import runtime
from reelworld.core.errors import CheckpointError
from reelworld.core.storage import file_hash
from reelworld.core.types import Video
from reelworld.generate.enlarge import CHUNK, OVERLAP, Enlarger
from reelworld.models.perception import Perception, PerceptionConfig
from reelworld.models.released import network_to_checkpoint
from reelworld.models.upsampler import Upsampler, UpsamplerConfig


def upsampler(num_blocks=1):
    """Build a network whose zero-initialised weights are drawn, so that what it adds can be seen."""
    generator = torch.Generator().manual_seed(1)
    network = Upsampler(UpsamplerConfig(width=8, num_blocks=num_blocks), generator)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter += 0.1 * torch.randn(parameter.shape, generator=generator)
    return network.eval()


def frames(count, height=6, width=8):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


@torch.inference_mode()
def in_one_pass(network, small):
    """Enlarge all frames together."""
    large = network(torch.from_numpy(small).float()[None] / 127.5 - 1)[0]
    return ((large.clamp(-1, 1) + 1) * 127.5).round().byte().numpy()


def furthest(left, right):
    """Return the largest difference in grey levels of each frame."""
    return np.abs(left.astype(int) - right.astype(int)).max((1, 2, 3))


@pytest.mark.parametrize("count", [1, CHUNK, CHUNK + 1, 2 * CHUNK + OVERLAP + 1])
def test_a_video_grows_four_times_and_keeps_its_frames(count):
    large = Enlarger(upsampler(), "hash")(Video(frames(count, 5, 7), 12.0))
    assert large.frames.shape == (count, 20, 28, 3)
    assert (large.frames.dtype, large.fps) == (np.uint8, 12.0)


@pytest.mark.parametrize("num_blocks", [1, UpsamplerConfig().num_blocks])
def test_where_chunks_meet_nothing_shows(num_blocks):
    network, small = upsampler(num_blocks), frames(2 * CHUNK + 5)
    large, whole = Enlarger(network, "hash").enlarge(small), in_one_pass(network, small)
    assert furthest(large, whole).max() <= 1
    plain = Upsampler(UpsamplerConfig(width=8, num_blocks=1))
    assert furthest(whole, in_one_pass(plain, small)).min() > 10, "the network has a say in every frame"
    cut = in_one_pass(network, small[:CHUNK])
    assert furthest(cut, whole[:CHUNK])[-1] > 1, "a chunk alone would have shown"


def test_a_chunk_looks_as_far_as_the_network_does():
    assert len(Upsampler(UpsamplerConfig()).neighbours) <= OVERLAP


def test_the_account_names_the_weights_and_keeps_what_was_there():
    video = Video(frames(2), metadata={"seed": 7})
    large = Enlarger(upsampler(), "hash")(video)
    assert large.metadata == {"seed": 7, "upsampler": "hash"}
    assert video.metadata == {"seed": 7}


def test_frames_that_are_a_view_are_enlarged_like_their_copy():
    small, enlarger = frames(4), Enlarger(upsampler(), "hash")
    mirrored = small[:, :, ::-1]
    assert np.array_equal(enlarger.enlarge(mirrored), enlarger.enlarge(mirrored.copy()))


def test_weights_are_loaded_with_their_hash(tmp_path):
    network = upsampler()
    path = network_to_checkpoint(tmp_path / "upsampler.safetensors", network, {})
    enlarger = Enlarger.load(path)
    assert enlarger.weights_hash == file_hash(path)
    assert furthest(enlarger.enlarge(frames(3)), in_one_pass(network, frames(3))).max() <= 1
    assert Enlarger.load(path).network is enlarger.network


def test_weights_that_were_written_anew_are_read_anew(tmp_path):
    path = tmp_path / "upsampler.safetensors"
    network_to_checkpoint(path, Upsampler(UpsamplerConfig(width=8, num_blocks=1), runtime.generator(1)), {})
    before = Enlarger.load(path).weights_hash
    network_to_checkpoint(path, Upsampler(UpsamplerConfig(width=8, num_blocks=1), runtime.generator(2)), {})
    assert Enlarger.load(path).weights_hash == file_hash(path) != before


def test_missing_weights_are_told_with_the_way_to_get_them(tmp_path):
    with pytest.raises(CheckpointError, match=r"are missing .*reel train upsampler"):
        Enlarger.load(tmp_path / "none.safetensors")


def test_weights_of_another_network_are_refused(tmp_path):
    other = Perception(PerceptionConfig(widths=(8, 8, 8)))
    path = network_to_checkpoint(tmp_path / "perception.safetensors", other, {})
    with pytest.raises(CheckpointError, match="give weights of upsampler networks"):
        Enlarger.load(path)


@pytest.mark.parametrize(
    ("told", "cuts"),
    [("abc", []), ([10, 5, 5], [5, 10]), ([999, -1, 0, 3.0, True, None], []), ({"a": 1}, [])],
)
def test_cuts_that_others_wrote_harm_nothing(told, cuts):
    video = Video(frames(12), 8.0, {"cuts": told})
    assert video.cuts == cuts
    network = upsampler()
    large = Enlarger(network, "hash")(video).frames
    for first, last in pairwise([0, *cuts, 12]):
        alone = Enlarger(network, "hash").enlarge(video.frames[first:last])
        assert furthest(large[first:last], alone).max() == 0


@pytest.mark.parametrize("cuts", [[], [2, 9]])
def test_a_loop_is_looked_at_all_the_way_round(cuts):
    """Whichever frame it begins with, each is enlarged in the same way."""
    network, small, turn = upsampler(), frames(13), 5
    told = {"operation": "loop", "cuts": cuts}
    turned = {"operation": "loop", "cuts": sorted((cut - turn) % 13 for cut in cuts)}
    large = Enlarger(network, "hash")(Video(small, 8.0, told)).frames
    other = Enlarger(network, "hash")(Video(np.roll(small, -turn, 0), 8.0, turned)).frames
    assert furthest(np.roll(large, -turn, 0), other).max() <= 1
    plain = Enlarger(network, "hash")(Video(small, 8.0, {"cuts": cuts})).frames
    assert furthest(large, plain)[[0, -1]].min() > 1, "its ends would have been looked at alone"
    np.testing.assert_array_equal(large[4:9], plain[4:9])
