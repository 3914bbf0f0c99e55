import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from reelworld.core.encode import decode_frames, encode_frames
from reelworld.core.errors import ShapeError, StorageError, VideoError
from reelworld.core.media import account_beside
from reelworld.core.types import Video
from reelworld.core.video import (
    encode_gif,
    encode_mp4,
    poster,
    probe,
    read,
    read_image,
    write,
    write_account,
)
from reelworld.world.stream import WorldConfig, film, plan

from .test_storage import run_limited


def difference(a: Video, b: Video) -> float:
    return float(np.abs(a.frames.astype(int) - b.frames.astype(int)).mean())


def test_mp4_is_close_to_the_frames_and_starts_with_its_index(clip: Video, tmp_path: Path) -> None:
    path = write(clip, tmp_path / "clip.mp4")
    assert path == tmp_path / "clip.mp4"
    assert difference(read(path), clip) < 6
    content = path.read_bytes()
    assert content.index(b"moov") < content.index(b"mdat")
    assert len(encode_mp4(clip, crf=40)) < len(content)


def test_equal_frames_become_equal_bytes() -> None:
    """Where memory held other things before, too: x264 must not read what it did not write."""
    rng = np.random.default_rng(0)
    config = WorldConfig(level=1, width=96, height=64, num_frames=16, seed=3)
    video = Video(film(plan(config, [0]), config)[0].numpy())
    files = set()
    for value in range(20):
        litter = [np.full(size, value, np.uint8) for size in rng.integers(1_000, 200_000, 20)]
        del litter
        files.add(encode_mp4(video))
    assert len(files) == 1


def test_mp4_keeps_pure_colours(tmp_path: Path) -> None:
    colours = [
        (255, 0, 0),
        (0, 255, 0),
        (0, 0, 255),
        (255, 255, 255),
        (0, 0, 0),
        (128, 128, 128),
        (10, 200, 90),
    ]
    frames = np.zeros((len(colours), 32, 32, 3), np.uint8) + np.array(colours, np.uint8)[:, None, None]
    assert np.abs(read(write(Video(frames), tmp_path / "c.mp4")).frames.astype(int) - frames).max() <= 2


@pytest.mark.parametrize("fps", [0.5, 8.0, 23.976, 24000 / 1001, 29.97, 60.0])
def test_mp4_keeps_frame_rate_and_count(clip: Video, tmp_path: Path, fps: float) -> None:
    video = read(write(Video(clip.frames, fps), tmp_path / "a.mp4"))
    assert video.fps == pytest.approx(fps, rel=1e-6)
    assert len(video) == 24


@pytest.mark.parametrize(("height", "width"), [(1, 1), (33, 17), (48, 31)])
def test_odd_sizes_are_padded_by_one_repeated_line(
    clip: Video, tmp_path: Path, height: int, width: int
) -> None:
    odd = Video(np.ascontiguousarray(clip.frames[:3, :height, :width]))
    even = read(write(odd, tmp_path / "odd.mp4", crf=0))
    assert (even.shape.height, even.shape.width) == (height + height % 2, width + width % 2)
    assert difference(Video(even.frames[:, :height, :width]), odd) < 8


@pytest.mark.parametrize("suffix", [".mp4", ".gif", ".png"])
def test_metadata_comes_back(clip: Video, tmp_path: Path, suffix: str) -> None:
    metadata = {"prompt": "réd “ball”\n" * 60, "seed": 7, "nested": {"a": [1, None, 2.5]}}
    path = write(Video(clip.frames, 8.0, metadata), tmp_path / f"a{suffix}")
    assert probe(path).metadata == read(path).metadata == metadata


def test_the_same_frames_are_the_same_bytes_on_any_number_of_cores(clip: Video) -> None:
    code = (
        "import sys, os, numpy as np\nos.sched_setaffinity(0, {int(c) for c in sys.argv[1].split(',')})\n"
        "from reelworld.core.types import Video\nfrom reelworld.core.encode import encode_mp4\n"
        "frames = np.random.default_rng(0).integers(0, 256, (8, 256, 256, 3), dtype=np.uint8)\n"
        "import hashlib; print(hashlib.sha256(encode_mp4(Video(frames, 8.0))).hexdigest())"
    )
    cores = sorted(os.sched_getaffinity(0))
    sums = {
        subprocess.run(
            [sys.executable, "-c", code, ",".join(map(str, some))], capture_output=True, text=True, check=True
        ).stdout
        for some in (cores[:1], cores)
    }
    assert len(sums) == 1


def test_what_a_prompt_made_is_saved_with_how(clip: Video, tmp_path: Path) -> None:
    made = replace(clip, metadata={"prompt": "a red ball rolls", "seed": 3})
    made.save(tmp_path / "ball.mp4")
    account = json.loads((tmp_path / "ball.json").read_text())
    assert account == {
        "of": "ball.mp4",
        "captions": {"descriptive": "a red ball rolls"},
        "made": made.metadata,
    }
    made.save(tmp_path / "ball.gif")  # the film tells itself how it was made
    assert json.loads((tmp_path / "ball.json").read_text())["of"] == "ball.gif"
    replace(clip, metadata={}).save(tmp_path / "film.mp4")
    assert not (tmp_path / "film.json").exists()
    with pytest.raises(VideoError, match="not made by a prompt"):
        write_account(replace(clip, metadata={}), tmp_path / "film.mp4")


def test_gif_keeps_colours_count_and_times(clip: Video, tmp_path: Path) -> None:
    video = read(write(clip, tmp_path / "a.gif"))
    assert video.shape == clip.shape
    assert difference(video, clip) < 12


def test_gif_of_still_moments_keeps_its_duration(clip: Video, tmp_path: Path) -> None:
    frames = clip.frames[[0, 0, 0, 0, 4, 4, 4, 4, 8, 9]]  # equal frames are one long one in a GIF
    video = read(write(Video(frames, 10.0), tmp_path / "a.gif"))
    assert len(video) == 10
    assert difference(video, Video(frames)) < 12


def test_png_is_the_first_frame_exactly(clip: Video, tmp_path: Path) -> None:
    image = read_image(write(clip, tmp_path / "poster.png"))
    np.testing.assert_array_equal(image.frames[0], clip.frames[0])
    np.testing.assert_array_equal(np.asarray(poster(clip, 5)), clip.frames[5])


def test_a_folder_holds_every_frame_exactly(clip: Video, tmp_path: Path) -> None:
    folder = write(clip, tmp_path / "frames")
    names = sorted(path.name for path in folder.iterdir())
    assert names == [f"frame_{index:05d}.png" for index in range(24)]
    with Image.open(folder / names[7]) as image:
        np.testing.assert_array_equal(np.asarray(image), clip.frames[7])
    with pytest.raises(StorageError, match="not empty"):
        write(clip, folder)
    assert len(list(folder.iterdir())) == 24


def test_small_clips_are_enlarged_for_viewing(clip: Video, tmp_path: Path) -> None:
    crisp = read_image(write(clip, tmp_path / "a.png", scale=3))
    np.testing.assert_array_equal(crisp.frames[0, 1::3, 1::3], clip.frames[0])
    smooth = read(write(clip, tmp_path / "a.mp4", scale=2, enlarge="lanczos"))
    assert (smooth.shape.width, smooth.shape.height) == (128, 96)
    with pytest.raises(ShapeError, match="cannot enlarge"):
        write(clip, tmp_path / "b.mp4", scale=0)


def test_writing_replaces_an_old_file(clip: Video, tmp_path: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(b"old")
    assert len(read(write(clip, tmp_path / "a.mp4"))) == 24
    assert [path.name for path in tmp_path.iterdir()] == ["a.mp4"]


@pytest.mark.parametrize("name", ["a.avi", "no/a.mp4", "file/a.gif", "no/frames", "file/frames"])
def test_unwritable_places_are_refused_and_left_clean(clip: Video, tmp_path: Path, name: str) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises((StorageError, VideoError), match="cannot write") as caught:
        write(clip, tmp_path / name)
    assert "\n" not in str(caught.value)
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.parametrize("name", ["a.mp4", "a.gif", "a.png", "frames"])
def test_a_disk_that_is_full_leaves_nothing(tmp_path: Path, name: str) -> None:
    write_noise = (
        "import numpy as np; from reelworld.core.video import write; from reelworld.core.types import Video;"
        "noise = np.random.default_rng(0).integers(0, 255, (4, 64, 64, 3), np.uint8);"
        f"write(Video(noise), sys.argv[1] + '/{name}')"
    )
    message, left = run_limited(write_noise, tmp_path)
    assert message.startswith("cannot write")
    assert left == "[]"


def test_what_a_format_cannot_hold_is_refused(clip: Video) -> None:
    for encode, fps in [(encode_mp4, 1e-7), (encode_mp4, 1e6), (encode_gif, 101.0)]:
        with pytest.raises(VideoError, match="fps cannot be written"):
            encode(Video(clip.frames[:2], fps))
    with pytest.raises(VideoError, match="crf is 52"):
        encode_mp4(clip, crf=52)
    with pytest.raises(VideoError, match="metadata cannot be JSON"):
        encode_mp4(Video(clip.frames, metadata={"a": object()}))
    with pytest.raises(VideoError, match="cannot encode 2x20000"):
        encode_mp4(Video(np.zeros((1, 20_000, 2, 3), np.uint8)))


def test_frames_are_stored_as_they_are():
    frames = np.random.default_rng(0).integers(0, 256, (3, 4, 5, 3), dtype=np.uint8)
    np.testing.assert_array_equal(decode_frames(encode_frames(frames)), frames)
    for broken in (b"", b"\x93NUMPY", encode_frames(frames)[:40], encode_frames(frames.astype(np.float32))):
        with pytest.raises(VideoError, match="frames"):
            decode_frames(broken)


@pytest.mark.parametrize(
    ("there", "why"),
    [
        ('{"scene": {}, "captions": {}}', "is no account"),
        ("not JSON", "is no account"),
        ('{"of": "clip", "made": {"prompt": "a"}}', "alone tells how 'clip' was made"),
        ('{"of": "gone.mp4", "made": {"prompt": "a"}}', "alone tells how 'gone.mp4' was made"),
        ('{"of": ["clip"], "made": {"prompt": "a"}}', "alone tells"),
    ],
)
def test_an_account_takes_the_place_of_nothing_else(
    clip: Video, tmp_path: Path, there: str, why: str
) -> None:
    """As of a scene program, settings, or the account of a folder of frames, which cannot tell itself."""
    (tmp_path / "clip").mkdir()
    (tmp_path / "clip.json").write_text(there)
    with pytest.raises(StorageError, match=why):
        clip.save(tmp_path / "clip.mp4")
    with pytest.raises(StorageError, match="choose another name"):
        write_account(clip, tmp_path / "clip.mp4")
    assert (tmp_path / "clip.json").read_text() == there
    assert not (tmp_path / "clip.mp4").exists()
    replace(clip, metadata={}).save(tmp_path / "clip.mp4")  # has no account


@pytest.mark.parametrize(
    "there", ['{"made": {"prompt": "a"}}', '{"of": "clip.mp4", "made": {"prompt": "a"}}']
)
def test_an_account_of_the_same_name_is_replaced(clip: Video, tmp_path: Path, there: str) -> None:
    (tmp_path / "clip.json").write_text(there)
    clip.save(tmp_path / "clip.mp4")
    assert json.loads((tmp_path / "clip.json").read_text())["made"] == clip.metadata


@pytest.mark.parametrize("name", [".", "/"])
def test_what_has_no_name_has_no_account(clip: Video, name: str) -> None:
    assert account_beside(Path(name)) == {}
    with pytest.raises(StorageError, match="cannot write"):
        clip.save(name)
