"""Which simulated scenes are worth filming: seen well, going as told, and not hanging on a pixel."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import hypot

import numpy as np

from reelworld.world.scene import Event, Scene
from reelworld.world.simulate import LogEntry, Trajectory, nudged, outcome, simulate
from reelworld.world.stage import scene_camera
from reelworld.world.things import extent

VIEW_EVENTS = ("enter", "leave", "go_behind")


def _screen(scene: Scene, trajectory: Trajectory, fps: float) -> np.ndarray:
    """Screen boxes [T, N, 4] of the cast: x, y (half height 1), half width, and depth."""
    times = np.arange(len(trajectory.position)) / fps
    camera = scene_camera(scene, times)
    out = np.zeros((len(times), len(scene.cast), 4))
    for n, thing in enumerate(scene.cast):
        radius, height = extent(thing)
        to = trajectory.position[:, n] + np.array([0.0, 0.0, height / 2]) - camera[:, :3]
        depth = np.maximum((to * camera[:, 9:12]).sum(-1), 0.3)
        focal = camera[:, 12] / depth
        out[:, n] = np.stack(
            [
                (to * camera[:, 3:6]).sum(-1) * focal,
                (to * camera[:, 6:9]).sum(-1) * focal,
                radius * focal,
                depth,
            ],
            -1,
        )
    return out


def _overlapping(scene: Scene) -> bool:
    for a, b in combinations(scene.cast, 2):
        apart = hypot(a.position[0] - b.position[0], a.position[1] - b.position[1])
        if apart < extent(a)[0] + extent(b)[0] + 0.05:
            return True
    return False


def _in_view(scene: Scene, trajectory: Trajectory, fps: float) -> bool:
    """Everybody must be seen well: in the middle always, at the ends unless it enters or leaves."""
    screen = _screen(scene, trajectory, fps)
    crossing = {e.agent for e in scene.events if e.kind in ("enter", "leave")}
    for n in range(len(scene.cast)):
        x, y, half, depth = screen[:-1, n].T
        inside = (np.abs(x) < 1.05 - 0.5 * half) & (np.abs(y) < 0.95) & (depth > 2.0)
        if n in crossing:
            if not inside[len(inside) // 4 : -len(inside) // 4].any():
                return False
        elif inside.mean() < 0.85 or half.max() > 0.75 or half.min() < 0.05:
            return False
    return True


def _hides(scene: Scene, trajectory: Trajectory, fps: float) -> bool:
    """Tell whether a member of the cast stays hidden behind another for most of the clip."""
    screen = _screen(scene, trajectory, fps)
    for a, b in combinations(range(len(scene.cast)), 2):
        behind, front = (a, b) if screen[:, a, 3].mean() > screen[:, b, 3].mean() else (b, a)
        covered = np.abs(screen[:, a, 0] - screen[:, b, 0]) < np.maximum(
            screen[:, front, 2] - 0.3 * screen[:, behind, 2], 0
        )
        if covered.mean() > 0.4:
            return True
    return False


def _as_told(scene: Scene, trajectory: Trajectory, fps: float) -> bool:
    """Every event of the program happened, and no meeting that it does not speak of."""
    log = trajectory.log
    met = {(e.kind, e.agent, e.patient) for e in log if e.patient is not None}
    promised = {
        (e.kind, e.agent, e.patient) for e in scene.events if e.patient is not None and e.kind != "go_behind"
    }
    first = {k: min(e.time for e in log if (e.kind, e.agent, e.patient) == k) for k in met}
    if any(
        k not in met or first[k] > scene.duration - 0.5 for k in promised if k[0] not in ("bite", "switch_on")
    ):
        return False
    told = {tuple(sorted((e.agent, e.patient))) for e in scene.events if e.patient is not None}
    strangers = {tuple(sorted((a, p))) for _, a, p in met if p is not None} - told
    if strangers:
        return False
    wanted = sum(e.kind in VIEW_EVENTS for e in scene.events)
    return len(view_events(scene, trajectory, fps)) == wanted


def view_events(scene: Scene, trajectory: Trajectory, fps: float) -> list[LogEntry]:
    """Return when, on the screen, things entered, left or went behind as the program promises."""
    screen = _screen(scene, trajectory, fps)[:-1]
    found = []
    for event in scene.events:
        frame = _frame_of(event, screen) if event.kind in VIEW_EVENTS else None
        if frame is not None:
            found.append(LogEntry(event.kind, frame / fps, event.agent, event.patient))
    return found


def _frame_of(event: Event, screen: np.ndarray) -> int | None:
    """Return the frame in which an event of the view happens, or None where it does not."""
    x, half = screen[:, event.agent, 0], screen[:, event.agent, 2]
    outside, inside = np.abs(x) - half > 1.0, np.abs(x) + 0.5 * half < 1.0
    if event.kind == "enter":
        return int(np.argmax(~outside)) if outside[0] and inside[-1] else None
    if event.kind == "leave":
        return int(np.argmax(outside)) if inside[0] and outside[-1] else None
    assert event.patient is not None
    offset = x - screen[:, event.patient, 0]
    crosses = offset[0] * offset[-1] < 0 and np.abs(offset[[0, -1]]).min() > half[0]
    return int(np.argmin(np.abs(offset))) if crosses else None


def with_view_events(scene: Scene, trajectory: Trajectory, fps: float) -> Trajectory:
    """Add the events of the view to a trajectory's log."""
    log = sorted([*trajectory.log, *view_events(scene, trajectory, fps)], key=lambda entry: entry.time)
    return replace(trajectory, log=tuple(log))


def acceptable(scene: Scene, trajectory: Trajectory, fps: float) -> bool:
    """Tell whether a simulated scene is worth filming."""
    if _overlapping(scene) or not _in_view(scene, trajectory, fps) or not _as_told(scene, trajectory, fps):
        return False
    return any(e.kind == "go_behind" for e in scene.events) or not _hides(scene, trajectory, fps)


def stable_outcomes(
    scenes: list[Scene], trajectories: list[Trajectory], num_frames: int, fps: float
) -> list[bool]:
    """Tell for each scene whether its outcome stays the same when its cast starts a pixel aside."""
    crowded = [k for k, s in enumerate(scenes) if len(s.cast) > 1]
    stable = [True] * len(scenes)
    if crowded:
        moved = simulate([nudged(scenes[k], d) for d in (0.12, -0.12) for k in crowded], num_frames, fps)
        for k, trajectory in zip([*crowded, *crowded], moved, strict=True):
            stable[k] &= outcome(trajectory) == outcome(trajectories[k])
    return stable
