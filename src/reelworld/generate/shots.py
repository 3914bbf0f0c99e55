"""Where a video cuts whose prompt tells several shots, and what that prompt says of each.

    cuts_of("Shot 1: a red ball. Shot 2 at 1.2 seconds: the ball rolls.", frames, fps=8.0)     # [10]
    shots_of("At night. Shot 1: a red ball. Shot 2: it rolls.")    # what is said of each, with "At night."

The prompt says how many cuts there are, and mostly when; the frames say whether they came.
"""

import re

import numpy as np

from reelworld.core.errors import PromptError
from reelworld.core.types import Frames
from reelworld.world.lexicon import split
from reelworld.world.reading import segments

BESIDE = 1  # frames by which a cut may miss its time
ABRUPT = 1.5  # times the median change from frame to frame, which a cut exceeds
SEEN = 0.01  # of full light, mean change of a pixel, below which nobody sees a cut
MARK = re.compile(r"\bshot \d+(?: (?:at|after) [\d.]+ ?\w+)?:\s*", re.IGNORECASE)


def cuts_of(prompt: str, frames: Frames, fps: float) -> list[int]:
    """Return the frames of uint8 [T, H, W, 3] with which the later shots of a prompt begin.

    A cut that is told but did not come is left out. Of 45 cuts in renders it finds 43, each at its frame;
    where the first shot runs on instead, it takes 5 of 45 for cuts: a lamp is lit just then, say.
    """
    told = _told(prompt)
    change = _change(frames) if told else np.zeros(0)
    least = max(SEEN, ABRUPT * float(np.median(change[1:]))) if len(change) > 1 else np.inf
    found: list[int] = []
    for moment in told:
        first = found[-1] + 1 if found else 1
        near = range(first, len(frames)) if moment is None else _about(moment * fps, first, len(frames))
        best = max(near, key=lambda t: change[t], default=None)
        if best is not None and change[best] > least:
            found.append(best)
    return found


def shots_of(prompt: str) -> list[str]:
    """Return what a prompt says of each of its shots, with what it says of all of them before the first."""
    marks = list(MARK.finditer(prompt))
    if len(marks) < 2:
        return [prompt]
    ends = [*(mark.start() for mark in marks[1:]), len(prompt)]
    return [prompt[: marks[0].start()] + prompt[m.end() : end] for m, end in zip(marks, ends, strict=True)]


def check_shots(prompt: str, seconds: float) -> None:
    """Raise PromptError for a shot that is told to begin when what is made has ended."""
    if late := [moment for moment in _told(prompt) if moment is not None and moment >= seconds]:
        raise PromptError(
            f"a shot is to begin at {late[0]:g} seconds, but what is made at once ends at {seconds:g}; "
            "let it begin earlier, or write the shots as cards of a storyboard"
        )


def _told(prompt: str) -> list[float | None]:
    """Return when each shot after the first begins, in seconds; None where the prompt leaves it open."""
    marks = [segment.slots for segment in segments(split(prompt))[0] if segment.tag == "shot"]
    return [float(str(mark["moment"])) if "moment" in mark else None for mark in marks[1:]]


def _about(frame: float, first: int, count: int) -> range:
    return range(max(first, round(frame) - BESIDE), min(count, round(frame) + BESIDE + 1))


def _change(frames: Frames) -> np.ndarray:
    """Return the mean change of a pixel from the frame before [T], of full light; 0 for the first."""
    steps = np.abs(np.diff(frames.astype(np.int16), axis=0)).mean((1, 2, 3)) / 255.0
    return np.concatenate([[0.0], steps])
