"""The names of `import reelworld`: light to import, the same however they are reached."""

import subprocess
import sys
import tomllib
from pathlib import Path

import numpy as np
import pytest

import reelworld
from reelworld.core.errors import ConfigError
from reelworld.generate.pipeline import Pipeline
from reelworld.generate.simple import _loaded, generate
from reelworld.models.released import denoiser_to_checkpoint

OPTIONS = {"num_inference_steps": 2, "device": "cpu"}


def run(program):
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_importing_is_quick_and_needs_no_torch():
    program = """
import sys, time
began = time.perf_counter()
import reelworld
reelworld.__version__, dir(reelworld), reelworld.generate
print(time.perf_counter() - began, [name for name in ("torch", "av", "numpy") if name in sys.modules])
"""
    seconds, heavy = run(program).split(maxsplit=1)
    assert float(seconds) < 0.3
    assert heavy.strip() == "[]"


def test_video_is_there_without_torch():
    assert run("import sys, reelworld; reelworld.Video; print('torch' in sys.modules)").strip() == "False"


def test_every_public_name_is_there():
    for name in reelworld.__all__:
        assert getattr(reelworld, name) is not None
        assert name in dir(reelworld)
    assert reelworld.Pipeline is Pipeline
    with pytest.raises(AttributeError, match="no attribute 'generat'"):
        reelworld.generat  # noqa: B018


def test_the_version_is_that_of_the_package():
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())["project"]
    assert reelworld.__version__ == project["version"]


def test_generate_is_callable_after_its_package_was_imported(weights):
    import reelworld.generate.simple as room

    video = reelworld.generate("a red ball", weights=weights, seed=2, **OPTIONS)
    same = room.generate("a red ball", weights=weights, seed=2, **OPTIONS)
    (loaded,) = reelworld.load(weights, device="cpu")("a red ball", num_inference_steps=2, seed=2)
    assert isinstance(video, reelworld.Video)
    assert np.array_equal(video.frames, same.frames)
    assert np.array_equal(video.frames, loaded.frames)


def test_generate_is_callable_in_a_fresh_process(weights):
    program = f"""
import reelworld
print(reelworld.generate("a red ball", weights={str(weights)!r}, num_inference_steps=1, device="cpu").shape)
"""
    assert run(program).strip() == "16x16, 8 frames at 8 fps"


def test_generate_loads_once_and_notices_new_weights(weights, tmp_path, pipeline):
    path = tmp_path / "weights.safetensors"
    path.write_bytes(weights.read_bytes())
    before = _loaded.cache_info()
    first, _ = (generate("a red ball", weights=path, **OPTIONS) for _ in range(2))
    after = _loaded.cache_info()
    assert (after.misses - before.misses, after.hits - before.hits) == (1, 1)
    denoiser_to_checkpoint(path, pipeline.denoiser, pipeline.tokenizer, {**pipeline.card, "recipe": "new"})
    second = generate("a red ball", weights=path, **OPTIONS)
    assert first.metadata["weights"] != second.metadata["weights"]


def test_generate_makes_one_video(weights):
    with pytest.raises(ConfigError, match=r"reelworld\.load"):
        generate("a red ball", weights=weights, num_videos=2)
