"""Names for things and their motions: noun phrases and verb phrases of a caption.

A `Teller` speaks about one scene. It keeps to its words (what it called a sphere stays a sphere), knows what
it has introduced ("a red ball", later "the ball"), and says as much as tells two things apart. Usage:

    teller = Teller(scene, Dice(rng))
    f"{teller.introduce(0)} {teller.verb(0, 'does')}"      # "a large red ball slides to the left"
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from reelworld.world import words
from reelworld.world.dice import Dice, weighted
from reelworld.world.facts import has_speed
from reelworld.world.scene import Scene, Thing
from reelworld.world.verbs import Form, Manner, sort_of, verb_phrases

FULL = ("size", "material", "color", "second_color", "hat")
COLORED = ("color", "second_color", "hat")  # what a film without colours does not show
COLORLESS = ("historical", "black_and_white", "film_noir")
DISTINCT: tuple[tuple[str, ...], ...] = (
    (),
    ("color",),
    ("size",),
    ("size", "color"),
    ("color", "second_color"),
    ("color", "hat"),
)
OFTEN = {"size": 0.5, "material": 0.5, "color": 0.9, "second_color": 0.3, "hat": 0.5}  # in brief descriptions
TABLES: dict[str, words.Table] = {
    "color": words.COLORS,
    "material": words.MATERIALS,
    "second_color": words.COLORS,
    "hat": words.COLORS,
}


def listed(names: Sequence[str]) -> str:
    """Join names with commas and a final "and"; names that have an "and" of their own keep their distance."""
    if len(names) == 1:
        return names[0]
    comma = "," if any(" and " in name for name in names[:-1]) else ""
    return f"{', '.join(names[:-1])}{comma} and {names[-1]}"


class Teller:
    """Names the cast of one scene and what it does, with the same words for the same thing throughout."""

    def __init__(
        self,
        scene: Scene,
        dice: Dice,
        disturbed: frozenset[int] = frozenset(),
        brief: bool = False,
        names: Mapping[int, str] | None = None,
    ) -> None:
        """Speak of a scene; `names` are proper ones, of characters whose looks a picture shows."""
        self.names = names or {}
        self.scene, self.dice, self.disturbed, self.brief = scene, dice, disturbed, brief
        self.later = False  # telling a later shot, in which what stands may just be in view
        self.told: dict[int, tuple[str, ...]] = {}  # things introduced, with the attributes stated
        self._says_matte = dice.chance(0.15)  # the usual material goes without saying
        self._words: dict[tuple[int, str], str] = {}
        self._unseen = COLORED if scene.style in COLORLESS else ()
        self._looks = [(t.kind, *(self._seen(t, name) for name in FULL)) for t in scene.cast]
        self._motions = [Manner(t.motion.action, t.motion.direction, t.motion.speed) for t in scene.cast]

    def _seen(self, thing: Thing, name: str) -> str | None:
        """Return an attribute, None where the picture does not show it."""
        return None if name in self._unseen else getattr(thing, name)

    def look(self, i: int) -> tuple[str | None, ...]:
        """Return all that a description of a thing can state."""
        return self._looks[i]

    def unique(self, i: int) -> bool:
        """Say whether nothing else in the cast looks the same."""
        return self._looks.count(self._looks[i]) == 1

    def motion(self, i: int) -> Manner:
        """Return a thing's motion without its timing."""
        return self._motions[i]

    def hurried(self, i: int) -> bool:
        """Say whether "slowly" or "quickly" can open the sentence."""
        motion = self._motions[i]
        return (
            motion.speed != "medium"
            and has_speed(motion.action, motion.direction)
            and motion.action not in words.SPEEDS_OF
        )

    def noun(self, i: int) -> str:
        """Return the noun that this thing is called by."""
        return self._word(i, "kind", words.NOUNS[self.scene.cast[i].kind])

    def pronoun(self, i: int) -> str:
        """Return it, he, she or they."""
        return words.PRONOUNS.get(self.noun(i), "it")

    def _word(self, i: int, name: str, options: tuple[str, ...]) -> str:
        word = self._words.get((i, name))
        if word is None:
            word = self._words[(i, name)] = self.dice.pick(weighted(options))
        return word

    def attribute(self, i: int, name: str) -> str:
        """Return the word for one attribute of a thing."""
        thing = self.scene.cast[i]
        value = getattr(thing, name)
        if name == "size":
            return self._word(i, name, words.SIZES_OF.get(thing.kind, words.USUAL_SIZES)[value])
        return self._word(i, name, TABLES[name][value])

    def all_of(self, i: int) -> tuple[str, ...]:
        """Return the attributes a full description states."""
        thing = self.scene.cast[i]
        says_matte = self._says_matte and thing.kind in words.PRIMITIVES
        silent = "material" if thing.material == "matte" and not says_matte else ""
        hidden = (*self._unseen, *(() if thing.kind in words.PARTS else ("second_color",)))
        full = tuple(n for n in FULL if n != silent and n not in hidden and getattr(thing, n) is not None)
        return tuple(name for name in full if self.dice.chance(OFTEN[name])) if self.brief else full

    def bare(self, i: int, said: tuple[str, ...], count: int = 1) -> str:
        """Describe a thing without article: "small red ball", "tall man in a black jacket"."""
        hidden = "color" if self.scene.cast[i].kind in words.WEARS else ""
        front = [name for name in ("size", "material", "color") if name in said and name != hidden]
        noun = self.noun(i) if count == 1 else words.plural(self.noun(i))
        adjectives = "".join(f"{self.attribute(i, name)} " for name in front)
        return f"{adjectives}{noun}{self._clothes(i, said, count)}"

    def _clothes(self, i: int, said: tuple[str, ...], count: int) -> str:
        """Say the coloured parts: " in a black jacket and a red hat", " with a white roof"."""
        kind = self.scene.cast[i].kind
        parts = [("color", words.WEARS.get(kind)), ("second_color", words.PARTS.get(kind))]
        if self._suited(i, said):
            parts = [("color", "suit")]
        worn = [
            self._part(self.attribute(i, name), part, count) for name, part in parts if part and name in said
        ]
        if "hat" in said:
            worn.append(self._part(self.attribute(i, "hat"), "hat", count))
        if not worn:
            return ""
        dressed = kind in words.WEARS
        link = "in" if dressed and self.dice.chance(0.6) else "wearing" if dressed else "with"
        return f" {link} {listed(worn)}"

    def _suited(self, i: int, said: tuple[str, ...]) -> bool:
        thing = self.scene.cast[i]
        both = thing.kind in words.SUITED and thing.color == thing.second_color
        return both and "color" in said and "second_color" in said

    def _part(self, color: str, part: str, count: int) -> str:
        if part in words.UNCOUNTED_PARTS:
            return f"{color} {part}"
        return f"{words.article(color)} {color} {part}" if count == 1 else f"{color} {words.plural(part)}"

    def introduce(self, i: int, said: tuple[str, ...] | None = None) -> str:
        """Name a thing for the first time: "a large red ball", "another ball", "Alpha"."""
        if i in self.names:
            self.told[i] = ()
            return self.names[i]
        said = self.all_of(i) if said is None else said
        again = any(self._same(i, j, said) for j in self.told)
        self.told[i] = said
        text = self.bare(i, said)
        return f"{'another' if again else words.article(text)} {text}"

    def introduce_many(self, group: Sequence[int]) -> str:
        """Name things that look alike: "three small white dominoes"."""
        said = self.all_of(group[0])
        for i in group:
            self.told[i] = said
            self._words.update({(i, n): w for (j, n), w in list(self._words.items()) if j == group[0]})
        text = self.bare(group[0], said, len(group))
        self._words.update(
            {(i, n): w for i in group for (j, n), w in list(self._words.items()) if j == group[0]}
        )
        return f"{words.NUMBERS[str(len(group))][0]} {text}"

    def _same(self, i: int, j: int, said: tuple[str, ...]) -> bool:
        """Say whether thing j also fits the description of thing i."""
        one, other = self.scene.cast[i], self.scene.cast[j]
        if j in self.names:
            return False
        if one.kind != other.kind:
            return False
        return all(name in self.told[j] and getattr(one, name) == getattr(other, name) for name in said)

    def mention(self, i: int) -> str:
        """Name a thing again by what tells it from others: "the ball", "the red ball", "the first domino"."""
        if i in self.names:
            return self.names[i]
        rivals = [j for j in self.told if j != i and self.scene.cast[j].kind == self.scene.cast[i].kind]
        stated = self.told[i]
        for said in DISTINCT:
            if set(said) <= set(stated) and not any(self._same(i, j, said) for j in rivals):
                return f"the {self._definite(i, ('color',) if not said and self._colorful(i) else said)}"
        if not any(self._same(i, j, stated) for j in rivals):
            return f"the {self._definite(i, stated)}"
        rank = [j for j in self.told if self._same(i, j, stated)].index(i)
        said = next(
            s
            for s in (*DISTINCT, stated)
            if set(s) <= set(stated) and self._alike(i, s) == self._alike(i, stated)
        )
        return f"the {words.ORDINALS[str(rank + 1)][0]} {self._definite(i, said)}"

    def _colorful(self, i: int) -> bool:
        """Say whether to give a thing's colour although its noun would do; the same for all the text."""
        if "color" not in self.told[i] or self.scene.cast[i].kind in words.WEARS:
            return False
        return self._word(i, "colorful", ("", "", "yes")) != ""

    def mention_many(self, group: Sequence[int]) -> str | None:
        """Name lookalikes again, if words can tell them from the rest: "the three red dominoes"."""
        first, stated = group[0], self.told[group[0]]
        for said in (*DISTINCT, stated):
            if set(said) <= set(stated) and sorted(self._alike(first, said)) == sorted(group):
                return f"the {words.NUMBERS[str(len(group))][0]} {self.bare(first, said, len(group))}"
        return None

    def _alike(self, i: int, said: tuple[str, ...]) -> list[int]:
        return [j for j in self.told if self._same(i, j, said)]

    def _definite(self, i: int, said: tuple[str, ...]) -> str:
        return self.bare(i, said).replace(" a ", " the ").replace(" an ", " the ")

    def name(self, i: int) -> str:
        """Introduce a thing, or mention it if it is known."""
        return self.mention(i) if i in self.told else self.introduce(i)

    def verb(self, i: int, form: Form, hurried: bool = True) -> str:
        """Say what a thing does, as a verb phrase; without its speed if not `hurried`."""
        motion = self._motions[i]
        manner = motion if hurried else motion._replace(speed="medium")
        return self.dice.pick(verb_phrases(manner, self.sort(i), form))

    def sort(self, i: int) -> str:
        """Return how a thing carries itself, and whether something happens to it where it stands."""
        disturbed = i in self.disturbed and self._motions[i].action == "stand"
        return sort_of(self.scene.cast[i].kind) + (", disturbed" if disturbed else "")
