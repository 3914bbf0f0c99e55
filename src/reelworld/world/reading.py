"""Finds the sentence patterns of `phrases.py` in a text: words in, segments out.

A slot of a pattern is an atom from a table, a verb phrase, or the name of one or several things. Segments are
the longest patterns found from left to right; what fits no pattern is left unread. Usage:

    [segment.tag for segment in segments(split("a red ball rolls to the left at night"))]
    # ["motion", "time"]
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from reelworld.world.lexicon import (
    ADJECTIVES,
    COUNTS,
    GARMENTS,
    LEXICON,
    LONGEST,
    NOUNS,
    POINTERS,
    PRONOUNS,
    RANKS,
    Words,
)
from reelworld.world.pattern_tree import Node, sentence_tree, verb_tree


class Description(NamedTuple):
    """A noun phrase: how it points ("a", "the", a pronoun or nothing), to how many things, and to what."""

    pointer: str
    number: int
    ordinal: int | None
    attributes: tuple[tuple[str, str], ...]


class Doing(NamedTuple):
    """A verb phrase: what is done, where to, how fast."""

    action: str
    direction: str | None
    speed: str | None


class Segment(NamedTuple):
    """A stretch of text that fits a pattern: tag ("motion", "event"), atom ("collide") and filled slots."""

    tag: str
    atom: str
    slots: dict[str, object]
    end: int


MOST_JOINED = 64  # things in one list of them


class Reader:
    """Matches patterns in one text; everything found at a place is kept for the next pattern that asks."""

    sentences = sentence_tree()
    verbs = verb_tree()

    def __init__(self, tokens: Words) -> None:
        self.tokens = tokens
        self._found: dict[tuple[str, int], list[tuple[int, object]]] = {}

    def segments(self) -> tuple[list[Segment], tuple[str, ...]]:
        """Return the longest patterns from left to right, and the words that fit none."""
        found, unread, at = [], [], 0
        while at < len(self.tokens):
            matches = list(self.match(self.sentences, at))
            if matches:
                best = max(matches, key=lambda m: (m.end, PRIORITY.get(m.tag, 0)))
                found.append(best)
                at = best.end
            else:
                unread.append(self.tokens[at])
                at += 1
        return found, tuple(unread)

    def match(self, node: Node, at: int, slots: dict[str, object] | None = None) -> Iterator[Segment]:
        """Yield every pattern below `node` that fits the text from `at` on."""
        slots = slots or {}
        for tag, atom in node.ends:
            yield Segment(tag, atom, slots, at)
        if at >= len(self.tokens):
            return
        below = node.words.get(self.tokens[at])
        if below is not None:
            yield from self.match(below, at + 1, slots)
        for name, child in node.slots.items():
            for end, value in self.fill(name, at):
                yield from self.match(child, end, {**slots, name: value})

    def fill(self, name: str, at: int) -> list[tuple[int, object]]:
        """Return the ways to fill a slot from `at` on: where each ends, and its meaning."""
        key = (name, at)
        if key not in self._found:
            self._found[key] = list(self._fill(name, at))
        return self._found[key]

    def _fill(self, name: str, at: int) -> Iterator[tuple[int, object]]:
        if name in ("a", "b"):
            yield from self.description(at)
        elif name == "group":
            yield from self._group(at)
        elif name in ("do", "does", "doing"):
            yield from self._doings(name, at)
        else:
            table = LEXICON[name]
            for length in range(min(LONGEST[name], len(self.tokens) - at), 0, -1):
                atom = table.get(self.tokens[at : at + length])
                if atom is not None:
                    yield at + length, atom

    def _doings(self, form: str, at: int) -> Iterator[tuple[int, list[Doing]]]:
        """Read one verb phrase, or two that share a subject: "moves to the left and stops"."""
        for end, doing in self._doing(form, at):
            yield end, [doing]
            if self._word(end) == "and":
                for last, other in self._doing(form, end + 1):
                    yield last, [doing, other]

    def _doing(self, form: str, at: int) -> Iterator[tuple[int, Doing]]:
        for segment in self.match(self.verbs, at):
            if segment.tag == form:
                slots = segment.slots
                speed = slots.get("speed", slots.get("adverb"))
                yield segment.end, Doing(slots[f"verb_{form}"], slots.get("direction"), speed)  # type: ignore[arg-type]

    def _group(self, at: int) -> Iterator[tuple[int, list[Description]]]:
        """Read one thing, or several joined by commas and "and"."""
        things: list[Description] = []
        for _ in range(MOST_JOINED):
            end, thing = next(self.description(at), (at, None))
            if thing is None:
                return
            things = [*things, thing]
            yield end, things
            at = end + (self._word(end) == ",")
            at += self._word(at) == "and"
            if at == end:
                return

    def _word(self, at: int) -> str:
        return self.tokens[at] if at < len(self.tokens) else ""

    def description(self, at: int) -> Iterator[tuple[int, Description]]:
        """Read a pronoun or a noun phrase."""
        word = self._word(at)
        if word in PRONOUNS:
            yield at + 1, Description("it", 2 if word == "they" else 1, None, ())
            return
        pointer = word if word in POINTERS else ""
        at += bool(pointer)
        count, rank = COUNTS.get(self._word(at)), RANKS.get(self._word(at)) if pointer == "the" else None
        at += count is not None or rank is not None
        at, attributes = self._adjectives(at)
        for length in (3, 2, 1):
            noun = NOUNS.get(self.tokens[at : at + length])
            if noun is not None:
                end, worn = self._worn(at + length)
                many = count or (2 if noun[1] else 1)
                yield end, Description(pointer, many, rank, (("kind", noun[0]), *attributes, *worn))
                return

    def _adjectives(self, at: int) -> tuple[int, list[tuple[str, str]]]:
        found = []
        while self._word(at) in ADJECTIVES:
            found.append(ADJECTIVES[self._word(at)])
            at += 1
            if self._word(at) == "," and self._word(at + 1) in ADJECTIVES:
                at += 1
        return at, found

    def _worn(self, at: int) -> tuple[int, list[tuple[str, str]]]:
        """Read the coloured parts behind a noun: "in a black jacket, white trousers and a red hat"."""
        found: list[tuple[str, str]] = []
        while True:
            after = at + (self._word(at) == ",")
            after += self._word(after) in ("in", "wearing", "with", "and")
            garment = self._garment(after) if after > at else None
            if garment is None:
                return at, found
            at, attributes = garment
            found += attributes

    def _garment(self, at: int) -> tuple[int, list[tuple[str, str]]] | None:
        at += self._word(at) in ("a", "an", "the")
        color = ADJECTIVES.get(self._word(at), ("", ""))
        names = GARMENTS.get(self._word(at + 1))
        if color[0] != "color" or names is None:
            return None
        return at + 2, [(name, color[1]) for name in names]


PRIORITY = {
    "event": 3,
    "relation": 2,
    "motion": 1,
    "time": 1,
    "place": 1,
    "style": 1,
    "noise": -1,
    "link": -1,
}


def segments(tokens: Words) -> tuple[list[Segment], tuple[str, ...]]:
    """Return the patterns found in a text from left to right, and the words that fit none."""
    return Reader(tokens).segments()
