"""What is asked at levels 2 and 3 can be seen: a parser that reads every pixel as it is passes it.

Such a parser has what a trained one learns from, the labels of the world, and goes the same way from them to
tracks and verdicts; so what fails here is a check or a prompt, not a network.
"""

from collections import defaultdict
from dataclasses import replace

import numpy as np
import pytest
import torch

from reelworld.evaluate import perceive
from reelworld.evaluate.checks import judge
from reelworld.evaluate.controls import BREAKAGES
from reelworld.evaluate.suite import suite, suite_config
from reelworld.evaluate.tracking import Observed, follow
from reelworld.world.labels import MOTION, camera_motion, cuts, film_labelled, offsets

EACH = 4  # prompts of a check
NAMED = [
    (2, "another path"), (2, "swap legs"), (2, "no effect"), (2, "pass through"), (2, "too early"),
    (3, "swap order"), (3, "another actor"), (3, "no cut"),
]  # fmt: skip


def sure(classes: np.ndarray, count: int) -> np.ndarray:
    """Return log probabilities of someone who is sure."""
    return np.where(np.arange(count) == classes[..., None], -0.01, -8.0)


def truly_seen(clip, config, broken=None) -> Observed:
    """Return what a clip, or what a breakage makes of it, shows to who reads each pixel as it is."""
    shown = [clip if broken is None else broken.frame(clip, t, 3) for t in range(len(clip.frames))]
    single = [replace(one, frames=range(t, t + 1)) for t, one in zip(clip.frames, shown, strict=True)]
    filmed = [film_labelled([one], config) for one in single]
    frames = np.concatenate([pixels[0].numpy() for pixels, _ in filmed])
    labels = {name: torch.cat([told[name] for _, told in filmed], 1) for name in filmed[0][1]}
    kind, color, size, side, shot = (
        labels[name][0].long().numpy() for name in ("kind", "color", "size", "side", "shot")
    )
    fields = perceive._Fields(
        sure(kind, 16), sure(np.maximum(color - 1, 0), 8), sure(np.maximum(size - 1, 0), 2), kind > 0, side,
        offsets(labels["thing"].long())[0].numpy(), labels["depth"][0].double().numpy(),
        frames @ perceive.LUMINANCE / 255.0,
    )  # fmt: skip
    found = tuple(int(t) for t in np.flatnonzero(cuts(labels["shot"])[0].numpy()))
    regions = [list(perceive.regions(fields, t)) for t in range(len(shot))]
    camera = camera_motion(labels["camera"])[0].double().numpy()[:, : len(MOTION)]
    return Observed(follow(regions, found, perceive.name, frames), len(shot), found, camera)


@pytest.mark.parametrize("level", [2, 3])
def test_every_check_passes_what_is_truly_seen(level):
    config, passed = suite_config("train", level), defaultdict(list)
    for case in suite("train", EACH, level):
        verdicts = judge(case.clip.told, truly_seen(case.clip, config))
        for check in case.asks:
            passed[check].append(verdicts[check] is True)
    assert set(passed) == {
        2: {"camera", "legs", "collision", "cause", "untouched"}, 3: {"shots", "order"},
    }[level]  # fmt: skip
    assert {check: np.mean(of) for check, of in passed.items()} == dict.fromkeys(passed, 1.0)


@pytest.mark.parametrize("level", [2, 3])
def test_what_is_asked_from_near_has_time_and_room(level):
    asked = [case for case in suite("train", EACH, level) if {"cause", "collision", "order"} & set(case.asks)]
    assert asked
    for case in asked:
        (shot,) = case.clip.scene.shots
        assert shot.camera.move == "still"
        assert all(
            e.time <= case.clip.scene.duration - 0.8
            for e in case.clip.trajectory.log
            if e.kind == "knock_over"
        )


def test_who_walks_is_large_and_goes_across():
    walkers = [case.clip.scene for case in suite("train", EACH, 2) if case.group == "a person walks"]
    assert len(walkers) >= EACH
    for scene in walkers:
        person = scene.cast[0]
        assert (person.kind, person.size, person.motion.action) == ("person", "large", "walk")
        assert person.motion.direction in ("left", "right")
        assert not scene.events


def test_in_a_twin_nobody_acts_and_all_can_be_seen():
    twins = [case.clip for case in suite("train", EACH, 2) if case.group == "nothing happens"]
    assert len(twins) >= EACH
    for clip in twins:
        assert not clip.scene.events
        assert {"cookie", "lamp", "domino"} & {thing.kind for thing in clip.scene.cast}
        assert {thing.motion.action for thing in clip.scene.cast} == {"stand"}
        assert not [entry for entry in clip.trajectory.log if entry.patient is not None]


@pytest.mark.parametrize(("level", "name"), NAMED)
def test_what_is_broken_is_noticed_where_it_is_truly_seen(level, name):
    config, breakage = suite_config("train", level), BREAKAGES[name]
    cases = [c for c in suite("train", EACH, level) if breakage.check in c.asks and breakage.applies(c.clip)]
    assert cases
    verdicts = [judge(c.clip.told, truly_seen(c.clip, config, breakage))[breakage.check] for c in cases]
    assert verdicts == [False] * len(cases)
