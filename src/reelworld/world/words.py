"""The words of the world: one table per atom.

Each table maps an atom of the scene program to the phrases that name it, the plainest first. The same tables
write captions (`caption.py`) and read them (`parse.py`), so nothing can be said that cannot be understood.
Verbs stand in their base form; `conjugate` makes the others. Look at a table:

    python -c "from reelworld.world.words import NOUNS; print(NOUNS)"
"""

from __future__ import annotations

from typing import NamedTuple

Table = dict[str, tuple[str, ...]]

NOUNS: Table = {
    "ball": ("ball", "sphere", "orb"),
    "cube": ("cube", "box", "block"),
    "cylinder": ("cylinder", "tube"),
    "cone": ("cone",),
    "person": ("person", "man", "woman", "figure"),
    "dog": ("dog", "hound"),
    "car": ("car", "automobile"),
    "tree": ("tree",),
    "house": ("house", "cottage"),
    "ship": ("ship", "boat"),
    "chair": ("chair",),
    "lamp": ("lamp",),
    "cup": ("cup", "mug", "cup of coffee"),
    "cookie": ("cookie", "biscuit"),
    "domino": ("domino",),
}
PLURALS = {"person": "people", "man": "men", "woman": "women", "box": "boxes", "domino": "dominoes"}
PRONOUNS = {"person": "they", "man": "he", "woman": "she", "figure": "they"}
CHARACTERS = ("Alpha", "Beta", "Gamma")  # names of those whose looks a picture shows instead of words
NUMBERS: Table = {str(n): (w,) for n, w in enumerate(("two", "three", "four", "five", "six"), start=2)}
ORDINALS: Table = {
    str(n): (w,) for n, w in enumerate(("first", "second", "third", "fourth", "fifth", "sixth"), start=1)
}

COLORS: Table = {
    "red": ("red", "crimson", "scarlet"),
    "orange": ("orange",),
    "yellow": ("yellow", "golden"),
    "green": ("green", "emerald"),
    "blue": ("blue", "azure"),
    "purple": ("purple", "violet"),
    "white": ("white",),
    "black": ("black",),
}
SIZES: Table = {"small": ("small", "little", "tiny", "short"), "large": ("large", "big", "tall")}
SIZES_OF: dict[str, Table] = {  # the words that suit a kind; the others take USUAL_SIZES
    "person": {"small": ("short",), "large": ("tall",)},
    "tree": {"small": ("small",), "large": ("tall", "large")},
    "lamp": {"small": ("small",), "large": ("tall",)},
}
USUAL_SIZES: Table = {"small": ("small", "little", "tiny"), "large": ("large", "big")}
MATERIALS: Table = {"matte": ("matte", "dull"), "shiny": ("shiny", "glossy"), "striped": ("striped",)}

# What wears a thing's first colour; the whole thing, where WEARS names nothing.
WEARS = {"person": "jacket"}
PARTS = {"person": "trousers", "house": "roof", "ship": "sail"}  # what wears the second colour
SUITED = frozenset({"person"})  # kinds whose two colours, if they are the same, make a suit
UNCOUNTED_PARTS = frozenset({"trousers"})  # said without an article

LIVING = frozenset({"person", "dog"})
UPRIGHT = frozenset({"tree", "house", "lamp", "chair", "domino"})
VEHICLES = frozenset({"car", "ship"})
PRIMITIVES = frozenset({"ball", "cube", "cylinder", "cone"})

ACTIONS: Table = {
    "stand": ("stand still", "stay still", "not move", "remain still", "stand", "rest on the ground",
              "sit on the ground", "wait", "sit still"),
    "slide": ("slide", "glide"),
    "drive": ("drive", "cruise"),
    "walk": ("walk", "stroll"),
    "run": ("run", "jog", "sprint", "dash"),
    "roll": ("roll", "trundle"),
    "bounce": ("bounce", "bounce up and down"),
    "jump": ("jump", "leap", "hop", "jump into the air"),
    "spin": ("spin", "rotate", "twirl", "whirl"),
    "fall": ("fall", "drop", "fall down", "fall to the ground", "drop to the ground"),
    "drift": ("drift", "float"),
    "stop": ("stop", "come to a stop", "come to rest"),
    "move": ("move", "travel"),
}  # fmt: skip
NOT_FAST = frozenset({"stroll", "jog", "trundle"})
NOT_SLOW = frozenset({"sprint", "dash"})
UNDIRECTED = frozenset(
    {"bounce up and down", "jump into the air", "fall to the ground", "drop to the ground"}
)
STANDS: Table = {  # how each sort of thing stands, when nothing happens to it and when something does
    "living": ("stand still", "stay still", "not move", "remain still"),
    "upright": ("stand still", "stand", "not move"),
    "vehicle": ("stay still", "not move", "remain still"),
    "object": ("stay still", "not move", "remain still", "rest on the ground", "sit still"),
    "living, disturbed": ("stand", "wait"),
    "upright, disturbed": ("stand",),
    "vehicle, disturbed": ("wait",),
    "object, disturbed": ("rest on the ground", "sit on the ground"),
}
MOVING = frozenset({"slide", "drive", "walk", "run", "roll", "drift", "move"})
UNHURRIED = frozenset({"stand", "fall", "stop"})  # no speed is said of these
ON_THE_SPOT = frozenset({"bounce", "spin", "jump"})
SPOT: Table = {"spot": ("on the spot", "in place")}
DIRECTIONS: Table = {
    "left": ("to the left", "left", "from right to left"),
    "right": ("to the right", "right", "from left to right"),
    "toward": ("toward the camera", "towards the camera"),
    "away": ("away from the camera", "into the distance", "away"),
}
SPEEDS: Table = {
    "slow": ("slowly", "at a slow pace", "gently"),
    "fast": ("quickly", "fast", "at high speed", "rapidly", "swiftly"),
}
ADVERBS: Table = {"slow": ("slowly", "gently"), "fast": ("quickly", "rapidly", "swiftly")}  # before the verb
SPEEDS_OF: dict[str, Table] = {"jump": {"slow": ("a little",), "fast": ("high",)}}  # a fast jump goes high
RELATIONS: Table = {
    "left_of": ("to the left of", "left of", "on the left of"),
    "right_of": ("to the right of", "right of", "on the right of"),
    "in_front_of": ("in front of", "closer to the camera than"),
    "behind": ("behind", "farther from the camera than"),
}

# Events, active voice: what the agent {a} does to the patient {b}; the first word is the verb.
ACTIVE: Table = {
    "collide": ("collide with {b}", "hit {b}", "bump into {b}", "crash into {b}", "strike {b}"),
    "push": ("push {b}", "shove {b}", "give {b} a push"),
    "knock_over": ("knock over {b}", "knock {b} over", "topple {b}"),
    "go_behind": ("go behind {b}", "pass behind {b}", "move behind {b}", "disappear behind {b}"),
    "enter": ("enter the frame", "come into view", "enter the scene", "come into the frame"),
    "leave": ("leave the frame", "go out of view", "exit the frame", "move out of the frame"),
    "bite": ("take a bite of {b}", "bite {b}", "bite into {b}", "take a bite out of {b}"),
    "switch_on": ("switch on {b}", "switch {b} on", "turn on {b}", "turn {b} on"),
}
# Passive voice: the verb, and what stays behind its participle.
PASSIVE: dict[str, tuple[tuple[str, str], ...]] = {
    "collide": (("hit", ""), ("strike", "")),
    "push": (("push", ""), ("shove", "")),
    "knock_over": (("knock", " over"), ("topple", "")),
    "bite": (("bite", ""),),
    "switch_on": (("switch", " on"), ("turn", " on")),
}
# What is said of the patient alone, when nobody is named as the agent.
ALONE: Table = {
    "knock_over": ("{b} is knocked over", "{b} tips over", "{b} falls over"),
    "push": ("{b} is pushed",),
    "bite": ("{b} is bitten", "a bite is taken out of {b}", "someone takes a bite of {b}"),
    "switch_on": ("{b} is switched on", "{b} lights up", "{b} comes on"),
}
OTHER_EVENTS: Table = {
    "collide": ("{a} and {b} collide", "there is a collision between {a} and {b}"),
    "bite": ("a bite is taken out of {b} by {a}",),
    "push": ("{b} gets a push from {a}",),
    "go_behind": ("{b} hides {a}",),
}

CAMERA: Table = {
    "still": ("stay still", "not move", "hold still", "remain still"),
    "pan_left": ("pan left", "pan to the left", "turn to the left"),
    "pan_right": ("pan right", "pan to the right", "turn to the right"),
    "dolly_in": ("move closer", "move forward", "dolly in", "move in"),
    "dolly_out": ("move back", "pull back", "dolly out", "move away"),
    "tilt_up": ("tilt up", "tilt upward"),
    "tilt_down": ("tilt down", "tilt downward"),
    "orbit_left": ("orbit to the left", "circle to the left", "orbit left"),
    "orbit_right": ("orbit to the right", "circle to the right", "orbit right"),
    "zoom_in": ("zoom in",),
    "zoom_out": ("zoom out",),
    "aerial": ("look down from above", "fly overhead", "look down from the air"),
}
CAMERA_NOUNS: Table = {
    "still": ("a static shot", "a still shot", "a fixed camera"),
    "pan_left": ("a pan to the left", "a pan left"),
    "pan_right": ("a pan to the right", "a pan right"),
    "dolly_in": ("a slow move forward", "a dolly shot moving in"),
    "dolly_out": ("a slow move back", "a dolly shot moving out"),
    "tilt_up": ("an upward tilt",),
    "tilt_down": ("a downward tilt",),
    "orbit_left": ("an orbit to the left",),
    "orbit_right": ("an orbit to the right",),
    "zoom_in": ("a zoom in", "a slow zoom in"),
    "zoom_out": ("a zoom out", "a slow zoom out"),
    "aerial": ("an aerial shot", "a view from above", "an aerial view"),
}

PLACES: Table = {
    "studio": ("studio",),
    "meadow": ("meadow", "field"),
    "desert": ("desert",),
    "snow": ("snowy landscape", "snow"),
    "beach": ("beach", "sandy beach", "beach by the sea"),
    "street": ("street", "city street", "street with shops"),
}
NIGHT_PLACES: Table = {"street": ("street", "street with neon signs", "street of neon signs", "city street")}
PREPOSITIONS = {"studio": "in", "meadow": "in", "desert": "in", "snow": "in", "beach": "on", "street": "on"}
ARTICLES: Table = {"desert": ("the", "a"), "beach": ("a", "the"), "snow": ("the",)}  # else "a"
PATTERNS: Table = {
    "plain": ("plain",),
    "checker": ("checkered", "chequered"),
    "planks": ("wooden", "planked"),
    "cobbles": ("cobbled",),
    "grass": ("grassy",),
}
ROUGH = ("rough",)  # how the pattern of grass looks where nothing grows
NATURAL_PATTERNS = {("studio", "plain"), ("meadow", "grass"), ("street", "cobbles")}  # "a cobbled street"
TIMES: Table = {
    "day": ("in daylight", "by day", "during the day", "in bright daylight"),
    "sunset": ("at sunset", "at dusk", "in the light of the setting sun"),
    "night": ("at night", "after dark", "by night"),
}
STYLES: Table = {
    "historical": ("historical footage", "old sepia footage", "old film footage"),
    "black_and_white": ("black and white footage", "a black and white film"),
    "papercraft": ("a papercraft animation", "a papercraft scene"),
    "film_noir": ("a film noir scene", "film noir footage"),
}
STYLES_IN: Table = {
    "historical": ("in faded sepia",),
    "black_and_white": ("in black and white",),
    "papercraft": ("in papercraft style", "made of paper"),
    "film_noir": ("in film noir style",),
}
FILM: Table = {"film": ("video", "clip", "scene")}

# Noise of raw captions. File names come from this list alone, so that they cost few words.
FILES = ("IMG-2041.mp4", "IMG-0007.mov", "VID-0113.mp4", "DSC-3390.avi", "clip-03.mp4", "final-2.mov")
CHATTER = ("untitled", "new video", "lol", "so cool", "wow", "must see", "test")
NOISE = ("hd", "free stock video", "part 1", "part 2", "watch until the end", "no sound")


class Verb(NamedTuple):
    """The forms of a verb, with whatever follows it in the table."""

    base: str
    s: str
    ing: str
    ed: str


DOUBLED = frozenset({"spin", "run", "pan", "stop", "drop", "hop", "jog", "hit", "sit"})
PARTICIPLES = {"hit": "hit", "strike": "struck", "bite": "bitten"}


def conjugate(phrase: str) -> Verb:
    """Inflect the first word of a base form: "take a bite" gives takes, taking, taken."""
    if phrase.startswith("not "):
        rest = phrase.removeprefix("not ")
        return Verb("do " + phrase, f"does {phrase}", f"not {conjugate(rest).ing}", "")
    verb, _, rest = phrase.partition(" ")
    tail = f" {rest}" if rest else ""
    return Verb(phrase, third_person(verb) + tail, gerund(verb) + tail, participle(verb) + tail)


def third_person(verb: str) -> str:
    """Return the form that he, she and it take."""
    if verb.endswith("y") and verb[-2] not in "aeo":
        return verb[:-1] + "ies"
    return verb + ("es" if verb.endswith(("s", "sh", "ch", "o")) else "s")


def gerund(verb: str) -> str:
    """Return the form in -ing."""
    if verb in DOUBLED:
        return verb + verb[-1] + "ing"
    return (verb[:-1] if verb.endswith("e") else verb) + "ing"


def participle(verb: str) -> str:
    """Return the past participle."""
    if verb in PARTICIPLES:
        return PARTICIPLES[verb]
    return verb + ("d" if verb.endswith("e") else "ed")


def plural(noun: str) -> str:
    """Return the plural of a noun of the table; trousers have no other."""
    head, of, rest = noun.partition(" of ")
    return head if head in UNCOUNTED_PARTS else PLURALS.get(head, head + "s") + of + rest


def article(words: str) -> str:
    """Return a or an, as the first letter asks."""
    return "an" if words[0] in "aeiou" else "a"


VERBS = {action: tuple(conjugate(base) for base in bases) for action, bases in ACTIONS.items()}
CAMERA_VERBS = {move: tuple(conjugate(base) for base in bases) for move, bases in CAMERA.items()}

TABLES_OF_PHRASES: tuple[Table, ...] = (
    NUMBERS, ORDINALS, COLORS, SIZES, MATERIALS, SPOT, DIRECTIONS, SPEEDS, SPEEDS_OF["jump"], ADVERBS,
    RELATIONS, CAMERA_NOUNS, PLACES, NIGHT_PLACES, PATTERNS, TIMES, STYLES, STYLES_IN, FILM,
)  # fmt: skip
PLAIN_WORDS = (
    "a", "an", "the", "another", "it", "he", "she", "they", "in", "on", "with", "and", "wearing",
    "hat", "hats", "jacket", "jackets", "suit", "suits", "trousers", "roof", "roofs", "sail", "sails",
    "floor", "ground", *ROUGH, "shot", "seconds", *"0123456789", ".", ",", ":", *FILES, *CHATTER, *NOISE,
    *(name.lower() for name in CHARACTERS),
)  # fmt: skip
