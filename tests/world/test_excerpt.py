"""What is said of a stretch of a scene is true of that stretch."""

from __future__ import annotations

import numpy as np
import pytest

from reelworld.world import caption
from reelworld.world.excerpt import excerpt, stretch
from reelworld.world.grammar import sample
from reelworld.world.scene import Scene
from reelworld.world.simulate import Trajectory
from reelworld.world.stream import Clip, WorldConfig, plan

Sampled = tuple[Scene, Trajectory]


@pytest.fixture(scope="module")
def scenes() -> list[Sampled]:
    return sample(2, "train", 21, range(60))


@pytest.mark.parametrize("num_frames", [1, 4, 8, 16])
@pytest.mark.parametrize("level", [1, 2, 3])
def test_captions_of_stretches_are_true(level: int, num_frames: int) -> None:
    config = WorldConfig(
        level=level, num_frames=num_frames, seed=5, caption_mix=(0.3, 0.3, 0.4), raw_errors=0.0
    )
    for clip in plan(config, range(40)):
        assert len(clip.frames) == num_frames
        assert not caption.contradictions(clip.caption, clip.told, clip.log), clip.caption


@pytest.mark.parametrize("num_frames", [1, 4, 8])
def test_what_is_told_to_fall_is_in_the_air(num_frames: int) -> None:
    falls = rests = 0
    for clip in _clips(sample(1, "train", 22, range(80)), num_frames):
        for n, (real, told) in enumerate(zip(clip.scene.cast, clip.told.cast, strict=True)):
            height = clip.trajectory.position[list(clip.frames), n, 2]
            assert told.position[2] == pytest.approx(height[0], abs=1e-3)
            if real.motion.action == "fall":
                assert (told.motion.action == "fall") == (height.max() >= 0.02)
                falls, rests = falls + (told.motion.action == "fall"), rests + (told.motion.action == "stand")
    assert falls > 3
    assert rests > 0


@pytest.mark.parametrize("num_frames", [1, 4])
def test_events_told_are_within_and_nothing_has_met_before(scenes: list[Sampled], num_frames: int) -> None:
    told = 0
    for clip in _clips(scenes, num_frames):
        start, end = clip.frames[0] / 8.0, clip.frames[-1] / 8.0
        assert all(0.0 <= e.time <= end - start + 1e-9 for e in clip.log)
        for entry in clip.trajectory.log:
            if entry.patient is not None and entry.kind != "go_behind":
                assert entry.time >= start - 1e-9
        told += len(clip.log)
    assert bool(told) == (num_frames > 1)


def test_a_picture_has_no_camera_moves(scenes: list[Sampled]) -> None:
    assert any(scene.shots[0].camera.move != "still" for scene, _ in scenes)
    for clip in _clips(scenes, 1):
        assert clip.told.shots[0].camera.move == "still"
        assert not clip.told.events


def test_a_picture_tells_of_the_cast_of_its_shot_alone() -> None:
    absent = 0
    for clip in _clips(sample(3, "train", 22, range(80)), 1):
        cast = clip.scene.shot_at(clip.frames[0] / 8.0).cast
        assert [t.kind for t in clip.told.cast] == [clip.scene.cast[n].kind for n in sorted(cast)]
        assert len(clip.told.shots) == 1
        absent += len(clip.told.cast) < len(clip.scene.cast)
    assert absent


def test_a_whole_scene_is_told_whole(scenes: list[Sampled]) -> None:
    for clip in _clips(scenes, 16):
        assert clip.told is clip.scene
        assert clip.log == clip.trajectory.log


def _clips(scenes: list[Sampled], num_frames: int) -> list[Clip]:
    rng = np.random.default_rng(0)
    clips = []
    for scene, trajectory in scenes:
        frames = stretch(scene, trajectory, num_frames, 8.0, rng)
        clips.append(Clip(scene, trajectory, frames, *excerpt(scene, trajectory, frames, 8.0)))
    return clips


def test_close_ups_show_any_moment_within_a_shot() -> None:
    clips = plan(WorldConfig(level=3, num_frames=4, seed=5, close_ups=1.0), range(60))
    late = [
        any(e.patient is not None and e.time < c.frames[0] / 8.0 for e in c.trajectory.log) for c in clips
    ]
    assert 0.05 < np.mean(late) < 0.8  # a bite, a lit lamp, a fallen domino whose cause is not shown
    for clip in clips:
        assert [*clip.frames] == [k for k in range(16) if k in clip.frames]
        assert len(clip.frames) == 4
        shots = {clip.scene.shot_at(k / 8.0) for k in clip.frames}
        assert len(shots) == 1 or all(shot.duration < 0.5 for shot in clip.scene.shots)
