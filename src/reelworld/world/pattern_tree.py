"""All patterns that can be read, as one tree whose edges are words and slots.

A text is matched against hundreds of patterns at once by walking down the tree. Most patterns are those that
captions are written with (`phrases.py`); READ_ONLY has what users write besides.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from reelworld.world import phrases, words


@dataclass
class Node:
    """A place in the tree of patterns."""

    words: dict[str, Node] = field(default_factory=dict)
    slots: dict[str, Node] = field(default_factory=dict)
    ends: list[tuple[str, str]] = field(default_factory=list)  # tag and atom of the patterns that end here

    def add(self, pattern: str, tag: str, atom: str = "") -> None:
        """Add a pattern to the tree."""
        node = self
        for piece in re.findall(r"\{\w+\}|\w+|[^\w\s]", pattern.lower()):
            edges = node.slots if piece[0] == "{" else node.words
            node = edges.setdefault(piece.strip("{}"), Node())
        if (tag, atom) not in node.ends:
            node.ends.append((tag, atom))


def _optional(pattern: str) -> list[str]:
    """Expand the parts in square brackets: with and without."""
    match = re.search(r"\[([^\]]*)\] ?", pattern)
    if match is None:
        return [pattern]
    before, after = pattern[: match.start()], pattern[match.end() :]
    return _optional(f"{before}{match[1]} {after}") + _optional(before + after)


def _leads(patterns: Iterable[str]) -> Iterator[str]:
    """Yield what stands before the first slot of patterns that are read piece by piece."""
    for pattern in patterns:
        lead = re.split(r"\{(?!film)", pattern)[0].strip(" ,")
        if lead and lead not in ("a", "the"):
            yield lead


def _event_patterns() -> Iterator[tuple[str, str]]:
    for kind in phrases.EVENT_KINDS:
        alone = phrases.EVENTS_ALONE.get(kind, ())
        passive_alone = tuple(p.removesuffix(" by {a}") for p in phrases.passive(kind))
        for pattern in (*phrases.EVENTS[kind], *phrases.EVENTS_ING[kind], *phrases.EVENTS_MANY[kind]):
            yield pattern, kind
            yield pattern.replace("{b} being", "{b}"), kind
        for pattern in (*alone, *passive_alone):
            yield pattern, kind
    yield "{group} collide", "collide"


# Patterns that are read whole; those of PIECES are an opening that states nothing, and what follows it.
WHOLE: dict[str, tuple[str, ...]] = {
    "relation": phrases.RELATION + phrases.RELATION_MOVING,
    "motion": phrases.MOTION_ANY + phrases.MOTION_MANY + phrases.MOTION_PHRASE,
    "presence": (*phrases.IN_VIEW, *phrases.MANY_IN_VIEW, "{group}"),
    "camera": phrases.CAMERA_ALONE,
    "ground": tuple(
        pattern.replace("{ground}", ground) for pattern in phrases.GROUND for ground in ("ground", "floor")
    ),
    "style": phrases.STYLE,
}
PIECES = (
    phrases.MOTION_NEW, phrases.MOTION_MANY_NEW, phrases.MOTION_SHOWN, phrases.PRESENCE,
    phrases.PRESENCE_MANY, phrases.SETTING, phrases.RAW_NAME, phrases.RAW_MOTION, phrases.SHORT_FILMED,
)  # fmt: skip
SECONDS = (" seconds", " second", " s", "")
READ_ONLY: dict[str, tuple[str, ...]] = {  # what users write, though captions do not
    "motion": ("{doing}", "{does}"),
    "relation": ("{a} {relation} {b}", "{a} {does} {relation} {b}", "{a} {doing} {relation} {b}"),
    "camera": (
        "[the] camera {camera_ing}",
        "camera {camera_s}",
        "the view {camera_s}",
        "the camera {adverb} {camera_s}",
        "the camera {camera_s} {speed}",
        "{camera_noun} of",
    ),
    "place": ("[{where}] [{article}] [{pattern}] {place}",),
    "ground": (
        "[with] [and] [on] [a] {pattern} floor",
        "[with] [and] [on] {pattern} ground",
    ),
    "time": ("{time}",),
    "style": ("{style_in}", "{style} of"),
    "shot": (
        "shot {number}:",
        *(f"shot {{number}} {at} {{moment}}{unit}:" for at in ("at", "after") for unit in SECONDS),
    ),
    "hashtag": ("#{tag}",),
}
ORDER_WORDS = {
    "first": ("first",),
    "then": ("then", "and then", "after that", "next", "finally", "and finally", "before"),
    "after": ("after",),
    "stop": (".", "!", "?"),
    "link": (",", ";", ":", "-", "and", "while", "as", "with", "meanwhile", "at the same time"),
}


def sentence_tree() -> Node:
    """Return the tree of all patterns that make up a text."""
    root = Node()
    for tag, patterns in WHOLE.items():
        for pattern in patterns:
            root.add(pattern, tag)
    for pattern, kind in _event_patterns():
        root.add(pattern, "event", kind)
    for tag, patterns in READ_ONLY.items():
        for pattern in patterns:
            for expanded in _optional(pattern):
                root.add(expanded, tag)
    for tag, patterns in ORDER_WORDS.items():
        for pattern in patterns:
            root.add(pattern, tag)
    _add_noise(root)
    return root


def _add_noise(root: Node) -> None:
    """Add what states nothing: file names, chatter, and the openings of patterns read piece by piece."""
    for lead in _leads(pattern for group in PIECES for pattern in group):
        root.add(lead, "noise")
    for phrase in (*words.FILES, *words.CHATTER, *words.NOISE, "{film} of"):
        root.add(phrase, "noise")


def verb_tree() -> Node:
    """Return the tree of verb phrases in their three forms."""
    root = Node()
    for pattern in phrases.MANNERS:
        for form in ("do", "does", "doing"):
            root.add(pattern.replace("{verb}", f"{{verb_{form}}}"), form)
    return root
