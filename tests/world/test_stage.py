"""What the programs say can be seen in the pictures."""

from __future__ import annotations

from dataclasses import replace
from typing import get_args

import pytest
import torch
from torch import Tensor

from reelworld.world.render import render
from reelworld.world.scene import Camera, Event, Motion, Scene, Setting, Shot, Style, Thing
from reelworld.world.simulate import simulate
from reelworld.world.stage import build
from reelworld.world.things import PALETTE

NAMED = ("red", "orange", "yellow", "green", "blue", "purple", "white")


def _film(scene: Scene, size: int = 64) -> tuple[Tensor, Tensor]:
    """Pictures [16, H, W, 3] and thing ids [16, H, W]."""
    (trajectory,) = simulate([scene], 16, 8.0)
    rendered = render(build([scene], [trajectory], range(16), 8.0), size, size)
    return rendered.color, rendered.thing


def _scene(*cast: Thing, setting: Setting | None = None, events: tuple[Event, ...] = ()) -> Scene:
    shot = Shot(start=0.0, duration=2.0, camera=Camera(focal=1.75), cast=tuple(range(len(cast))))
    return Scene(
        level=2, split="train", setting=setting or Setting(), cast=cast, shots=(shot,), events=events
    )


@pytest.mark.parametrize("kind", ["ball", "cylinder", "cone"])
def test_a_striped_round_thing_shows_its_turning(kind: str) -> None:
    """Within its outline, a picture of a turn differs from the first; a plain one's does not."""
    changed = {}
    for material in ("striped", "matte"):
        spin = Motion(action="spin", speed="slow")
        color, thing = _film(_scene(Thing(kind=kind, color="red", material=material, motion=spin)))  # type: ignore[arg-type]
        inside = (thing[0] == 1) & (thing[3] == 1)
        changed[material] = float(((color[0] - color[3]).abs().amax(-1) > 0.1)[inside].float().mean())
    assert changed["striped"] > 0.2
    assert changed["matte"] < 0.02


def test_a_ball_that_rolls_differs_from_one_that_slides() -> None:
    films = [
        _film(_scene(Thing(kind="ball", color="red", material="striped", motion=motion)))[0]
        for motion in (Motion(action=a, direction="right") for a in ("roll", "slide"))  # type: ignore[arg-type]
    ]
    assert float((films[0][4] - films[1][4]).abs().amax(-1).gt(0.1).sum()) > 20


def test_lamps_shine_when_switched_on_and_at_night() -> None:
    lamp = Thing(kind="lamp", color="yellow", position=(0.9, 0.2, 0.0))
    person = Thing(kind="person", color="red", position=(-0.5, 0.0, 0.0))
    switch = Event(kind="switch_on", agent=1, patient=0, time=1.0)
    night = Setting(time="night")
    switched, _ = _film(_scene(lamp, person, setting=night, events=(switch,)))
    brighter = (switched[10] - switched[6]).mean(-1) > 0.05
    assert int(brighter.sum()) > 100  # the lamp, and the ground below it
    assert int(((switched[6] - switched[10]).mean(-1) > 0.05).sum()) < 100  # the person moves a little
    always, _ = _film(_scene(lamp, person, setting=night))
    assert float((always[6] - switched[10]).abs().mean()) < 0.01


@pytest.mark.parametrize("time", ["day", "sunset", "night"])
@pytest.mark.parametrize("color", NAMED)
def test_a_lit_lamp_keeps_its_hue_and_can_be_seen_to_light(color: str, time: str) -> None:
    lamp = Thing(kind="lamp", color=color, position=(0.9, 0.2, 0.0))  # type: ignore[arg-type]
    person = Thing(kind="person", color="black", position=(-0.5, 0.0, 0.0))
    switch = Event(kind="switch_on", agent=1, patient=0, time=1.0)
    setting = Setting(time=time)  # type: ignore[arg-type]
    film, thing = _film(_scene(lamp, person, setting=setting, events=(switch,)), 128)
    shade = (thing[6] == 1) & (thing[12] == 1)
    shade[64:] = False  # the shade alone, not its foot
    off, lit = (film[frame][shade].median(0).values for frame in (6, 12))
    assert float((lit - off).mean()) > 0.08
    table = torch.tensor([PALETTE[name] for name in NAMED])  # linear light
    hues = table / table.amax(1, keepdim=True)
    seen = lit.pow(2.2) / lit.pow(2.2).max()
    assert NAMED[int((hues - seen).square().sum(1).argmin())] == color


def test_who_bites_leans_towards_the_cookie() -> None:
    dog = Thing(kind="dog", color="red", position=(-1.5, 0.0, 0.0), heading=0.0)
    cookie = Thing(kind="cookie", color="blue", position=(1.0, 0.0, 0.0), heading=0.0)
    bite = Event(kind="bite", agent=0, patient=1, time=1.0)
    _, thing = _film(_scene(dog, cookie, events=(bite,)))
    nose = [int(torch.nonzero((frame == 1).any(0)).max()) for frame in thing]
    assert nose[8] > nose[0]
    assert nose[15] == nose[0]


def test_neon_lights_the_street_at_night() -> None:
    street = Setting(place="street", time="night", pattern="plain")
    color, thing = _film(_scene(Thing(kind="cube", color="white"), setting=street))
    ground = color[0].clone()
    ground[thing[0] != 0] = 0.0
    rows = ground.sum(-1).amax(-1)
    far, near = rows[rows > 0][0], rows[-1]
    assert float(far) > 1.15 * float(near)  # brighter towards the signs


def test_fine_ground_keeps_its_contrast_in_large_pictures() -> None:
    """The ground is filtered by the pixel's size: a checkered floor shows more at 192 pixels than at 32."""
    scene = _scene(
        Thing(kind="cube", color="red"), setting=Setting(pattern="checker", place="studio", time="day")
    )
    contrast = []
    for size in (32, 192):
        color, thing = _film(scene, size)
        ground = thing[0] == 0
        contrast.append(float(color[0].mean(-1)[ground].std()))
    assert contrast[1] > contrast[0]


def test_styles_look_like_what_they_are() -> None:
    setting = Setting(place="meadow", pattern="grass")
    scene = _scene(Thing(kind="ball", color="red", material="shiny"), setting=setting)
    films = {style: _film(replace(scene, style=style))[0] for style in get_args(Style)}
    natural = films["natural"]
    assert float((natural[..., 0] - natural[..., 2]).abs().max()) > 0.3
    for style in ("black_and_white", "film_noir"):
        gray = films[style]
        assert torch.equal(gray[..., 0], gray[..., 1])
        assert torch.equal(gray[..., 1], gray[..., 2])
    sepia = films["historical"]
    assert bool((sepia[..., 0] >= sepia[..., 2] - 1e-6).all())
    assert float((sepia[3] - sepia[4]).abs().mean()) > 0.01  # flicker and grain, of a scene at rest
    assert float((films["papercraft"][3] - films["papercraft"][4]).abs().mean()) < 1e-6
    corner, middle = films["film_noir"][:, :6, :6].mean(), films["film_noir"][:, 8:14, 29:35].mean()
    assert float(middle) > 1.5 * float(corner)
    assert all(
        torch.equal(_film(replace(scene, style=s))[1], _film(scene)[1]) for s in ("film_noir", "papercraft")
    )


def test_a_cut_changes_the_picture_and_who_is_in_it() -> None:
    ball, cube = Thing(kind="ball", color="red", position=(-1.2, 0.0, 0.0)), Thing(kind="cube", color="blue")
    near = Camera(position=(0.5, -4.0, 1.5), target=(0.0, 0.0, 0.7), focal=1.75)
    first = Shot(start=0.0, duration=1.0, camera=Camera(focal=1.75), cast=(0, 1))
    second = Shot(start=1.0, duration=1.0, camera=near, cast=(1,))
    color, thing = _film(replace(_scene(ball, cube), shots=(first, second)))
    assert [1 in frame for frame in thing] == [True] * 8 + [False] * 8
    assert all(2 in frame for frame in thing)
    steps = (color[1:] - color[:-1]).abs().mean((1, 2, 3))
    assert int(steps.argmax()) == 7
    assert float(steps[7]) > 10 * float(steps[[*range(7), *range(8, 15)]].max())
