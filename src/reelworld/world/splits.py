"""Which combinations training never sees.

`train` contains none of them, `heldout` at least one, `extrapolate` none but speeds or sizes beyond the
training range. `all` leaves nothing out: it is for parsers, which must read what a generator is asked for.
Every atom of a held-out combination is common in train (asserted by tests and `benchmarks/world.py`).
"""

from __future__ import annotations

from reelworld.world.scene import Scene

SPLITS = ("train", "heldout", "extrapolate", "all")

# Held-out combinations. One colour for each kind, one motion for each primitive, and so on.
HELDOUT_COLORS = {
    ("ball", "purple"), ("cube", "green"), ("cylinder", "red"), ("cone", "blue"), ("person", "yellow"),
    ("dog", "black"), ("car", "orange"), ("tree", "yellow"), ("house", "blue"), ("ship", "green"),
    ("chair", "purple"), ("lamp", "red"), ("cup", "white"), ("cookie", "orange"), ("domino", "green"),
}  # fmt: skip
HELDOUT_MOTIONS = {
    ("cone", "slide"),
    ("cube", "jump"),
    ("cylinder", "fall"),
    ("ball", "spin"),
    ("dog", "run"),
}
HELDOUT_CAMERA = {("dolly_in", "bounce"), ("pan_left", "slide"), ("orbit_left", "walk"), ("zoom_in", "drive")}
HELDOUT_ORDER = {("bite", "switch_on"), ("push", "knock_over"), ("knock_over", "collide")}  # this, then that
HELDOUT_SHOTS = {("dog", "2"), ("chair", "3"), ("cube", "3")}  # a kind, and the number of shots
HELDOUT_CAMERA_EVENTS = {("pan_right", "knock_over"), ("dolly_out", "collide")}


def combinations_of(scene: Scene) -> set[tuple[str, str, str]]:
    """Return the combinations of atoms in a scene that the split decides about."""
    out: set[tuple[str, str, str]] = {("color", t.kind, t.color) for t in scene.cast}
    out |= {("motion", t.kind, t.motion.action) for t in scene.cast}
    for shot in scene.shots:
        out |= {("camera", shot.camera.move, t.motion.action) for t in scene.cast}
        out |= {("event", shot.camera.move, e.kind) for e in scene.events}
    for event in scene.events:
        if event.after is not None:
            out.add(("order", scene.events[event.after].kind, event.kind))
    if len(scene.shots) > 1:
        out |= {("shots", t.kind, str(len(scene.shots))) for t in scene.cast}
    return out


HELDOUT = (
    {("color", *c) for c in HELDOUT_COLORS}
    | {("motion", *c) for c in HELDOUT_MOTIONS}
    | {("camera", *c) for c in HELDOUT_CAMERA}
    | {("event", *c) for c in HELDOUT_CAMERA_EVENTS}
    | {("order", *c) for c in HELDOUT_ORDER}
    | {("shots", *c) for c in HELDOUT_SHOTS}
)


def is_heldout(scene: Scene) -> bool:
    """Tell whether a scene has a combination that training never sees."""
    return not HELDOUT.isdisjoint(combinations_of(scene))


def in_split(scene: Scene, split: str) -> bool:
    """Tell whether a scene belongs to a split."""
    return split == "all" or is_heldout(scene) == (split == "heldout")
