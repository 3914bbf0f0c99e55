"""Sentences about the cast: what the things do, how they stand, what happens between them.

Each function picks patterns from `phrases.py` and fills them with the names that a `Teller` gives:

    motion_sentences(teller, shot.cast)     # ["A large red ball slides slowly to the left.", ...]
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cache
from itertools import pairwise

from reelworld.world import phrases, words
from reelworld.world.dice import Dice, weighted
from reelworld.world.facts import Happening, relation
from reelworld.world.naming import Teller, listed
from reelworld.world.scenery import sentence
from reelworld.world.verbs import Form

Group = tuple[int, ...]  # things that share a sentence


# ---- what the things do


def grouped(teller: Teller, cast: Sequence[int]) -> list[Group]:
    """Put things that do the same into one sentence: always if they look alike, else sometimes."""
    found: list[list[int]] = []
    for i in cast:
        group = next((g for g in found if _belongs(teller, i, g)), None)
        if group is None:
            found.append([i])
        else:
            group.append(i)
    return [tuple(group) for group in found]


def _belongs(teller: Teller, i: int, group: Sequence[int]) -> bool:
    first = group[0]
    if teller.motion(i) != teller.motion(first) or (i in teller.told) != (first in teller.told):
        return False
    if teller.look(i) == teller.look(first):
        return len(group) < 6
    if not (teller.unique(i) and teller.unique(first)) or teller.sort(i) != teller.sort(first):
        return False
    return first in teller.told or (
        len(group) == 1 and not _dressed(teller, i, first) and teller.dice.chance(0.5)
    )


def _dressed(teller: Teller, *things: int) -> bool:
    """Say whether somebody among these things has clothes, which are long to describe."""
    return any(teller.scene.cast[i].kind in words.WEARS for i in things)


def group_name(teller: Teller, group: Group) -> str:
    """Name several things: "two small red balls", "the red ball and the cube"."""
    if len(group) > 1 and not teller.unique(group[0]):
        if group[0] not in teller.told:
            return teller.introduce_many(group)
        together = teller.mention_many(group)
        if together is not None:
            return together
    return listed([teller.name(i) for i in group])


@cache
def clause_patterns(many: bool, known: bool, hurried: bool) -> tuple[tuple[str, Form], ...]:
    """Return the patterns for one thing or many, known or new, each with the form of verb it takes."""
    plain, new = (
        (phrases.MOTION_MANY, phrases.MOTION_MANY_NEW) if many else (phrases.MOTION_ANY, phrases.MOTION_NEW)
    )
    chosen = (plain[0],) * 6 + (plain[1],) + plain + (() if known else new)
    return tuple((p, form_of(p)) for p in chosen if hurried or "{adverb}" not in p)


@cache
def form_of(pattern: str) -> Form:
    """Return which form of the verb a pattern has a slot for."""
    match = re.search(r"\{(do|does|doing)\}", pattern)
    return match[1] if match else "does"  # type: ignore[return-value]


def motion_clause(teller: Teller, group: Group) -> str:
    """Say what a group does, as a clause."""
    dice, first, many = teller.dice, group[0], len(group) > 1
    if teller.later and teller.motion(first).action == "stand" and dice.chance(0.3):
        name = group_name(teller, group)
        return dice.pick(phrases.MANY_IN_VIEW if many else phrases.IN_VIEW).format(a=name, group=name)
    pattern, form = dice.pick(clause_patterns(many, first in teller.told, teller.hurried(first)))
    if "{film}" in pattern:
        pattern = pattern.replace("{film}", dice.pick(words.FILM["film"]))
    first_adverb = "{adverb}" in pattern
    adverb = dice.pick(words.ADVERBS[teller.motion(first).speed]) if first_adverb else ""
    if pattern.startswith("there are") and teller.unique(first):  # "there is a ball and a cube rolling"
        pattern = pattern.replace("there are", "there is")
    name = group_name(teller, group)
    verb = teller.verb(first, form, hurried=not first_adverb)
    return pattern.format(a=name, group=name, adverb=adverb, **{form: verb})


def motion_phrase(teller: Teller, group: Group) -> str:
    """Say what a group does, without finite verb: "a red ball sliding to the left"."""
    return f"{group_name(teller, group)} {teller.verb(group[0], 'doing')}"


def motion_sentences(teller: Teller, cast: Sequence[int], most: int | None = None) -> list[str]:
    """Say what the things do, at most so many groups: in clauses, as things shown, or after naming them."""
    dice = teller.dice
    parts = _worth_telling(teller, grouped(teller, cast), most)
    new = not any(i in teller.told for i in cast)
    style = dice.roll()
    if new and style < 0.2 and len(parts) <= 4:
        return [shown(teller, parts)]
    if new and style < 0.4 and len(parts) <= 4:
        return [presence(teller, parts), *joined(dice, known_clauses(teller, parts))]
    return joined(dice, [motion_clause(teller, group) for group in parts])


def _worth_telling(teller: Teller, parts: list[Group], most: int | None) -> list[Group]:
    """Keep all that is new, and of what is known so many groups, the moving ones first."""
    known = [group for group in parts if group[0] in teller.told]
    known.sort(key=lambda group: teller.motion(group[0]).action == "stand")
    return [group for group in parts if group not in known or group in known[:most]]


def shown(teller: Teller, parts: Sequence[Group]) -> str:
    """Say everything in one sentence: "The video shows a red ball rolling and a cube spinning."."""
    dice = teller.dice
    text = listed([motion_phrase(teller, group) for group in parts])
    return sentence(dice.pick(phrases.MOTION_SHOWN).format(list=text, film=dice.pick(words.FILM["film"])))


def presence(teller: Teller, parts: Sequence[Group]) -> str:
    """Name the cast before it moves: "There is a red ball and a blue cube."."""
    dice = teller.dice
    several = len(parts[0]) > 1 and not teller.unique(parts[0][0])
    text = listed([name for group in parts for name in _names(teller, group)])
    pattern = dice.pick(phrases.PRESENCE_MANY if several else phrases.PRESENCE)
    return sentence(pattern.format(group=text, film=dice.pick(words.FILM["film"])))


def _names(teller: Teller, group: Group) -> list[str]:
    alike = len(group) > 1 and not teller.unique(group[0])
    return [teller.introduce_many(group)] if alike else [teller.introduce(i) for i in group]


def known_clauses(teller: Teller, parts: Sequence[Group]) -> list[str]:
    """Say what things do that have just been named; a single one is "it" now."""
    if len(parts) == 1 and len(parts[0]) == 1:
        return [pronoun_clause(teller, parts[0][0])]
    return [motion_clause(teller, group) for group in parts]


def pronoun_clause(teller: Teller, i: int) -> str:
    """Say what the thing just named does: "it slides to the left", "they walk"; of a character by name."""
    pronoun = teller.names.get(i) or teller.pronoun(i)
    if teller.dice.chance(0.3):
        return f"{pronoun} {'are' if pronoun == 'they' else 'is'} {teller.verb(i, 'doing')}"
    return f"{pronoun} {teller.verb(i, 'do' if pronoun == 'they' else 'does')}"


def joined(dice: Dice, clauses: Sequence[str]) -> list[str]:
    """Make sentences of clauses, two to a sentence where the dice say so."""
    found: list[str] = []
    rest = list(clauses)
    while rest:
        if len(rest) > 1 and not (alone(rest[0]) or alone(rest[1])) and dice.chance(0.65):
            x, y, *rest = rest
            found.append(sentence(dice.pick(phrases.JOINED).format(x=x, y=y)))
        else:
            y, *rest = rest
            plain = not found or fronted(y) or found[-1].lower().startswith(LINKS)
            found.append(sentence(y if plain else dice.pick(phrases.FOLLOWING).format(y=y)))
    return found


OPENINGS = tuple(  # "there is", "we see", "the video shows"
    pattern.replace("{film}", film).partition("{")[0]
    for pattern in (*phrases.MOTION_NEW, *phrases.MOTION_MANY_NEW)
    for film in words.FILM["film"]
)


def alone(clause: str) -> bool:
    """Say whether a clause is best left alone: it opens with an adverb, or with "there is" and the like."""
    return fronted(clause) or clause.startswith(OPENINGS)


def subordinate(text: str) -> bool:
    """Say whether a text has a clause that hangs on another, or an opening set off by a comma."""
    lower = text.lower()
    hanging = lower.startswith(("while ", "as ", *LINKS)) or any(f" {w} " in lower for w in ("while", "as"))
    return fronted(text) or hanging


LINKS = tuple(link for p in phrases.FOLLOWING if (link := p.partition("{")[0]))


def fronted(clause: str) -> bool:
    """Say whether a clause begins with an adverb and a comma, and so stands alone: "slowly, a ball rolls"."""
    return clause.partition(" ")[0].endswith(",")


# ---- between the things


def relation_sentences(teller: Teller, visible: Sequence[int], most: int) -> list[str]:
    """Say how neighbours in the telling stand to each other at the first frame, where that is clear."""
    found: list[str] = []
    known = [i for i in teller.told if i in visible]
    for i, j in pairwise(known):
        how = relation(teller.scene.cast[i], teller.scene.cast[j])
        if how is not None and len(found) < most and teller.look(i) != teller.look(j):
            found.append(sentence(_relation(teller, i, j, how)))
    return found


def _relation(teller: Teller, i: int, j: int, how: str) -> str:
    dice = teller.dice
    still = teller.motion(i).action == "stand"
    pattern = dice.pick(phrases.RELATION if still else phrases.RELATION_MOVING)
    words_for = dice.pick(weighted(words.RELATIONS[how]))
    if pattern.startswith("{relation}") and " than" in words_for:
        pattern = phrases.RELATION[0]
    return pattern.format(a=teller.mention(i), b=teller.mention(j), relation=words_for)


def event_clause(teller: Teller, event: Happening) -> str:
    """Say what happened, as a finite clause, active or passive."""
    return _event(teller, event, teller.dice.pick(event_patterns(event.kind, event.agent is None)))


@cache
def event_patterns(kind: str, alone: bool) -> tuple[str, ...]:
    """Return the finite patterns of an event, the plain active one more often."""
    return phrases.EVENTS_ALONE[kind] if alone else weighted(phrases.EVENTS[kind])


def event_phrase(teller: Teller, event: Happening) -> str:
    """Say what happened without finite verb: "a red ball hitting a blue cube"."""
    return _event(teller, event, teller.dice.pick(phrases.EVENTS_ING[event.kind]))


def _event(teller: Teller, event: Happening, pattern: str) -> str:
    names: dict[str, str] = {}
    for slot in sorted("ab", key=lambda slot: pattern.find(f"{{{slot}}}")):  # named in the order of the text
        i = event.agent if slot == "a" else event.patient
        names[slot] = teller.name(i) if i is not None else ""
    return pattern.format(**names)


def event_sentences(teller: Teller, events: Sequence[Happening]) -> list[str]:
    """Tell events in their order: "First the ball hits the cube, then the domino is knocked over."."""
    if not events:
        return []
    clauses = [event_clause(teller, event) for event in events]
    dice, (x, *more) = teller.dice, clauses
    if not more:
        return [sentence(x)]
    if len(more) == 1:
        return [sentence(dice.pick(phrases.IN_ORDER_TWO).format(x=x, y=more[0]))]
    *middle, y = more
    pattern = dice.pick(phrases.IN_ORDER_MORE)
    steps = [dice.pick(phrases.LATER).format(y=step) for step in middle]
    between = ". ".join(step[0].upper() + step[1:] for step in steps) if ". " in pattern else ", ".join(steps)
    return [sentence(pattern.format(x=x, list=between, y=y))]
