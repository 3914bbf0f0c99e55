"""The diffusion transformer: what it must not depend on, what it must, and its shapes."""

import json
from dataclasses import asdict, replace

import pytest
import torch

from reelworld.core.config import from_json, to_json
from reelworld.core.errors import ShapeError
from reelworld.core.types import References
from reelworld.models.denoiser import Denoiser, DenoiserConfig
from reelworld.models.patches import Grid
from reelworld.models.text import NULL, TextFeatures

SHAPE = (2, 4, 12, 8, 3)
TIMESTEP = torch.tensor([0.2, 0.9])
IDS = torch.tensor([[5, 9, 11, 4], [NULL, 0, 0, 0]])


def known_first_frame(shape, generator):
    known = torch.randn(shape, generator=generator)
    mask = torch.zeros(*shape[:-1], 1)
    mask[:, 0] = 1
    return known, mask


def test_a_new_model_predicts_grey(config, generator):
    denoiser = Denoiser(config)
    clean = denoiser(torch.randn(SHAPE, generator=generator), TIMESTEP, denoiser.encode_text(IDS))
    assert clean.shape == SHAPE
    assert clean.abs().max() == 0


def test_weights_depend_on_the_generator_only(config):
    one, same = Denoiser(config), Denoiser(config, torch.Generator().manual_seed(0))
    other = Denoiser(config, torch.Generator().manual_seed(1))
    assert all(torch.equal(a, b) for a, b in zip(one.parameters(), same.parameters(), strict=True))
    assert not torch.equal(one.embed_noisy.weight, other.embed_noisy.weight)


def test_the_same_inputs_give_the_same_video(denoiser, generator):
    noisy = torch.randn(SHAPE, generator=generator)
    first = denoiser(noisy, TIMESTEP, denoiser.encode_text(IDS))
    assert torch.equal(first, denoiser(noisy, TIMESTEP, denoiser.encode_text(IDS)))


def test_config_survives_json(config):
    again = from_json(DenoiserConfig, json.loads(json.dumps(to_json(config))))
    assert asdict(again) == asdict(config)


def test_gradient_reaches_every_parameter(denoiser, generator):
    noisy = torch.randn(SHAPE, generator=generator)
    known, mask = known_first_frame(SHAPE, generator)
    denoiser(noisy, TIMESTEP, denoiser.encode_text(IDS), known, mask).square().mean().backward()
    for name, parameter in denoiser.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


@pytest.mark.parametrize("axis", range(5))
def test_every_input_matters(axis, denoiser, generator):
    noisy = torch.randn(SHAPE, generator=generator)
    known, mask = known_first_frame(SHAPE, generator)
    text = denoiser.encode_text(IDS)
    base = denoiser(noisy, TIMESTEP, text, known, mask)
    changed = [
        (noisy + 1, TIMESTEP, text, known, mask),
        (noisy, TIMESTEP / 2, text, known, mask),
        (noisy, TIMESTEP, denoiser.encode_text(IDS + 1), known, mask),
        (noisy, TIMESTEP, text, known + 1, mask),
        (noisy, TIMESTEP, text, known, 1 - mask),
    ][axis]
    assert (denoiser(*changed) - base).abs().max() > 1e-3


def test_pixels_that_are_not_known_do_not_leak(denoiser, generator):
    noisy = torch.randn(SHAPE, generator=generator)
    known, mask = known_first_frame(SHAPE, generator)
    text = denoiser.encode_text(IDS)
    base = denoiser(noisy, TIMESTEP, text, known, mask)
    assert torch.equal(base, denoiser(noisy, TIMESTEP, text, known * mask, mask))
    nothing = denoiser(noisy, TIMESTEP, text, known, torch.zeros_like(mask))
    torch.testing.assert_close(nothing, denoiser(noisy, TIMESTEP, text))


def test_text_padding_does_not_change_the_video(denoiser, generator):
    noisy = torch.randn(SHAPE, generator=generator)
    base = denoiser(noisy, TIMESTEP, denoiser.encode_text(IDS))
    padded = denoiser(noisy, TIMESTEP, denoiser.encode_text(torch.nn.functional.pad(IDS, (0, 28))))
    torch.testing.assert_close(padded, base, rtol=1e-4, atol=1e-5)


def test_samples_of_a_batch_do_not_mix(denoiser, generator):
    noisy = torch.randn(SHAPE, generator=generator)
    text = denoiser.encode_text(IDS)
    together = denoiser(noisy, TIMESTEP, text)
    alone = denoiser(noisy[1:], TIMESTEP[1:], text[1])
    torch.testing.assert_close(together[1:], alone, rtol=1e-4, atol=1e-5)
    both = TextFeatures.cat([denoiser.encode_text(IDS[:1]), denoiser.encode_text(IDS[1:, :1])])
    torch.testing.assert_close(denoiser(noisy, TIMESTEP, both), together, rtol=1e-4, atol=1e-5)


def test_an_image_is_a_marked_clip_of_equal_frames(denoiser, generator):
    image = torch.randn((2, 1, 12, 8, 3), generator=generator)
    text = denoiser.encode_text(IDS)
    as_image = denoiser(image, TIMESTEP, text)
    clip = denoiser(image.expand(-1, 2, -1, -1, -1), TIMESTEP, text).mean(dim=1, keepdim=True)
    assert as_image.shape == image.shape
    assert (as_image - clip).abs().max() > 1e-3  # the mark of an image makes the difference
    with torch.no_grad():
        denoiser.condition.kind[1] = denoiser.condition.kind[0]
    torch.testing.assert_close(denoiser(image, TIMESTEP, text), clip)


def test_time_is_measured_in_seconds(denoiser, generator):
    grid = Grid(frames=3, rows=2, columns=5)
    slow = denoiser.positions(grid, 8.0, torch.device("cpu"))
    fast = denoiser.positions(grid, 16.0, torch.device("cpu"))
    assert torch.equal(fast[:, 0], slow[:, 0] / 2)
    assert torch.equal(fast[:, 1:], slow[:, 1:])
    assert slow[:, 1:].sum().abs() < 1e-5  # height and width are measured from the picture's centre
    noisy = torch.randn(SHAPE, generator=generator)
    text = denoiser.encode_text(IDS)
    difference = denoiser(noisy, TIMESTEP, text, fps=24.0) - denoiser(noisy, TIMESTEP, text)
    assert difference.abs().max() > 1e-4


def test_packed_samples_come_out_as_alone(denoiser, generator):
    shapes = [(4, 12, 8, 3), (1, 8, 8, 3), (8, 4, 16, 3)]
    noisy = [torch.randn(shape, generator=generator) for shape in shapes]
    pairs = [known_first_frame((1, *shape), generator) for shape in shapes]
    timestep, rates = torch.tensor([0.1, 0.5, 0.9]), [8.0, 8.0, 12.0]
    text = denoiser.encode_text(torch.tensor([[4, 5, 6], [7, 0, 0], [NULL, 0, 0]]))
    packed = denoiser.forward_packed(
        noisy, timestep, text, [known[0] for known, _ in pairs], [mask[0] for _, mask in pairs], rates
    )
    for i, (known, mask) in enumerate(pairs):
        alone = denoiser(noisy[i][None], timestep[i, None], text[i], known, mask, rates[i])[0]
        torch.testing.assert_close(packed[i], alone, rtol=0, atol=1e-5)
    bare = denoiser.forward_packed(noisy, timestep, text)
    torch.testing.assert_close(bare[0], denoiser(noisy[0][None], timestep[:1], text[0])[0], rtol=0, atol=1e-5)


def test_it_runs_without_overlap_and_with_other_channels(config, stirred, generator):
    plain = replace(config, channels=5, patch=replace(config.patch, overlap=(0, 0, 0)))
    denoiser = stirred(plain)
    noisy = torch.randn((1, 4, 8, 8, 5), generator=generator)
    assert denoiser(noisy, TIMESTEP[:1], denoiser.encode_text(IDS[:1])).shape == noisy.shape


def test_training_step_is_one_graph(denoiser, generator):
    noisy = torch.randn(SHAPE, generator=generator)
    known, mask = known_first_frame(SHAPE, generator)

    def loss(noisy, timestep, ids, known, mask):
        return denoiser(noisy, timestep, denoiser.encode_text(ids), known, mask).square().mean()

    compiled = torch.compile(loss, fullgraph=True, dynamic=False, backend="aot_eager")
    compiled(noisy, TIMESTEP, IDS, known, mask).backward()
    gradient = denoiser.embed_noisy.weight.grad.clone()
    denoiser.zero_grad()
    loss(noisy, TIMESTEP, IDS, known, mask).backward()
    torch.testing.assert_close(gradient, denoiser.embed_noisy.weight.grad, rtol=1e-4, atol=1e-6)


def test_wrong_shapes_are_refused(denoiser):
    text = denoiser.encode_text(IDS)
    noisy = torch.zeros(SHAPE)
    with pytest.raises(ShapeError, match="B texts"):
        denoiser(noisy, TIMESTEP, text[0])
    with pytest.raises(ShapeError, match="both or neither"):
        denoiser(noisy, TIMESTEP, text, known=noisy)
    with pytest.raises(ShapeError, match="one channel"):
        denoiser(noisy, TIMESTEP, text, noisy, noisy)
    with pytest.raises(ShapeError, match="multiple of"):
        denoiser(noisy[:, :3], TIMESTEP, text)


def pictures(generator, count=2, seen=True):
    return References(
        torch.randn(2, count, 12, 8, 3, generator=generator), torch.full((2, count), seen, dtype=torch.bool)
    )


def test_characters_that_are_seen_change_the_video_and_hidden_ones_do_not(denoiser, generator):
    noisy, text = torch.randn(SHAPE, generator=generator), denoiser.encode_text(IDS)
    plain = denoiser(noisy, TIMESTEP, text)
    shown = pictures(generator)
    assert denoiser(noisy, TIMESTEP, text, references=shown).shape == SHAPE
    assert not torch.allclose(denoiser(noisy, TIMESTEP, text, references=shown), plain, atol=1e-3)
    hidden = shown._replace(seen=torch.zeros_like(shown.seen))
    torch.testing.assert_close(denoiser(noisy, TIMESTEP, text, references=hidden), plain)


def test_each_character_has_a_place_of_its_own(denoiser, generator):
    """The second picture is no other first one; an empty first place leaves the second where it is."""
    noisy, text = torch.randn(SHAPE, generator=generator), denoiser.encode_text(IDS)
    shown = pictures(generator)
    both = denoiser(noisy, TIMESTEP, text, references=shown)
    swapped = denoiser(noisy, TIMESTEP, text, references=shown._replace(pixels=shown.pixels.flip(1)))
    assert not torch.allclose(both, swapped, atol=1e-3)
    one = References(shown.pixels[:, :1], shown.seen[:, :1])
    only_first = shown._replace(seen=torch.tensor([[True, False]]).expand(2, -1))
    torch.testing.assert_close(
        denoiser(noisy, TIMESTEP, text, references=one),
        denoiser(noisy, TIMESTEP, text, references=only_first),
    )


def test_references_that_do_not_fit_are_refused(denoiser, generator):
    noisy, text = torch.randn(SHAPE, generator=generator), denoiser.encode_text(IDS)
    for wrong in (
        References(torch.zeros(1, 1, 12, 8, 3), torch.ones(1, 1, dtype=torch.bool)),
        References(torch.zeros(2, 1, 12, 8, 4), torch.ones(2, 1, dtype=torch.bool)),
        References(torch.zeros(2, 1, 12, 8, 3), torch.ones(2, 2, dtype=torch.bool)),
    ):
        with pytest.raises(ShapeError, match="references"):
            denoiser(noisy, TIMESTEP, text, references=wrong)


def test_features_are_those_of_the_video_alone(denoiser, generator):
    noisy, text = torch.randn(SHAPE, generator=generator), denoiser.encode_text(IDS)
    grid = Grid.of(4, 12, 8, denoiser.config.patch)
    given = {"references": pictures(generator), "layer": 1}
    _, features = denoiser.forward_with_features(noisy, TIMESTEP, text, **given)
    assert features.shape[1] == grid.num_tokens
