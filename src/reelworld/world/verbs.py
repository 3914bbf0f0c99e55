"""Verb phrases: what a thing does, where to and how fast, in all the ways of the tables.

verb_phrases(Manner("roll", "left", "slow"), "object", "does")
# ("rolls to the left slowly", "slowly rolls left", "trundles gently to the left", ...)
"""

from __future__ import annotations

from functools import cache
from itertools import product
from typing import Literal, NamedTuple

from reelworld.world import words
from reelworld.world.dice import weighted
from reelworld.world.facts import has_speed
from reelworld.world.phrases import MANNERS
from reelworld.world.words import VERBS, Verb, conjugate

Form = Literal["do", "does", "doing"]
FORMS: dict[str, int] = {"do": 0, "does": 1, "doing": 2}  # position in Verb


class Manner(NamedTuple):
    """Of a motion, what words can say."""

    action: str
    direction: str | None
    speed: str


def sort_of(kind: str) -> str:
    """Return how a kind carries itself: living, upright, vehicle or object."""
    sorts = {"living": words.LIVING, "upright": words.UPRIGHT, "vehicle": words.VEHICLES}
    return next((sort for sort, kinds in sorts.items() if kind in kinds), "object")


@cache
def verb_phrases(motion: Manner, sort: str, form: Form) -> tuple[str, ...]:
    """Return every way to say a motion in one form of the verb, the plain ones more than once."""
    if motion.action == "stop" and motion.direction is not None:
        going = verb_phrases(motion._replace(action="move"), sort, form)
        stopping = verb_phrases(Manner("stop", None, "medium"), sort, form)
        return tuple(f"{g} and {s}" for g, s in product(going, stopping))
    slots = _manner(motion)
    chosen = [p for p in MANNERS if _slots(p) in (slots, slots | {"spot"})]
    if motion.action not in words.ON_THE_SPOT or motion.direction:
        chosen = [p for p in chosen if "{spot}" not in p]
    if motion.action in words.SPEEDS_OF:  # "jumps high to the left", never "jumps to the left high"
        chosen = [p for p in chosen if not p.endswith("} {speed}") or p == "{verb} {speed}"]
    return tuple(text for pattern in chosen for text in _filled(pattern, motion, sort, form))


def _manner(motion: Manner) -> set[str]:
    said = {"direction"} if motion.direction and motion.action != "stand" else set()
    return said | (
        {"speed"} if has_speed(motion.action, motion.direction) and motion.speed != "medium" else set()
    )


def _slots(pattern: str) -> set[str]:
    names = {part.split("}")[0] for part in pattern.split("{")[1:]} - {"verb"}
    return {"speed" if name == "adverb" else name for name in names}


def _filled(pattern: str, motion: Manner, sort: str, form: Form) -> list[str]:
    """Fill a verb pattern with every suitable verb, direction and speed."""
    speeds = words.SPEEDS_OF.get(motion.action, words.SPEEDS)
    adverbs = words.ADVERBS if speeds is words.SPEEDS else {}
    options = {
        "verb": [v[FORMS[form]] for v in _verbs(motion, sort) if not _clashes(v, pattern)],
        "direction": weighted(words.DIRECTIONS[motion.direction]) if motion.direction else ("",),
        "speed": weighted(speeds[motion.speed]) if motion.speed != "medium" else ("",),
        "adverb": adverbs.get(motion.speed, ()),
        "spot": words.SPOT["spot"],
    }
    if "spot" in pattern and "{speed}" in pattern:  # "slowly on the spot", but "on the spot at a slow pace"
        last = pattern.endswith("{speed}")
        options["speed"] = tuple(s for s in options["speed"] if (" " in s) == last)
    names = [name for name in options if f"{{{name}}}" in pattern]
    combos = product(*(options[name] for name in names))
    return [pattern.format(**dict(zip(names, values, strict=True))) for values in combos]


def _verbs(motion: Manner, sort: str) -> tuple[Verb, ...]:
    if motion.action == "stand":
        return tuple(conjugate(base) for base in words.STANDS[sort])
    barred = {"slow": words.NOT_SLOW, "fast": words.NOT_FAST}.get(motion.speed, frozenset())
    verbs = tuple(v for v in VERBS[motion.action] if v.base not in barred)
    return (verbs[0],) * (len(verbs) - 1) + verbs


def _clashes(verb: Verb, pattern: str) -> bool:
    """Say whether the verb already tells where it happens, and the pattern would tell it again."""
    return pattern != "{verb}" and verb.base.partition(" ")[2] != ""
