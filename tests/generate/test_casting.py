"""Characters: names take the places that the model knows, pictures go with them; or it is refused."""

import numpy as np
import pytest
import torch

from reelworld.core.errors import ConfigError, PromptError
from reelworld.core.types import Video, VideoShape
from reelworld.generate.casting import cast
from reelworld.models.text import Tokenizer

SHAPE = VideoShape(width=16, height=16, num_frames=8, fps=8.0)
KNOWN = Tokenizer.from_words(["a", "ball", "alpha", "beta", "rolls"], size=64)


def picture(level: int) -> Video:
    return Video(np.full((1, 24, 40, 3), level, np.uint8), 8.0, {"prompt": f"level {level}"})


def test_names_take_places_in_their_order():
    played = cast(
        "Bo rolls past Alpha. bo's ball, Bob", {"Alpha": picture(0), "Bo": picture(255)}, SHAPE, KNOWN
    )
    assert played.prompt == "Alpha rolls past Beta. Alpha's ball, Bob"
    assert played.references is not None
    pixels, seen = played.references
    assert pixels.shape == (1, 2, 16, 16, 3)
    assert seen.all()
    assert pixels[0, 0].unique().tolist() == [1.0]  # who is mentioned first is first
    assert pixels[0, 1].unique().tolist() == [-1.0]


def test_longer_names_and_other_letters_are_other_names():
    both = {"Bo": picture(0), "Bo-Li": picture(9)}
    assert cast("Bo-Li rolls past Bo", both, SHAPE, KNOWN).prompt == "Alpha rolls past Beta"
    assert (
        cast("Sam rolls past \u017fam", {"Sam": picture(0)}, SHAPE, KNOWN).prompt
        == "Alpha rolls past \u017fam"
    )


def test_a_prompt_without_characters_stays_as_it_is():
    assert cast("Alpha rolls", {}, SHAPE, KNOWN) == cast(
        "Alpha rolls", {}, SHAPE, Tokenizer.from_words(["a"])
    )
    assert cast("Alpha rolls", {}, SHAPE, KNOWN).references is None


@pytest.mark.parametrize(
    ("prompt", "names", "error", "why"),
    [
        ("a ball rolls", ["Bo"], PromptError, "does not mention Bo"),
        ("Bobby rolls", ["Bo"], PromptError, "does not mention Bo"),
        ("Bo, Ka and Li", ["Bo", "Ka", "Li"], ConfigError, "more than the 2"),
        ("Bo-Li rolls", ["Bo"], PromptError, "does not mention Bo"),
        ("Sam rolls past \u017fam", ["Samm"], PromptError, "does not mention Samm"),
        ("Bo and bo", ["Bo", "bo"], ConfigError, "same name"),
        ("Alpha rolls past Bo", ["Bo"], PromptError, "the model itself uses"),
        ("red ball", ["red ball"], ConfigError, "one word"),
        ("7 rolls", ["7"], ConfigError, "one word"),
    ],
)
def test_what_cannot_be_cast_is_refused(prompt, names, error, why):
    with pytest.raises(error, match=why):
        cast(prompt, {name: picture(9) for name in names}, SHAPE, KNOWN)


def test_weights_without_characters_say_so(pipeline):
    with pytest.raises(ConfigError, match="trained without characters"):
        pipeline("Bo rolls", characters={"Bo": picture(9)}, num_inference_steps=1)


def test_the_picture_decides_and_is_told(knowing):
    def made(level, scale=3.0):
        (video,) = knowing(
            "Bo rolls", characters={"Bo": picture(level)}, num_inference_steps=2, guidance_scale=scale, seed=4
        )
        return video

    one, same, other = made(30), made(30), made(220)
    np.testing.assert_array_equal(one.frames, same.frames)
    assert not np.array_equal(one.frames, other.frames)
    assert not np.array_equal(one.frames, made(30, 1.0).frames)
    assert one.metadata["characters"] == {"Bo": {"prompt": "level 30"}}
    assert one.metadata["prompt"] == "Bo rolls"


def test_the_branch_without_prompt_sees_no_character(knowing):
    """With guidance 0 only that branch is left, so the picture no longer matters."""
    videos = [
        knowing("Bo rolls", characters={"Bo": picture(level)}, num_inference_steps=2, guidance_scale=0.0)[0]
        for level in (30, 220)
    ]
    np.testing.assert_allclose(videos[0].frames, videos[1].frames, atol=1)
    assert torch.isfinite(torch.from_numpy(videos[0].frames).float()).all()
