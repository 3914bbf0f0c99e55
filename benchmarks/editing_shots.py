"""Measurements of what stays from shot to shot: characters, storyboards, cards on a timeline."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from pathlib import Path

import numpy as np

from editing_kit import NOBODY, SEED, SPLIT, Bench, Looks, Say, difference, looks, share, steps
from reelworld.core.types import Video
from reelworld.core.video import read, write
from reelworld.evaluate.checks import judge
from reelworld.generate.storyboard import Card, Role, Storyboard, render
from reelworld.world.scene import Scene, Thing
from reelworld.world.stream import Clip, WorldConfig, film, plan


def casting(bench: Bench) -> list[tuple[Clip, Video, Thing]]:
    """Return clips with one character: the caption that names it, its portrait, its looks."""
    config = WorldConfig(split=SPLIT, seed=SEED, caption_mix=(0.0, 0.0, 1.0), references=1)
    clips = [c for c in plan(config, range(4 * bench.clips)) if len(c.told.cast) == 1][: bench.clips]
    portraits = film(
        [c.portraits["Alpha"] for c in clips], replace(config, num_frames=1, references=0)
    ).numpy()
    return [(c, Video(p, 8.0), c.told.cast[0]) for c, p in zip(clips, portraits, strict=True)]


def character(bench: Bench, say: Say) -> None:
    """Looks taken from a picture; and with another's picture under the same text and seed, whose they are."""
    rows = casting(bench)
    same: dict[str, list[bool | None]] = {"colour": [], "kind": [], "size": [], "all": []}
    nearer: list[bool | None] = []
    followed: list[bool | None] = []
    stayed: list[bool | None] = []
    for n, (clip, portrait, thing) in enumerate(rows):
        caption = named(clip.caption)
        (video,) = bench.pipeline(caption, characters={"Bo": portrait}, seed=1)
        found = first_looks(bench, video)
        for name, a, b in zip(same, found, looks(thing), strict=False):
            same[name].append(a == b)
        same["all"].append(found == looks(thing))
        own, others = looks(thing), {looks(other) for _, _, other in rows} - {looks(thing)}
        nearer.append(alike(found, own) > max(alike(found, other) for other in others))
        _, other_portrait, other = rows[(n + 1) % len(rows)]
        if looks(other) != looks(thing):
            (swapped,) = bench.pipeline(caption, characters={"Bo": other_portrait}, seed=1)
            followed.append(first_looks(bench, swapped) == looks(other))
            stayed.append(first_looks(bench, swapped) == looks(thing))
        bench.keep("character", Video(np.concatenate([portrait.frames, video.frames]), 8.0), caption)
    told = ", ".join(f"{name} {share(passed)}" for name, passed in same.items())
    say("character, looks as in its picture", told)
    say("character, more alike to its picture than to any other's", share(nearer))
    say(
        "the same text and seed, another's picture",
        f"the other's looks {share(followed)}, the first's {share(stayed)}",
    )


def named(caption: str) -> str:
    """Return a caption with a name of a user's."""
    return caption.replace("Alpha", "Bo").replace("alpha", "Bo")


def alike(one: Looks, other: Looks) -> int:
    """Return how many of colour, kind and size two things share."""
    return sum(a == b for a, b in zip(one, other, strict=True))


def first_looks(bench: Bench, video: Video) -> Looks:
    """Return how the thing looks that is seen longest."""
    tracks = bench.parser.look(video.frames).tracks
    return looks(tracks[0]) if tracks else NOBODY


def storyboard(bench: Bench, say: Say) -> None:
    """Two shots of one character: the cut at its frame, the same looks in both, nobody comes or goes."""
    cut, equal, right = [], [], []
    shots: list[bool | None] = []
    stay: list[bool | None] = []
    rows = casting(bench)
    for n, (clip, portrait, thing) in enumerate(rows):
        other = next((r for r in rows[n + 1 :] + rows[:n] if r[2].kind == thing.kind), rows[n])  # told alike
        texts = [named(clip.caption), named(other[0].caption)]
        with tempfile.TemporaryDirectory() as folder:
            write(portrait, Path(folder) / "bo.png")
            cards = (Card(time=0.0, text=texts[0]), Card(time=1.5, text=texts[1], cut=True))
            board = Storyboard(
                cards=cards,
                characters=(Role(name="Bo", image="bo.png"),),
                duration=3.0,
                folder=folder,
                seed=1,
            )
            video = render(bench.pipeline, board)
        seen = bench.parser.look(video.frames)
        cut.append(seen.cuts == (12,))
        shots.append(judge(in_two_shots(clip.told), seen)["shots"])
        parts = [bench.parser.look(part) for part in (video.frames[:12], video.frames[12:])]
        told = (clip.told, played_by(thing, other[0].told))
        stay += [judge(scene, part)["permanence"] for scene, part in zip(told, parts, strict=True)]
        both = [looks(part.tracks[0]) if part.tracks else NOBODY for part in parts]
        equal.append(both[0] == both[1] != NOBODY)
        right.append(both == [looks(thing)] * 2)
        bench.keep("storyboard", video, f"{texts[0]} | {texts[1]}")
    say(
        "storyboard of two shots",
        f"cut found at its frame, and no other, {share(cut)}; the same looks in both shots {share(equal)}, "
        f"and the character's {share(right)}",
    )
    say("storyboard, world checks", f"shots {share(shots)}; permanence in each shot {share(stay)}")


def played_by(thing: Thing, scene: Scene) -> Scene:
    """Return a scene whose one actor is another, who does the same."""
    (actor,) = scene.cast
    return replace(scene, cast=(replace(thing, motion=actor.motion, position=actor.position),))


def in_two_shots(scene: Scene) -> Scene:
    """Return what a storyboard of two cards shows: the cast of a scene in two shots of 1.5 s."""
    first = replace(scene.shots[0], duration=1.5)
    return replace(scene, duration=3.0, shots=(first, replace(first, start=1.5)))


def timeline(bench: Bench, say: Say) -> None:
    """Cards a window and more apart go on, nearer ones cut; a picture and a film are shown at their times."""
    cuts, pictures, films = [], [], []
    ways: list[float] = []
    for n, (clip, true) in enumerate(bench.renders(max(2, bench.clips // 2), still=True)):
        with tempfile.TemporaryDirectory() as folder:
            write(Video(true.frames[:1], 8.0), Path(folder) / "then.png")
            write(true, Path(folder) / "film.mp4")
            cards = (
                Card(time=0.0, text=clip.caption), Card(time=3.0, image="then.png"),
                Card(time=4.0, video="film.mp4"),
            )  # fmt: skip
            video = render(bench.pipeline, Storyboard(cards=cards, duration=6.0, folder=folder, seed=n))
            shown = read(Path(folder) / "film.mp4").frames
        cuts.append(video.metadata["cuts"] == [32])
        pictures.append(np.array_equal(video.frames[24], true.frames[0]))
        films.append(np.array_equal(video.frames[32:], shown))
        ways.append(
            difference(video.frames[23], video.frames[24])
            / max(float(np.mean(steps(video.frames[:24]))), 0.5)
        )
        if n < 3:
            bench.keep("timeline", video, f"text, at 3 s a picture, at 4 s a film: {clip.caption}")
    say(
        "timeline of text, picture and film",
        f"cut where spacing says {share(cuts)}; the picture at its time {share(pictures)}, the film "
        f"{share(films)}; step into the picture {np.median(ways):.2f} of the mean change",
    )
