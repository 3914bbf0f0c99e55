"""What is true of a scene, and whether a text agrees with it.

A fact is a name with arguments. Integers among the arguments are things: in `facts(scene, log)` the index in
the cast, in `Parsed.facts` the referent in the text ("a red ball" is 0, "the cube behind it" is 1). A text is
true if some assignment of its referents to different members of the cast makes every one of its facts true.

    facts(scene, log)                      # {Fact("color", (0, "red")), Fact("left_of", (0, 1)), ...}
    holds(parse(text), scene, log)         # is the text true?
    contradictions(text, scene, log)       # what is wrong with it, in words
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations, permutations
from typing import NamedTuple, Protocol

from reelworld.world.scene import Motion, Scene, Thing
from reelworld.world.words import MOVING, PARTS, UNHURRIED

SIDE_BAND = 0.6  # metres across that make left and right clear
DEPTH_BAND = 0.9  # metres in depth that make front and behind clear
ORDER_BAND = 0.05  # seconds between two events that have a clear order
EVENT_KINDS = frozenset({"collide", "push", "knock_over", "go_behind", "enter", "leave", "bite", "switch_on"})
SOLO = frozenset({"enter", "leave"})  # events of one thing
OPPOSITE = {"left_of": "right_of", "right_of": "left_of", "in_front_of": "behind", "behind": "in_front_of"}


class Fact(NamedTuple):
    """A name and its arguments; an event with one argument, unless it enters or leaves, names its patient."""

    name: str
    args: tuple[int | str | Fact, ...]

    def __str__(self) -> str:
        return f"{self.name}({', '.join(map(str, self.args))})"


class Entry(Protocol):
    """One line of the simulation's log."""

    @property
    def kind(self) -> str: ...
    @property
    def time(self) -> float: ...
    @property
    def agent(self) -> int: ...
    @property
    def patient(self) -> int | None: ...


Log = Sequence[Entry]


class Happening(NamedTuple):
    """An event that really happened, cleaned for telling: `agent` is None where only the patient is known."""

    kind: str
    time: float
    agent: int | None
    patient: int | None

    @property
    def parties(self) -> tuple[int, ...]:
        """Return who takes part, as far as known."""
        return tuple(p for p in (self.agent, self.patient) if p is not None)


def event_fact(kind: str, *parties: int) -> Fact:
    """Name an event; a collision has no direction, so its parties are sorted."""
    return Fact(kind, tuple(sorted(parties)) if kind == "collide" else parties)


def happenings(log: Log) -> list[Happening]:
    """Return what the log tells, in order of time, each event once, contacts with the ground left out."""
    seen: dict[Fact, Happening] = {}
    for entry in sorted(log, key=lambda e: e.time):
        happening = _clean(entry)
        if happening is not None:
            seen.setdefault(event_fact(happening.kind, *happening.parties), happening)
    return list(seen.values())


def _clean(entry: Entry) -> Happening | None:
    if entry.kind not in EVENT_KINDS or (entry.kind == "collide" and entry.patient is None):
        return None
    if entry.kind in SOLO:
        return Happening(entry.kind, entry.time, entry.agent, None)
    if entry.patient is None:  # a lamp that lights up, a cookie that someone unseen bites
        return Happening(entry.kind, entry.time, None, entry.agent)
    return Happening(entry.kind, entry.time, entry.agent, entry.patient)


def relation(one: Thing, other: Thing) -> str | None:
    """Return how `one` first stands to `other`, by the clearer axis; None within the dead band."""
    across, depth = one.position[0] - other.position[0], one.position[1] - other.position[1]
    if abs(across) / SIDE_BAND >= abs(depth) / DEPTH_BAND:
        return ("left_of" if across < 0 else "right_of") if abs(across) > SIDE_BAND else None
    return ("in_front_of" if depth < 0 else "behind") if abs(depth) > DEPTH_BAND else None


def visible_at_start(scene: Scene, events: Iterable[Happening]) -> list[int]:
    """Return the cast of the first shot, but for what enters the frame later."""
    late = {e.agent for e in events if e.kind == "enter"} | {
        e.agent for e in scene.events if e.kind == "enter"
    }
    return [i for i in scene.shots[0].cast if i not in late]


def facts(scene: Scene, log: Log) -> frozenset[Fact]:
    """Return everything that is true of a scene and that a caption can state."""
    events = happenings(log)
    found = {fact for i, thing in enumerate(scene.cast) for fact in _thing_facts(i, thing)}
    found |= _relation_facts(scene, events) | _event_facts(events) | _film_facts(scene)
    return frozenset(found)


def _thing_facts(i: int, thing: Thing) -> Iterable[Fact]:
    for name in ("kind", "color", "size", "material"):
        yield Fact(name, (i, getattr(thing, name)))
    if thing.kind in PARTS:
        yield Fact("second_color", (i, thing.second_color or "white"))
    if thing.hat is not None:
        yield Fact("hat", (i, thing.hat))
    yield from motion_facts(i, thing.motion)


def has_speed(action: str, direction: str | None) -> bool:
    """Say whether a motion's speed can be seen: not at rest, falling or bouncing on the spot."""
    return direction is not None if action in ("bounce", "stop") else action not in UNHURRIED


def motion_facts(i: int, motion: Motion) -> Iterable[Fact]:
    """State one thing's motion; whatever travels also "moves", and what stops has moved."""
    yield Fact("action", (i, motion.action))
    if motion.action in MOVING or (motion.direction is not None and motion.action != "stand"):
        yield Fact("action", (i, "move"))
    if motion.direction is not None and motion.action != "stand":
        yield Fact("direction", (i, motion.direction))
    if has_speed(motion.action, motion.direction):
        yield Fact("speed", (i, motion.speed))


def _relation_facts(scene: Scene, events: list[Happening]) -> set[Fact]:
    found = set()
    for a, b in permutations(visible_at_start(scene, events), 2):
        (ax, ay, _), (bx, by, _) = scene.cast[a].position, scene.cast[b].position
        if ax < bx - SIDE_BAND:
            found |= {Fact("left_of", (a, b)), Fact("right_of", (b, a))}
        if ay < by - DEPTH_BAND:
            found |= {Fact("in_front_of", (a, b)), Fact("behind", (b, a))}
    return found


def _forms(event: Happening) -> list[Fact]:
    """Return the ways to name an event: with both parties, or with its patient alone."""
    named = [event_fact(event.kind, *event.parties)]
    if event.patient is not None and event.agent is not None and event.kind not in ("collide", "go_behind"):
        named.append(Fact(event.kind, (event.patient,)))
    return named


def _event_facts(events: list[Happening]) -> set[Fact]:
    found = {fact for event in events for fact in _forms(event)}
    for one, other in combinations(events, 2):
        if other.time - one.time > ORDER_BAND:
            found |= {Fact("before", (a, b)) for a in _forms(one) for b in _forms(other)}
    return found


def _film_facts(scene: Scene) -> set[Fact]:
    setting = scene.setting
    found = {
        Fact("place", (setting.place,)),
        Fact("time", (setting.time,)),
        Fact("pattern", (setting.pattern,)),
    }
    found |= {Fact("style", (scene.style,)), Fact("shots", (str(len(scene.shots)),))}
    for number, shot in enumerate(scene.shots, start=1):
        found |= {Fact("camera", (shot.camera.move,)), Fact("camera", (shot.camera.move, str(number)))}
        found |= {Fact("in_shot", (i, str(number))) for i in shot.cast}
        found |= {Fact("cut", (str(number), moment)) for moment in _moments(shot.start) if number > 1}
    return found


def _moments(seconds: float) -> set[str]:
    """Return a time in tenths of a second, and its neighbours: a frame lasts longer than a tenth."""
    return {f"{round(10 * seconds + step) / 10:.1f}" for step in (-1, 0, 1)}
