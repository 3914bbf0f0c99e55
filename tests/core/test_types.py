import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from reelworld.core.errors import ReelWorldError, ShapeError
from reelworld.core.media import Limits
from reelworld.core.storage import file_hash
from reelworld.core.types import Video, VideoShape


def test_shape_algebra() -> None:
    shape = VideoShape(width=64, height=48, num_frames=16, fps=8)
    assert shape.size == (16, 48, 64)
    assert shape.duration == 2.0
    assert shape.num_pixels == 16 * 48 * 64
    assert shape.scaled(space=2, time=3) == VideoShape(width=128, height=96, num_frames=48, fps=24)
    assert shape.scaled(time=3).duration == shape.duration
    assert shape.replace(num_frames=1).is_image
    assert str(shape) == "64x48, 16 frames at 8 fps"


@pytest.mark.parametrize(
    "wrong", [{"width": 0}, {"height": -1}, {"num_frames": 1.5}, {"fps": 0.0}, {"fps": float("nan")}]
)
def test_impossible_shapes_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(ShapeError, match=next(iter(wrong))):
        VideoShape(**{"width": 8, "height": 8, **wrong})


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((2, 4, 4, 3), np.float32),
        np.zeros((4, 4, 3), np.uint8),
        np.zeros((2, 4, 4, 4), np.uint8),
        np.zeros((0, 4, 4, 3), np.uint8),
        [[0]],
    ],
)
def test_frames_that_are_no_video_are_refused(frames: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="give"):
        Video(frames)


def test_video_knows_its_shape_saves_and_loads(clip: Video, tmp_path: Path) -> None:
    assert clip.shape == VideoShape(width=64, height=48, num_frames=24, fps=8.0)
    assert len(clip) == 24
    loaded = Video.load(clip.save(tmp_path / "clip.mp4", crf=10), num_frames=5)
    assert loaded.shape == clip.shape.replace(num_frames=5)
    named = {"file": "clip.mp4", "hash": file_hash(tmp_path / "clip.mp4")}
    assert loaded.metadata == {**clip.metadata, **named, "read": {"num_frames": 5}}
    part = Video.load(tmp_path / "clip.mp4", start=np.float64(1), num_frames=np.int64(5), limits=Limits())
    assert part.metadata == {**clip.metadata, **named, "read": {"start": 1.0, "num_frames": 5}}
    assert Video.load(part.save(tmp_path / "part.mp4")).metadata["file"] == "part.mp4"
    assert Video.load(tmp_path / "clip.mp4").metadata == {**clip.metadata, **named, "read": {}}


def test_notebook_shows_the_video_inside_the_page(clip: Video) -> None:
    assert 'src="data:video/mp4;base64,AAAA' in clip._repr_html_()
    assert 'src="data:image/png;base64,iVBOR' in Video(clip.frames[:1])._repr_html_()


def test_tensor_aliases_name_their_axes() -> None:
    from reelworld.core import types

    assert types.Pixels.dim_str == "B T H W 3"
    assert types.Tokens.dim_str == "B N D"
    assert types.Frames.array_type is np.ndarray
    with pytest.raises(AttributeError, match="Pixel"):
        _ = types.Pixel


def test_light_modules_import_neither_torch_nor_av() -> None:
    code = (
        "import sys; from reelworld.core import config, errors, progress, types;"
        "sys.exit(bool({'torch', 'av', 'PIL', 'rich', 'jaxtyping'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_training_modules_import_neither_av_nor_typer() -> None:
    code = (
        "import sys, reelworld.core.checkpoint, reelworld.core.runtime, reelworld.core.storage;"
        "sys.exit(bool({'av', 'typer', 'PIL'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_every_error_has_one_root_and_stands_in_the_tree() -> None:
    from reelworld.core import errors

    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type)]
    assert len(kinds) == 12
    assert all(issubclass(kind, ReelWorldError) and kind.__name__ in str(errors.__doc__) for kind in kinds)
