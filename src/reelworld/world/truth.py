"""Whether a text is true of a scene.

A text is true if its referents can be assigned to different members of the cast so that every fact it states
is a fact of the scene. The best assignment, the one that breaks fewest facts, is found by branch and bound.

    holds(parse("a red ball rolls"), scene, log)            # True
    contradictions("a blue ball rolls", scene, log)         # ["color(ball, blue)"]
"""

from __future__ import annotations

from collections.abc import Sequence

from reelworld.world.facts import Fact, Log, event_fact, facts
from reelworld.world.parse import Parsed, parse
from reelworld.world.scene import Scene


def holds(parsed: Parsed, scene: Scene, log: Log) -> bool:
    """Say whether everything that was read from a text is true of the scene."""
    return not match(parsed, facts(scene, log), len(scene.cast))[1]


def contradictions(text: str, scene: Scene, log: Log) -> list[str]:
    """List what a text says that is not so, in the reading that is most favourable to it."""
    parsed = parse(text)
    _, broken = match(parsed, facts(scene, log), len(scene.cast))
    names = [_name(i, parsed) for i in range(parsed.things)]
    return sorted(_told(fact, names) for fact in broken)


def stated(parsed: Parsed, scene: Scene, log: Log) -> frozenset[Fact]:
    """Return the facts of a text with its referents replaced by the members of the cast they mean."""
    members, broken = match(parsed, facts(scene, log), len(scene.cast))
    return frozenset(bound for fact in parsed.facts - broken if (bound := bind(fact, members)) is not None)


def bind(fact: Fact, members: Sequence[int | None]) -> Fact | None:
    """Replace referents by members of the cast; None if one of them has none."""
    args: list[int | str | Fact | None] = []
    for arg in fact.args:
        if isinstance(arg, Fact):
            args.append(bind(arg, members))
        else:
            args.append(members[arg] if isinstance(arg, int) else arg)
    if any(arg is None for arg in args):
        return None
    if fact.name == "collide":
        return event_fact("collide", *(arg for arg in args if isinstance(arg, int)))
    return Fact(fact.name, tuple(arg for arg in args if arg is not None))


def referents(fact: Fact) -> set[int]:
    """Return the referents that a fact speaks of."""
    found: set[int] = set()
    for arg in fact.args:
        found |= referents(arg) if isinstance(arg, Fact) else {arg} if isinstance(arg, int) else set()
    return found


def match(
    parsed: Parsed, truth: frozenset[Fact], cast: int
) -> tuple[tuple[int | None, ...], frozenset[Fact]]:
    """Return the best assignment of referents to members of the cast, and the facts it breaks."""
    due: list[list[Fact]] = [
        [] for _ in range(parsed.things + 1)
    ]  # facts that can be judged after k referents
    for fact in parsed.facts:
        due[max(referents(fact), default=-1) + 1].append(fact)
    best: tuple[tuple[int | None, ...], frozenset[Fact]] = ((None,) * parsed.things, parsed.facts | {LOST})

    def broken(members: tuple[int | None, ...]) -> frozenset[Fact]:
        return frozenset(fact for fact in due[len(members)] if bind(fact, members) not in truth)

    def extend(members: tuple[int | None, ...], lost: frozenset[Fact]) -> None:
        nonlocal best
        if len(lost) >= len(best[1]):
            return
        if len(members) == parsed.things:
            best = (members, lost)
            return
        free = [i for i in range(cast) if i not in members]
        options = [((*members, i), broken((*members, i))) for i in (*free, None)]
        for longer, more in sorted(options, key=lambda option: len(option[1])):
            extend(longer, lost | more)

    extend((), broken(()))
    return best


LOST = Fact("nothing fits", ())


def _name(i: int, parsed: Parsed) -> str:
    """Name a referent by what the text says about it."""
    said = {f.name: str(f.args[1]) for f in parsed.facts if len(f.args) == 2 and f.args[0] == i}
    return " ".join(said[name] for name in ("size", "color", "kind") if name in said) or "it"


def _told(fact: Fact, names: Sequence[str]) -> str:
    """Write a fact with the names of its referents."""
    args = (
        _told(arg, names) if isinstance(arg, Fact) else names[arg] if isinstance(arg, int) else arg
        for arg in fact.args
    )
    return f"{fact.name}({', '.join(args)})"
