"""Reads a caption or a prompt back into the facts it states.

`reading.py` finds the sentence patterns; here their names are resolved to referents ("the ball" is the ball
named before, "another ball" is not) and the facts are collected. Integers in the facts are referents. Usage:

    parse("A large red ball bounces. It is left of a cube.").facts
    # {Fact("size", (0, "large")), Fact("action", (0, "bounce")), Fact("left_of", (0, 1)), ...}
"""

from __future__ import annotations

from typing import NamedTuple, cast

from reelworld.world.facts import SOLO, Fact, event_fact
from reelworld.world.lexicon import split
from reelworld.world.reading import Description, Doing, Segment, segments
from reelworld.world.words import MOVING


class Parsed(NamedTuple):
    """What a text states: how many things it names, the facts about them, and the words not understood."""

    things: int
    facts: frozenset[Fact]
    unread: tuple[str, ...]


def parse(text: str) -> Parsed:
    """Read a text; words that fit no pattern are listed, not guessed at."""
    found, unread = segments(split(text))
    listener = Listener()
    for segment in found:
        listener.hear(segment)
    return Parsed(len(listener.referents), frozenset(listener.facts), unread)


class Listener:
    """Follows a text segment by segment: who has been named, what was last spoken of, in which shot."""

    def __init__(self) -> None:
        self.referents: list[dict[str, str]] = []
        self.facts: set[Fact] = set()
        self._shot: str | None = None
        self._subjects: list[int] = []
        self._event: Fact | None = None  # the last event told
        self._order = ""  # what links the next event to it
        self._fresh = True  # no event yet in this sentence

    def hear(self, segment: Segment) -> None:
        """Take in one segment."""
        handler = getattr(self, f"_hear_{segment.tag}", None)
        if handler is not None:
            handler(segment)

    # ---- names

    def _things(self, value: object) -> list[int]:
        descriptions = value if isinstance(value, list) else [value]
        return [i for description in descriptions for i in self._resolve(cast(Description, description))]

    def _resolve(self, description: Description) -> list[int]:
        """Return the referents of a noun phrase, new ones where it introduces them."""
        if description.pointer == "it":
            return self._subjects[: None if description.number > 1 else 1]
        found = self._known(description) if description.pointer == "the" else []
        if not found:
            found = list(range(len(self.referents), len(self.referents) + description.number))
            self.referents += [{} for _ in found]
        for i in found:
            self.referents[i].update(description.attributes)
            self.facts |= {Fact(name, (i, value)) for name, value in description.attributes}
            if self._shot is not None:
                self.facts.add(Fact("in_shot", (i, self._shot)))
        return found

    def _known(self, description: Description) -> list[int]:
        """Return the referents that fit "the ...": those that match outright, else one that may."""
        wanted = dict(description.attributes)
        fits = [i for i, said in enumerate(self.referents) if wanted.items() <= said.items()]
        if description.ordinal is not None:
            return fits[description.ordinal - 1 : description.ordinal]
        if description.number > 1:
            return fits if len(fits) == description.number else []
        return fits[:1] or [i for i, said in enumerate(self.referents) if _compatible(wanted, said)][:1]

    # ---- clauses

    def _hear_presence(self, segment: Segment) -> None:
        self._subjects = self._things(next(iter(segment.slots.values())))

    def _hear_motion(self, segment: Segment) -> None:
        slots = segment.slots
        if "a" in slots or "group" in slots:
            self._subjects = self._things(slots.get("a", slots.get("group")))
        doings = cast(list[Doing], slots.get("does") or slots.get("doing") or slots.get("do") or [])
        for i in self._subjects:
            for doing in doings:
                self._state(i, doing, cast("str | None", slots.get("adverb")))

    def _state(self, i: int, doing: Doing, adverb: str | None) -> None:
        self.facts.add(Fact("action", (i, doing.action)))
        if doing.direction is not None:
            self.facts.add(Fact("direction", (i, doing.direction)))
        speed = doing.speed or adverb
        if speed is not None:
            self.facts.add(Fact("speed", (i, speed)))

    def _hear_relation(self, segment: Segment) -> None:
        slots = segment.slots
        names = {name: self._things(slots[name]) for name in slots if name in ("a", "b")}
        self._subjects = names["a"]
        relation = cast(str, slots["relation"])
        doings = cast(list[Doing], slots.get("does") or slots.get("doing") or [])
        for doing in doings:
            for i in self._subjects:
                self._state(i, doing, None)
        if relation == "behind" and any(doing.action in MOVING for doing in doings):
            relation = "go_behind"  # "rolls behind the cube" tells what happens, not what was
        self.facts |= {Fact(relation, (i, j)) for i in names["a"] for j in names["b"]}

    def _hear_event(self, segment: Segment) -> None:
        names = {name: self._things(value) for name, value in segment.slots.items()}
        agents, patients = names.get("a", names.get("group", [])), names.get("b", [])
        self._subjects = agents or patients
        if segment.atom == "collide" and not patients:
            agents, patients = agents[:1], agents[1:2]
        if segment.atom in SOLO or not agents:
            told = [event_fact(segment.atom, i) for i in agents or patients]
        else:
            told = [event_fact(segment.atom, i, j) for i in agents for j in patients]
        self.facts |= set(told)
        if told:
            self._in_order(told[0])

    # ---- order

    def _in_order(self, event: Fact) -> None:
        if self._event is not None and self._order in ("then", "after it"):
            pair = (self._event, event) if self._order == "then" else (event, self._event)
            self.facts.add(Fact("before", pair))
        self._order = "then" if self._order == "after" else ""
        self._event, self._fresh = event, False

    def _hear_then(self, segment: Segment) -> None:
        self._order = "then"

    def _hear_after(self, segment: Segment) -> None:
        self._order = "after" if self._fresh else "after it"

    def _hear_stop(self, segment: Segment) -> None:
        self._order, self._fresh = "", True

    # ---- the film

    def _hear_camera(self, segment: Segment) -> None:
        move = next(cast(str, v) for name, v in segment.slots.items() if name.startswith("camera"))
        self.facts.add(Fact("camera", (move,) if self._shot is None else (move, self._shot)))

    def _hear_place(self, segment: Segment) -> None:
        self._hear_setting(segment)

    def _hear_ground(self, segment: Segment) -> None:
        self._hear_setting(segment)

    def _hear_time(self, segment: Segment) -> None:
        self._hear_setting(segment)

    def _hear_setting(self, segment: Segment) -> None:
        for name in ("place", "pattern", "time"):
            if name in segment.slots:
                self.facts.add(Fact(name, (cast(str, segment.slots[name]),)))

    def _hear_style(self, segment: Segment) -> None:
        style = segment.slots.get("style") or segment.slots.get("style_in")
        self.facts.add(Fact("style", (cast(str, style),)))

    def _hear_shot(self, segment: Segment) -> None:
        self._shot = cast(str, segment.slots["number"])
        if "moment" in segment.slots:
            self.facts.add(Fact("cut", (self._shot, cast(str, segment.slots["moment"]))))
        self._hear_stop(segment)


def _compatible(wanted: dict[str, str], said: dict[str, str]) -> bool:
    """Say whether a description may mean a thing of which less, but nothing different, was said."""
    return wanted["kind"] == said.get("kind") and all(said.get(k, v) == v for k, v in wanted.items())
