"""Which simulated scenes are worth filming: seen well, going as told, and not hanging on a pixel.

Screens are as high as they are wide times 1 / aspect; y runs from -1 to 1, x from -aspect to aspect.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import atan2, hypot

import numpy as np

from reelworld.world.scene import Event, Scene
from reelworld.world.simulate import LogEntry, Trajectory, nudged, outcome, simulate
from reelworld.world.stage import scene_camera
from reelworld.world.things import extent, half_along

VIEW_EVENTS = ("enter", "leave", "go_behind")
NUDGE = 0.12  # metres: about a pixel
NEAR = 0.6  # metres between two things that a nudge could bring together


def screen_boxes(scene: Scene, trajectory: Trajectory, fps: float) -> np.ndarray:
    """Screen boxes [T, N, 4] of the cast: x, y (half height 1), half width, and depth in metres."""
    times = np.arange(len(trajectory.position) - 1) / fps
    camera = scene_camera(scene, times)
    out = np.zeros((len(times), len(scene.cast), 4))
    for n, thing in enumerate(scene.cast):
        radius, height = extent(thing)
        to = trajectory.position[:-1, n] + np.array([0.0, 0.0, height / 2]) - camera[:, :3]
        depth = np.maximum((to * camera[:, 9:12]).sum(-1), 0.3)
        focal = camera[:, 12] / depth
        across, up = (to * camera[:, 3:6]).sum(-1) * focal, (to * camera[:, 6:9]).sum(-1) * focal
        out[:, n] = np.stack([across, up, radius * focal, depth], -1)
    return out


def _overlapping(scene: Scene) -> bool:
    """Tell whether two things of the cast stand in each other."""
    for a, b in combinations(scene.cast, 2):
        x, y = b.position[0] - a.position[0], b.position[1] - a.position[1]
        along = atan2(y, x)
        if hypot(x, y) < half_along(a, along) + half_along(b, along) + 0.05:
            return True
    return False


def _inside(screen: np.ndarray, aspect: float) -> np.ndarray:
    """Tell in which frames [T, N] a thing is well inside the picture."""
    x, y, half, depth = np.moveaxis(screen, -1, 0)
    return (np.abs(x) < aspect + 0.05 - 0.5 * half) & (np.abs(y) < 0.95) & (depth > 2.0)


def _in_view(scene: Scene, screen: np.ndarray, inside: np.ndarray) -> bool:
    """Everybody must be seen well: nearly always, and in the middle at least if it enters or leaves."""
    crossing = {e.agent for e in scene.events if e.kind in ("enter", "leave")}
    for n in range(len(scene.cast)):
        half = screen[:, n, 2]
        if n in crossing:
            if not inside[len(inside) // 4 : -len(inside) // 4, n].any():
                return False
        elif inside[:, n].mean() < 0.85 or half.max() > 0.75 or half.min() < 0.05:
            return False
    return True


def good_frames(scene: Scene, trajectory: Trajectory, fps: float, aspect: float = 1.0) -> np.ndarray:
    """Tell which frames [T] show the whole cast before anything has met, been bitten or lit.

    A stretch around such a frame can be told without its past.
    """
    inside = np.all(_inside(screen_boxes(scene, trajectory, fps), aspect), axis=-1)
    return inside & (np.arange(len(inside)) / fps <= first_meeting(trajectory) + 1e-9)


def first_meeting(trajectory: Trajectory) -> float:
    """Return the time of the first event that leaves things other than they were."""
    lasting = [e.time for e in trajectory.log if e.patient is not None and e.kind not in VIEW_EVENTS]
    return min(lasting, default=np.inf)


def _hides(screen: np.ndarray) -> bool:
    """Tell whether a member of the cast stays hidden behind another for most of the clip."""
    for a, b in combinations(range(screen.shape[1]), 2):
        behind, front = (a, b) if screen[:, a, 3].mean() > screen[:, b, 3].mean() else (b, a)
        apart = np.abs(screen[:, a, 0] - screen[:, b, 0])
        covered = apart < np.maximum(screen[:, front, 2] - 0.3 * screen[:, behind, 2], 0)
        if covered.mean() > 0.4:
            return True
    return False


def _as_told(scene: Scene, trajectory: Trajectory) -> bool:
    """Every meeting of the program happened, in good time, and none that it does not speak of."""
    first: dict[tuple[str, int, int], float] = {}
    for e in trajectory.log:
        if e.patient is not None:
            first.setdefault((e.kind, e.agent, e.patient), e.time)
    told = {frozenset((e.agent, e.patient)) for e in scene.events if e.patient is not None}
    if any(frozenset((agent, patient)) not in told for _, agent, patient in first):
        return False
    promised = [(e.kind, e.agent, e.patient) for e in scene.events if e.patient is not None]
    own = [k for k in promised if k[0] not in (*VIEW_EVENTS, "bite", "switch_on")]
    return all(first.get(k, np.inf) <= scene.duration - 0.5 for k in own)


def view_events(scene: Scene, screen: np.ndarray, fps: float, aspect: float) -> list[LogEntry]:
    """Return when, on the screen, things entered, left or went behind as the program promises."""
    found = []
    for event in scene.events:
        frame = _frame_of(event, screen, aspect) if event.kind in VIEW_EVENTS else None
        if frame is not None:
            found.append(LogEntry(event.kind, frame / fps, event.agent, event.patient))
    return found


def _frame_of(event: Event, screen: np.ndarray, aspect: float) -> int | None:
    """Return the frame in which an event of the view happens, or None where it does not."""
    x, half = screen[:, event.agent, 0], screen[:, event.agent, 2]
    outside, inside = np.abs(x) - half > aspect, np.abs(x) + 0.5 * half < aspect
    if event.kind == "enter":
        return int(np.argmax(~outside)) if outside[0] and inside[-1] else None
    if event.kind == "leave":
        return int(np.argmax(outside)) if inside[0] and outside[-1] else None
    assert event.patient is not None
    offset = x - screen[:, event.patient, 0]
    crosses = offset[0] * offset[-1] < 0 and np.abs(offset[[0, -1]]).min() > half[0]
    return int(np.argmin(np.abs(offset))) if crosses else None


def with_view_events(scene: Scene, trajectory: Trajectory, fps: float, aspect: float = 1.0) -> Trajectory:
    """Add the events of the view to a trajectory's log."""
    seen = view_events(scene, screen_boxes(scene, trajectory, fps), fps, aspect)
    return replace(trajectory, log=tuple(sorted([*trajectory.log, *seen], key=lambda entry: entry.time)))


def acceptable(scene: Scene, trajectory: Trajectory, fps: float, aspect: float = 1.0) -> bool:
    """Tell whether a simulated scene is worth filming for pictures of this width over height."""
    if _overlapping(scene) or not _as_told(scene, trajectory):
        return False
    screen = screen_boxes(scene, trajectory, fps)
    if not _in_view(scene, screen, _inside(screen, aspect)):
        return False
    if len(view_events(scene, screen, fps, aspect)) != sum(e.kind in VIEW_EVENTS for e in scene.events):
        return False
    behind = any(e.kind == "go_behind" for e in scene.events)
    return (behind or not _hides(screen)) and bool(good_frames(scene, trajectory, fps, aspect).any())


def _close(scene: Scene, trajectory: Trajectory) -> bool:
    """Tell whether two things come so near that a nudge could change who meets whom."""
    for a, b in combinations(range(len(scene.cast)), 2):
        gap = trajectory.position[:, a, :2] - trajectory.position[:, b, :2]
        if np.hypot(*gap.T).min() < extent(scene.cast[a])[0] + extent(scene.cast[b])[0] + NEAR:
            return True
    return False


def stable_outcomes(
    scenes: list[Scene], trajectories: list[Trajectory], num_frames: int, fps: float
) -> list[bool]:
    """Tell for each scene whether its outcome stays the same when its cast starts a pixel aside."""
    near = [k for k, (s, t) in enumerate(zip(scenes, trajectories, strict=True)) if _close(s, t)]
    stable = [True] * len(scenes)
    if near:
        moved = simulate([nudged(scenes[k], d) for d in (NUDGE, -NUDGE) for k in near], num_frames, fps)
        for k, trajectory in zip([*near, *near], moved, strict=True):
            stable[k] &= outcome(trajectory) == outcome(trajectories[k])
    return stable
