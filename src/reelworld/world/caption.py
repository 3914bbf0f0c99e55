"""Captions of a scene: what the web would say, the short truth, and the whole truth.

Every word comes from the tables of `words.py`, every sentence from the patterns of `phrases.py`; `parse.py`
reads the captions back and `facts.py` says whether they are true. The same scene and generator give the same
text. Usage:

    descriptive(scene, log, np.random.default_rng(0)).text
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Literal, NamedTuple, get_args

import numpy as np

from reelworld.world import phrases, words
from reelworld.world.dice import Dice
from reelworld.world.facts import Fact, Happening, Log, facts, happenings, visible_at_start
from reelworld.world.naming import Teller
from reelworld.world.parse import Parsed, parse
from reelworld.world.scene import (
    PRIMITIVES,
    Action,
    Color,
    Composite,
    Direction,
    Kind,
    Motion,
    Primitive,
    Scene,
    Shot,
)
from reelworld.world.scenery import (
    camera_clause,
    camera_sentence,
    sentence,
    setting_sentence,
    style_sentence,
    where_and_when,
)
from reelworld.world.splits import is_heldout
from reelworld.world.telling import (
    alone,
    event_clause,
    event_phrase,
    event_sentences,
    motion_clause,
    motion_phrase,
    motion_sentences,
    relation_sentences,
    subordinate,
)
from reelworld.world.truth import contradictions, holds
from reelworld.world.verbs import Manner, sort_of, verb_phrases

__all__ = [
    "Caption", "Fact", "Log", "Parsed", "contradictions", "descriptive", "facts", "holds", "parse", "raw",
    "short", "vocabulary",
]  # fmt: skip

TIMED = 0.85  # share of the cuts of which a caption tells when they come
ROOM = 90  # words; a shot described at this length says no more about who stands where


class Caption(NamedTuple):
    """A caption; `correct` is False where an error was put in on purpose (raw captions only)."""

    text: str
    kind: Literal["raw", "short", "descriptive"]
    correct: bool = True


# ---- descriptive


def descriptive(
    scene: Scene, log: Log, rng: np.random.Generator, names: Mapping[int, str] | None = None
) -> Caption:
    """Tell everything: things with attributes and motions, relations, events, camera, setting, style.

    Of members of the cast with a name of their own, only that is told of how they look.
    """
    dice = Dice(rng)
    events = happenings(log)
    disturbed = frozenset(e.patient for e in events if e.patient is not None)
    teller = Teller(scene, dice, disturbed, names=names)
    setting, style = setting_sentence(scene, dice), style_sentence(scene, dice)
    body = " ".join(shot_text(teller, number, events) for number in range(len(scene.shots)))
    order = dice.roll()
    if order < 0.25:
        parts = (style, setting, body)
    else:
        parts = (style, body, setting) if order < 0.6 else (body, setting, style)
    return Caption(" ".join(part for part in parts if part), "descriptive")


def shot_text(teller: Teller, number: int, events: list[Happening]) -> str:
    """Tell one shot; with several, each begins "Shot 1:", later ones mostly "Shot 2 at 1.2 seconds:"."""
    scene, dice = teller.scene, teller.dice
    shot, teller.later = scene.shots[number], number > 0
    telling = motion_sentences(teller, shot.cast, most=4 - len(scene.shots))
    happened = event_sentences(teller, [e for e in events if in_shot(scene, e, shot)])
    if not happened and _takes_camera(telling) and dice.chance(0.4):
        telling[-1] = _with_camera(telling[-1], shot, dice)
        filmed = []
    else:
        filmed = [camera_sentence(shot.camera, dice)]
    room = ROOM // len(scene.shots) - sum(text.count(" ") + 1 for text in telling + happened)
    stands = relation_sentences(teller, visible_at_start(scene, events), room // 12) if number == 0 else []
    parts = (
        filmed + telling + stands + happened if dice.chance(0.15) else telling + stands + happened + filmed
    )
    return _mark(scene, number, dice) + " ".join(parts)


def _mark(scene: Scene, number: int, dice: Dice) -> str:
    """Number a shot of several, and say when it is cut to; who asks for a film may leave that open."""
    if len(scene.shots) == 1:
        return ""
    told = number > 0 and dice.chance(TIMED)
    when = f" at {scene.shots[number].start:.1f} seconds" if told else ""
    return f"Shot {number + 1}{when}: "


def in_shot(scene: Scene, event: Happening, shot: Shot) -> bool:
    """Say whether an event happens while this shot runs, among its cast."""
    return scene.shot_at(event.time) is shot and set(event.parties) <= set(shot.cast)


def _takes_camera(telling: list[str]) -> bool:
    """Say whether the last sentence can take the camera's move: not if "it" would then mean the camera."""
    if not telling or subordinate(telling[-1]):
        return False
    return telling[-1].partition(" ")[0].lower() not in {"it", *words.PRONOUNS.values()}


def _with_camera(text: str, shot: Shot, dice: Dice) -> str:
    """Add the camera's move to a sentence."""
    x = text[0].lower() + text[1:-1]
    return sentence(_filmed(x, shot, dice))


def _filmed(clause: str, shot: Shot, dice: Dice) -> str:
    """Join a clause and the camera's move: "a ball rolls as the camera pans left"."""
    patterns = phrases.CAMERA_AFTER if alone(clause) else phrases.CAMERA_WITH
    return dice.pick(patterns).format(x=clause, camera=camera_clause(shot.camera, dice))


# ---- short


def short(
    scene: Scene, log: Log, rng: np.random.Generator, names: Mapping[int, str] | None = None
) -> Caption:
    """Tell the main subject and what it does, sometimes with its companion, the place or the camera."""
    dice = Dice(rng)
    events = happenings(log)
    teller = Teller(scene, dice, brief=True, names=names)
    told = [e for e in events if e.agent is not None]
    as_phrase = scene.style != "natural" or dice.chance(0.25)
    if told and dice.chance(0.6):
        event = dice.pick(told)
        text = event_phrase(teller, event) if as_phrase else event_clause(teller, event)
    else:
        text = _main_motion(teller, main_thing(scene, events, dice), as_phrase)
    text = _phrase_in_place(scene, dice, text) if as_phrase else _clause_in_place(scene, dice, text)
    return Caption(sentence(text) if dice.chance(0.6) else text, "short")


def main_thing(scene: Scene, events: list[Happening], dice: Dice) -> int:
    """Return the subject of a short text: who acts, else who moves, else anyone."""
    acting = [e.agent for e in events if e.agent is not None]
    moving = [i for i, thing in enumerate(scene.cast) if thing.motion.action != "stand"]
    return dice.pick(acting or moving or range(len(scene.cast)))


def _main_motion(teller: Teller, main: int, as_phrase: bool) -> str:
    """Say what the main thing does, and in a cast of two now and then what the other does."""
    dice, count = teller.dice, len(teller.scene.cast)
    if as_phrase:
        return motion_phrase(teller, (main,))
    text = motion_clause(teller, (main,))
    if count != 2 or alone(text) or dice.chance(0.5):
        return text
    other = motion_clause(teller, (1 - main,))
    return text if alone(other) else dice.pick(phrases.JOINED).format(x=text, y=other)


def _clause_in_place(scene: Scene, dice: Dice, text: str) -> str:
    """Surround a clause with the place, the time or the camera."""
    if len(scene.shots) == 1 and not subordinate(text) and dice.chance(0.2):
        return _filmed(text, scene.shots[0], dice)
    place, time, _ = where_and_when(scene, dice, "in_place")
    patterns = phrases.SHORT_AFTER if subordinate(text) else phrases.SHORT
    return dice.pick(patterns).format(x=text, in_place=place, time=time)


def _phrase_in_place(scene: Scene, dice: Dice, text: str) -> str:
    """Surround a phrase with the style, the place or the time."""
    if scene.style != "natural" and dice.chance(0.6):
        style, style_in = dice.pick(words.STYLES[scene.style]), dice.pick(words.STYLES_IN[scene.style])
        return dice.pick(phrases.SHORT_STYLED).format(p=text, style=style, style_in=style_in)
    place, time, _ = where_and_when(scene, dice, "in_place")
    film = dice.pick(words.FILM["film"])
    text = dice.pick(phrases.SHORT_FILMED).format(p=text, film=film)
    return dice.pick(phrases.SHORT_PHRASE).format(p=text, in_place=place, time=time)


# ---- raw


def raw(scene: Scene, log: Log, rng: np.random.Generator, error_rate: float = 0.1) -> Caption:
    """Write what the web would say: partial, noisy, and wrong at `error_rate` (then `correct` is False)."""
    dice = Dice(rng)
    events = happenings(log)
    main = main_thing(scene, events, dice)
    if dice.chance(error_rate):
        wrong, must = _spoiled_in_split(scene, main, dice)
        return Caption(_raw_text(wrong, events, main, dice, must), "raw", correct=False)
    return Caption(_raw_text(scene, events, main, dice, ""), "raw")


def _spoiled_in_split(scene: Scene, main: int, dice: Dice) -> tuple[Scene, str]:
    """Spoil a scene so that even its wrong caption names no combination held out from its split."""
    wrong, must = spoiled(scene, main, dice)
    while is_heldout(wrong) and not is_heldout(scene):
        wrong, must = spoiled(scene, main, dice)
    return wrong, must


def spoiled(scene: Scene, main: int, dice: Dice) -> tuple[Scene, str]:
    """Return the scene with one thing wrong, which fits nobody, and what the text must mention."""
    thing, cast = scene.cast[main], scene.cast
    what = dice.pick(("color", "color", "kind", "action", "direction"))
    ways = [d for d in get_args(Direction) if all(t.motion.direction != d for t in cast)]
    if what == "direction" and thing.motion.direction and ways:
        wrong = replace(thing, motion=replace(thing.motion, direction=dice.pick(ways)))
    elif what == "action":
        acts = [a for a in SWAPPED if all(t.motion.action != a for t in cast)]
        wrong = replace(thing, motion=Motion(action=dice.pick(acts)))
    elif what == "kind":
        kinds = [k for k in _kin(thing.kind) if all(t.kind != k for t in cast)] or get_args(Kind)
        wrong = replace(thing, kind=dice.pick(kinds))
    else:
        what = "color"
        colors = [c for c in get_args(Color) if all(c not in (t.color, t.second_color, t.hat) for t in cast)]
        wrong = replace(thing, color=dice.pick(colors))
    return replace(scene, cast=(*cast[:main], wrong, *cast[main + 1 :])), what


def _kin(kind: str) -> tuple[Kind, ...]:
    """Return the kinds that a careless eye takes for this one."""
    return get_args(Primitive) if kind in PRIMITIVES else get_args(Composite)


def _raw_text(scene: Scene, events: list[Happening], main: int, dice: Dice, must: str) -> str:
    """Fill a raw pattern; `must` names what the text has to mention, if anything."""
    teller = Teller(scene, dice, brief=True)
    said = teller.all_of(main)
    if must == "color" and "color" not in said:
        said = ("color", *said)
    name = teller.bare(main, said)
    place, time, _ = where_and_when(scene, dice, "place")
    in_place, _, _ = where_and_when(scene, dice, "in_place")
    return dice.pick(_raw_table(teller, main, must)).format(
        n=name, p=_raw_phrase(teller, events, main, name, must), place=place, in_place=in_place, time=time,
        tag=teller.noun(main).split()[0], tag2=words.COLORS[scene.cast[main].color][0],
        file=dice.pick(words.FILES), chatter=dice.pick(words.CHATTER), noise=dice.pick(words.NOISE),
    )  # fmt: skip


def _raw_table(teller: Teller, main: int, must: str) -> tuple[str, ...]:
    """Choose patterns that name the thing, tell its motion, or say next to nothing."""
    if must in ("action", "direction"):
        return phrases.RAW_MOTION
    if not must and teller.dice.chance(0.08):
        return phrases.RAW_EMPTY
    moving = teller.motion(main).action != "stand" and teller.dice.chance(0.6)
    return phrases.RAW_MOTION if moving else phrases.RAW_NAME


def _raw_phrase(teller: Teller, events: list[Happening], main: int, name: str, must: str) -> str:
    """Say what the thing does, or how it moves, often without direction and speed."""
    dice, manner = teller.dice, teller.motion(main)
    own = [e for e in events if e.agent == main]
    if own and not must and dice.chance(0.5):
        event = dice.pick(own)
        patient = "" if event.patient is None else teller.introduce(event.patient)
        return dice.pick(phrases.ACTIVE_ING[event.kind]).format(a=name, b=patient)
    if must != "direction" and dice.chance(0.3):
        manner = Manner(manner.action, None, "medium")
    return f"{name} {dice.pick(verb_phrases(manner, sort_of(teller.scene.cast[main].kind), 'doing'))}"


SWAPPED: tuple[Action, ...] = ("slide", "roll", "bounce", "spin", "jump", "fall")


# ---- vocabulary


def vocabulary() -> tuple[str, ...]:
    """Return every lower-case word and punctuation mark that any caption of any level can contain, sorted."""
    return tuple(sorted({token for text in _texts() for token in tokens(text)}))


def tokens(text: str) -> list[str]:
    r"""Split lower-cased text as the tokenizer does: words, and punctuation between them (\w+|[^\w\s]+)."""
    return re.findall(r"\w+|[^\w\s]+", text.lower())


def _texts() -> Iterable[str]:
    """Yield every phrase of every table, and every pattern without its slots."""
    for pattern in (*(p for patterns in phrases.SENTENCES.values() for p in patterns), *phrases.MANNERS):
        yield re.sub(r"\{\w+\}", " ", pattern)
    for table in words.TABLES_OF_PHRASES:
        yield from (phrase for options in table.values() for phrase in options)
    for verb in (v for verbs in (*words.VERBS.values(), *words.CAMERA_VERBS.values()) for v in verbs):
        yield from (verb.base, verb.s, verb.ing)
    for nouns in words.NOUNS.values():
        yield from (form for noun in nouns for form in (noun, words.plural(noun)))
    yield from words.PLAIN_WORDS
