"""A short prompt told in full, as the captions of the training are; what it leaves open is drawn.

    expand("a red ball rolls", seed=1).text
    # "A large striped red ball rolls to the left. The camera stands still. It is day in a meadow."

Models that learn from full captions follow full prompts, so short ones are written out before they are made
(Betker et al. 2023, "Improving Image Generation with Better Captions", DALL-E 3). There a language model does
it; here the world does, and cannot contradict the user: the prompt is read into facts, scenes are drawn of
which all of them hold, and the first that is worth filming is told.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

import numpy as np

from reelworld.world import caption
from reelworld.world.acceptance import acceptable, overlapping, with_view_events
from reelworld.world.actors import ACTIONS, BACK, draw_motion, draw_thing, in_its_place, seen_turning
from reelworld.world.facts import EVENT_KINDS, SOLO, Fact, motion_facts
from reelworld.world.framing import MOVES_1, camera, pick
from reelworld.world.grammar import draw_setting, draw_spots, spots_in_depth
from reelworld.world.interactions import draw_interaction
from reelworld.world.parse import Parsed, parse
from reelworld.world.scene import PRIMITIVES, Camera, Event, Motion, Scene, Setting, Shot, Thing
from reelworld.world.simulate import Trajectory, simulate
from reelworld.world.things import extent
from reelworld.world.truth import holds, stated

MOVES = ("action", "direction", "speed")
LOOKS = ("color", "size", "material", "second_color", "hat")
TOLD = ("kind", "color", "size", "action")  # of a thing, where nothing is left open
DRAWS = 400  # of a part, before a prompt is given up
DRAFTS, ROUNDS = 24, 6  # scenes that are simulated together, and how many times
TELLINGS = 8  # of a scene, of which the first that says all of the prompt is taken
MOST_THINGS = 4
SECONDS, FPS = 2.0, 8.0  # of a scene
PLACES_1, TIMES_1 = ("studio", "meadow"), ("day",)


class Expanded(NamedTuple):
    """A prompt to make a video of; `why` says why it is the user's own, and is empty if it was expanded."""

    text: str
    why: str = ""


def expand(
    prompt: str, *, seed: int = 0, level: int = 1, aspect: float = 1.0, longest: int | None = None
) -> Expanded:
    """Tell a prompt in full, for a model that learnt a level of the world; what is in full stays as it is.

    The same arguments give the same text, of at most `longest` words and marks; aspect is width over height.
    """
    parsed = parse(prompt)
    if why := _left_alone(parsed):
        return Expanded(prompt, why)
    rng = np.random.default_rng([seed, 11])
    for scene, trajectory in _films(parsed, rng, max(level, _level(parsed)), aspect):
        for _ in range(TELLINGS):
            text = caption.descriptive(scene, trajectory.log, rng).text
            short = longest is None or len(caption.tokens(text)) <= longest
            if short and _says(text, parsed, scene, trajectory):
                return Expanded(text)
    return Expanded(prompt, "the world has no scene in which all of it is true, told in few enough words")


def _left_alone(parsed: Parsed) -> str:
    """Say why a prompt is not told anew."""
    names = {fact.name for fact in parsed.facts}
    events = [fact for fact in parsed.facts if fact.name in EVENT_KINDS]
    if parsed.unread:
        strange = dict.fromkeys(word for word in parsed.unread if word not in caption.vocabulary())
        if strange:
            return f"the world does not know {', '.join(strange)}"
        return f"the world cannot follow {' '.join(parsed.unread)!r} here"
    if not 1 <= parsed.things <= MOST_THINGS:
        return "it names nothing of the world" if not parsed.things else "it names too many things"
    if "shots" in names or "in_shot" in names or len(events) > 1:
        return "it tells shots or an order of events, as a full prompt does"
    if {"camera", "place"} <= names and all(set(TOLD) <= said.keys() for said in _said(parsed)):
        return "it is told in full"
    return ""


def _said(parsed: Parsed) -> list[dict[str, str]]:
    """Return what is said of each thing: names of facts and their values."""
    said: list[dict[str, str]] = [{} for _ in range(parsed.things)]
    for name, args in sorted(parsed.facts, key=str):
        if len(args) == 2 and isinstance(args[0], int) and isinstance(args[1], str):
            said[args[0]][name] = args[1]
    return said


def _film(parsed: Parsed) -> dict[str, str]:
    """Return what is said of the film and the place."""
    return {f.name: f.args[0] for f in parsed.facts if len(f.args) == 1 and isinstance(f.args[0], str)}


def _level(parsed: Parsed) -> int:
    """Return the lowest level whose scenes hold what is said."""
    film = _film(parsed)
    if "style" in film and film["style"] != "natural":
        return 3
    simple = all(said.get("kind", "ball") in PRIMITIVES for said in _said(parsed))
    simple &= film.get("place", "studio") in PLACES_1 and film.get("time", "day") in TIMES_1
    simple &= film.get("camera", "still") in MOVES_1
    return 1 if simple and not any(fact.name in EVENT_KINDS for fact in parsed.facts) else 2


def _films(
    parsed: Parsed, rng: np.random.Generator, level: int, aspect: float
) -> Iterator[tuple[Scene, Trajectory]]:
    """Yield scenes that are worth filming and of which the prompt is true."""
    for _ in range(ROUNDS):
        drafts = [_draft(parsed, rng, level, aspect) for _ in range(DRAFTS)]
        scenes = [scene for scene in drafts if scene is not None and not overlapping(scene)]
        paths = simulate(scenes, round(SECONDS * FPS), FPS) if scenes else []
        for scene, path in zip(scenes, paths, strict=True):
            if acceptable(scene, path, FPS, aspect):
                whole = with_view_events(scene, path, FPS, aspect)
                if holds(parsed, scene, whole.log):
                    yield scene, whole


def _says(text: str, parsed: Parsed, scene: Scene, trajectory: Trajectory) -> bool:
    """Tell whether a text says of a scene all that the prompt does; what slides also moves."""
    wanted = stated(parsed, scene, trajectory.log)
    said = stated(parse(text), scene, trajectory.log)
    return all(fact in said for fact in wanted if fact.args[-1] != "move")


def _draft(parsed: Parsed, rng: np.random.Generator, level: int, aspect: float) -> Scene | None:
    """Draw a scene in which what is said of single things, place and film is so; None where none came."""
    film, said = _film(parsed), _said(parsed)
    happens = [fact for fact in parsed.facts if fact.name in EVENT_KINDS]
    events: tuple[Event, ...] = ()
    if happens:
        cast, events = _interacting(rng, happens[0], said, aspect)
    else:
        spots = _spots(rng, parsed)
        cast = [
            thing for s, spot in zip(said, spots, strict=True) if (thing := _member(rng, s, level, *spot))
        ]
    setting = _setting(rng, film, cast, level)
    view = _camera(rng, film.get("camera", "still"), cast, level, aspect)
    if len(cast) < len(said) or setting is None or view is None:
        return None
    shot = Shot(start=0.0, duration=SECONDS, camera=view, cast=tuple(range(len(cast))))
    style: Any = film.get("style", "natural")
    return Scene(level=level, split="train", setting=setting, cast=tuple(cast), shots=(shot,), events=events,
                 style=style, duration=SECONDS)  # fmt: skip


def _spots(rng: np.random.Generator, parsed: Parsed) -> list[tuple[float, float]]:
    """Draw where things stand: side by side, or one behind the other where that is said of two."""
    if parsed.things == 2 and any(fact.name in ("in_front_of", "behind") for fact in parsed.facts):
        return spots_in_depth(rng)
    return draw_spots(rng, parsed.things)


def _member(
    rng: np.random.Generator, said: Mapping[str, str], level: int, x: float, y: float
) -> Thing | None:
    """Draw a thing that minds its own business, about a spot; None where what is said cannot be."""
    kinds = PRIMITIVES if level == 1 else tuple(ACTIONS)
    for _ in range(DRAWS):
        kind = said.get("kind") or pick(rng, kinds)
        motion = draw_motion(rng, kind)
        if _does(said, motion):
            thing = _looking(seen_turning(replace(draw_thing(rng, kind), motion=motion)), said)
            return in_its_place(rng, thing, x, y + BACK.get(kind, 0.0), SECONDS)
    return None


def _does(said: Mapping[str, str], motion: Motion) -> bool:
    """Tell whether a motion is as said."""
    true = motion_facts(0, motion)
    return all(Fact(name, (0, said[name])) in true for name in MOVES if name in said)


def _looking(thing: Thing, said: Mapping[str, str]) -> Thing:
    """Give a thing the looks that are said of it."""
    return replace(thing, **{name: said[name] for name in LOOKS if name in said})  # type: ignore[arg-type]


def _interacting(
    rng: np.random.Generator, fact: Fact, said: Sequence[Mapping[str, str]], aspect: float
) -> tuple[list[Thing], tuple[Event, ...]]:
    """Draw two things between which an event happens; none where what is said cannot be."""
    for _ in range(DRAWS):
        cast, events = draw_interaction(rng, fact.name, aspect)
        order = _parties(fact, len(said), len(cast), rng)
        if order is None:
            return [], ()
        if all(
            said[r].get("kind", cast[n].kind) == cast[n].kind and _does(said[r], cast[n].motion)
            for r, n in order.items()
        ):
            for r, n in order.items():
                cast[n] = _looking(cast[n], said[r])
            return cast, events
    return [], ()


def _parties(fact: Fact, things: int, members: int, rng: np.random.Generator) -> dict[int, int] | None:
    """Say which member of an interaction's cast each referent is; None where there are more than members.

    An event that names one party, unless it enters or leaves, names its patient; a meeting has no direction.
    """
    who = [arg for arg in fact.args if isinstance(arg, int)]
    if len(who) == 1:
        places = {who[0]: 0 if fact.name in SOLO else 1}
    else:
        first = int(rng.integers(2)) if fact.name == "collide" else 0
        places = {who[0]: first, who[1]: 1 - first}
    others = [r for r in range(things) if r not in places]
    free = [n for n in range(members) if n not in places.values()]
    if len(others) > len(free):
        return None
    return places | dict(zip(others, free, strict=False))


def _setting(
    rng: np.random.Generator, film: Mapping[str, str], cast: Sequence[Thing], level: int
) -> Setting | None:
    """Draw the place and time that are said; None where the cast or the words allow none. Ships float."""
    wanted = {name: film[name] for name in ("place", "time", "pattern") if name in film}
    if any(thing.kind == "ship" for thing in cast):
        wanted.setdefault("place", "beach")
    for _ in range(DRAWS):
        setting = draw_setting(rng, level)
        if all(getattr(setting, name) == value for name, value in wanted.items()):
            return setting
    return None


def _camera(
    rng: np.random.Generator, move: str, cast: Sequence[Thing], level: int, aspect: float
) -> Camera | None:
    """Draw a camera that makes a move, as the world frames such a cast; None where none came."""
    height = round(0.5 + 0.3 * max((extent(thing)[1] for thing in cast), default=1.0), 3)
    drawn = (camera(rng, level, height, aspect) for _ in range(DRAWS))
    return next((view for view in drawn if view.move == move), None)
