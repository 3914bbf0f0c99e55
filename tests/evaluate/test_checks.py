"""Checks pass the renders of their own scene and fail what is broken on purpose."""

from dataclasses import replace

import numpy as np
import pytest

from reelworld.evaluate.checks import CHECKS, judge
from reelworld.evaluate.motions import _comes_back
from reelworld.evaluate.tracking import PER_FRAME, Observed, Track, nobody
from reelworld.world.dataset import replay
from reelworld.world.scene import Camera, Event, Motion, Scene, Setting, Shot, Thing
from reelworld.world.simulate import GRAVITY

STILL = Camera(position=(0.0, -5.0, 2.0), target=(0.0, 0.0, 0.8), focal=1.75)


def scene(*cast: Thing) -> Scene:
    shot = Shot(start=0.0, duration=2.0, camera=STILL, cast=tuple(range(len(cast))))
    return Scene(level=1, split="train", setting=Setting(pattern="checker"), cast=cast, shots=(shot,))


def thing(color, x=0.0, z=0.0, kind="ball", **motion) -> Thing:
    return Thing(kind=kind, color=color, position=(x, 0.0, z), motion=Motion(**motion))


PAIR = scene(thing("red", -1.5), thing("blue", 1.5, kind="cone"))
SLIDE = scene(thing("purple", -0.8, action="slide", direction="right"))
FALL = scene(thing("orange", 0.0, 2.4, action="fall"))
BOUNCE = scene(thing("blue", 0.0, 2.4, action="bounce"))
JUMP = scene(thing("blue", 0.0, action="jump"))
REST = scene(thing("red"))


def track_of(heights: np.ndarray) -> Track:
    """Return a track of a thing at these heights."""
    same = np.full(len(heights), 0.5)
    return Track("red", "ball", "", ("red",) * len(heights), same, heights, *[same] * 10)


def frames_of(program: Scene) -> np.ndarray:
    return replay(program, width=64, height=64)[2].frames


def verdict(parser, program: Scene, frames: np.ndarray, check: str):
    return judge(program, parser.look(frames))[check]


@pytest.mark.parametrize("program", [PAIR, SLIDE, FALL, JUMP, BOUNCE, REST])
def test_what_happened_as_told_passes_every_check(parser, program):
    verdicts = judge(program, parser.look(frames_of(program)))
    assert not [name for name, verdict in verdicts.items() if verdict is False]
    assert set(verdicts) == set(CHECKS)


@pytest.mark.parametrize(
    ("program", "check"),
    [
        (PAIR, "left_right"),
        (SLIDE, "direction"),
        (FALL, "gravity"),
        (JUMP, "lift"),
        (BOUNCE, "bounce"),
        (SLIDE, "growth"),
    ],
)
def test_each_check_is_asked_where_it_belongs(parser, program, check):
    assert verdict(parser, program, frames_of(program), check) is True


@pytest.mark.parametrize(
    ("program", "check"),
    [(PAIR, "binding"), (PAIR, "count"), (SLIDE, "direction"), (FALL, "gravity"), (BOUNCE, "bounce")],
)
def test_a_grey_picture_passes_nothing(parser, program, check):
    assert verdict(parser, program, np.full((16, 64, 64, 3), 128, np.uint8), check) is False


def test_what_bounces_comes_back_but_not_higher_than_it_fell_from():
    path = np.array([2.4, 2.3, 2.0, 1.4, 0.6, 0.1, 0.9, 1.3, 1.6, 1.6]) * 0.2
    higher = np.concatenate([path[:6], [0.3, 0.45, 0.55, 0.6]])
    dead = np.concatenate([path[:6], [0.02, 0.03, 0.02, 0.02]])
    for heights, right in ((path, True), (higher, False), (dead, False), (path[:6], False)):
        assert _comes_back(track_of(heights)) is right, heights


def test_a_still_picture_passes_no_motion(parser):
    moving = ("direction", "growth", "permanence")
    for program, check in (
        *((SLIDE, name) for name in moving),
        (FALL, "gravity"),
        (JUMP, "lift"),
        (BOUNCE, "bounce"),
    ):
        frames = np.repeat(frames_of(program)[:1], 16, axis=0)
        assert verdict(parser, program, frames, check) is False


def test_a_mirrored_picture_swaps_left_and_right(parser):
    assert verdict(parser, PAIR, frames_of(PAIR)[:, :, ::-1], "left_right") is False
    assert verdict(parser, SLIDE, frames_of(SLIDE)[:, :, ::-1], "direction") is False


def test_a_thing_too_few_too_many_or_of_another_colour_fails(parser):
    one = scene(PAIR.cast[0])
    three = scene(*PAIR.cast, thing("yellow"))
    other = scene(PAIR.cast[0], replace(PAIR.cast[1], color="green"))
    for program in (one, three, other):
        assert verdict(parser, PAIR, frames_of(program), "binding") is False
    assert verdict(parser, PAIR, frames_of(one), "count") is False
    assert verdict(parser, PAIR, frames_of(three), "count") is False
    assert verdict(parser, PAIR, frames_of(other), "count") is True


def test_another_kind_fails(parser):
    cone = scene(thing("red", kind="cone"))
    assert verdict(parser, REST, frames_of(cone), "kind") is False


def test_what_vanishes_for_five_frames_is_not_permanent(parser):
    frames, empty = frames_of(SLIDE).copy(), frames_of(scene(thing("red", 40.0)))
    assert verdict(parser, SLIDE, frames, "permanence") is True
    frames[5:10] = empty[5:10]
    assert verdict(parser, SLIDE, frames, "permanence") is False


def test_what_grows_by_one_percent_a_frame_fails(parser):
    grown = [frames_of(scene(replace(SLIDE.cast[0], scale=1.01**t)))[t] for t in range(16)]
    assert verdict(parser, SLIDE, np.stack(grown), "growth") is False


def test_a_fall_at_constant_speed_is_not_gravity(parser):
    heights = np.maximum(2.4 - 0.4 * np.arange(16), 0.0)
    slow = [frames_of(scene(thing("orange", 0.0, float(z))))[0] for z in heights]
    assert verdict(parser, FALL, np.stack(slow), "gravity") is False


def test_a_fall_as_on_the_moon_is_not_gravity(parser):
    heights = np.maximum(2.4 - 0.5 * GRAVITY / 6.0 * (np.arange(16) / 8.0) ** 2, 0.0)
    moon = [frames_of(scene(thing("orange", 0.0, float(z))))[0] for z in heights]
    assert verdict(parser, FALL, frames_of(FALL), "gravity") is True
    assert verdict(parser, FALL, np.stack(moon), "gravity") is False


BITE = Scene(
    level=2, split="train", setting=Setting(),
    shots=(Shot(start=0.0, duration=2.0, camera=STILL, cast=(0, 1)),),
    cast=(
        Thing(kind="person", color="red", second_color="blue", position=(-0.75, 0.0, 0.0)),
        Thing(kind="cookie", color="yellow", position=(0.75, -0.2, 0.0)),
    ),
    events=(Event(kind="bite", agent=0, patient=1, time=1.0),),
)  # fmt: skip


def test_a_bite_leaves_a_mark_and_its_twin_without_a_cause_has_none(parser):
    assert verdict(parser, BITE, frames_of(BITE), "cause") is True
    twin = replace(BITE, events=())
    assert verdict(parser, BITE, frames_of(twin), "cause") is False
    assert judge(twin, parser.look(frames_of(twin)))["cause"] is None
    healed = np.concatenate([frames_of(BITE)[:12], frames_of(twin)[12:]])
    assert verdict(parser, BITE, healed, "cause") is False


def test_where_nothing_is_told_to_happen_nothing_may(parser):
    twin = replace(BITE, events=())
    assert verdict(parser, twin, frames_of(twin), "untouched") is True
    assert verdict(parser, twin, frames_of(BITE), "untouched") is False
    assert verdict(parser, twin, np.full_like(frames_of(BITE), 128), "untouched") is False
    assert verdict(parser, BITE, frames_of(BITE), "untouched") is None


def test_who_is_hit_moves_when_touched(parser):
    hit = scene(
        thing("red", -1.6, kind="cube", action="slide", direction="right", speed="fast"),
        replace(thing("blue", 0.4), material="striped"),
    )
    hit = replace(hit, events=(Event(kind="collide", agent=0, patient=1),))
    assert verdict(parser, hit, frames_of(hit), "collision") is True
    still = np.repeat(frames_of(hit)[:1], 16, axis=0)
    assert verdict(parser, hit, still, "collision") is False


def moving(color: str, x: list[float], kind: str = "cube", size: str = "large") -> Track:
    """A track of a thing that is at some places across the picture, and else as tracks of it are."""
    count = len(x)
    level = {name: np.full(count, 0.2) for name in (*PER_FRAME,)}
    return Track(color=color, kind=kind, size=size, colors=(color,) * count, **(level | {"x": np.array(x)}))


@pytest.mark.parametrize(
    ("after", "hit", "kept"),
    [
        (0.125, 0.875, True),  # as two of one mass that keep three quarters of their speed
        (0.0, 0.1, False),  # where the momentum goes nobody knows
        (0.9, 0.95, False),  # more of it than there was
        (0.0, 1.5, False),  # they part faster than they met
        (-0.6, 1.0, False),
    ],
)
def test_momentum_is_kept_and_energy_does_not_rise(after, hit, kept):
    program = scene(thing("red", -1.0, kind="cube"), thing("blue", 0.4, kind="cube"))
    program = replace(program, events=(Event(kind="collide", agent=0, patient=1),))
    speed, met = 0.05, 6
    came = [-0.35 + speed * min(t, met) + after * speed * max(t - met, 0) for t in range(16)]
    goes = [0.15 + hit * speed * max(t - met, 0) for t in range(16)]
    seen = Observed((moving("red", came), moving("blue", goes)), 16, (), np.zeros((16, 7)))
    assert judge(program, seen)["collision"] is kept


def test_of_light_things_little_momentum_comes():
    """A large cube that stops when it hits a small one has lost its momentum; a small one on a large, not."""
    speed, met = 0.05, 6
    came = [-0.35 + speed * min(t, met) for t in range(16)]
    goes = [0.15 + speed * max(t - met, 0) for t in range(16)]
    for size, kept in (("large", True), ("small", False)):
        program = scene(thing("red", -1.0, kind="cube"), replace(thing("blue", 0.4, kind="cube"), size=size))
        program = replace(program, events=(Event(kind="collide", agent=0, patient=1),))
        seen = Observed((moving("red", came), moving("blue", goes, size=size)), 16, (), np.zeros((16, 7)))
        assert judge(program, seen)["collision"] is kept


def test_what_one_of_two_twins_should_do_is_not_asked():
    twins = scene(thing("blue", -1.0, action="jump"), thing("blue", 1.0))
    assert judge(twins, nobody(16))["lift"] is None
    unlike = replace(twins, cast=(twins.cast[0], replace(twins.cast[1], kind="cone")))
    assert judge(unlike, nobody(16))["lift"] is False


@pytest.mark.parametrize(
    ("changes", "asked"), [({}, True), ({"kind": "cube"}, False), ({"material": "striped"}, False)]
)
def test_growth_is_asked_of_what_looks_alike_from_all_sides(changes, asked):
    program = replace(SLIDE, cast=(replace(SLIDE.cast[0], **changes),))
    assert (judge(program, nobody(16))["growth"] is None) != asked


def filmed_by(move):
    """A thing at rest under a camera that makes a move."""
    camera = replace(STILL, move=move, amount=0.0 if move == "still" else 0.55)
    return replace(REST, shots=(replace(REST.shots[0], camera=camera),))


@pytest.mark.parametrize(
    ("move", "other"),
    [
        ("pan_left", "pan_right"),
        ("pan_right", "dolly_in"),
        ("dolly_in", "dolly_out"),
        ("dolly_out", "pan_left"),
    ],
)
def test_the_camera_is_followed(parser, move, other):
    frames = frames_of(filmed_by(move))
    assert verdict(parser, filmed_by(move), frames, "camera") is True
    assert verdict(parser, filmed_by(other), frames, "camera") is False
    assert verdict(parser, filmed_by(move), frames_of(filmed_by("still")), "camera") is False
    assert verdict(parser, filmed_by("still"), frames, "camera") is None  # a still picture would show it


def test_no_camera_is_asked_for_over_a_plain_ground(parser):
    program = replace(filmed_by("dolly_in"), setting=Setting(pattern="plain"))
    assert verdict(parser, program, frames_of(program), "camera") is None


def test_a_cut_must_come_and_keep_the_cast(parser):
    near = replace(STILL, position=(1.0, -3.6, 1.6), target=(0.0, 0.0, 0.5))
    cut = (
        Shot(start=0.0, duration=1.0, camera=STILL, cast=(0,)),
        Shot(start=1.0, duration=1.0, camera=near, cast=(0,)),
    )
    program = replace(REST, shots=cut)
    frames = frames_of(program)
    assert verdict(parser, program, frames, "shots") is True
    assert verdict(parser, program, frames_of(REST), "shots") is False
    other = replace(program, cast=(replace(REST.cast[0], color="green"),))
    swapped = np.concatenate([frames[:8], frames_of(other)[8:]])
    assert verdict(parser, program, swapped, "shots") is False
