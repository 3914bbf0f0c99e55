"""Sentences about what surrounds the cast: place, time, ground, style, and what the camera does.

setting_sentence(scene, dice)      # "The scene is set in a studio with a checkered floor in daylight."
camera_sentence(camera, dice)      # "The camera pans to the left."
"""

from __future__ import annotations

from functools import cache

from reelworld.world import phrases, words
from reelworld.world.dice import Dice, weighted
from reelworld.world.scene import Camera, Scene


def sentence(text: str) -> str:
    """Give a clause its capital letter and full stop."""
    return f"{text[0].upper()}{text[1:]}."


@cache
def where(place: str, pattern: str, time: str, form: str) -> tuple[tuple[str, bool], ...]:
    """Return the ways to name a place ("place" or "in_place"), and whether each tells the ground too."""
    before = f"{words.PREPOSITIONS[place]} " if form == "in_place" else ""
    found = []
    nouns = words.NIGHT_PLACES.get(place, words.PLACES[place]) if time == "night" else words.PLACES[place]
    for noun in weighted(nouns):
        if noun == "snow" and form == "place":  # in the snow, but never "the scene is the snow"
            continue
        articles = words.ARTICLES.get(noun, ("a",))
        found += [(f"{before}{article} {noun}", False) for article in articles]
        found += [(f"{before}{text}", True) for text in _with_ground(place, noun, articles[0], pattern)]
    return tuple(found)


def patterns_of(place: str, pattern: str) -> tuple[str, ...]:
    """Return the words for a ground pattern; sand and snow with the pattern of grass are rough."""
    return words.ROUGH if pattern == "grass" and place != "meadow" else words.PATTERNS[pattern]


def _with_ground(place: str, noun: str, article: str, pattern: str) -> list[str]:
    """Name a place with its ground: "a cobbled street", "a studio with a checkered floor"."""
    looks = patterns_of(place, pattern)
    if (place, pattern) in words.NATURAL_PATTERNS:
        return [f"a {look} {noun}" for look in looks]
    if pattern == "plain" and place != "studio":
        return []
    link = "and" if " with " in noun else "with"
    floors = [f"a {look} floor" if place == "studio" else f"{look} ground" for look in looks]
    return [f"{article} {noun} {link} {floor}" for floor in floors]


def where_and_when(scene: Scene, dice: Dice, form: str) -> tuple[str, str, bool]:
    """Return a name for the place, one for the time, and whether the ground is told with them."""
    setting = scene.setting
    place, told = dice.pick(where(setting.place, setting.pattern, setting.time, form))
    return place, dice.pick(weighted(words.TIMES[setting.time])), told


def setting_sentence(scene: Scene, dice: Dice) -> str:
    """Say where and when, and what the ground looks like."""
    pattern = dice.pick(phrases.SETTING)
    place, time, told = where_and_when(scene, dice, "in_place" if "{in_place}" in pattern else "place")
    text = sentence(pattern.format(place=place, in_place=place, time=time))
    return text if told else f"{text}{ground_sentence(scene, dice)}"


def ground_sentence(scene: Scene, dice: Dice) -> str:
    """Say what the ground looks like, after a space; plain ground outdoors goes without saying."""
    setting = scene.setting
    if setting.pattern == "plain" and setting.place != "studio":
        return ""
    ground = "floor" if setting.place == "studio" else "ground"
    look = dice.pick(patterns_of(setting.place, setting.pattern))
    return " " + sentence(dice.pick(phrases.GROUND).format(ground=ground, pattern=look))


def style_sentence(scene: Scene, dice: Dice) -> str:
    """Say what kind of picture it is; a natural one goes without saying."""
    if scene.style == "natural":
        return ""
    style, style_in = dice.pick(words.STYLES[scene.style]), dice.pick(words.STYLES_IN[scene.style])
    film = dice.pick(words.FILM["film"])
    return sentence(dice.pick(phrases.STYLE).format(style=style, style_in=style_in, film=film))


# ---- the camera

CAMERA_FINITE = {move: weighted(tuple(v.s for v in verbs)) for move, verbs in words.CAMERA_VERBS.items()}
CAMERA_ING = {move: weighted(tuple(v.ing for v in verbs)) for move, verbs in words.CAMERA_VERBS.items()}


def camera_clause(camera: Camera, dice: Dice) -> str:
    """Say what the camera does, as a clause inside a sentence."""
    return f"the camera {dice.pick(CAMERA_FINITE[camera.move])}"


def camera_sentence(camera: Camera, dice: Dice) -> str:
    """Say what the camera does, as a sentence of its own."""
    noun = dice.pick(words.CAMERA_NOUNS[camera.move])
    finite, ing = dice.pick(CAMERA_FINITE[camera.move]), dice.pick(CAMERA_ING[camera.move])
    pattern = dice.pick(phrases.CAMERA_ALONE)
    return sentence(pattern.format(camera_s=finite, camera_ing=ing, camera_noun=noun))
