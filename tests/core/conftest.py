"""Fixtures of the core tests: one small colourful clip and a writer of files with PyAV's own hands."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from reelworld.core.types import Video


@pytest.fixture(scope="session")
def clip() -> Video:
    """24 frames of moving gradients, 64x48, 8 fps, each frame different from every other."""
    y, x = np.mgrid[:48, :64]
    frames = [np.stack([(x * 3 + t * 6) % 256, y * 4 + t, x + y + 2 * t], axis=-1) for t in range(24)]
    return Video(np.stack(frames).astype(np.uint8), 8.0, {"prompt": "a réd ball", "seed": 3})


@pytest.fixture
def film(tmp_path: Path) -> Callable[..., Path]:
    """Return a function that writes frames with PyAV: any container, codec and stream setting."""

    def make(frames: np.ndarray, name: str, *, codec: str = "libx264", fps: int = 8, **settings: Any) -> Path:
        path, layout = tmp_path / name, settings.get("layout", "yuv420p")
        with av.open(str(path), "w") as container:
            stream = container.add_stream(codec, rate=fps, options=settings.get("options", {}))
            stream.height, stream.width, stream.pix_fmt = *frames.shape[1:3], layout
            if "told" in settings:
                stream.codec_context.colorspace = settings["told"]
            if "turn" in settings:
                stream.set_display_rotation(settings["turn"])
            if "aspect" in settings:
                stream.codec_context.sample_aspect_ratio = settings["aspect"]
            for array in frames:
                frame = av.VideoFrame.from_ndarray(array, format="rgba" if array.shape[-1] == 4 else "rgb24")
                frame = frame.reformat(format=layout, dst_colorspace=settings.get("matrix"))
                frame.colorspace = settings.get("told", 2)
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return path

    return make
