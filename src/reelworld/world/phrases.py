"""The sentence patterns of captions: one table that both writes and reads.

A pattern is plain text with slots in braces. `{a}` and `{b}` are things, `{group}` is several; `{does}`,
`{doing}` and `{do}` are verb phrases ("slides slowly", "sliding slowly", "slide slowly"); `{event}` and
`{event_ing}` say what happened; the other slots are atoms from the tables of `words.py`. Count the patterns:

    python -c "from reelworld.world.phrases import SENTENCES; print(sum(map(len, SENTENCES.values())))"
"""

from __future__ import annotations

from reelworld.world import words
from reelworld.world.words import Table, conjugate

# A verb phrase: where the verb, its manner and its direction stand.
MANNERS = (
    "{verb}",
    "{verb} {spot}",
    "{verb} {direction}",
    "{verb} {speed}",
    "{adverb} {verb}",
    "{verb} {speed} {spot}",
    "{verb} {spot} {speed}",
    "{adverb} {verb} {spot}",
    "{verb} {speed} {direction}",
    "{verb} {direction} {speed}",
    "{adverb} {verb} {direction}",
)

# One thing and its motion. NEW patterns introduce a thing, ANY patterns also take one that is known.
MOTION_ANY = ("{a} {does}", "{a} is {doing}", "{a} can be seen {doing}", "{adverb}, {a} {does}")
MOTION_NEW = ("there is {a} {doing}", "we see {a} {doing}", "the {film} shows {a} {doing}")
MOTION_MANY = ("{group} {do}", "{group} are {doing}")
MOTION_MANY_NEW = ("we see {group} {doing}", "the {film} shows {group} {doing}", "there are {group} {doing}")
MOTION_PHRASE = ("{a} {doing}", "{group} {doing}")
MOTION_SHOWN = (
    "the {film} shows {list}",
    "we see {list}",
    "in this {film}, we see {list}",
    "this {film} shows {list}",
)

PRESENCE = (
    "there is {group}",
    "the {film} shows {group}",
    "we see {group}",
    "this {film} shows {group}",
    "here we have {group}",
)
PRESENCE_MANY = (
    "there are {group}",
    "the {film} shows {group}",
    "we see {group}",
    "this {film} shows {group}",
)
IN_VIEW = ("{a} is in view", "{a} is still in view", "{a} can be seen")
MANY_IN_VIEW = ("{group} are in view", "{group} can be seen")

RELATION = ("{a} is {relation} {b}", "{a} is {relation} {b}", "{relation} {b} is {a}")
RELATION_MOVING = (
    "{a} starts {relation} {b}",
    "at first, {a} is {relation} {b}",
    "at the start, {a} is {relation} {b}",
    "{a} begins {relation} {b}",
)

JOINED = ("{x} while {y}", "{x} and {y}", "{x}, while {y}", "{x}, and {y}", "{x} as {y}", "while {x}, {y}")
FOLLOWING = ("{y}", "meanwhile, {y}", "at the same time, {y}", "{y}")
IN_ORDER_TWO = (
    "first {x}, then {y}",
    "{x}, and then {y}",
    "{x} before {y}",
    "after {x}, {y}",
    "{x}, then {y}",
)
IN_ORDER_MORE = ("first {x}, {list}, and finally {y}", "first {x}. {list}. Finally, {y}")
LATER = ("then {y}", "after that {y}", "next {y}")

CAMERA_ALONE = (
    "the camera {camera_s}",
    "the camera {camera_s}",
    "the camera {camera_s}",
    "the camera is {camera_ing}",
    "{camera_noun}",
    "camera: {camera_noun}",
)
CAMERA_AFTER = ("{x} as {camera}", "{x} while {camera}", "as {camera}, {x}")
CAMERA_WITH = (*CAMERA_AFTER, "{camera} as {x}", "{camera} while {x}")

SETTING = (
    "{place} {time}",
    "the scene is {place} {time}",
    "the setting is {place} {time}",
    "the background is {place} {time}",
    "it all happens {in_place} {time}",
    "the scene is set {in_place} {time}",
    "all this takes place {in_place} {time}",
)
GROUND = ("the {ground} is {pattern}",)
STYLE = (
    "{style}",
    "this is {style}",
    "it looks like {style}",
    "everything is {style_in}",
    "the {film} is {style_in}",
)


def active(kind: str) -> tuple[str, ...]:
    """Return the finite active patterns of an event."""
    return tuple(f"{{a}} {conjugate(base).s}" for base in words.ACTIVE[kind])


def active_ing(kind: str) -> tuple[str, ...]:
    """Return the participial active patterns of an event, for phrases: "a ball hitting a cube"."""
    return tuple(f"{{a}} {conjugate(base).ing}" for base in words.ACTIVE[kind])


def active_base(kind: str) -> tuple[str, ...]:
    """Return the patterns whose agent is several things: "two dogs enter the frame"."""
    return tuple(f"{{group}} {base}" for base in words.ACTIVE[kind])


def passive(kind: str) -> tuple[str, ...]:
    """Return the finite passive patterns of an event."""
    pairs = words.PASSIVE.get(kind, ())
    return tuple(f"{{b}} is {conjugate(verb).ed}{tail} by {{a}}" for verb, tail in pairs)


def passive_ing(kind: str) -> tuple[str, ...]:
    """Return the participial passive patterns: "a cube being hit by a ball"."""
    return tuple(pattern.replace("} is ", "} being ", 1) for pattern in passive(kind))


EVENT_KINDS = tuple(words.ACTIVE)
EVENTS: Table = {k: active(k) + passive(k) + words.OTHER_EVENTS.get(k, ()) for k in EVENT_KINDS}
EVENTS_ALONE: Table = words.ALONE
ACTIVE_ING: Table = {k: active_ing(k) for k in EVENT_KINDS}
EVENTS_ING: Table = {k: ACTIVE_ING[k] + passive_ing(k) for k in EVENT_KINDS}
EVENTS_MANY: Table = {k: active_base(k) for k in EVENT_KINDS}

# The main subject of a short caption with what surrounds it; {x} is a clause, {p} has no finite verb.
SHORT_AFTER = ("{x}", "{x}", "{x}", "{x} {in_place}", "{x} {in_place} {time}", "{x} {time}")
SHORT = (*SHORT_AFTER, "{in_place}, {x}", "{in_place} {time}, {x}")
SHORT_PHRASE = ("{p}", "{p}", "{p} {in_place}", "{p} {time}", "{p} {in_place} {time}")
SHORT_STYLED = ("{style} of {p}", "{style}: {p}", "{p}, {style_in}")
SHORT_FILMED = ("a {film} of {p}", "{p}", "{p}", "{p}")

# What the web says; {n} names a thing without an article, {p} is such a name with its motion.
RAW_NAME = (
    "{n}",
    "{n} {in_place}",
    "{n} {time}",
    "video of {n}",
    "look at this {n}",
    "{n}!",
    "cool {n}",
    "{n} #{tag} #{tag2}",
    "{n}, {noise}",
    "{file} {n}",
)
RAW_MOTION = (
    "{p}",
    "{p}",
    "{p} {in_place}",
    "{p} {time}",
    "video of {p}",
    "my {p}",
    "watch this {p}",
    "just {p}",
    "{p} #{tag}",
    "{p} - {noise}",
    "{file} - {p}",
    "{chatter}, {p}",
)
RAW_EMPTY = ("{file}", "{chatter}", "{place} {time}", "{noise}")

SENTENCES: Table = {
    "motion": MOTION_ANY + MOTION_NEW + MOTION_MANY + MOTION_MANY_NEW + MOTION_PHRASE + MOTION_SHOWN,
    "presence": PRESENCE + PRESENCE_MANY + IN_VIEW + MANY_IN_VIEW,
    "relation": RELATION + RELATION_MOVING,
    "order": JOINED + FOLLOWING + IN_ORDER_TWO + IN_ORDER_MORE + LATER,
    "camera": CAMERA_ALONE + CAMERA_WITH,
    "setting": SETTING + GROUND + STYLE,
    "short": SHORT + SHORT_PHRASE + SHORT_STYLED + SHORT_FILMED,
    "raw": RAW_NAME + RAW_MOTION + RAW_EMPTY,
    "event": tuple(p for kind in EVENT_KINDS for p in EVENTS[kind] + EVENTS_ALONE.get(kind, ())),
    "event phrase": tuple(p for kind in EVENT_KINDS for p in EVENTS_ING[kind] + EVENTS_MANY[kind]),
}
