"""The tables of `words.py` turned round, from phrase to atom, for reading.

LEXICON["direction"][split("to the left")]      # "left"
"""

from __future__ import annotations

import re

from reelworld.world import words
from reelworld.world.words import Table, plural

Words = tuple[str, ...]


def split(text: str) -> Words:
    """Split a text into lower-cased words and single punctuation marks, words that only stress left out."""
    return tuple(t for t in re.findall(r"\w+|[^\w\s]", text.lower()) if t not in STRESS)


STRESS = frozenset({"very", "really", "quite", "also"})


def _reversed(*tables: Table) -> dict[Words, str]:
    return {split(phrase): atom for table in tables for atom, options in table.items() for phrase in options}


def _verbs(form: int) -> dict[Words, str]:
    return {split(verb[form]): action for action, verbs in words.VERBS.items() for verb in verbs}


def _cameras(form: int) -> dict[Words, str]:
    return {split(verb[form]): move for move, verbs in words.CAMERA_VERBS.items() for verb in verbs}


MOST_TENTHS = 600  # of a second, up to which the time of a cut is read


def _numerals(tenths: int) -> tuple[str, ...]:
    """Write a time as people do: "1.5"; "2.0", "2" and "two"."""
    whole, rest = divmod(tenths, 10)
    spelt = ("one",) if whole == 1 else words.NUMBERS.get(str(whole), ())
    return (f"{whole}.{rest}",) if rest else (f"{whole}.0", str(whole), *spelt)


LEXICON: dict[str, dict[Words, str]] = {
    "direction": _reversed(words.DIRECTIONS),
    "speed": _reversed(words.SPEEDS, *words.SPEEDS_OF.values()),
    "adverb": _reversed(words.ADVERBS),
    "spot": _reversed(words.SPOT),
    "relation": _reversed(words.RELATIONS),
    "camera_s": _cameras(1),
    "camera_ing": _cameras(2),
    "camera_noun": _reversed(words.CAMERA_NOUNS)
    | {phrase[1:]: move for phrase, move in _reversed(words.CAMERA_NOUNS).items()},  # "aerial view of ..."
    "place": _reversed(words.PLACES, words.NIGHT_PLACES),
    "pattern": _reversed(words.PATTERNS, {"grass": words.ROUGH}),
    "time": _reversed(words.TIMES),
    "style": _reversed(words.STYLES),
    "style_in": _reversed(words.STYLES_IN),
    "film": _reversed(words.FILM),
    "number": {("1",): "1", ("2",): "2", ("3",): "3"},
    "moment": {split(form): f"{t / 10:.1f}" for t in range(MOST_TENTHS) for form in _numerals(t)},
    "tag": _reversed(words.NOUNS, words.COLORS),
    "where": {(w,): w for w in ("in", "on", "at", "along", "down", "across", "through", "over")},
    "article": {(w,): w for w in ("a", "an", "the")},
    "verb_do": _verbs(0),
    "verb_does": _verbs(1),
    "verb_doing": _verbs(2),
}
LONGEST = {slot: max(map(len, table)) for slot, table in LEXICON.items()}
ADJECTIVES: dict[str, tuple[str, str]] = {
    phrase: (name, atom)
    for name, table in (("color", words.COLORS), ("size", words.SIZES), ("material", words.MATERIALS))
    for atom, options in table.items()
    for phrase in options
}
NOUNS: dict[Words, tuple[str, bool]] = {
    split(form): (kind, many)
    for kind, nouns in words.NOUNS.items()
    for noun in nouns
    for form, many in ((noun, False), (plural(noun), True))
}
GARMENTS: dict[str, tuple[str, ...]] = {"suit": ("color", "second_color"), "hat": ("hat",)} | {
    part: (name,)
    for name, parts in (("color", words.WEARS), ("second_color", words.PARTS))
    for part in parts.values()
}
GARMENTS |= {plural(part): names for part, names in GARMENTS.items()}
COUNTS = {form: int(n) for n, (phrase,) in words.NUMBERS.items() for form in (n, phrase)}
RANKS = {phrase: int(n) for n, (phrase,) in words.ORDINALS.items()}
POINTERS = frozenset({"a", "an", "the", "another", "this", "one"})
PRONOUNS = frozenset({"it", *words.PRONOUNS.values()})
