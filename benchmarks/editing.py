"""What each editing operation keeps and makes, on renders and on real files, with a strip of frames of each.

python benchmarks/editing.py --clips 12 --pictures docs/pictures
python benchmarks/editing.py --only extend loop --files bikes.mp4 china.jpg

Differences are mean absolute ones, in grey levels of 255; PSNR in dB; who is who says the trained parser.
"""

from __future__ import annotations

import argparse
import resource
import tempfile
from dataclasses import replace
from multiprocessing import get_context
from pathlib import Path

import numpy as np
from skimage.metrics import peak_signal_noise_ratio

from editing_kit import SEED, SPLIT, Bench, Say, between, difference, flow, round_trip, share, steps
from editing_shots import character, storyboard, timeline
from record import record
from reelworld.core import runtime
from reelworld.core.sheet import contact_sheet
from reelworld.core.types import Video
from reelworld.core.video import read, write
from reelworld.evaluate.checks import judge
from reelworld.evaluate.perceive import Perceiver
from reelworld.evaluate.tracking import Track
from reelworld.generate import edit
from reelworld.generate.enlarge import Enlarger
from reelworld.generate.pipeline import Pipeline
from reelworld.world.scene import COLORS
from reelworld.world.stream import WorldConfig, write_caption

STRENGTHS = (0.2, 0.35, 0.55, 0.7, 0.8, 0.9, 1.0)
NEAR = 0.1  # picture heights: a thing that is no further away is where it was
MOVES = ("direction", "lift", "gravity", "camera")


def animate(bench: Bench, say: Say) -> None:
    """First frame after the round trip through a file; the cast; whether motion follows the text."""
    psnr, large, moves = [], [], []
    cast: dict[str, list[bool | None]] = {"binding": [], "kind": [], "size": [], "permanence": []}
    enlarge = Enlarger.load()
    for clip, true in bench.renders(bench.clips):
        video = edit.animate(bench.pipeline, true, clip.caption, seed=1)
        psnr.append(peak_signal_noise_ratio(true.frames[0], round_trip(video).frames[0]))
        whole = enlarge(video)
        large.append(peak_signal_noise_ratio(enlarge(true).frames[0], round_trip(whole).frames[0]))
        verdict = judge(clip.told, bench.parser.look(video.frames))
        for check, found in cast.items():
            found.append(verdict[check])
        moves += [verdict[check] for check in MOVES]
        bench.keep("animate", video, clip.caption)
    say("animate, renders", f"first frame {min(psnr):.1f} dB at least, mean {np.mean(psnr):.1f}, enlarged "
        f"{min(large):.1f} and {np.mean(large):.1f}; cast kept: colours {share(cast['binding'])}, kinds of "
        f"large things {share(cast['kind'])}, sizes {share(cast['size'])}, permanence "
        f"{share(cast['permanence'])}; motions and camera as told {share(moves)}")  # fmt: skip
    for name, given in bench.real():
        video = edit.animate(bench.pipeline, given, "The camera pans left.", seed=1)
        say(f"animate, {name}", f"first frame equal {np.array_equal(video.frames[0], given.frames[0])}; "
            f"change a frame {np.mean(steps(video.frames)):.1f}")  # fmt: skip
        bench.keep("animate", video, name)


def extend(bench: Bench, say: Say) -> None:
    """The seam beside the clip's own frames, forward and backward; drift over half a minute."""
    for what, sources in bench.sources:
        for before in (False, True):
            jumps, beside, flows, ratios, own = [], [], [], [], []
            for n, (caption, source) in enumerate(sources):
                video = edit.extend(bench.pipeline, source, caption, seconds=2.0, before=before, seed=1)
                seam = len(video) - len(source) if before else len(source)
                a, b = video.frames[seam - 1], video.frames[seam]
                if len(source) > 1:
                    jumps.append(difference(a, b) / max(float(np.mean(steps(source.frames))), 0.5))
                    beside.append(between(video.frames, seam))
                ratios.append(min(peak_signal_noise_ratio(a, b), 60.0))
                near = source.frames[:2] if before else source.frames[-2:]
                own += [min(peak_signal_noise_ratio(*near), 60.0)] if len(near) == 2 else []
                flows.append(flow(a, b) - (flow(*near) if len(near) == 2 else 0.0))
                if n == 0:
                    bench.keep("extend", video, f"{'before' if before else 'behind'}: {caption}")
            if jumps:
                say(
                    f"extend {'backward' if before else 'forward'}, {what}",
                    f"jump at the seam {np.median(jumps):.2f} of the clip's own change a frame "
                    f"(most {max(jumps):.2f}), {np.median(beside):.2f} of the larger change beside it; "
                    f"{np.mean(ratios):.1f} dB (beside it {np.mean(own):.1f}); "
                    f"flow {np.mean(flows):+.2f} px",
                )
    for clip, true in bench.renders(2, still=True):
        video = edit.extend(bench.pipeline, true, clip.caption, seconds=30.0, seed=1)
        bench.keep("extend", video, f"30 s: {clip.caption}")
        say("extend to 32 s", f"{drift(bench, video)}: {clip.caption}")
    used = {seconds: memory(seconds, bench.weights) for seconds in (2.0, 30.0, 120.0)}
    say(
        "memory at most, enlarged and written",
        ", ".join(f"{m:.0f} MiB for {s + 2:g} s" for s, m in used.items()),
    )


def memory(seconds: float, weights: Path | None) -> float:
    """Return the largest resident memory in MiB of a process that extends, enlarges and writes."""
    with get_context("spawn").Pool(1) as pool:
        return pool.apply(_extended, (seconds, weights))


def _extended(seconds: float, weights: Path | None) -> float:
    runtime.set_threads()
    pipeline, still = Pipeline.load(weights), Video(np.full((16, 64, 64, 3), 128, np.uint8), 8.0)
    video = edit.extend(pipeline, still, "a red ball", seconds=seconds, seed=1, num_inference_steps=1)
    with tempfile.TemporaryDirectory() as folder:
        write(Enlarger.load()(video), Path(folder) / "a.mp4")
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def drift(bench: Bench, video: Video) -> str:
    """Say colour of the picture, and number and size of things, every ten seconds."""
    told = []
    for second in (0, 10, 20, 30):
        part = video.frames[second * 8 : second * 8 + 16]
        seen = bench.parser.look(part)
        area = np.nanmean(seen.tracks[0].area) if seen.tracks else float("nan")
        off = difference(part.mean((0, 1, 2)), video.frames[:16].mean((0, 1, 2)))
        told.append(f"{second} s colour {off:.1f}, things {len(seen.tracks)}, area {1e3 * area:.1f}e-3")
    return "; ".join(told)


def fill(bench: Bench, say: Say) -> None:
    """A second in the middle against the render, beside mixing and holding the frames at its sides."""
    made: list[float] = []
    mixed: list[float] = []
    held: list[float] = []
    for clip, true in bench.renders(bench.clips):
        video = edit.fill(bench.pipeline, true, clip.caption, start=0.5, end=1.5, seed=1)
        hidden = true.frames[4:12]
        w = (np.arange(1, 9) / 9)[:, None, None, None]
        between = np.rint((1 - w) * true.frames[3] + w * true.frames[12]).astype(np.uint8)
        sides = np.where(w < 0.5, true.frames[3], true.frames[12]).astype(np.uint8)
        for found, frames in ((made, video.frames[4:12]), (mixed, between), (held, sides)):
            found.append(peak_signal_noise_ratio(hidden, frames))
        bench.keep("fill", video, clip.caption)
    better = [m > max(x, h) for m, x, h in zip(made, mixed, held, strict=True)]
    say(
        "fill a second, renders",
        f"{np.mean(made):.1f} dB against the truth; mixed sides {np.mean(mixed):.1f}, held sides "
        f"{np.mean(held):.1f}; better than both in {share(better)}",
    )
    for name, given in bench.films():
        video = edit.fill(bench.pipeline, given, "The camera pans left.", start=0.5, end=1.5, seed=1)
        say(f"fill, {name}", f"{peak_signal_noise_ratio(given.frames[4:12], video.frames[4:12]):.1f} dB")
        bench.keep("fill", video, name)


def loop(bench: Bench, say: Say) -> None:
    """Both seams, into what is made and back to the beginning, beside the clip's own frames."""
    for what, sources in bench.sources:
        for length in edit.GAPS:
            back, into, beside, held = [], [], [], []
            for n, (caption, source) in enumerate(sources):
                video = edit.loop(bench.pipeline, source, caption, length=length, seed=1)
                own = steps(source.frames)
                mean, most = max(float(np.mean(own)), 0.5), max(max(own), 0.5)
                seams = [
                    difference(video.frames[a], video.frames[b])
                    for a, b in ((-1, 0), (len(source) - 1, len(source)))
                ]
                back.append(seams[0] / mean)
                into.append(seams[1] / mean)
                held.append(max(seams) <= most)
                beside += [between(np.roll(video.frames, 8, 0), 8), between(video.frames, len(source))]
                if n == 0:
                    bench.keep("loop", video, f"{length}: {caption}")
            if back:
                say(
                    f"loop {length}, {what}",
                    f"last to first {np.median(back):.2f} of the clip's own mean change, into what is made "
                    f"{np.median(into):.2f}; neither larger than its largest in {share(held)}; either "
                    f"{np.median(beside):.2f} of the larger change beside it, no larger in "
                    f"{share([ratio <= 1 for ratio in beside])}",
                )


def blend(bench: Bench, say: Say) -> None:
    """Both ends, and how even the way between them is."""
    sources = bench.renders(2 * (bench.clips // 2))
    ends, even, hard = [], [], []
    for (a, one), (b, other) in zip(sources[::2], sources[1::2], strict=True):
        video = edit.blend(bench.pipeline, one, other, f"{a.caption} {b.caption}"[:300], seed=1)
        ends.append(
            np.array_equal(video.frames[0], one.frames[0])
            and np.array_equal(video.frames[-1], other.frames[-1])
        )
        even.append(max(steps(video.frames)) / difference(one.frames[0], other.frames[-1]))
        hard.append(difference(one.frames[8], other.frames[8]) / difference(one.frames[0], other.frames[-1]))
        bench.keep("blend", video, f"{a.caption} -> {b.caption}"[:160])
    say(
        "blend, renders",
        f"both ends kept {share(ends)}; largest step {np.mean(even):.2f} of the way from first to last "
        f"(a hard cut {np.mean(hard):.2f})",
    )

    for name, one in bench.films():
        _, other = sources[0]
        video = edit.blend(bench.pipeline, one, other, sources[0][0].caption, seed=1)
        way = difference(one.frames[0], other.frames[-1])
        say(f"blend, {name} into a render", f"largest step {max(steps(video.frames)) / way:.2f} of the way")
        bench.keep("blend", video, f"{name} -> {sources[0][0].caption}"[:160])


def recut(bench: Bench, say: Say) -> None:
    """Two parts joined: the seams beside the clip's own change a frame, and beside a plain cut."""
    for what, sources in bench.sources:
        joined, cut = [], []
        for n, (caption, source) in enumerate(sources):
            video = edit.recut(bench.pipeline, source, caption, keep=[(0.0, 0.75), (1.25, 2.0)], seed=1)
            own = max(float(np.mean(steps(source.frames))), 0.5)
            joined.append(max(steps(video.frames[5:11])) / own)
            cut.append(difference(source.frames[5], source.frames[10]) / own)
            if n < 2:
                bench.keep("recut", video, caption)
        if joined:
            say(
                f"recut, {what}",
                f"change where parts are joined {np.median(joined):.2f} of the clip's own a frame, "
                f"by a plain cut {np.median(cut):.2f}",
            )


def variations(bench: Bench, say: Say) -> None:
    """How much videos of one prompt differ by their seeds alone."""
    for clip, _ in bench.renders(min(bench.clips, 4)):
        made = [bench.pipeline(clip.caption, seed=seed)[0] for seed in range(4)]
        apart = [difference(a.frames, b.frames) for n, a in enumerate(made) for b in made[:n]]
        passed = [judge(clip.told, bench.parser.look(video.frames))["binding"] for video in made]
        say("variations", f"{np.mean(apart):.1f} apart; colours as told {share(passed)}: {clip.caption}")
        for seed, video in enumerate(made):
            bench.keep("variations", video, f"seed {seed}: {clip.caption}")


def chain(bench: Bench, say: Say) -> None:
    """Three extensions in a row, each from the enlarged file that the last one wrote, and from its frames."""
    enlarge, shape = Enlarger.load(), bench.pipeline.shape
    lost, native = [], []
    for n, (clip, true) in enumerate(bench.renders(min(bench.clips, 6))):
        filed, plain = true, true
        with tempfile.TemporaryDirectory() as folder:
            for turn in range(3):
                large = enlarge(edit.extend(bench.pipeline, filed, clip.caption, seconds=1.0, seed=turn))
                path = write(large, Path(folder) / f"{turn}.mp4")
                filed = read(path, width=shape.width, height=shape.height)
                plain = edit.extend(bench.pipeline, plain, clip.caption, seconds=1.0, seed=turn)
        lost.append(peak_signal_noise_ratio(true.frames, filed.frames[:16]))
        native.append(np.array_equal(true.frames, plain.frames[:16]))
        if n < 2:
            bench.keep("chain", filed, f"by files: {clip.caption}")
            bench.keep("chain", plain, f"by frames: {clip.caption}")
    say("three extensions by enlarged files", f"what was given: {np.mean(lost):.1f} dB; by frames "
        f"equal {share(native)}")  # fmt: skip


def remix(bench: Bench, say: Say) -> None:
    """Another colour told: kept places against followed text, over strength."""
    config = WorldConfig(split=SPLIT, seed=SEED, caption_mix=(0.0, 0.0, 1.0))
    sources = bench.renders(bench.clips, still=True)
    for strength in STRENGTHS:
        followed, kept = [], []
        for n, (clip, true) in enumerate(sources):
            (thing,) = clip.told.cast
            other = replace(thing, color=COLORS[(COLORS.index(thing.color) + 3) % len(COLORS)])
            told = replace(clip, told=replace(clip.told, cast=(other,)))
            caption = write_caption(told, np.random.default_rng(n), config)
            video = edit.remix(bench.pipeline, true, caption, strength=strength, seed=1)
            now, was = bench.parser.look(video.frames).tracks, bench.parser.look(true.frames).tracks
            followed.append(bool(now) and now[0].color == other.color)
            kept.append(bool(now) and bool(was) and place_distance(now[0], was[0]) < NEAR)
            if n == 0:
                bench.keep("remix", video, f"{strength:g}: {caption}")
        say(f"remix at {strength:g}", f"place kept {share(kept)}; the new colour {share(followed)}")
    for name, given in bench.films():
        for strength in (0.2, 0.55, 0.9):
            video = edit.remix(bench.pipeline, given, "A red ball in a meadow.", strength=strength, seed=1)
            say(
                f"remix at {strength:g}, {name}",
                f"{difference(video.frames, given.frames):.1f} from the film",
            )
            bench.keep("remix", video, f"{strength:g}: {name}")


def place_distance(one: Track, other: Track) -> float:
    """Return how far two tracks are apart, in picture heights, over the frames that show both."""
    both = one.seen & other.seen
    apart = np.hypot(one.x - other.x, one.y - other.y)[both]
    return float(apart.mean()) if both.any() else float("inf")


OPERATIONS = (
    animate, extend, chain, fill, loop, recut, blend, remix, variations, character, storyboard, timeline,
)  # fmt: skip


def main() -> None:
    """Measure the operations that are asked for, and draw their strips."""
    names = [operation.__name__ for operation in OPERATIONS]
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--clips", type=int, default=12)
    options.add_argument("--only", nargs="+", choices=names, default=names)
    options.add_argument("--files", nargs="*", type=Path, default=[])
    options.add_argument("--weights", type=Path)
    options.add_argument("--pictures", type=Path)
    given = options.parse_args()
    runtime.set_threads()
    bench = Bench(
        Pipeline.load(given.weights), Perceiver.load(), given.clips, tuple(given.files), {}, given.weights
    )
    with record("editing") as say:
        say("weights", bench.pipeline.weights_hash)
        try:
            for operation in OPERATIONS:
                if operation.__name__ in given.only:
                    operation(bench, say)
        finally:
            if given.pictures:
                draw(bench, given.pictures)


def draw(bench: Bench, folder: Path) -> None:
    """Draw what was made so far."""
    for name, kept in bench.strips.items():
        videos, labels = zip(*kept, strict=True)
        contact_sheet(videos, labels, frames_per=9, frame_height=80).save(folder / f"edit_{name}.png")


if __name__ == "__main__":
    main()
