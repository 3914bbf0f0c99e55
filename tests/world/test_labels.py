"""Labels against the scenes that they describe, the geometry of their cameras, and the pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from reelworld import recipes
from reelworld.core.types import VideoShape
from reelworld.models.perception import PerceptionConfig
from reelworld.recipes import DataConfig, Recipe
from reelworld.train.data import Serving, WorldData, open_feed
from reelworld.world.labels import (
    KINDS,
    LEFT,
    MOTION,
    NO_LEG,
    RIGHT,
    SIZES,
    camera_motion,
    cuts,
    film_labelled,
    leg_sides,
    offsets,
)
from reelworld.world.naming import COLORLESS
from reelworld.world.scene import COLORS, Camera, Scene, Setting, Shot, Style, Thing
from reelworld.world.simulate import simulate
from reelworld.world.stage import camera_path
from reelworld.world.stream import Clip, WorldConfig, WorldStream, film, plan

SMALL = {
    level: WorldConfig(level=level, width=48, height=32, num_frames=4, seed=6) for level in (1, 3)
}  # wider than high, so that axes cannot be confused
SQUARE = WorldConfig(level=3, width=64, height=64)
Filmed = tuple[list[Clip], Tensor, dict[str, Tensor]]


@pytest.fixture(scope="module", params=[1, 3])
def filmed(request: pytest.FixtureRequest) -> Filmed:
    """Return clips of a level, their pixels and labels."""
    config = SMALL[request.param]
    clips = plan(config, range(6))
    return clips, *film_labelled(clips, config)


def one_clip(*cast: Thing, shots: tuple[Shot, ...] = (), style: Style = "natural") -> Clip:
    """Simulate a scene of our own, whole."""
    everybody = tuple(range(len(cast)))
    near = Camera(position=(0.0, -5.0, 1.6), focal=1.75)
    shots = shots or (Shot(start=0.0, duration=2.0, camera=near, cast=everybody),)
    scene = Scene(level=3, split="train", setting=Setting(), cast=cast, shots=shots, style=style)
    (trajectory,) = simulate([scene], 16, 8.0)
    return Clip(scene, trajectory, range(16), scene, ())


def labels_of(clip: Clip) -> dict[str, Tensor]:
    return {name: label[0] for name, label in film_labelled([clip], SQUARE)[1].items()}


def hidden(clip: Clip) -> bool:
    return clip.scene.style in ("historical", "black_and_white", "film_noir")


# ---------------------------------------------------------------- what pixels show


def test_pixels_are_those_of_the_unlabelled_film(filmed: Filmed) -> None:
    clips, pixels, _ = filmed
    assert torch.equal(pixels, film(clips, SMALL[clips[0].scene.level]))


def test_labels_have_a_value_for_each_pixel_or_frame(filmed: Filmed) -> None:
    _, pixels, labels = filmed
    every = tuple(pixels.shape[:4])
    types = {name: (tuple(label.shape), label.dtype) for name, label in labels.items()}
    assert types == {
        **dict.fromkeys(("thing", "kind", "color", "size", "side"), (every, torch.uint8)),
        "depth": (every, torch.float16),
        "camera": ((*every[:2], 13), torch.float32),
        "shot": (every[:2], torch.uint8),
    }


def test_pixels_of_a_thing_say_what_the_scene_says(filmed: Filmed) -> None:
    clips, _, labels = filmed
    for b, clip in enumerate(clips):
        assert labels["thing"][b].any()
        for n, thing in enumerate(clip.scene.cast):
            there = labels["thing"][b] == n + 1
            color = 0 if hidden(clip) else 1 + COLORS.index(thing.color)
            wanted = {
                "kind": 1 + KINDS.index(thing.kind),
                "size": 1 + SIZES.index(thing.size),
                "color": color,
            }
            assert all(bool((labels[name][b][there] == value).all()) for name, value in wanted.items())


def test_pixels_of_nothing_say_nothing(filmed: Filmed) -> None:
    _, _, labels = filmed
    nothing = labels["thing"] == 0
    assert not any(labels[name][nothing].any() for name in ("kind", "color", "size", "side"))


def test_only_those_in_the_scene_and_in_the_shot_are_seen(filmed: Filmed) -> None:
    clips, _, labels = filmed
    for b, clip in enumerate(clips):
        for t, frame in enumerate(clip.frames):
            seen = set(labels["thing"][b, t].unique().tolist()) - {0}
            assert seen <= {1 + n for n in clip.scene.shot_at(frame / 8.0).cast}


@pytest.mark.parametrize(("color", "channel"), [("red", 0), ("green", 1), ("blue", 2)])
def test_a_coloured_thing_has_its_colour_in_the_picture(color: str, channel: int) -> None:
    clip = one_clip(Thing(kind="cube", color=color))  # type: ignore[arg-type]
    pixels, labels = film_labelled([clip], SQUARE)
    shown = pixels[labels["color"] == 1 + COLORS.index(color)].float().mean(0)
    assert int(shown.argmax()) == channel
    assert float(shown[channel]) > 1.5 * float(shown.sum() - shown[channel]) / 2


@pytest.mark.parametrize("style", ["natural", "papercraft", *COLORLESS])
def test_styles_without_colours_hide_their_labels_and_no_others(style: Style) -> None:
    labels = labels_of(one_clip(Thing(kind="cone", color="purple", size="small"), style=style))
    there = labels["thing"] == 1
    shows = style in ("natural", "papercraft")
    assert labels["color"].unique().tolist() == ([0, 1 + COLORS.index("purple")] if shows else [0])
    assert labels["kind"][there].unique().tolist() == [1 + KINDS.index("cone")]
    assert labels["size"][there].unique().tolist() == [1 + SIZES.index("small")]


def test_hidden_colours_are_those_of_styles_whose_pictures_have_no_hue() -> None:
    thing = Thing(kind="ball", color="red")
    for style in ("natural", "historical", "black_and_white", "papercraft", "film_noir"):
        pixels, labels = film_labelled([one_clip(thing, style=style)], SQUARE)  # type: ignore[arg-type]
        red, _, blue = pixels[labels["thing"] == 1].float().mean(0).tolist()
        assert (red < 2 * blue) == (style in COLORLESS)


def test_legs_are_as_many_left_as_right_and_only_of_people_and_dogs() -> None:
    for kind in KINDS:
        sides = leg_sides(kind)
        wanted = {"person": 3, "dog": 2}.get(kind, 0)
        assert (sides.count(LEFT), sides.count(RIGHT)) == (wanted, wanted)
        assert sides.count(NO_LEG) == len(sides) - 2 * wanted


@pytest.mark.parametrize("kind", ["person", "dog"])
@pytest.mark.parametrize(("heading", "mirrored"), [(math.pi / 2, False), (-math.pi / 2, True)])
def test_the_left_leg_is_at_the_left_of_who_looks_away(kind: str, heading: float, mirrored: bool) -> None:
    labels = labels_of(one_clip(Thing(kind=kind, color="red", heading=heading)))  # type: ignore[arg-type]
    places = [torch.nonzero(labels["side"][0] == side).float() for side in (LEFT, RIGHT)]
    assert all(len(place) > 10 for place in places)
    rows, columns = torch.stack([place.mean(0) for place in places]).T
    assert (float(columns[0]) < float(columns[1])) != mirrored
    whole = torch.nonzero(labels["thing"][0] == 1)[:, 0].float()
    assert float(rows.min()) > float(whole.mean()), "legs are below"


def test_sides_are_those_of_legs_alone() -> None:
    person, car = (
        Thing(kind=k, color="red", position=(x, 0.0, 0.0)) for k, x in (("person", -1.2), ("car", 0.9))
    )
    labels = labels_of(one_clip(person, car))
    assert labels["side"][labels["thing"] == 1].unique().tolist() == [NO_LEG, LEFT, RIGHT]
    assert labels["side"][labels["thing"] == 2].unique().tolist() == [NO_LEG]


def test_depth_is_that_of_the_ground_and_ends_at_the_horizon() -> None:
    """A ray through height y of the picture meets the ground at the depth h / -(f_z + u_z y / focal)."""
    labels = labels_of(one_clip(Thing(kind="ball", color="red", size="small", position=(-1.5, 0.0, 0.0))))
    camera, column = labels["camera"][0], labels["depth"][0, :, -2].float()
    y = 1.0 - (torch.arange(64) + 0.5) * (2.0 / 64)
    downward = -(camera[11] + camera[8] * y / camera[12])
    ground = downward > 0.02
    torch.testing.assert_close(column[ground], camera[2] / downward[ground], rtol=2e-3, atol=0)
    horizon = camera_motion(labels["camera"][None])[0, 0, MOTION.index("horizon")]
    assert torch.equal(column == 0, y / 2 > horizon), "only sky above it"


# ---------------------------------------------------------------- middles


def test_offsets_point_to_the_middle_of_the_pixels(filmed: Filmed) -> None:
    _, _, labels = filmed
    things = labels["thing"].long()
    found = offsets(things)
    assert found.shape == (*things.shape, 2)
    for b, t in np.ndindex(*things.shape[:2]):
        for n in set(things[b, t].unique().tolist()) - {0}:
            y, x = torch.nonzero(things[b, t] == n, as_tuple=True)
            place = torch.stack([x, y], -1) / things.shape[2]
            pointed = found[b, t, y, x] + place
            wanted = place.double().mean(0).float().expand_as(pointed)
            torch.testing.assert_close(pointed, wanted, rtol=0, atol=1e-5)


def test_the_offset_of_two_pixels_by_hand() -> None:
    things = torch.zeros(1, 1, 4, 8, dtype=torch.int64)
    things[0, 0, 1, 2] = things[0, 0, 3, 6] = 2
    found = offsets(things)[0, 0]
    assert found[1, 2].tolist() == [0.5, 0.25]
    assert found[3, 6].tolist() == [-0.5, -0.25]


# ---------------------------------------------------------------- cameras


def motion_of(
    move: str, amount: float, position: tuple[float, float, float] = (0.0, -5.0, 1.0)
) -> dict[str, Tensor]:
    """Return the motion [T] of a camera in a whole move, towards a target 1 m above the ground."""
    camera = Camera(move=move, amount=amount, position=position, target=(0.0, 0.0, 1.0), focal=1.75)  # type: ignore[arg-type]
    rows = torch.from_numpy(camera_path(camera, np.linspace(0.0, 2.0, 17), 2.0))
    return dict(zip(MOTION, camera_motion(rows[None])[0].T, strict=True))


@pytest.mark.parametrize(
    ("move", "amount", "axis", "total"),
    [
        ("pan_left", 0.6, "yaw", 0.6),
        ("pan_right", 0.6, "yaw", -0.6),
        ("tilt_up", 0.4, "pitch", 0.4),
        ("tilt_down", 0.4, "pitch", -0.4),
        ("dolly_in", 0.5, "forward", 5.0 * 0.5),
        ("dolly_out", 0.5, "forward", -5.0 * 0.5),
        ("zoom_in", 0.8, "zoom", math.log(1.8)),
        ("zoom_out", 0.8, "zoom", -math.log(1.8)),
    ],
)
def test_a_move_goes_its_way_by_its_whole_amount(move: str, amount: float, axis: str, total: float) -> None:
    motion = motion_of(move, amount)
    assert float(motion[axis].sum()) == pytest.approx(total, abs=1e-6)
    assert bool((motion[axis][1:] * total > 0).all())
    assert float(motion[axis][0]) == 0
    still = ("yaw", "pitch", "right", "up", "forward", "zoom")
    assert all(float(motion[name].abs().max()) < 1e-6 for name in still if name != axis)


@pytest.mark.parametrize(("move", "sign"), [("orbit_left", -1), ("orbit_right", 1)])
def test_an_orbit_steps_aside_and_turns_back_to_its_target(move: str, sign: int) -> None:
    motion = motion_of(move, 1.0)
    assert float(motion["yaw"].sum()) == pytest.approx(sign * 1.0, abs=1e-6)
    assert float(motion["right"].sum()) == pytest.approx(sign * 5.0, rel=2e-3)


def test_a_camera_that_looks_down_pans_as_much_less_as_its_axis_leans() -> None:
    motion = motion_of("pan_left", 0.5, position=(0.0, -4.0, 4.0))
    assert float(motion["yaw"].sum()) == pytest.approx(0.5 * 0.8, rel=2e-3)


def test_a_still_camera_does_not_move() -> None:
    motion = motion_of("still", 0.0)
    assert all(float(value.abs().max()) == 0 for value in motion.values())


def test_the_horizon_is_above_the_middle_for_who_looks_down() -> None:
    down = motion_of("still", 0.0, position=(0.0, -5.0, 2.0))["horizon"]
    assert down.tolist() == pytest.approx([0.5 * 1.75 / 5] * 17)
    up = motion_of("still", 0.0, position=(0.0, -5.0, 0.5))["horizon"]
    assert up.tolist() == pytest.approx([-0.5 * 1.75 * 0.1] * 17)


def test_cuts_are_where_another_shot_begins() -> None:
    shots = torch.tensor([[0, 0, 1, 1, 2], [1, 1, 1, 1, 1], [0, 1, 0, 1, 1]], dtype=torch.uint8)
    assert cuts(shots).tolist() == [[0, 0, 1, 0, 1], [0, 0, 0, 0, 0], [0, 1, 1, 1, 0]]
    assert cuts(shots[:, :1]).tolist() == [[0], [0], [0]]


def test_a_clip_with_a_cut_is_labelled_so() -> None:
    ball, cube = Thing(kind="ball", color="red", position=(-1.2, 0.0, 0.0)), Thing(kind="cube", color="blue")
    near = Camera(position=(0.5, -4.0, 1.5), target=(0.0, 0.0, 0.7), focal=1.75)
    first = Shot(start=0.0, duration=1.0, camera=Camera(focal=1.75), cast=(0, 1))
    labels = labels_of(
        one_clip(ball, cube, shots=(first, Shot(start=1.0, duration=1.0, camera=near, cast=(1,))))
    )
    assert labels["shot"].tolist() == [0] * 8 + [1] * 8
    assert torch.nonzero(cuts(labels["shot"][None])).tolist() == [[0, 8]]
    assert [1 in frame for frame in labels["thing"]] == [True] * 8 + [False] * 8
    moved = camera_motion(labels["camera"][None])[0, :, :6].abs().amax(-1)
    assert torch.nonzero(moved > 1e-6).flatten().tolist() == [8]


# ---------------------------------------------------------------- streams


def test_a_labelled_stream_is_the_same_stream_with_labels() -> None:
    plain, labelled = WorldStream(SMALL[3], 2), WorldStream(SMALL[3], 2, labelled=True)
    for _ in range(2):
        one, other = next(plain), next(labelled)
        assert (one.captions, one.indices) == (other.captions, other.indices)
        assert torch.equal(one.pixels, other.pixels)
        assert one.labels == {}
    _, wanted = film_labelled(plan(SMALL[3], other.indices), SMALL[3])
    torch.testing.assert_close(other.labels, wanted, rtol=0, atol=0)


def parser_recipe(workers: int) -> Recipe:
    """Return the parser's recipe, short and small."""
    base = recipes.get("perception")
    shape = VideoShape(width=24, height=16, num_frames=4, fps=8.0)
    (stage,) = base.stages
    buckets = tuple(replace(bucket, shape=shape) for bucket in stage.buckets[:2])
    return replace(
        base,
        model=PerceptionConfig(widths=(8, 8, 8)),
        stages=(replace(stage, steps=4, batch=2, buckets=buckets),),
        data=DataConfig(workers=workers, reuse=2, reuse_memory=1),
    )


def served(workers: int) -> Iterator[Serving]:
    with open_feed(WorldData(labelled=True), parser_recipe(workers), 0, "cpu") as feed:
        yield from feed


def test_labels_come_whole_from_the_second_process() -> None:
    ahead, here = list(served(1)), list(served(0))
    assert [serving.step for serving in ahead] == [0, 1, 2, 3]
    for left, right in zip(ahead, here, strict=True):
        assert torch.equal(left.batch.pixels, right.batch.pixels)
        assert left.batch.labels["kind"].shape == left.batch.pixels.shape[:4]
        torch.testing.assert_close(left.batch.labels, right.batch.labels, rtol=0, atol=0)
