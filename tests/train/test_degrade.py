"""What is done to clean renders: each part against its formula, and strengths that belong to a clip."""

import pytest
import torch
from scipy.fft import dctn
from scipy.ndimage import gaussian_filter

from reelworld.recipes import DegradeConfig
from reelworld.train.degrade import BLOCK, Degrader, _cosines, blur, quantise, relight

CPU = torch.device("cpu")


def video(*shape, seed=0):
    """Draw pixels of a video [B, T, H, W, 3] in [-1, 1]."""
    return 2 * torch.rand(*shape, 3, generator=torch.Generator().manual_seed(seed)) - 1


def still(count=8, frames=5, size=16):
    """Draw clips whose frames are all equal."""
    return video(count, 1, size, size).expand(-1, frames, -1, -1, -1).contiguous()


def test_light_of_one_changes_nothing():
    clean = video(2, 3, 8, 8)
    same = relight(clean, torch.ones(2, 3), torch.ones(2, 1))
    torch.testing.assert_close(same, clean, rtol=0, atol=1e-6)


def test_gain_multiplies_each_colour_from_black_and_contrast_from_grey():
    clean = video(2, 1, 4, 4)
    gain = torch.tensor([[0.5, 0.8, 1.0], [0.9, 0.7, 0.6]])
    lit = relight(clean, gain, torch.ones(2, 1))
    torch.testing.assert_close(lit + 1, gain.view(2, 1, 1, 1, 3) * (clean + 1), rtol=0, atol=1e-6)
    flat = relight(clean, torch.ones(2, 3), torch.tensor([[0.5], [0.25]]))
    torch.testing.assert_close(flat[0], 0.5 * clean[0])
    torch.testing.assert_close(flat[1], 0.25 * clean[1])


def test_too_much_light_stays_in_range():
    lit = relight(video(1, 1, 8, 8), torch.full((1, 3), 3.0), torch.full((1, 1), 3.0))
    assert (float(lit.min()), float(lit.max())) == (-1, 1)


def test_a_blur_of_zero_changes_nothing_even_beside_a_blurred_clip():
    clean = video(2, 3, 9, 12)
    torch.testing.assert_close(blur(clean, torch.zeros(2)), clean, rtol=0, atol=0)
    mixed = blur(clean, torch.tensor([0.0, 1.5]))
    torch.testing.assert_close(mixed[0], clean[0], rtol=0, atol=0)
    assert float(mixed[1].std()) < 0.5 * float(clean[1].std())


def test_a_blur_keeps_a_constant_picture_and_the_mean():
    constant = torch.tensor([-0.9, 0.1, 0.7]).expand(1, 2, 10, 14, 3)
    torch.testing.assert_close(blur(constant, torch.tensor([1.7])), constant, rtol=0, atol=1e-6)
    spots = torch.zeros(1, 2, 24, 24, 3)
    spots[:, :, 8:16, 8:16] = video(1, 2, 8, 8)
    blurred = blur(spots, torch.tensor([1.3]))
    torch.testing.assert_close(blurred.mean((2, 3)), spots.mean((2, 3)), rtol=0, atol=1e-6)


def test_a_blur_is_the_gaussian_of_each_clips_own_width():
    clean, sigmas = video(3, 2, 24, 20), (0.5, 1.2, 2.0)
    blurred = blur(clean, torch.tensor(sigmas))
    for made, true, sigma in zip(blurred, clean, sigmas, strict=True):
        wanted = gaussian_filter(true.numpy(), (0, sigma, sigma, 0), mode="nearest", radius=(0, 6, 6, 0))
        torch.testing.assert_close(made, torch.from_numpy(wanted), rtol=0, atol=1e-5)


def test_the_cosines_are_orthonormal_and_those_of_jpeg():
    basis = _cosines(CPU)
    torch.testing.assert_close(basis @ basis.T, torch.eye(BLOCK), rtol=0, atol=1e-6)
    block = video(1, 1, BLOCK, BLOCK)[0, 0, :, :, 0]
    wanted = torch.from_numpy(dctn(block.numpy(), norm="ortho"))
    torch.testing.assert_close(basis @ block @ basis.T, wanted, rtol=0, atol=1e-5)


def test_a_step_of_zero_changes_nothing():
    clean = video(2, 2, 16, 24)
    torch.testing.assert_close(quantise(clean, torch.zeros(2)), clean, rtol=0, atol=1e-5)


def test_quantised_cosines_are_multiples_of_the_step_and_coarser_for_fine_detail():
    step = 0.4
    clean = video(1, 1, BLOCK, BLOCK)
    true, coded = (x[0, 0, :, :, 0].numpy() for x in (clean, quantise(clean, torch.tensor([step]))))
    frequency = torch.arange(BLOCK)
    grid = step * (1 + frequency[:, None] + frequency) / BLOCK
    wanted, levels = (torch.from_numpy(dctn(x, norm="ortho")) / grid for x in (true, coded))
    torch.testing.assert_close(levels, levels.round(), rtol=0, atol=1e-3)
    assert float((levels - wanted).abs().max()) < 0.501
    assert 8 < int(levels.round().count_nonzero()) < 56


def test_quantising_twice_is_quantising_once():
    step = torch.tensor([0.1, 0.5])
    once = quantise(video(2, 2, 16, 24), step)
    torch.testing.assert_close(quantise(once, step), once, rtol=0, atol=1e-5)


def test_blocks_do_not_know_of_each_other():
    clean = video(1, 1, 16, 16)
    other = clean.clone()
    other[:, :, :8, :8] = 0
    left, right = (quantise(x, torch.tensor([0.5])) for x in (clean, other))
    assert torch.equal(left[:, :, 8:], right[:, :, 8:])
    assert torch.equal(left[:, :, :8, 8:], right[:, :, :8, 8:])


def test_the_same_seed_degrades_the_same():
    clean = video(4, 2, 16, 16)
    one, same, other = (Degrader(DegradeConfig(), seed, CPU) for seed in (3, 3, 4))
    first = one(clean)
    assert torch.equal(first, same(clean))
    assert not torch.equal(first, other(clean))
    assert not torch.equal(first, one(clean)), "each call draws anew"


@pytest.mark.parametrize("strongest", ["light", "blur", "blocks"])
def test_strengths_stay_the_same_for_all_frames_of_a_clip(strongest):
    config = {"light": 0.0, "blur": 0.0, "noise": 0.0, "blocks": 0.0, "clean": 0.0}
    clean = still()
    dirty = Degrader(DegradeConfig(**{**config, strongest: 0.6}), 0, CPU)(clean)
    assert float((dirty - clean).abs().amax()) > 0.1
    torch.testing.assert_close(dirty, dirty[:, :1].expand_as(dirty), rtol=0, atol=1e-5)


def test_all_without_noise_leaves_equal_frames_equal():
    dirty = Degrader(DegradeConfig(noise=0.0, clean=0.0), 0, CPU)(still())
    torch.testing.assert_close(dirty, dirty[:, :1].expand_as(dirty), rtol=0, atol=1e-5)


def test_grain_differs_from_frame_to_frame_and_is_as_strong_as_told():
    config = DegradeConfig(light=0.0, blur=0.0, noise=0.1, blocks=0.0, clean=0.0)
    grey = torch.zeros(64, 4, 16, 16, 3)
    grain = Degrader(config, 0, CPU)(grey)
    strengths = grain.std((1, 2, 3, 4))
    assert 0.09 < float(strengths.max()) < 0.102
    assert 16 < int((strengths < 1e-3).sum()) < 48, "half of the clips have none"
    noisiest = grain[int(strengths.argmax())]
    assert abs(float((noisiest[0] * noisiest[1]).mean())) < 0.2 * float(noisiest.var())


def test_clean_clips_stay_as_they_are():
    clean = video(4, 2, 16, 16)
    assert torch.equal(Degrader(DegradeConfig(clean=1.0), 0, CPU)(clean), clean)
    some = video(64, 1, 8, 8)
    dirty = Degrader(DegradeConfig(clean=0.5), 0, CPU)(some)
    left_alone = sum(torch.equal(a, b) for a, b in zip(some, dirty, strict=True))
    assert 20 < left_alone < 44


def test_degraded_pixels_stay_in_range():
    strong = DegradeConfig(light=2.0, blur=3.0, noise=1.0, blocks=2.0, clean=0.0)
    dirty = Degrader(strong, 0, CPU)(video(8, 2, 16, 16))
    assert float(dirty.abs().max()) <= 1
    assert bool(torch.isfinite(dirty).all())
