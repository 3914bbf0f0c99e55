"""Batches: exact restart, independence of the batch size, captions that are true."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from reelworld.core.errors import ConfigError, DataError
from reelworld.core.video import read
from reelworld.world import caption, grammar
from reelworld.world.acceptance import VIEW_EVENTS, acceptable, screen_boxes
from reelworld.world.dataset import read_scene, replay, write_clips
from reelworld.world.interactions import ACTS
from reelworld.world.stream import WorldConfig, WorldStream, film, plan

SMALL = WorldConfig(level=1, width=32, height=32, num_frames=4, seed=3)


def test_seek_restarts_exactly() -> None:
    stream = WorldStream(SMALL, 3)
    batches = [next(stream) for _ in range(3)]
    assert stream.position == 9
    stream.seek(3)
    again = next(stream)
    assert torch.equal(again.pixels, batches[1].pixels)
    assert again.captions == batches[1].captions
    assert again.indices == [3, 4, 5]


def test_clips_do_not_depend_on_the_batch_size() -> None:
    one, four = WorldStream(SMALL, 1), WorldStream(SMALL, 4)
    singles = [next(one) for _ in range(4)]
    batch = next(four)
    assert torch.equal(torch.cat([b.pixels for b in singles]), batch.pixels)
    assert [b.captions[0] for b in singles] == batch.captions


def test_shapes_and_types() -> None:
    config = WorldConfig(level=2, width=48, height=32, num_frames=1, seed=1)
    batch = next(WorldStream(config, 2))
    assert batch.pixels.shape == (2, 1, 32, 48, 3)
    assert batch.pixels.dtype == torch.uint8
    assert len(set(batch.captions)) == 2


def test_another_process_makes_the_same_bytes() -> None:
    code = (
        "import hashlib; from reelworld.world.stream import *;"
        "b = next(WorldStream(WorldConfig(level=2, width=32, height=32, num_frames=4, seed=3), 3));"
        "print(hashlib.sha256(b.pixels.numpy().tobytes()).hexdigest())"
    )
    there = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.strip()
    here = next(WorldStream(WorldConfig(level=2, width=32, height=32, num_frames=4, seed=3), 3))
    assert hashlib.sha256(here.pixels.numpy().tobytes()).hexdigest() == there


def test_a_failed_block_is_not_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    config = WorldConfig(level=1, width=16, height=16, num_frames=4, seed=5)
    wanted, stream = next(WorldStream(config, 2)), WorldStream(config, 2)
    with monkeypatch.context() as broken:
        broken.setattr(grammar, "sample", lambda *a, **k: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            next(stream)
    assert next(stream).captions == wanted.captions


def test_captions_of_sampled_scenes_use_known_words_only() -> None:
    known = set(caption.vocabulary())
    for level in grammar.LEVELS:
        for clip in plan(WorldConfig(level=level, seed=2, caption_mix=(1.0, 1.0, 1.0)), range(60)):
            assert set(caption.tokens(clip.caption)) <= known


@pytest.mark.parametrize(
    "values", [{"num_frames": 0}, {"width": -1}, {"num_frames": 32}, {"fps": 0.0}, {"seed": -1}, {"level": 9}]
)
def test_impossible_clips_are_told(values: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        WorldConfig(**values)  # type: ignore[arg-type]


def test_written_clips_read_back(tmp_path: Path) -> None:
    config = WorldConfig(level=2, width=64, height=64, seed=7)
    paths = write_clips(tmp_path / "clips", config, 3, arrays=True)
    pixels = film(plan(config, range(3)), config)
    for path, wanted in zip(paths, pixels, strict=True):
        about = json.loads(path.with_suffix(".json").read_text())
        assert {"raw", "short", "descriptive"} <= set(about["captions"])
        video = read(path)
        assert np.abs(video.frames.astype(int) - wanted.numpy().astype(int)).mean() < 6  # the codec's loss
        arrays = np.load(path.with_suffix(".npz"))
        assert arrays["flow"].shape == (15, 64, 64, 2)
        for n, member in enumerate(about["truth"]["cast"]):
            assert member["pixels"] == (arrays["thing"] == n + 1).sum((1, 2)).tolist()
            assert len(member["box"]) == 16


def test_writing_continues_and_refuses_other_settings(tmp_path: Path) -> None:
    first = write_clips(tmp_path, SMALL, 2)
    stamps = [p.stat().st_mtime_ns for p in first]
    both = write_clips(tmp_path, SMALL, 4)
    assert [p.stat().st_mtime_ns for p in both[:2]] == stamps
    assert len(list(tmp_path.glob("*.mp4"))) == 4
    with pytest.raises(DataError, match="other settings"):
        write_clips(tmp_path, WorldConfig(level=2, seed=9), 1)


def test_the_same_seed_writes_the_same_bytes(tmp_path: Path) -> None:
    for name in ("a", "b"):
        write_clips(tmp_path / name, SMALL, 2, arrays=True)
    for path in sorted((tmp_path / "a").iterdir()):
        assert path.read_bytes() == (tmp_path / "b" / path.name).read_bytes(), path.name


def test_a_sampled_scene_can_be_shown_again(tmp_path: Path) -> None:
    (path,) = write_clips(tmp_path, WorldConfig(level=2, width=64, height=64, seed=7), 1)
    scene = read_scene(path.with_suffix(".json"))
    _, rendered, video = replay(scene, width=64, height=64)
    assert np.abs(read(path).frames.astype(int) - video.frames.astype(int)).mean() < 6
    assert rendered.thing.max() >= 1
    with pytest.raises(DataError, match="no scene"):
        read_scene(path)


def test_scenes_can_all_be_about_something() -> None:
    clips = plan(WorldConfig(level=2, seed=5, themes=("bite", "walk")), range(24))
    bites = [any(e.kind == "bite" for e in clip.scene.events) for clip in clips]
    walks = [[thing.motion.action for thing in clip.scene.cast] == ["walk"] for clip in clips]
    assert all(bite != walk for bite, walk in zip(bites, walks, strict=True))
    assert 4 <= sum(bites) <= 20
    with pytest.raises(ConfigError, match=r"about fly; themes are collide, .*, walk, in order, left"):
        WorldConfig(level=2, themes=("fly",))
    with pytest.raises(ConfigError, match="levels 2 and 3"):
        WorldConfig(level=1, themes=("walk",))


def test_scenes_can_all_be_of_so_many_things_or_in_depth() -> None:
    for theme, count in (("one thing", 1), ("two things", 2)):
        clips = plan(WorldConfig(seed=5, themes=(theme,)), range(16))
        assert {len(clip.scene.cast) for clip in clips} == {count}
    clips = plan(WorldConfig(seed=5, themes=("in depth",), caption_mix=(0.0, 0.0, 1.0)), range(24))
    told = [fact.name for clip in clips for fact in caption.parse(clip.caption).facts]
    deep = sum(name in ("in_front_of", "behind") for name in told)
    assert deep > 16
    assert deep > sum(name in ("left_of", "right_of") for name in told)


def test_scenes_can_all_be_events_in_their_order() -> None:
    clips = plan(WorldConfig(level=2, seed=5, themes=("in order",)), range(8))
    assert all(len(clip.scene.events) >= 2 for clip in clips)
    assert all(clip.scene.style == "natural" for clip in clips)


def test_scenes_can_all_be_of_who_could_act_and_does_not() -> None:
    clips = plan(WorldConfig(level=2, seed=5, themes=("left alone",)), range(24))
    marked = Counter(thing.kind for clip in clips for thing in clip.scene.cast)
    assert all(marked[kind] >= 3 for kind in ("cookie", "lamp", "domino"))
    for clip in clips:
        assert {thing.motion.action for thing in clip.scene.cast} == {"stand"}
        assert not [entry for entry in clip.log if entry.patient is not None]
        assert not {fact.name for fact in caption.parse(clip.caption).facts} & {*ACTS}


def test_clips_filmed_from_near_show_all_larger_and_still() -> None:
    config = WorldConfig(level=2, seed=5, themes=("walk", "bite", "push"))
    far, near = plan(config, range(48)), plan(replace(config, near=1.0), range(48))
    nearer = 0
    for one, other in zip(far, near, strict=True):
        assert (one.scene.cast, one.scene.events) == (other.scene.cast, other.scene.events)
        assert acceptable(other.scene, other.trajectory, config.fps)
        sizes = [screen_boxes(c.scene, c.trajectory, config.fps)[..., 2].mean() for c in (one, other)]
        if other.scene.shots != one.scene.shots:
            assert {shot.camera.move for shot in other.scene.shots} == {"still"}
            assert caption.holds(caption.parse(other.caption), other.told, other.log)
            nearer += sizes[1] > 1.05 * sizes[0]
    assert nearer > 24


def test_what_the_border_decides_stays_as_it_was_drawn() -> None:
    config = WorldConfig(level=2, seed=5, themes=VIEW_EVENTS)
    far, near = plan(config, range(12)), plan(replace(config, near=1.0), range(12))
    assert [c.scene for c in far] == [c.scene for c in near]


def test_shares_are_shares() -> None:
    with pytest.raises(ConfigError, match="near"):
        WorldConfig(near=1.5)


def test_most_captions_tell_when_a_cut_comes() -> None:
    timed = cuts = 0
    for clip in plan(WorldConfig(level=3, seed=8, caption_mix=(0.0, 0.0, 1.0)), range(96)):
        said = {fact.args: fact for fact in caption.parse(clip.caption).facts if fact.name == "cut"}
        for number, shot in enumerate(clip.told.shots[1:], start=2):
            moments = [float(moment) for n, moment in said if n == str(number)]
            assert all(abs(moment - shot.start) <= 0.05 + 1e-9 for moment in moments)
            timed, cuts = timed + len(moments), cuts + 1
    assert cuts > 30
    assert 0.7 < timed / cuts < 0.97


def test_a_stretch_tells_its_own_times() -> None:
    found = 0
    for clip in plan(WorldConfig(level=3, seed=8, num_frames=12), range(96)):
        start = clip.frames[0] / 8.0
        for shot in clip.told.shots[1:]:
            assert any(abs(shot.start + start - whole.start) < 1e-9 for whole in clip.scene.shots)
            found += 1
    assert found > 5
