"""The announcement's scenes in miniature: the prompts are true, and every word of them is known."""

from __future__ import annotations

import numpy as np
import pytest

from reelworld.world import caption
from reelworld.world.dataset import replay
from reelworld.world.gallery import programs
from reelworld.world.scene import Scene


@pytest.mark.parametrize("name", programs())
def test_prompts_are_true_and_the_cast_is_seen(name: str) -> None:
    prompt, scene = programs()[name]
    assert set(caption.tokens(prompt)) <= set(caption.vocabulary())
    clip, rendered, video = replay(scene, width=64, height=64)
    assert not caption.contradictions(prompt, scene, clip.log), prompt
    stated = {f.name for f in caption.parse(prompt).facts}
    assert {"kind", "camera", "place", "time"} <= stated
    assert ("color" in stated) == (scene.style == "natural")
    for n in range(len(scene.cast)):
        assert (rendered.thing == n + 1).sum((1, 2)).gt(8).float().mean() > 0.8, scene.cast[n].kind
    assert video.frames.shape == (16, 64, 64, 3)
    assert Scene.from_json(scene.to_json()) == scene


def test_ships_float_in_the_cup() -> None:
    _, scene = programs()["coffee"]
    clip, _, _ = replay(scene, width=32, height=32)
    heights = clip.trajectory.position[:, 1:, 2]
    assert np.allclose(heights, scene.cast[1].floor)
    assert not clip.trajectory.log
