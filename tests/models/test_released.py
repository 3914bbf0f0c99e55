"""Weights files: what goes in comes out, and everything else is refused with a reason."""

import pytest
import torch

from reelworld.core import checkpoint
from reelworld.core.errors import CheckpointError
from reelworld.models.denoiser import Denoiser, DenoiserConfig
from reelworld.models.released import FORMAT, SCALE, SMALL, checkpoint_to_denoiser, denoiser_to_checkpoint
from reelworld.models.text import TextConfig, Tokenizer

TEXT = TextConfig(vocabulary_size=64, dim=32, depth=1, num_heads=2, max_length=32)
CARD = {"recipe": "tiny", "shape": {"width": 16, "height": 16, "num_frames": 8, "fps": 8.0}}


@pytest.fixture
def denoiser():
    return Denoiser(DenoiserConfig(dim=128, depth=1, num_heads=2, text=TEXT))


@pytest.fixture
def tokenizer():
    return Tokenizer.from_words(["a", "red", "ball"], size=64)


@pytest.fixture
def path(tmp_path, denoiser, tokenizer):
    return denoiser_to_checkpoint(tmp_path / "tiny.safetensors", denoiser, tokenizer, CARD)


def test_denoiser_tokenizer_and_card_come_back(path, denoiser, tokenizer):
    loaded, words, card = checkpoint_to_denoiser(path)
    assert loaded.config == denoiser.config
    assert not loaded.training
    assert all(parameter.requires_grad for parameter in loaded.parameters()), "training may go on from it"
    torch.testing.assert_close(loaded.state_dict(), denoiser.state_dict(), rtol=0, atol=0)
    assert torch.equal(words.encode(["a red ball"]), tokenizer.encode(["a red ball"]))
    assert card["format"] == FORMAT
    assert {key: card[key] for key in CARD} == CARD


def test_int8_halves_the_file_again_and_rounds_each_row_in_its_own_units(tmp_path, denoiser, tokenizer):
    with torch.no_grad():
        denoiser.blocks[0].mlp.gate_up.weight[0] *= 100  # a row of large numbers costs the others nothing
    half = denoiser_to_checkpoint(tmp_path / "half", denoiser, tokenizer, CARD, dtype=torch.bfloat16)
    path = denoiser_to_checkpoint(tmp_path / "quarter", denoiser, tokenizer, CARD, dtype=torch.int8)
    loaded = checkpoint_to_denoiser(path)
    assert loaded.card["dtype"] == "int8"
    assert path.stat().st_size < 0.75 * half.stat().st_size
    for name, before in denoiser.state_dict().items():
        after = loaded.denoiser.state_dict()[name]
        if before.ndim < 2 or before.numel() < SMALL:
            assert torch.equal(after, before)
            continue
        step = before.flatten(1).abs().amax(1) / 127
        assert ((after - before).flatten(1).abs().amax(1) <= 0.51 * step).all()


def test_int8_of_zeros_and_of_a_foreign_scale(tmp_path, denoiser, tokenizer):
    with torch.no_grad():
        denoiser.blocks[0].mlp.gate_up.weight.zero_()
    path = denoiser_to_checkpoint(tmp_path / "zeros", denoiser, tokenizer, CARD, dtype=torch.int8)
    assert not checkpoint_to_denoiser(path).denoiser.blocks[0].mlp.gate_up.weight.any()
    tensors, card = checkpoint.load(path)
    name = "blocks.0.mlp.gate_up.weight"
    checkpoint.save(path, {**tensors, name + SCALE: tensors[name + SCALE][:-1]}, card)
    with pytest.raises(CheckpointError, match="scale"):
        checkpoint_to_denoiser(path)


def test_bfloat16_halves_the_file_and_loads_as_float32(tmp_path, path, denoiser, tokenizer):
    small = denoiser_to_checkpoint(tmp_path / "small", denoiser, tokenizer, CARD, dtype=torch.bfloat16)
    loaded = checkpoint_to_denoiser(small)
    assert loaded.card["dtype"] == "bfloat16"
    assert small.stat().st_size < 0.6 * path.stat().st_size
    for name, tensor in loaded.denoiser.state_dict().items():
        assert tensor.dtype == torch.float32
        torch.testing.assert_close(tensor, denoiser.state_dict()[name], rtol=2**-8, atol=0)


def test_the_card_cannot_contradict_the_weights(tmp_path, denoiser, tokenizer):
    path = denoiser_to_checkpoint(tmp_path / "w", denoiser, tokenizer, {"format": "mine", "model": {}})
    assert checkpoint.read_card(path)["format"] == FORMAT
    assert checkpoint_to_denoiser(path).denoiser.config == denoiser.config


def test_a_training_state_is_refused(tmp_path):
    path = checkpoint.save_state(tmp_path, 3, {"model": {"weight": torch.ones(2)}})
    with pytest.raises(CheckpointError, match="state of a training"):
        checkpoint_to_denoiser(path)


def test_weights_of_another_kind_are_refused(tmp_path):
    path = checkpoint.save(tmp_path / "other", {"weight": torch.ones(2)}, {"format": "upsampler-1"})
    with pytest.raises(CheckpointError, match="'upsampler-1'"):
        checkpoint_to_denoiser(path)


@pytest.mark.parametrize(
    "change",
    [
        {"model": None},
        {"model": {"dmi": 32}},
        {"model": {"dim": "x"}},
        {"tokenizer": {}},
        {"tokenizer": None},
    ],
)
def test_an_unreadable_card_is_refused(path, tmp_path, change):
    tensors, card = checkpoint.load(path)
    other = checkpoint.save(tmp_path / "other", tensors, {**card, **change})
    with pytest.raises(CheckpointError, match="cannot build"):
        checkpoint_to_denoiser(other)


@pytest.mark.parametrize("damage", ["missing", "extra", "shape"])
def test_tensors_that_do_not_fit_are_refused(path, tmp_path, damage):
    tensors, card = checkpoint.load(path)
    if damage == "missing":
        del tensors["final.bias"]
    else:
        tensors["final.bias" if damage == "shape" else "other"] = torch.zeros(3)
    other = checkpoint.save(tmp_path / "other", tensors, card)
    with pytest.raises(CheckpointError, match=r"'(final\.bias|other)'"):
        checkpoint_to_denoiser(other)


@pytest.mark.parametrize("keep", [0, 40, 5000])
def test_a_cut_file_is_refused(path, keep):
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(CheckpointError, match=r"tiny\.safetensors"):
        checkpoint_to_denoiser(path)
