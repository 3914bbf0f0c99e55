"""A prompt that anybody wrote -> the scene that it tells, and which checks can be asked of it.

    scene, asked = told("A large red ball rolls left. The camera stays still.")

What the text does not say is not asked for: without a colour for every thing there is no `binding`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from reelworld.core.errors import PromptError
from reelworld.evaluate.checks import asks
from reelworld.evaluate.motions import USUAL
from reelworld.world.facts import EVENT_KINDS, Fact
from reelworld.world.parse import Parsed, parse
from reelworld.world.scene import Camera, Event, Motion, Scene, Setting, Shot, Thing

ASIDE, BEHIND, ALOFT = 1.0, 1.2, 2.4  # metres: where "left of", "behind" and "falls" put a thing
NEEDS = {  # besides its colour, where a check asks for more than that
    "count": "kind", "kind": "kind", "size": "size", "direction": "action", "untouched": "kind",
}  # fmt: skip
# Asked only where the camera is told.
STILL = (
    "growth", "perspective", "direction", "gravity", "lift", "bounce", "legs", "collision", "cause",
    "untouched", "order", "camera",
)  # fmt: skip
NOT_ASKED = ("shots",)  # the scene that is read has one shot


def told(text: str, num_frames: int = 16) -> tuple[Scene, tuple[str, ...]]:
    """Return the scene of a text and the checks that it asks for.

    Raises: PromptError where no thing of the world is read in it.
    """
    parsed = parse(text)
    if not parsed.things:
        raise PromptError(f"nothing that the world knows is read in this prompt: {text[:80]!r}")
    facts = _by_name(parsed)
    cast = [_thing(n, facts) for n in range(parsed.things)]
    cast = _placed(cast, parsed)
    camera = _camera(facts)
    setting = Setting(pattern=facts.get("pattern", {}).get((), "checker"))  # unless it is told plain
    scene = Scene(
        level=1, split="train", setting=setting, cast=tuple(cast), events=_events(parsed, facts),
        shots=(Shot(start=0.0, duration=2.0, camera=camera, cast=tuple(range(len(cast)))),),
        style=facts.get("style", {}).get((), "natural"),
    )  # fmt: skip
    return scene, tuple(c for c in asks(scene, num_frames) if _can_ask(c, facts, parsed.things))


def _by_name(parsed: Parsed) -> dict[str, dict[tuple[int, ...], Any]]:
    """Return facts by name, then by who they are of: {"color": {(0,): "red"}, "camera": {(): "still"}}."""
    found: dict[str, dict[tuple[int, ...], Any]] = {}
    for fact in sorted(parsed.facts, key=str):
        who = tuple(arg for arg in fact.args if isinstance(arg, int))
        values = [arg for arg in fact.args if isinstance(arg, str)]
        found.setdefault(fact.name, {})[who] = values[0] if values else True
    return found


def _thing(n: int, facts: dict[str, dict[tuple[int, ...], Any]]) -> Thing:
    """Build a member of the cast from what is said of it."""
    said = {
        name: facts[name][n,] for name in ("kind", "color", "size", "material") if (n,) in facts.get(name, {})
    }
    action, direction = (facts.get(name, {}).get((n,)) for name in ("action", "direction"))
    motion = Motion(action=action if action not in (None, "move") else "stand", direction=direction)
    return Thing(**{"kind": "ball", "color": "red", **said}, motion=motion)


def _placed(cast: list[Thing], parsed: Parsed) -> list[Thing]:
    """Put things where relations say, and what falls aloft."""
    offsets = {
        "left_of": (-ASIDE, 0.0), "right_of": (ASIDE, 0.0),
        "in_front_of": (0.0, -BEHIND), "behind": (0.0, BEHIND),
    }  # fmt: skip
    places = [[0.0, 0.0, ALOFT if thing.motion.action == "fall" else 0.0] for thing in cast]
    for fact in parsed.facts:
        if fact.name in offsets:
            one, other = (arg for arg in fact.args if isinstance(arg, int))
            for axis, offset in enumerate(offsets[fact.name]):
                places[one][axis] += offset / 2
                places[other][axis] -= offset / 2
    return [replace(thing, position=(x, y, z)) for thing, (x, y, z) in zip(cast, places, strict=True)]


def _camera(facts: dict[str, dict[tuple[int, ...], Any]]) -> Camera:
    move = facts.get("camera", {}).get((), "still")
    return Camera(
        move=move, amount=USUAL.get(move.split("_")[0], 0.0), position=(0.0, -5.0, 2.1),
        target=(0.0, 0.0, 0.8), focal=1.75,
    )  # fmt: skip


def _events(parsed: Parsed, facts: dict[str, dict[tuple[int, ...], Any]]) -> tuple[Event, ...]:
    """Return the events that name both who acts and what it acts on; `after` as the text orders them."""
    told = []
    for fact in sorted((f for f in parsed.facts if f.name in EVENT_KINDS), key=str):
        parties = [arg for arg in fact.args if isinstance(arg, int)]
        if fact.name == "collide":  # which has no direction: who moves is the agent
            parties.sort(key=lambda n: (n,) not in facts.get("direction", {}))
        if len(parties) == 2 or fact.name in ("enter", "leave"):
            told.append((fact, parties))
    place: dict[Any, int] = {fact: n for n, (fact, _) in enumerate(told)}
    pairs = [fact.args for fact in parsed.facts if fact.name == "before"]
    after = {place[later]: place[earlier] for earlier, later in pairs if {earlier, later} <= place.keys()}
    return tuple(_event(fact, parties, after.get(n)) for n, (fact, parties) in enumerate(told))


def _event(fact: Fact, parties: list[int], after: int | None) -> Event:
    kind: Any = fact.name
    patient = parties[1] if len(parties) > 1 else None
    return Event(kind=kind, agent=parties[0], patient=patient, after=after)


def _can_ask(check: str, facts: dict[str, dict[tuple[int, ...], Any]], num_things: int) -> bool:
    """Tell whether the text says all that a check is about: of every thing, and of the camera."""
    if check in NOT_ASKED or "in_shot" in facts or (check in STILL and () not in facts.get("camera", {})):
        return False
    needed = {NEEDS.get(check, "color"), "kind" if check == "count" else "color"}
    return all((n,) in facts.get(name, {}) for name in needed for n in range(num_things))
