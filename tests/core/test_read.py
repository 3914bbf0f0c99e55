import io
import zlib
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image

from reelworld.core.errors import ShapeError, VideoError
from reelworld.core.types import Video, VideoShape
from reelworld.core.video import Limits, fit, probe, read, read_image, write

Film = Callable[..., Path]


def difference(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.abs(a.astype(int) - b.astype(int)).mean())


@pytest.fixture(scope="module")
def mp4(clip: Video, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write(clip, tmp_path_factory.mktemp("mp4") / "clip.mp4", crf=4)


@pytest.mark.parametrize(
    ("name", "codec", "fps"),
    [
        ("a.mov", "libx264", 8),
        ("a.mkv", "libx264", 8),
        ("a.webm", "libvpx-vp9", 8),
        ("a.avi", "mpeg4", 8),
        ("a.ts", "mpeg2video", 25),
        ("a.flv", "libx264", 8),
        ("a.mpg", "mpeg1video", 25),
    ],
)
def test_containers_and_codecs(clip: Video, film: Film, name: str, codec: str, fps: int) -> None:
    path = film(clip.frames, name, codec=codec, fps=fps)
    video = read(path)
    assert video.shape == VideoShape(width=64, height=48, num_frames=24, fps=fps)
    assert difference(video.frames[0], clip.frames[0]) < 5
    late = read(path, start=10 / fps, num_frames=2)
    np.testing.assert_array_equal(late.frames, video.frames[10:12])


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_still_images(clip: Video, tmp_path: Path, kind: str) -> None:
    Image.fromarray(clip.frames[0]).save(tmp_path / "still", kind)
    for options in ({}, {"fps": 30.0}, {"fps": 1.0}):
        video = read(tmp_path / "still", **options)
        assert video.shape.num_frames == 1
        assert difference(video.frames[0], clip.frames[0]) < 12
    assert probe(tmp_path / "still").is_still


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "GIF"])
def test_animated_images(clip: Video, tmp_path: Path, kind: str) -> None:
    first, *rest = (Image.fromarray(frame) for frame in clip.frames)
    first.save(tmp_path / "a", kind, save_all=True, append_images=rest, duration=120)
    video = read(tmp_path / "a")
    assert video.shape.num_frames == 24
    assert video.fps == pytest.approx(1 / 0.12)
    assert difference(video.frames[-1], clip.frames[-1]) < 12


def test_uneven_delays_keep_their_times(tmp_path: Path) -> None:
    colours = ["red", "blue", "lime"]
    first, *rest = (Image.new("RGB", (8, 8), colour) for colour in colours)
    first.save(tmp_path / "a.gif", save_all=True, append_images=rest, duration=[100, 300, 200])
    video = read(tmp_path / "a.gif")
    reds, greens, blues = video.frames[:, 0, 0].T > 200
    assert video.fps == 10
    assert list(reds) == [True, False, False, False, False, False]
    assert list(blues) == [False, True, True, True, False, False]
    assert list(greens) == [False, False, False, False, True, True]


def test_transparency_is_white_and_deep_greys_keep_their_value(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (0, 0, 0, 0)).save(tmp_path / "clear.png")
    Image.new("I;16", (4, 4), 0x80FF).save(tmp_path / "deep.png")
    assert (read_image(tmp_path / "clear.png").frames == 255).all()
    assert (read_image(tmp_path / "deep.png").frames == 0x80).all()


@pytest.mark.parametrize(
    ("mode", "value", "seen"),
    [
        ("F", 0.5, 128),
        ("F", 200.0, 200),
        ("I", 200, 200),
        ("I", 0x80FF, 0x80),
        ("I", -5, 0),
        ("I;16", 255, 0),
    ],
)
def test_deep_greys_are_as_light_as_they_are(tmp_path: Path, mode: str, value: float, seen: int) -> None:
    """Floats go to 1 or to 255, whole numbers of 32 bits to 255 or to 65535, those of 16 to 65535."""
    Image.new(mode, (4, 4), value).save(tmp_path / "deep.tif")
    assert (read_image(tmp_path / "deep.tif").frames == seen).all()


@pytest.mark.parametrize(
    ("name", "codec", "layout"), [("a.mov", "png", "rgba"), ("a.mkv", "ffv1", "yuva420p")]
)
def test_transparent_films_are_on_white_too(film: Film, name: str, codec: str, layout: str) -> None:
    frames = np.zeros((2, 48, 64, 4), np.uint8)
    frames[:, :, 32:] = (255, 0, 0, 255)
    seen = read(film(frames, name, codec=codec, layout=layout)).frames.astype(int)
    assert np.abs(seen[:, :, :28] - 255).max() < 4
    assert np.abs(seen[:, :, 36:] - (255, 0, 0)).max() < 8


@pytest.mark.parametrize(("width", "height", "matrix"), [(1280, 536, 1), (640, 640, 1), (720, 576, 5)])
def test_films_that_do_not_tell_their_colours_are_taken_for_what_their_size_says(
    film: Film, width: int, height: int, matrix: int
) -> None:
    """High definition is BT.709, everything else BT.601; what is told counts."""
    frames = np.zeros((1, height, width, 3), np.uint8) + np.uint8([0, 200, 60])
    for told in ({}, {"told": matrix}):
        path = film(frames, "a.mp4", matrix=matrix, options={"crf": "1"}, **told)
        assert np.abs(read(path).frames.astype(int) - frames).max() <= 3


@pytest.mark.parametrize(("fps", "picks"), [(4.0, [0, 2, 4, 6]), (16.0, [0, 0, 1, 1]), (3.0, [0, 3, 5, 8])])
def test_resampling_shows_what_the_file_shows_then(mp4: Path, fps: float, picks: list[int]) -> None:
    whole, part = read(mp4), read(mp4, fps=fps, num_frames=4)
    assert part.fps == fps
    np.testing.assert_array_equal(part.frames, whole.frames[picks])


@pytest.mark.parametrize("fps", [1.0, 7.0, 23.976, 30.0, 60.0])
def test_resampling_keeps_the_duration(mp4: Path, fps: float) -> None:
    assert read(mp4, fps=fps).shape.duration == pytest.approx(3.0, abs=1 / fps)


def test_parts_are_exact(mp4: Path) -> None:
    whole = read(mp4)
    assert len(whole) == 24
    np.testing.assert_array_equal(read(mp4, start=1.0, duration=0.5).frames, whole.frames[8:12])
    np.testing.assert_array_equal(read(mp4, start=2.75).frames, whole.frames[22:])
    assert len(read(mp4, start=2.0, num_frames=99)) == 8
    with pytest.raises(VideoError, match="shows nothing from 3 seconds on; start earlier"):
        read(mp4, start=3.0)


def test_resize_crops_the_centre_and_never_stretches(tmp_path: Path) -> None:
    y, x = np.mgrid[:120, :240]
    disc = (x - 119.5) ** 2 + (y - 59.5) ** 2 < 40**2
    frame = np.where(disc[..., None], 255, 0).astype(np.uint8).repeat(3, axis=-1)
    Image.fromarray(frame).save(tmp_path / "disc.png")
    for width, height in [(60, 60), (120, 60), (60, 40), (240, 240)]:
        found = read_image(tmp_path / "disc.png", width=width, height=height).frames[0, :, :, 0] > 127
        assert found.shape == (height, width)
        rows, columns = np.nonzero(found)
        assert np.ptp(rows) == pytest.approx(np.ptp(columns), abs=1)
        assert np.ptp(rows) + 1 == pytest.approx(80 * max(width / 240, height / 120), abs=2)
        assert rows.mean() == pytest.approx((height - 1) / 2, abs=0.6)
        assert columns.mean() == pytest.approx((width - 1) / 2, abs=0.6)


def test_turned_and_anamorphic_films_are_shown_upright(film: Film) -> None:
    frames = np.zeros((4, 48, 64, 3), np.uint8)
    frames[:, :24, :32] = (255, 0, 0)
    turned = film(frames, "turned.mp4", turn=90)
    video = read(turned)
    assert (video.shape.width, video.shape.height) == (48, 64) == (probe(turned).width, probe(turned).height)
    assert (
        video.frames[0, 60, 4, 0] > 240
    )  # the upper left went to the lower left: a quarter turn to the left
    wide = read(film(frames, "wide.mp4", aspect=Fraction(2, 1)))
    assert (wide.shape.width, wide.shape.height) == (128, 48)
    assert wide.frames[0, 4, 60, 0] > 240


def test_probe_says_what_read_gives(clip: Video, mp4: Path) -> None:
    info = probe(mp4)
    assert (info.width, info.height, info.fps, info.num_frames, info.duration) == (64, 48, 8.0, 24, 3.0)
    assert (info.codec, info.has_audio, info.is_still) == ("h264", False, False)
    assert info.num_bytes == mp4.stat().st_size
    assert info.metadata == read(mp4, num_frames=1).metadata == clip.metadata


@pytest.mark.parametrize(
    "options",
    [
        {"width": 8},
        {"width": 0, "height": 8},
        {"fps": 0.0},
        {"fps": float("inf")},
        {"start": -1.0},
        {"duration": 0.0},
        {"num_frames": 0},
    ],
)
def test_impossible_options_are_refused(mp4: Path, options: dict[str, float]) -> None:
    with pytest.raises(ShapeError, match="give"):
        read(mp4, **options)


def refusal(path: Path, limits: Limits | None = None) -> str:
    """Return the one line with which both read and probe, or read alone, refuse a file."""
    with pytest.raises(VideoError) as caught:
        read(path, limits=limits or Limits())
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"hello", "unknown format"),
        (bytes(5000), "unknown format"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "unknown format"),
        (b"#EXTM3U\n#EXT-X-TARGETDURATION:9\n#EXTINF:9,\n{clip}\n#EXT-X-ENDLIST\n", "unknown format"),
        (b"ffconcat version 1.0\nfile '{clip}'\n", "unknown format"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "a HEIC photo"),
        (b"\0\0\0\x18ftypmif1\0\0\0\0mif1heic", "a HEIC photo"),
        (b"<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>", "unknown format"),
    ],
)
def test_what_is_no_video_is_refused(mp4: Path, tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "file.mp4"
    path.write_bytes(content.replace(b"{clip}", str(mp4).encode()))
    assert message in refusal(path)


def test_missing_files_folders_and_devices_are_refused(tmp_path: Path) -> None:
    assert "does not exist" in refusal(tmp_path / "none.mp4")
    assert "not a plain file" in refusal(tmp_path)
    assert "not a plain file" in refusal(Path("/dev/zero"))


def test_names_that_look_like_addresses_are_just_names(clip: Video, tmp_path: Path) -> None:
    for name in ("http:a.mp4", "concat:b|c.mp4", "a%03d.mp4", "-y.mp4"):
        assert len(read(write(clip, tmp_path / name))) == 24


@pytest.mark.parametrize("name", ["held.mp4", "held.mkv"])
def test_a_last_frame_that_is_held_is_shown_as_long(clip: Video, tmp_path: Path, name: str) -> None:
    """As in recordings of screens: 20 frames at 10 a second, the last one for four seconds."""
    with av.open(str(tmp_path / name), "w") as container:
        stream = container.add_stream("libx264", rate=10, options={"bf": "0"})
        stream.height, stream.width, stream.pix_fmt = *clip.frames.shape[1:3], "yuv420p"
        packets = []
        for array in clip.frames[:20]:
            packets += stream.encode(av.VideoFrame.from_ndarray(array, format="rgb24"))
        packets += stream.encode(None)
        packets[-1].duration = round(4 / packets[-1].time_base)
        container.mux(packets)
    frames = read(tmp_path / name, fps=10.0).frames
    assert len(frames) == pytest.approx(59, abs=1)
    assert (frames[25:] == frames[-1]).all()


@pytest.mark.parametrize("shown", list(Image.Transpose))
def test_films_are_shown_as_their_display_matrix_says(
    clip: Video, film: Film, shown: Image.Transpose
) -> None:
    """ISO/IEC 14496-12, 6.2.2: x' = ax + cy, y' = bx + dy, in 1/65536 and 1/2**30, in the track's header."""
    corner = np.array(Image.fromarray(np.uint8([[1, 2], [3, 4]])).transpose(shown))
    (x0, y0), (x1, y1), (x2, y2) = (np.argwhere(corner == n)[0][::-1] for n in (1, 2, 3))
    matrix = [x1 - x0, y1 - y0, 0, x2 - x0, y2 - y0, 0, 0, 0, 1]
    scales = [1 << 16, 1 << 16, 1 << 30] * 3
    path = film(clip.frames[:2], "turned.mp4", turn=90)
    content = bytearray(path.read_bytes())
    place = content.index(b"tkhd") + 4 + 40  # behind version, flags, times and so on
    content[place : place + 36] = (np.array(matrix) * scales).astype(">i4").tobytes()
    path.write_bytes(content)
    wanted = np.asarray(Image.fromarray(clip.frames[0]).transpose(shown))
    assert np.abs(read(path).frames[0].astype(int) - wanted).mean() < 6


def test_sound_alone_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "sound.wav.mkv"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000, layout="mono")
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    assert "no pictures, only sound" in refusal(path)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_side=63), "64x48, over the limit of 63 a side"),
        (Limits(max_pixels=64 * 48 - 1), "64x48, over the limit of 16384 a side and 0.00307 million pixels"),
        (Limits(max_frames=23), "24 frames are over the limit of 23"),
        (Limits(max_seconds=2.9), "3 seconds are over the limit of 2.9"),
        (Limits(max_bytes=100), "MiB are over the limit"),
        (Limits(max_bytes=64 * 48 * 3 * 23), "MiB are over the limit"),
    ],
)
def test_headers_are_held_to_the_limits(mp4: Path, limits: Limits, message: str) -> None:
    assert message in refusal(mp4, limits)


@pytest.mark.parametrize(
    ("limits", "message"),
    [
        (Limits(max_frames=5), "6 frames are over the limit of 5"),
        (Limits(max_seconds=0.3), "seconds are over the limit of 0.3"),
        (Limits(max_bytes=64 * 48 * 3 * 5), "MiB are over the limit"),
    ],
)
def test_files_without_a_header_are_held_to_the_limits(
    clip: Video, film: Film, limits: Limits, message: str
) -> None:
    path = film(clip.frames, "raw.h264")
    assert probe(path).duration is None
    assert message in refusal(path, limits)


def test_a_size_asked_for_is_held_to_the_limits(mp4: Path) -> None:
    with pytest.raises(VideoError, match="99999x64, over the limit"):
        read(mp4, width=99_999, height=64)


def test_a_part_of_a_long_film_keeps_within_the_limits(mp4: Path) -> None:
    limits = Limits(max_seconds=1.0, max_frames=8, max_bytes=64 * 48 * 3 * 8)
    assert len(read(mp4, start=1.0, duration=1.0, limits=limits)) == 8


def test_a_header_that_lies_about_the_length_is_found(clip: Video, film: Film) -> None:
    path = film(np.tile(clip.frames, (2, 1, 1, 1)), "long.mkv")
    content = path.read_bytes()
    place = (
        content.index(b"\x44\x89\x88") + 3
    )  # Matroska: the element Duration, 8 bytes of float, milliseconds
    assert np.frombuffer(content[place : place + 8], ">f8")[0] == 6000
    path.write_bytes(content[:place] + np.array([125], ">f8").tobytes() + content[place + 8 :])
    assert probe(path).duration == pytest.approx(0.125)
    assert "frames are over the limit of 30" in refusal(path, Limits(max_frames=30))
    assert "seconds are over the limit of 4" in refusal(path, Limits(max_seconds=4))


def test_a_header_that_lies_about_the_size_is_found(clip: Video, film: Film) -> None:
    small = film(clip.frames, "small.ts", codec="mpeg2video", fps=25)
    large = film(np.tile(clip.frames, (1, 4, 4, 1)), "large.ts", codec="mpeg2video", fps=25)
    joined = small.parent / "joined.ts"
    joined.write_bytes(small.read_bytes() * 40 + large.read_bytes())
    assert (probe(joined).width, probe(joined).height) == (64, 48)
    assert "256x192, over the limit of 128 a side" in refusal(joined, Limits(max_side=128))
    small_ones = Limits(max_pixels=128 * 128)
    assert "damaged" in refusal(joined, small_ones)  # by the decoder, before it allocates


def test_an_image_bomb_is_refused_before_it_is_decoded(tmp_path: Path) -> None:
    Image.new("1", (14_000, 14_000)).save(tmp_path / "bomb.png")
    assert "far too many pixels" in refusal(tmp_path / "bomb.png", Limits(max_pixels=10**12))
    Image.new("1", (17_000, 10)).save(tmp_path / "wide.png")
    assert "17000x10, over the limit" in refusal(tmp_path / "wide.png")


def test_the_photographs_of_phones_and_cameras_are_read(tmp_path: Path) -> None:
    Image.new("RGB", (12_000, 9000), "red").save(tmp_path / "photo.jpg")  # 108 million pixels
    assert read(tmp_path / "photo.jpg", width=64, height=64).frames[0, 32, 32, 0] > 250


@pytest.mark.parametrize("kind", ["tif", "jp2", "ppm", "avif"])
def test_pictures_of_other_formats_are_read(clip: Video, tmp_path: Path, kind: str) -> None:
    Image.fromarray(clip.frames[0]).save(tmp_path / f"a.{kind}")
    off = np.abs(read(tmp_path / f"a.{kind}").frames[0].astype(int) - clip.frames[0])
    assert off.mean() < (4 if kind == "avif" else 0.5)


def test_an_animation_of_huge_pages_is_refused_before_it_is_drawn(tmp_path: Path) -> None:
    pages = [Image.new("L", (4000, 4000), n) for n in range(3)]
    pages[0].save(tmp_path / "a.gif", save_all=True, append_images=pages[1:])
    assert "3 pages of 4000x4000 are too much" in refusal(tmp_path / "a.gif", Limits(max_work=2 * 4000**2))
    assert len(read(tmp_path / "a.gif", width=8, height=8)) == 3


def test_a_damaged_animation_is_not_taken_for_a_still(clip: Video, tmp_path: Path) -> None:
    first, *rest = (Image.fromarray(frame) for frame in clip.frames)
    first.save(tmp_path / "a.png", save_all=True, append_images=rest)
    content = bytearray((tmp_path / "a.png").read_bytes())
    place = content.index(b"acTL") + 4
    content[place : place + 8] = bytes(8)
    crc = zlib.crc32(content[place - 4 : place + 8])
    content[place + 8 : place + 12] = crc.to_bytes(4, "big")
    (tmp_path / "a.png").write_bytes(content)
    assert "Invalid APNG" in refusal(tmp_path / "a.png")


def test_a_cut_film_is_refused(mp4: Path, tmp_path: Path) -> None:
    whole = mp4.read_bytes()
    for share in (0.05, 0.3, 0.6, 0.8):
        (tmp_path / "cut.mp4").write_bytes(whole[: int(len(whole) * share)])
        assert "cut.mp4" in refusal(tmp_path / "cut.mp4")


@pytest.mark.parametrize("kind", ["mp4", "mkv", "webm", "gif", "png", "jpg"])
def test_damaged_files_give_a_video_or_one_clear_error(
    clip: Video, film: Film, tmp_path: Path, kind: str
) -> None:
    if kind in ("gif", "png"):
        whole = write(clip, tmp_path / f"whole.{kind}").read_bytes()
    elif kind == "jpg":
        buffer = io.BytesIO()
        Image.fromarray(clip.frames[0]).save(buffer, "JPEG")
        whole = buffer.getvalue()
    else:
        whole = film(
            clip.frames, f"w.{kind}", codec="libvpx-vp9" if kind == "webm" else "libx264"
        ).read_bytes()
    rng = np.random.default_rng(len(kind) + ord(kind[0]))
    refused = 0
    for trial in range(20):
        damaged = np.frombuffer(whole, np.uint8).copy()
        reach = len(damaged) if trial % 2 else min(len(damaged), 800)
        places = rng.integers(0, reach, rng.integers(1, 12))
        damaged[places] = rng.integers(0, 256, len(places))
        (tmp_path / "damaged").write_bytes(damaged.tobytes())
        try:
            read(tmp_path / "damaged", limits=Limits(max_bytes=2**26))
        except VideoError as error:
            refused += "\n" not in str(error)
            continue
    assert refused > 3


def test_cuts_are_those_of_the_part_and_the_rate(clip: Video, tmp_path: Path) -> None:
    told = {"prompt": "three shots", "cuts": [8, 16]}
    path = write(Video(clip.frames, 8.0, told), tmp_path / "shots.mp4")
    assert read(path).cuts == [8, 16]
    assert read(path, start=1.5).cuts == [4]
    assert read(path, num_frames=10).cuts == [8]
    assert read(path, fps=16.0).cuts == [16, 32]
    assert read(path, fps=4.0, start=0.5).cuts == [2, 6]
    assert fit(read(path), width=32, height=24, fps=4.0).cuts == [4, 8]
    assert read(path).metadata["cuts"] == [8, 16]
