"""Pairs of true and broken clips: who knows the truth prefers it, who knows nothing does not."""

import numpy as np
import pytest

from reelworld.evaluate.plausibility import plausibility, prefers
from reelworld.evaluate.suite import suite, suite_config
from reelworld.world.stream import film


class Oracle:
    """Finds a video as wrong as it is far from the render of its caption."""

    def __init__(self, sign: float = 1.0) -> None:
        self.sign = sign
        cases = suite("train", 1)
        films = film([case.clip for case in cases], suite_config("train", 1)).numpy().astype(float)
        self.films = {case.clip.caption: frames for case, frames in zip(cases, films, strict=True)}

    def loss(self, frames, prompt, timestep, *, seed):
        return self.sign * float(((frames - self.films[prompt]) ** 2).mean())


def test_who_knows_the_truth_prefers_it():
    rows = list(plausibility(Oracle(), split="train", each=1))
    assert {row.breakage for row in rows} >= {
        "vanish",
        "teleport",
        "grow",
        "steady fall",
        "stay on the ground",
    }
    assert all(row.share.mean == 1.0 for row in rows)
    assert all(row.share.mean == 0.0 for row in plausibility(Oracle(-1.0), split="train", each=1))


def test_an_identical_pair_counts_one_half():
    case = suite("train", 1)[0]
    frames = film([case.clip], suite_config("train", 1))[0].numpy()
    assert prefers(Oracle(), case, frames, frames.copy()) == 0.5
    assert prefers(Oracle(), case, frames, np.zeros_like(frames)) == pytest.approx(1.0)
