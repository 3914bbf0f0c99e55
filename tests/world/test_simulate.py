"""Motion against closed forms: free flight, bounces, elastic collisions, and the event log."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from reelworld.world.grammar import sample
from reelworld.world.scene import Camera, Event, Motion, Scene, Setting, Shot, Thing
from reelworld.world.simulate import BOUNCE, GRAVITY, KNOCK, Trajectory, simulate
from reelworld.world.things import half_along, mass


def _scene(*cast: Thing, events: tuple[Event, ...] = ()) -> Scene:
    shot = Shot(start=0.0, duration=2.0, camera=Camera(), cast=tuple(range(len(cast))))
    return Scene(level=2, split="train", setting=Setting(), cast=cast, shots=(shot,), events=events)


def _run(scene: Scene, fps: float = 60.0) -> Trajectory:
    return simulate([scene], round(2.0 * fps), fps)[0]


def test_free_fall_is_a_parabola() -> None:
    ball = Thing(kind="ball", color="red", position=(0.0, 0.0, 2.4), motion=Motion(action="fall"))
    path = _run(_scene(ball)).position[:, 0, 2]
    times = np.arange(len(path)) / 60.0
    flying = times < np.sqrt(2 * 2.4 / GRAVITY) - 0.05
    assert path[flying] == pytest.approx(2.4 - 0.5 * GRAVITY * times[flying] ** 2, abs=0.02)


def test_bounces_lose_the_energy_of_the_restitution() -> None:
    ball = Thing(kind="ball", color="red", position=(0.0, 0.0, 2.0), motion=Motion(action="bounce"))
    log = _run(_scene(ball)).log
    assert [e.kind for e in log] == ["land"] * len(log)
    assert len(log) >= 1
    speed = np.sqrt(2 * GRAVITY * 2.0)
    assert log[0].impulse / mass(ball) == pytest.approx(speed * (1 + BOUNCE[ball.material]), rel=0.02)
    assert log[0].time == pytest.approx(np.sqrt(2 * 2.0 / GRAVITY), abs=0.02)


def _energy(scene: Scene, path: Trajectory) -> np.ndarray:
    masses = np.array([mass(t) for t in scene.cast])
    kinetic = 0.5 * masses * (path.velocity**2).sum(-1)
    return (kinetic + masses * GRAVITY * path.position[..., 2]).sum(-1)


@pytest.mark.parametrize("level", [1, 2])
def test_energy_never_rises_in_flight(level: int) -> None:
    """Of things that only fall or bounce, energy after each frame is at most that before (to 1e-9)."""
    checked = 0
    for scene, path in sample(level, "train", 5, range(150)):
        if all(t.motion.action in ("fall", "bounce", "stand") for t in scene.cast) and not scene.events:
            energy = _energy(scene, path)[1:]  # a bounce to the side is set going in the first step
            if any(t.motion.direction for t in scene.cast):
                continue
            assert (np.diff(energy) <= 1e-9 * energy[0] + 1e-9).all()
            checked += 1
    assert checked >= 10


def _balls(distance: float) -> Scene:
    left = Thing(
        kind="ball",
        color="red",
        size="small",
        position=(-1.6, 0.0, 0.0),
        motion=Motion(action="roll", direction="right"),
    )
    right = Thing(kind="ball", color="blue", size="small", position=(distance, 0.0, 0.0))
    return _scene(left, right, events=(Event(kind="collide", agent=0, patient=1),))


def test_collision_conserves_momentum_and_gains_no_energy() -> None:
    scene = _balls(0.5)
    path = _run(scene, fps=240.0)
    (meeting,) = [e for e in path.log if e.kind == "collide"]
    step = round(meeting.time * 240)
    masses = np.array([mass(t) for t in scene.cast])
    before, after = path.velocity[step], path.velocity[step + 1]
    assert (masses[:, None] * after).sum(0)[:2] == pytest.approx(
        (masses[:, None] * before).sum(0)[:2], abs=1e-9
    )
    assert _energy(scene, path)[step + 1] <= _energy(scene, path)[step] + 1e-9
    closing = (before[0] - before[1])[0]
    assert (after[1] - after[0])[0] == pytest.approx(KNOCK * closing, rel=0.05)


def test_no_contact_no_log_entry() -> None:
    scene = _balls(3.0)
    assert not [e for e in _run(scene).log if e.kind == "collide"]


def test_pushing_keeps_the_pusher_going() -> None:
    cube = Thing(
        kind="cube", color="red", position=(-1.8, 0.0, 0.0), motion=Motion(action="slide", direction="right")
    )
    cup = Thing(kind="cup", color="blue", size="small", position=(0.2, 0.0, 0.0))
    scene = _scene(cube, cup, events=(Event(kind="push", agent=0, patient=1),))
    path = _run(scene)
    assert [e.kind for e in path.log] == ["push"]
    assert path.velocity[-1, 1, 0] == pytest.approx(path.velocity[-1, 0, 0], rel=0.05)
    gap = path.position[-1, 1, 0] - path.position[-1, 0, 0]
    assert gap >= half_along(cube, 0.0) + half_along(cup, 0.0) - 0.05


def test_domino_falls_over_and_stays() -> None:
    ball = Thing(
        kind="ball",
        color="red",
        position=(-2.0, 0.0, 0.0),
        motion=Motion(action="roll", direction="right", speed="fast"),
    )
    domino = Thing(kind="domino", color="blue", position=(0.2, 0.0, 0.0))
    scene = _scene(ball, domino, events=(Event(kind="knock_over", agent=0, patient=1),))
    path = _run(scene)
    assert "knock_over" in [e.kind for e in path.log]
    assert path.tilt[0, 1] == 0.0
    assert path.tilt[-1, 1] == pytest.approx(np.pi / 2)
    assert np.cos(path.course[-1, 1]) > 0.9  # away from the ball


def test_scripted_events_are_logged_at_their_time() -> None:
    dog = Thing(kind="dog", color="red", position=(-1.5, 0.0, 0.0))
    cookie = Thing(kind="cookie", color="blue", position=(1.0, 0.0, 0.0))
    log = _run(_scene(dog, cookie, events=(Event(kind="bite", agent=0, patient=1, time=0.75),))).log
    assert [(e.kind, e.time, e.agent, e.patient) for e in log] == [("bite", 0.75, 0, 1)]


def test_scenes_together_equal_scenes_alone() -> None:
    pairs = sample(2, "train", 9, range(6))
    together = simulate([s for s, _ in pairs], 16, 8.0)
    for (scene, _), path in zip(pairs, together, strict=True):
        (alone,) = simulate([scene], 16, 8.0)
        assert np.array_equal(alone.position, path.position)
        assert alone.log == path.log


def test_motion_waits_for_its_start() -> None:
    ball = Thing(kind="ball", color="red", motion=Motion(action="slide", direction="left", start=1.0))
    path = _run(_scene(ball)).position[:, 0, 0]
    assert path[59] == pytest.approx(0.0)
    assert path[-1] < -0.8
    stopped = replace(ball, motion=Motion(action="slide", direction="left", duration=0.5))
    path = _run(_scene(stopped)).velocity[:, 0, 0]
    assert path[20] < -1.0
    assert abs(path[-1]) < 0.05


def test_a_ball_that_is_hit_rolls_the_way_it_goes() -> None:
    box = Motion(action="slide", direction="left", speed="fast")
    cube = Thing(kind="cube", color="red", position=(2.2, 0.0, 0.0), motion=box)
    ball = Thing(kind="ball", color="blue", material="striped")
    path = _run(_scene(cube, ball, events=(Event(kind="collide", agent=0, patient=1),)))
    assert path.course[-1, 1] == pytest.approx(np.pi, abs=1e-6)
    assert path.travel[-1, 1] == pytest.approx(-path.position[-1, 1, 0], abs=1e-6)
    assert path.travel[-1, 1] > 0.5


def test_travel_runs_backwards_after_a_rebound() -> None:
    roll = Motion(action="roll", direction="right", speed="fast")
    ball = Thing(kind="ball", color="red", size="small", position=(-3.0, 0.0, 0.0), motion=roll)
    house = Thing(kind="house", color="blue")
    path = _run(_scene(ball, house, events=(Event(kind="collide", agent=0, patient=1),)))
    assert path.travel[:, 0].max() > path.travel[-1, 0] + 0.2
    assert np.allclose(path.travel[:, 0], path.position[:, 0, 0] + 3.0, atol=1e-6)


@pytest.mark.parametrize(("kind", "reach"), [("car", 1.48), ("dog", 1.34), ("cube", 0.75)])
def test_things_meet_where_their_noses_are(kind: str, reach: float) -> None:
    drive = Motion(action="slide", direction="right", speed="fast")
    agent = Thing(kind=kind, color="red", position=(-4.0, 0.0, 0.0), motion=drive)  # type: ignore[arg-type]
    wall = Thing(kind="domino", color="blue", heading=0.0)
    path = _run(_scene(agent, wall, events=(Event(kind="push", agent=0, patient=1),)), fps=240.0)
    (entry,) = path.log
    gap = path.position[:, 1, 0] - path.position[:, 0, 0]
    assert gap[round(entry.time * 240)] == pytest.approx(reach + 0.17, abs=0.02)


def test_what_stops_comes_to_rest() -> None:
    stop = Motion(action="stop", direction="right", speed="fast", duration=0.8)
    path = _run(_scene(Thing(kind="car", color="red", motion=stop)))
    speed = np.abs(path.velocity[:, 0, 0])
    assert speed[30] == pytest.approx(2.2)
    assert speed[75:].max() == 0.0
    assert path.position[-1, 0, 0] == pytest.approx(2.2 * 0.8 + 2.2**2 / 16, rel=0.02)
