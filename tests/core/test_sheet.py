import numpy as np
import pytest
from PIL import Image, ImageFont

from reelworld.core.errors import ShapeError
from reelworld.core.sheet import FRAME_GAP, MARGIN, PAPER, _wrapped
from reelworld.core.types import Video
from reelworld.core.video import contact_sheet, strip


def plain(colour: tuple[int, int, int], num_frames: int = 4) -> Video:
    return Video(np.zeros((num_frames, 48, 64, 3), np.uint8) + np.array(colour, np.uint8))


def places(sheet: Image.Image, colour: tuple[int, int, int]) -> tuple[int, int, int, int]:
    """Return the left, top, right and bottom of everything of one colour."""
    rows, columns = np.nonzero((np.asarray(sheet) == colour).all(axis=-1))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_strip_goes_from_the_first_frame_to_the_last(clip: Video) -> None:
    image = np.asarray(strip(clip, 3))
    assert image.shape == (48, 3 * 64 + 2 * FRAME_GAP, 3)
    np.testing.assert_array_equal(image[:, :64], clip.frames[0])
    np.testing.assert_array_equal(image[:, -64:], clip.frames[-1])
    assert strip(clip, 99, gap=0).width == 24 * 64
    assert strip(clip, 2, height=96, gap=0).size == (256, 96)


def test_entries_fill_columns_within_margins() -> None:
    red, lime, blue = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    sheet = contact_sheet([plain(red), plain(lime), plain(blue)], ["a", "b", "c"], columns=2, frames_per=2)
    boxes = {colour: places(sheet, colour) for colour in (red, lime, blue)}
    assert boxes[red][:2] == (MARGIN, MARGIN)
    assert boxes[lime][1] == boxes[red][1]
    assert boxes[lime][0] > boxes[red][2]
    assert boxes[blue][0] == boxes[red][0]
    assert boxes[blue][1] > boxes[red][3]
    assert sheet.width == boxes[lime][2] + MARGIN
    assert sheet.getpixel((0, 0)) == sheet.getpixel((sheet.width - 1, sheet.height - 1))


def test_truth_stands_beside_what_was_made_under_headings() -> None:
    red, blue = (255, 0, 0), (0, 0, 255)
    pairs = [(plain(red), plain(blue))] * 2
    sheet = contact_sheet(pairs, ["one", "two"], headings=["truth", "made"], title="Comparison")
    assert places(sheet, blue)[0] > places(sheet, red)[2]
    assert places(sheet, blue)[1::2] == places(sheet, red)[1::2]
    bare = contact_sheet(pairs, ["one", "two"])
    assert sheet.height > bare.height
    assert sheet.width == bare.width


def test_long_labels_wrap_and_make_the_sheet_higher_not_wider() -> None:
    short = contact_sheet([plain((9, 9, 9))], ["a red ball"])
    long = contact_sheet([plain((9, 9, 9))], ["a red ball rolls over the floor " * 9])
    assert long.width == short.width
    assert long.height > short.height
    ink = (np.asarray(long) != np.asarray(Image.new("RGB", (1, 1), PAPER))).any(axis=-1)
    assert not ink[:, : MARGIN - 2].any()
    assert not ink[:, 2 - MARGIN :].any()


def test_wrapping_loses_no_letter() -> None:
    font = ImageFont.load_default(14)
    text = "a red ball " + "x" * 80 + " rolls\n\nand stops"
    lines = _wrapped(text, font, 120)
    assert "".join(lines).replace(" ", "") == "".join(text.split())
    assert "" in lines
    assert all(font.getlength(line) <= 120 for line in lines)
    assert _wrapped("réd “ball” – é", font, 500) == ['red "ball" - e']


@pytest.mark.parametrize(
    ("entries", "labels", "headings"), [(0, 0, 0), (2, 1, 0), (2, 2, 2)], ids=["none", "labels", "headings"]
)
def test_what_does_not_match_is_refused(entries: int, labels: int, headings: int) -> None:
    with pytest.raises(ShapeError, match="give"):
        contact_sheet([plain((1, 2, 3))] * entries, ["x"] * labels, headings=["h"] * headings)
