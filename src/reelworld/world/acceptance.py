"""Which simulated scenes are worth filming: seen well, going as told, and not hanging on a pixel.

Screens are as high as they are wide times 1 / aspect; y runs from -1 to 1, x from -aspect to aspect.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations
from math import atan2, hypot

import numpy as np

from reelworld.world.framing import NEARER, close_up, held_still
from reelworld.world.scene import Event, Scene
from reelworld.world.simulate import LogEntry, Trajectory, nudged, outcome, simulate
from reelworld.world.stage import scene_camera
from reelworld.world.things import extent, half_along

VIEW_EVENTS = ("enter", "leave", "go_behind")
NUDGE = 0.12  # metres: about a pixel
APART = 0.3  # seconds between two events told in their order
BEYOND = 0.8  # of half the heights of two things together: further up, none hides the other
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


def overlapping(scene: Scene) -> bool:
    """Tell whether two things of the cast stand in each other."""
    for a, b in combinations(scene.cast, 2):
        x, y = b.position[0] - a.position[0], b.position[1] - a.position[1]
        along = atan2(y, x)
        if hypot(x, y) < half_along(a, along) + half_along(b, along) + 0.05:
            return True
    return False


def filmed(scene: Scene, num_frames: int, fps: float) -> np.ndarray:
    """Tell which members of the cast [N] the shot of each frame [T] films: bool [T, N]."""
    casts = [scene.shot_at(t / fps).cast for t in range(num_frames)]
    return np.array([[n in cast for n in range(len(scene.cast))] for cast in casts])


def _inside(screen: np.ndarray, aspect: float) -> np.ndarray:
    """Tell in which frames [T, N] a thing is well inside the picture."""
    x, y, half, depth = np.moveaxis(screen, -1, 0)
    return (np.abs(x) < aspect + 0.05 - 0.5 * half) & (np.abs(y) < 0.95) & (depth > 2.0)


def _in_view(scene: Scene, screen: np.ndarray, inside: np.ndarray, shown: np.ndarray) -> bool:
    """Everybody must be seen well: nearly always, and in the middle at least if it enters or leaves."""
    crossing = {e.agent for e in scene.events if e.kind in ("enter", "leave")}
    for n in range(len(scene.cast)):
        seen, half = inside[shown[:, n], n], screen[shown[:, n], n, 2]
        if n in crossing:
            if not seen[len(seen) // 4 : -len(seen) // 4].any():
                return False
        elif not len(seen) or seen.mean() < 0.85 or half.max() > 0.75 or half.min() < 0.05:
            return False
    return True


def good_frames(scene: Scene, trajectory: Trajectory, fps: float, aspect: float = 1.0) -> np.ndarray:
    """Tell which frames [T] show the shot's whole cast before anything has met, been bitten or lit.

    A stretch around such a frame can be told without its past.
    """
    screen = screen_boxes(scene, trajectory, fps)
    inside = np.all(_inside(screen, aspect) | ~filmed(scene, len(screen), fps), axis=-1)
    return inside & (np.arange(len(inside)) / fps <= first_meeting(trajectory) + 1e-9)


def first_meeting(trajectory: Trajectory) -> float:
    """Return the time of the first event that leaves things other than they were."""
    lasting = [e.time for e in trajectory.log if e.patient is not None and e.kind not in VIEW_EVENTS]
    return min(lasting, default=np.inf)


def _hides(scene: Scene, screen: np.ndarray, shown: np.ndarray) -> bool:
    """Tell whether a member of the cast stays hidden behind another for most of the frames with both."""
    slim = [height / (2 * radius) for radius, height in map(extent, scene.cast)]
    for a, b in combinations(range(screen.shape[1]), 2):
        both = screen[shown[:, a] & shown[:, b]]
        behind, front = (a, b) if both[:, a, 3].sum() > both[:, b, 3].sum() else (b, a)
        apart = np.abs(both[:, a, 0] - both[:, b, 0])
        covered = apart < np.maximum(both[:, front, 2] - 0.3 * both[:, behind, 2], 0)
        reach = both[:, a, 2] * slim[a] + both[:, b, 2] * slim[b]
        covered &= np.abs(both[:, a, 1] - both[:, b, 1]) < BEYOND * reach
        if len(both) and covered.mean() > 0.4:
            return True
    return False


def _events_filmed(scene: Scene, trajectory: Trajectory) -> bool:
    """Tell whether the shot that runs when something happens shows those it happens to."""
    for e in trajectory.log:
        parties = {e.agent} if e.patient is None else {e.agent, e.patient}
        if e.kind != "land" and not parties <= set(scene.shot_at(e.time).cast):
            return False
    return True


def _in_order(scene: Scene, trajectory: Trajectory) -> bool:
    """Tell whether what must come after another event does so, clearly."""
    first: dict[tuple[str, int, int | None], float] = {}
    for e in trajectory.log:
        first.setdefault((e.kind, e.agent, e.patient), e.time)
    times = [first.get((e.kind, e.agent, e.patient), np.inf) for e in scene.events]
    pairs = [(e.after, n) for n, e in enumerate(scene.events) if e.after is not None]
    return all(times[later] - times[earlier] >= APART for earlier, later in pairs)


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
    """Tell whether a simulated scene without overlaps is worth filming, for pictures of this aspect."""
    if not _as_told(scene, trajectory):
        return False
    if not _in_order(scene, trajectory) or not _events_filmed(scene, trajectory):
        return False
    screen = screen_boxes(scene, trajectory, fps)
    shown = filmed(scene, len(screen), fps)
    if not _in_view(scene, screen, _inside(screen, aspect), shown):
        return False
    if len(view_events(scene, screen, fps, aspect)) != sum(e.kind in VIEW_EVENTS for e in scene.events):
        return False
    behind = any(e.kind == "go_behind" for e in scene.events)
    clear = behind or not _hides(scene, screen, shown)
    return clear and bool(good_frames(scene, trajectory, fps, aspect).any())


def from_near(scene: Scene, trajectory: Trajectory, fps: float, aspect: float = 1.0) -> Scene:
    """Film an acceptable scene by cameras that stand still, from as near as shows all of its cast.

    Nearer is what keeps as much of everybody whole as the distance that it was drawn at. A scene stays as it
    is where a camera is in the air, or somebody enters, leaves or goes behind: the border decides when.
    """
    still = held_still(scene)
    if still is None or any(event.kind in VIEW_EVENTS for event in scene.events):
        return scene
    least = _whole(still, trajectory, fps, aspect)
    for share in (share for share in NEARER if share <= 1.0):
        near = close_up(still, share)
        if acceptable(near, trajectory, fps, aspect) and _whole(near, trajectory, fps, aspect) >= least:
            return near
    return scene


def _whole(scene: Scene, trajectory: Trajectory, fps: float, aspect: float) -> int:
    """Count in how many frames members of the cast that a shot films are whole in the picture."""
    screen = screen_boxes(scene, trajectory, fps)
    slim = np.array([height / (2 * radius) for radius, height in map(extent, scene.cast)])
    x, y, half, _ = np.moveaxis(screen, -1, 0)
    whole = (np.abs(x) + half <= aspect) & (np.abs(y) + half * slim <= 1.0)
    return int((whole & filmed(scene, len(screen), fps)).sum())


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
