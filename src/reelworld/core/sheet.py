"""Contact sheets: many clips on one page, each as a few frames from left to right, with wrapped labels.

contact_sheet(clips, prompts, columns=2)                                      # one clip per entry
contact_sheet(list(zip(truth, made)), prompts, headings=["truth", "made"])    # compared side by side
"""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from reelworld.core.errors import ShapeError
from reelworld.core.types import Video

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont

PAPER, INK, FAINT = "#fbfaf8", "#22211f", "#8a867f"
MARGIN, ENTRY_GAP, CLIP_GAP, FRAME_GAP, LABEL_GAP = 32, 28, 16, 2, 8
_PLAIN = str.maketrans({"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-"})  # Pillow's font is ASCII


def strip(
    video: Video, num_frames: int = 8, *, height: int | None = None, gap: int = FRAME_GAP
) -> Image.Image:
    """Return frames at even times from first to last, side by side; `height` resizes each frame."""
    picks = np.linspace(0, len(video) - 1, min(num_frames, len(video))).round().astype(int)
    return _beside([_sized(Image.fromarray(video.frames[index]), height) for index in picks], gap)


def contact_sheet(
    videos: Sequence[Video | Sequence[Video]],
    labels: Sequence[str],
    *,
    columns: int = 1,
    frames_per: int = 6,
    frame_height: int = 96,
    headings: Sequence[str] = (),
    title: str = "",
    font_size: int = 15,
) -> Image.Image:
    """Return a page of clips, `columns` entries wide, each shown as `frames_per` frames above its label.

    An entry is one video, or several to compare side by side; `headings` then name them above each column.
    Raises: ShapeError where there is nothing to show, or labels or headings do not match in number.
    """
    entries = [(item,) if isinstance(item, Video) else tuple(item) for item in videos]
    _check(entries, labels, headings, columns)
    font, faint = ImageFont.load_default(font_size), ImageFont.load_default(font_size * 0.9)
    rows = [[strip(video, frames_per, height=frame_height) for video in entry] for entry in entries]
    blocks = [_entry(strips, label, font) for strips, label in zip(rows, labels, strict=True)]
    width = max(block.width for block in blocks)
    parts = []
    if title:
        parts.append(_text(title, ImageFont.load_default(font_size * 1.6), width * columns, INK))
    lines = [blocks[first : first + columns] for first in range(0, len(blocks), columns)]
    parts += [_beside([_padded(block, width) for block in line], ENTRY_GAP) for line in lines]
    if headings:
        head = _beside([_headings(headings, rows[0], width, faint)] * len(lines[0]), ENTRY_GAP)
        parts[bool(title)] = _below([head, parts[bool(title)]], LABEL_GAP)
    return _framed(_below(parts, ENTRY_GAP))


def _entry(strips: Sequence[Image.Image], label: str, font: Font) -> Image.Image:
    """Return the strips side by side with the label wrapped beneath."""
    pictures = _beside(strips, CLIP_GAP)
    return _below([pictures, _text(label, font, pictures.width, INK)], LABEL_GAP)


def _headings(headings: Sequence[str], strips: Sequence[Image.Image], width: int, font: Font) -> Image.Image:
    """Return one line of headings, each above its strip."""
    cells = [
        _padded(_text(heading, font, strip.width, FAINT), strip.width)
        for heading, strip in zip(headings, strips, strict=True)
    ]
    return _padded(_beside(cells, CLIP_GAP), width)


def _text(text: str, font: Font, width: int, colour: str) -> Image.Image:
    """Return text wrapped to `width` pixels."""
    _, top, _, bottom = font.getbbox("Ágjpq|")
    line_height = round((bottom - top) * 1.25)
    lines = _wrapped(text, font, width)
    image = Image.new("RGB", (width, max(1, line_height * len(lines))), PAPER)
    draw = ImageDraw.Draw(image)
    for number, line in enumerate(lines):
        draw.text((0, number * line_height - top), line, font=font, fill=colour)
    return image


def _wrapped(text: str, font: Font, width: int) -> list[str]:
    """Break text into lines no wider than `width`, at spaces, or inside a word that alone is too wide."""
    lines: list[str] = []
    letters = unicodedata.normalize("NFKD", text.translate(_PLAIN))
    plain = "".join(letter for letter in letters if not unicodedata.combining(letter))
    for paragraph in plain.splitlines():
        line = ""
        for word in paragraph.split():
            joined = f"{line} {word}" if line else word
            if font.getlength(joined) <= width:
                line = joined
                continue
            *full, line = [*([line] if line else []), *_pieces(word, font, width)]
            lines += full
        lines.append(line)
    return lines


def _pieces(word: str, font: Font, width: int) -> list[str]:
    """Cut a word into pieces no wider than `width` (of at least one letter)."""
    pieces = [""]
    for letter in word:
        if pieces[-1] and font.getlength(pieces[-1] + letter) > width:
            pieces.append("")
        pieces[-1] += letter
    return pieces


def _sized(image: Image.Image, height: int | None) -> Image.Image:
    """Resize to `height`: small clips keep crisp pixels where the factor is whole."""
    if height is None or height == image.height:
        return image
    size = (max(1, round(image.width * height / image.height)), height)
    crisp = height % image.height == 0
    return image.resize(size, Image.Resampling.NEAREST if crisp else Image.Resampling.LANCZOS)


def _beside(images: Sequence[Image.Image], gap: int) -> Image.Image:
    width = sum(image.width for image in images) + gap * (len(images) - 1)
    page = Image.new("RGB", (width, max(image.height for image in images)), PAPER)
    left = 0
    for image in images:
        page.paste(image, (left, 0))
        left += image.width + gap
    return page


def _below(images: Sequence[Image.Image], gap: int) -> Image.Image:
    height = sum(image.height for image in images) + gap * (len(images) - 1)
    page = Image.new("RGB", (max(image.width for image in images), height), PAPER)
    top = 0
    for image in images:
        page.paste(image, (0, top))
        top += image.height + gap
    return page


def _padded(image: Image.Image, width: int) -> Image.Image:
    page = Image.new("RGB", (width, image.height), PAPER)
    page.paste(image, (0, 0))
    return page


def _framed(page: Image.Image) -> Image.Image:
    framed = Image.new("RGB", (page.width + 2 * MARGIN, page.height + 2 * MARGIN), PAPER)
    framed.paste(page, (MARGIN, MARGIN))
    return framed


def _check(
    entries: list[tuple[Video, ...]], labels: Sequence[str], headings: Sequence[str], columns: int
) -> None:
    if not entries or not all(entries) or columns < 1:
        raise ShapeError("nothing to show; give at least one video per entry, and one column")
    if len(labels) != len(entries):
        raise ShapeError(f"{len(entries)} entries but {len(labels)} labels; give one label for each")
    if headings and any(len(entry) != len(headings) for entry in entries):
        raise ShapeError(f"{len(headings)} headings do not match the videos of an entry; give one for each")
