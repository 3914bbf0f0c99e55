"""The pipeline with a tiny real denoiser: what it makes, what it refuses, and what it says about it."""

import hashlib
from collections import Counter

import numpy as np
import pytest
import torch

import reelworld
from reelworld.core.config import to_json
from reelworld.core.errors import CheckpointError, ConfigError, PromptError, ShapeError
from reelworld.core.types import VideoShape
from reelworld.diffusion.masks import known_frames
from reelworld.generate import packaged
from reelworld.generate.pipeline import Pipeline, Previews
from reelworld.models.released import checkpoint_to_denoiser
from reelworld.models.text import NULL

PROMPT = "a red ball rolls past a blue box"
FAST = {"num_inference_steps": 3}


@pytest.fixture
def counts(pipeline):
    """Count the model's calls by batch size, and the text encoder's calls under "text"."""
    counter = Counter()
    hooks = [
        pipeline.denoiser.register_forward_pre_hook(lambda module, args: counter.update([len(args[0])])),
        pipeline.denoiser.text_encoder.register_forward_pre_hook(lambda *_: counter.update(["text"])),
    ]
    yield counter
    for hook in hooks:
        hook.remove()


def make(pipeline, prompt=PROMPT, **options):
    (video,) = pipeline(prompt, **{**FAST, **options})
    return video


def test_a_prompt_becomes_a_video_of_the_trained_shape(pipeline):
    video = make(pipeline)
    assert video.shape == VideoShape(width=16, height=16, num_frames=8, fps=8.0)
    assert video.frames.std() > 1


@pytest.mark.parametrize("num_frames", [1, 4, 12])
@pytest.mark.parametrize(("height", "width"), [(8, 24), (24, 16)])
def test_every_size_that_the_tubelet_divides(pipeline, num_frames, height, width):
    video = make(pipeline, num_frames=num_frames, height=height, width=width, fps=12, num_inference_steps=1)
    assert video.frames.shape == (num_frames, height, width, 3)
    assert video.fps == 12


def test_metadata_says_how_the_video_was_made(pipeline, weights):
    video = make(pipeline, seed=4, negative_prompt="box", sampler="heun", guidance_scale=2.5)
    assert video.metadata == {
        "prompt": PROMPT,
        "negative_prompt": "box",
        "seed": 4,
        "num_inference_steps": 3,
        "guidance_scale": 2.5,
        "guidance_interval": [0.5, 1.0],
        "guidance_rescale": 0.0,
        "sampler": "heun",
        "shift": 1.0,
        "strength": 1.0,
        "shape": to_json(video.shape),
        "weights": hashlib.sha256(weights.read_bytes()).hexdigest()[:16],
        "reelworld": reelworld.__version__,
    }


def test_a_video_can_be_made_again_from_its_metadata(pipeline):
    first = make(pipeline, seed=4, negative_prompt="box", shift=2.0, num_frames=4)
    record = dict(first.metadata)
    size = record.pop("shape")
    again = pipeline(**{key: record[key] for key in record if key not in ("weights", "reelworld")}, **size)[0]
    assert np.array_equal(first.frames, again.frames)


def test_one_seed_one_video(pipeline):
    first, second, other = (make(pipeline, seed=seed) for seed in (1, 1, 2))
    assert np.array_equal(first.frames, second.frames)
    assert not np.array_equal(first.frames, other.frames)


def test_each_of_many_videos_is_that_of_its_own_seed(pipeline):
    videos = pipeline(PROMPT, seed=5, num_videos=3, **FAST)
    assert [video.metadata["seed"] for video in videos] == [5, 6, 7]
    for video in videos:
        alone = make(pipeline, seed=video.metadata["seed"])
        assert np.array_equal(video.frames, alone.frames)
        assert video.metadata == alone.metadata


@pytest.mark.parametrize(
    "options",
    [
        {"prompt": "a blue box spins"},
        {"negative_prompt": "red ball"},
        {"guidance_scale": 1.0},
        {"guidance_interval": (0.0, 1.0)},
        {"guidance_interval": (0.9, 1.0)},
        {"guidance_rescale": 0.7},
        {"sampler": "euler"},
        {"shift": 3.0},
        {"num_inference_steps": 6},
        {"fps": 16},
    ],
)
def test_every_option_changes_the_video(pipeline, options):
    plain, changed = (make(pipeline, **{"num_inference_steps": 5, **extra}) for extra in ({}, options))
    assert not np.array_equal(plain.frames, changed.frames)


def test_sampling_is_what_the_formulas_say(pipeline):
    """Euler's steps with guidance in the noisier half, written out plainly."""
    denoiser, scale = pipeline.denoiser, 2.0
    text = denoiser.encode_text(pipeline.tokenizer.encode([PROMPT]))
    null = denoiser.encode_text(torch.tensor([[NULL]]))
    noisy = torch.randn(1, 8, 16, 16, 3, generator=torch.Generator().manual_seed(9))
    with torch.inference_mode():
        for t, s in ((1.0, 0.75), (0.75, 0.5), (0.5, 0.25), (0.25, 0.0)):
            with_prompt, without = (denoiser(noisy, torch.tensor([t]), words) for words in (text, null))
            clean = without + scale * (with_prompt - without) if t >= 0.5 else with_prompt
            noisy = noisy + (s - t) * (noisy - clean) / t
    expected = ((noisy[0].clamp(-1, 1) + 1) * 127.5).round().numpy()
    video = make(pipeline, seed=9, sampler="euler", guidance_scale=scale, num_inference_steps=4)
    assert np.abs(video.frames.astype(float) - expected).max() <= 1


def test_text_is_encoded_once_and_both_branches_share_a_batch(pipeline, counts):
    pipeline(PROMPT, num_inference_steps=4, num_videos=2, guidance_interval=(0.0, 1.0))
    assert counts == {"text": 1, 2: 8}


def test_the_cleaner_half_is_not_guided(pipeline, counts):
    make(pipeline, num_inference_steps=4)  # t = 1, 0.75, 0.5, 0.25
    assert counts == {"text": 1, 1: 1, 2: 3}


def test_without_guidance_there_is_one_branch(pipeline, counts):
    make(pipeline, guidance_scale=1.0)
    assert counts == {"text": 1, 1: 3}


def test_outside_the_interval_there_is_one_branch(pipeline, counts):
    make(pipeline, num_inference_steps=4, guidance_interval=(0.4, 0.8))  # t = 1, 0.75, 0.5, 0.25
    assert counts == {"text": 1, 1: 2, 2: 2}


def test_known_frames_come_back_unchanged_and_steer_the_rest(pipeline):
    rng = np.random.default_rng(0)
    known = rng.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    mask = known_frames(8, [0, -1])
    video = make(pipeline, known=known, mask=mask)
    assert np.array_equal(video.frames[[0, -1]], known[[0, -1]])
    assert not np.array_equal(video.frames[1:-1], known[1:-1])
    assert not np.array_equal(video.frames[1:-1], make(pipeline).frames[1:-1])
    hidden = known.copy()
    hidden[1:-1] = 0
    assert np.array_equal(video.frames, make(pipeline, known=hidden, mask=mask).frames), "unknown pixels leak"


def test_a_soft_mask_shows_the_model_all_and_fades_at_the_end(pipeline):
    rng = np.random.default_rng(0)
    known = rng.integers(0, 256, (8, 16, 16, 3), dtype=np.uint8)
    hard, soft = (make(pipeline, known=known, mask=known_frames(8, range(4), soft=s)).frames for s in (0, 3))
    assert np.array_equal(soft[0], known[0])
    away = [np.abs(soft[t].astype(int) - known[t]).mean() for t in range(4)]
    assert 0 == away[0] < away[1] < away[2] < away[3]
    assert np.abs(hard[4:].astype(int) - soft[4:]).mean() < 30, "the model saw other known frames"


def test_the_known_frames_set_the_size(pipeline):
    known = np.zeros((4, 24, 8, 3), np.uint8)
    assert make(pipeline, known=known, mask=torch.zeros(4, 24, 8, 1)).frames.shape == known.shape


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"mask": known_frames(8, [0])}, "together"),
        ({"known": np.zeros((8, 16, 16, 3), np.uint8)}, "together"),
        (
            {"known": np.zeros((4, 16, 16, 3), np.uint8), "mask": torch.ones(1), "num_frames": 8},
            "make them equal",
        ),
        ({"known": np.zeros((8, 16, 16, 3), np.uint8), "mask": torch.ones(1, 7, 1, 1, 1)}, "broadcasts"),
        ({"known": np.zeros((8, 16, 16, 3), np.uint8), "mask": torch.ones(1, 1, 8, 1, 1, 1)}, "broadcasts"),
        ({"known": np.zeros((8, 16, 16, 3), np.uint8), "mask": torch.tensor(1.5)}, "between 0"),
        ({"known": np.zeros((8, 16, 16, 3), np.uint8), "mask": torch.tensor(float("nan"))}, "between 0"),
        ({"known": np.zeros((8, 16, 16, 3), np.float32), "mask": torch.tensor(1.0)}, "uint8"),
    ],
)
def test_impossible_known_pixels_are_refused(pipeline, options, says):
    with pytest.raises(ShapeError, match=says):
        make(pipeline, **options)


@pytest.mark.parametrize(
    ("prompt", "says"),
    [
        ("", "empty"),
        (" \n\t ", "empty"),
        ("ball " * 2001, "10005 bytes"),
        ("é" * 5001, "10002 bytes"),
        ("\ud800", "Unicode"),
        ("ball " * 100, "100 words"),
        (None, "NoneType"),
        (7, "int"),
    ],
)
def test_impossible_prompts_are_refused(pipeline, prompt, says):
    with pytest.raises(PromptError, match=says):
        pipeline(prompt)


def test_an_impossible_negative_prompt_is_refused(pipeline):
    with pytest.raises(PromptError, match="negative prompt is 10001 bytes"):
        pipeline(PROMPT, negative_prompt="x" * 10_001)


@pytest.mark.parametrize(
    "options",
    [
        {"width": 17},
        {"height": 12},
        {"num_frames": 6},
        {"num_frames": 0},
        {"num_frames": -4},
        {"width": 0},
        {"height": -8},
        {"height": 16.0},
        {"width": 8 * 10**6, "height": 8 * 10**6},
        {"num_frames": 4 * 10**9},
        {"fps": 0},
        {"fps": -1},
        {"fps": 1e9},
        {"fps": float("nan")},
    ],
)
def test_impossible_shapes_are_refused(pipeline, options):
    with pytest.raises(ShapeError, match=r"multiple of|whole number|tokens|fps"):
        pipeline(PROMPT, **options)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"num_inference_steps": 0}, "1 to 1000"),
        ({"num_inference_steps": -5}, "1 to 1000"),
        ({"num_inference_steps": 10**7}, "1 to 1000"),
        ({"num_inference_steps": 2.5}, "whole number"),
        ({"guidance_scale": -1.0}, "guidance_scale"),
        ({"guidance_scale": float("nan")}, "guidance_scale"),
        ({"guidance_interval": (0.9, 0.1)}, "interval"),
        ({"guidance_rescale": 2.0}, "rescale"),
        ({"shift": 0.0}, "shift"),
        ({"sampler": "hen"}, "did you mean 'heun'"),
        ({"seed": -1}, "seed"),
        ({"seed": 2**63}, "seed"),
        ({"seed": 1.5}, "seed"),
        ({"seed": 2**63 - 1, "num_videos": 2}, "seed"),
        ({"num_videos": 0}, "num_videos"),
        ({"num_videos": -2}, "num_videos"),
    ],
)
def test_impossible_settings_are_refused(pipeline, options, says):
    with pytest.raises(ConfigError, match=says):
        pipeline(PROMPT, **options)


def test_unknown_words_are_named_with_their_neighbours(pipeline):
    assert pipeline.unknown_words("A rad ball, zyx!") == [("rad", ["red"]), ("zyx", [])]
    assert pipeline.unknown_words(PROMPT) == []
    assert make(pipeline, "zyx").frames.shape[0] == 8


def test_the_callback_sees_every_step_of_every_video(pipeline):
    steps, previews = [], Previews()

    def callback(step, num_steps, clean, noisy):
        steps.append((step, num_steps))
        assert clean.shape == noisy.shape == (1, 8, 16, 16, 3)
        previews(step, num_steps, clean, noisy)

    videos = pipeline(PROMPT, num_inference_steps=3, num_videos=2, callback=callback)
    assert steps == [(0, 3), (1, 3), (2, 3)] * 2
    assert len(previews.noisy) == len(previews.clean) == 3, "previews are of the first video"
    assert np.array_equal(previews.clean[-1], videos[0].frames), "the last prediction is the video"


def test_previews_become_a_film_from_noise_to_video(pipeline):
    previews = Previews()
    video = make(pipeline, callback=previews)
    film = previews.film(frame=2)
    assert film.frames.shape == (4, 16, 16, 3)
    assert np.array_equal(film.frames[-1], video.frames[2])
    assert film.frames[0].std() > film.frames[-1].std(), "it starts as pure noise"


def test_a_callback_may_stop_the_work(pipeline):
    def stop(*_):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        make(pipeline, callback=stop)


def test_progress_counts_the_steps_of_all_videos(pipeline, capsys):
    pipeline(PROMPT, num_inference_steps=2, num_videos=2, progress="json")
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 6
    assert '"done": 4, "total": 4' in lines[-1]


def test_broken_weights_are_named_as_such(weights):
    released = checkpoint_to_denoiser(weights)
    with torch.no_grad():
        released.denoiser.final.bias.fill_(float("nan"))
    with pytest.raises(CheckpointError, match="not finite"):
        make(Pipeline(released, device="cpu"))


def test_a_card_without_a_shape_is_refused(weights):
    released = checkpoint_to_denoiser(weights)
    with pytest.raises(CheckpointError, match="shape"):
        Pipeline(released._replace(card={}), device="cpu")


def test_missing_packaged_weights_name_the_command(monkeypatch):
    monkeypatch.setattr(packaged, "PACKAGED", ("absent",))
    with pytest.raises(CheckpointError, match="reel train absent"):
        Pipeline.load()


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(CheckpointError, match="absent"):
        Pipeline.load(tmp_path / "absent.safetensors")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.*torch.jit.script_method:DeprecationWarning")  # inside torch.compile
def test_a_compiled_pipeline_makes_the_same_video(weights, pipeline):
    compiled = Pipeline.load(weights, device="cpu", compile=True)
    difference = make(compiled).frames.astype(int) - make(pipeline).frames
    assert np.abs(difference).max() <= 2


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device here")
def test_a_seed_means_the_same_on_every_device(weights, pipeline):
    difference = make(Pipeline.load(weights, device="cuda")).frames.astype(int) - make(pipeline).frames
    assert np.abs(difference).mean() < 4
