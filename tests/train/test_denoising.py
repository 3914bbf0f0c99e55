"""What labels teach the denoiser, how characters are shown to it, and what held-out clips tell of both."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from reelworld.core import checkpoint, runtime
from reelworld.core.errors import ConfigError
from reelworld.core.types import VideoShape
from reelworld.models.denoiser import Denoiser
from reelworld.models.patches import PatchConfig
from reelworld.models.released import checkpoint_to_denoiser
from reelworld.models.text import NULL, Tokenizer
from reelworld.recipes import Bucket, LossConfig, NoiseConfig
from reelworld.train.data import WorldData
from reelworld.train.denoising import Denoising
from reelworld.train.heldout import TIMESTEPS, Heldout
from reelworld.train.loop import train
from reelworld.train.token_labels import TokenLabels, token_depth, token_shares

SHAPE = VideoShape(width=16, height=16, num_frames=4, fps=8.0)
QUIET = {"progress": "silent", "compile": False, "note": lambda line: None}


def loss_of(recipe, data):
    tokenizer = Tokenizer.from_words(data.words(), size=recipe.model.text.vocabulary_size)
    model = Denoiser(recipe.model, runtime.generator(recipe.seed))
    task = Denoising(model, tokenizer, recipe, torch.device("cpu"))
    batch = next(data.stream(recipe.stages[0], SHAPE, 2, split="train", seed=0, device="cpu"))
    return float(task.loss(**task.inputs(batch, 16, SHAPE.fps)).detach())


def test_labels_alone_change_nothing(tiny, squares, labelled_squares):
    assert loss_of(tiny(), squares) == loss_of(tiny(), labelled_squares)


@pytest.mark.parametrize("frames", [1, 8])
def test_shares_are_those_of_each_tubelet(frames):
    patch, generator = PatchConfig(), torch.Generator().manual_seed(3)
    classes = torch.randint(0, 5, (2, frames, 16, 24), generator=generator)
    shares = token_shares(classes, 5, patch)
    full = classes.expand(-1, 4, -1, -1) if frames == 1 else classes
    n = 0
    for t in range(0, full.shape[1], 4):
        for y in range(0, 16, 8):
            for x in range(0, 24, 8):
                part = full[:, t : t + 4, y : y + 8, x : x + 8].flatten(1)
                wanted = torch.stack([(part == c).float().mean(1) for c in range(5)], -1)
                torch.testing.assert_close(shares[:, n], wanted)
                n += 1
    assert shares.shape == (2, n, 5)


def test_depth_leaves_out_the_sky():
    depth = torch.zeros(1, 4, 8, 16)
    depth[:, :, :4, :8] = 3.0
    far, known = token_depth(depth, PatchConfig())
    torch.testing.assert_close(far, torch.tensor([[3.0, 0.0]]).clamp(min=1.0).log())
    assert known.tolist() == [[1.0, 0.0]]


def test_what_tokens_show_can_be_learnt(labelled_squares, tiny):
    batch = next(labelled_squares.stream(tiny().stages[0], SHAPE, 4, split="train", seed=0, device="cpu"))
    features = torch.randn(4, 4, 32, generator=torch.Generator().manual_seed(1))  # that tell tokens apart
    head = TokenLabels(32, torch.Generator().manual_seed(2))
    optimizer = torch.optim.Adam(head.parameters(), lr=0.05)
    losses = []
    for _ in range(60):
        optimizer.zero_grad()
        loss = head.loss(features, batch.labels, PatchConfig())
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    entropy = sum(
        float(-(s * s.clamp(min=1e-9).log()).sum(-1).mean())
        for s in (token_shares(batch.labels[n], c, PatchConfig()) for n, c in (("kind", 16), ("color", 9)))
    )
    assert losses[-1] < 0.5 * losses[0]
    assert losses[-1] < entropy + 0.4


def test_the_teacher_learns_with_the_model_and_is_not_released(tiny, labelled_squares, tmp_path):
    recipe = tiny(loss=LossConfig(label_weight=0.5, label_layer=1))
    whole = train(recipe, tmp_path / "whole", data=labelled_squares, **QUIET)
    train(recipe, tmp_path / "parts", data=labelled_squares, minutes=0.0, **QUIET)
    parts = train(recipe, tmp_path / "parts", data=labelled_squares, resume=True, **QUIET)
    tensors, _ = checkpoint.load(whole)
    assert not [name for name in tensors if "label" in name]
    resumed, _ = checkpoint.load(parts)
    assert all(torch.equal(tensors[name], resumed[name]) for name in tensors)
    assert checkpoint_to_denoiser(whole).denoiser.config == recipe.model
    state = checkpoint.latest(tmp_path / "whole" / "state")
    assert "label_head.out.weight" in state.tree["model"]
    start = TokenLabels(32, runtime.generator(recipe.seed + 31)).out.weight
    assert not torch.equal(state.tree["model"]["label_head.out.weight"], start)


def test_a_layer_that_is_not_there_is_told(tiny):
    with pytest.raises(ConfigError, match="label_layer is 3; the model has 2 blocks"):
        replace(tiny(), loss=LossConfig(label_weight=0.1, label_layer=3))


def test_characters_are_hidden_where_the_caption_is_dropped(tiny):
    recipe = tiny(noise=NoiseConfig(caption_dropout=0.5))
    stage = replace(recipe.stages[0], references=1)
    batch = next(WorldData().stream(stage, SHAPE, 32, split="train", seed=0, device="cpu"))
    tokenizer = Tokenizer.from_words(("a",), size=64)
    task = Denoising(Denoiser(recipe.model), tokenizer, recipe, torch.device("cpu"))
    inputs = task.inputs(batch, 16, SHAPE.fps)
    dropped = (inputs["token_ids"][:, 0] == NULL)[:, None]
    assert 4 < dropped.sum() < 28
    assert torch.equal(inputs["references"].seen, batch.references.seen & ~dropped)
    assert inputs["references"].pixels.abs().max() <= 1
    assert torch.isfinite(task.loss(**inputs))


def test_held_out_clips_tell_what_pictures_of_characters_are_worth(tiny):
    recipe = tiny()
    buckets = (Bucket(shape=SHAPE), Bucket(shape=SHAPE, references=1))
    recipe = replace(recipe, stages=(replace(recipe.stages[0], buckets=buckets),))
    tokenizer = Tokenizer.from_words(WorldData().words(), size=1024)
    text = replace(recipe.model.text, vocabulary_size=1024)
    model = Denoiser(replace(recipe.model, text=text), runtime.generator(0))
    exam = Heldout(WorldData(), recipe, tokenizer, torch.device("cpu"))
    for weight in model.parameters():  # gates begin at zero: nothing would reach the output
        weight.data.normal_(0.0, 0.1, generator=runtime.generator(1))
    table = exam.losses(model)
    assert table["mean"] == pytest.approx(np.mean([table[f"t={t:g}"] for t in TIMESTEPS]))
    assert table["characters"] != table["characters hidden"]
    assert exam.losses(model) == table
    plain = Heldout(WorldData(), tiny(), tokenizer, torch.device("cpu")).losses(model)
    assert "characters" not in plain
