"""Training on a folder of videos with captions, and what is wrong with folders."""

import json
from dataclasses import replace

import numpy as np
import pytest
import torch

from reelworld.core.errors import ConfigError, DataError
from reelworld.core.types import Video, VideoShape
from reelworld.models.text import TextConfig
from reelworld.recipes import Bucket, CaptionMix, Stage
from reelworld.train.footage import Footage, FootageStream, find_clips
from reelworld.train.loop import train
from reelworld.train.report import read_log
from reelworld.world.caption import vocabulary

SHAPE = VideoShape(width=16, height=16, num_frames=4, fps=8.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Twelve clips of 24x32 that brighten from a level of their own; sidecars of both kinds."""
    path = tmp_path_factory.mktemp("footage")
    for number in range(12):
        levels = 20 * number + np.arange(16, dtype=np.uint8)
        frames = np.broadcast_to(levels[:, None, None, None], (16, 24, 32, 3)).astype(np.uint8)
        Video(frames, 8.0).save(path / f"clip_{number:02d}.mp4")
        caption = f"a wombat number {number} brightens"
        if number % 2:
            (path / f"clip_{number:02d}.txt").write_text(caption + "\n")
        else:
            captions = {"raw": "IMG", "raw_is_true": True, "short": "a wombat", "descriptive": caption}
            (path / f"clip_{number:02d}.json").write_text(json.dumps({"captions": captions}))
    return path


DESCRIPTIVE = CaptionMix(descriptive=1.0, short=0.0)


def stream(folder, seed=0, shape=SHAPE, captions=DESCRIPTIVE):
    return FootageStream(Footage(str(folder)).split("train"), shape, 4, captions, seed)


def test_batches_hold_crops_of_the_clip_their_caption_names(folder):
    batch = next(stream(folder))
    assert batch.pixels.shape == (4, 4, 16, 16, 3)
    assert batch.pixels.dtype == torch.uint8
    for pixels, caption in zip(batch.pixels.float(), batch.captions, strict=True):
        level = 20 * int(caption.split()[3])
        steps = pixels.mean((1, 2, 3)).diff()
        assert level - 4 <= pixels.mean() <= level + 16
        torch.testing.assert_close(steps, torch.ones(3), atol=1.1, rtol=0)


def test_each_lap_shows_every_training_clip_once_and_seek_restarts(folder):
    source = stream(folder)
    batches = [next(source) for _ in range(6)]
    captions = [caption for batch in batches for caption in batch.captions]
    assert len(set(captions[:11])) == len(set(captions[11:22])) == 11
    assert captions[:11] != captions[11:22]
    source.seek(8)
    again = next(source)
    assert again.captions == batches[2].captions
    assert torch.equal(again.pixels, batches[2].pixels)


def test_every_tenth_clip_is_held_out(folder):
    footage = Footage(str(folder))
    held = [clip.path.stem for clip in footage.split("heldout")]
    assert held == ["clip_09"]
    assert len(footage.split("train")) == 11


def test_the_caption_mix_is_followed_where_there_is_a_choice(folder):
    batch = next(stream(folder, captions=CaptionMix(raw=1.0, short=0.0, descriptive=0.0)))
    assert all(c == "IMG" or int(c.split()[3]) % 2 for c in batch.captions)


def test_new_words_follow_the_worlds_up_to_the_reserved_rows(folder):
    footage = Footage(str(folder))
    assert footage.words().count("wombat") == 1
    world = len(vocabulary())
    assert footage.words()[:world] == vocabulary()
    assert len(footage.words()) > world + 1
    assert Footage(str(folder), max_words=world + 1).words() == footage.words()[: world + 1]
    assert Footage(str(folder), max_words=3).words() == vocabulary()


def test_training_runs_on_the_folder(folder, tiny, tmp_path):
    base = tiny(4)
    recipe = replace(base, model=replace(base.model, text=TextConfig(dim=32, depth=1, num_heads=2)))
    train(recipe, tmp_path, data=Footage(str(folder)), compile=False, progress="silent")
    steps = [record for record in read_log(tmp_path / "log.jsonl") if record["kind"] == "step"]
    assert len(steps) == 4
    assert all(record["applied"] for record in steps)


def test_bad_folders_say_the_fix(folder, tmp_path):
    with pytest.raises(DataError, match="is no folder"):
        Footage(str(tmp_path / "nothing")).clips  # noqa: B018
    with pytest.raises(DataError, match=r"holds no \.mp4 files"):
        Footage(str(tmp_path)).clips  # noqa: B018
    video = tmp_path / "a.mp4"
    video.write_bytes((folder / "clip_00.mp4").read_bytes())
    with pytest.raises(DataError, match=r"write one into a\.txt or a\.json"):
        Footage(str(tmp_path)).clips  # noqa: B018
    for content, message in (
        ("{", "is no JSON"),
        ('{"captions": 3}', "needs"),
        ('{"captions": {"short": 3}}', "needs"),
        ('{"captions": {}}', "is empty"),
    ):
        video.with_suffix(".json").write_text(content)
        with pytest.raises(DataError, match=message):
            Footage(str(tmp_path)).clips  # noqa: B018


def test_a_caption_in_another_encoding_is_told(folder, tmp_path):
    clip = next(folder.glob("*.mp4"))
    (tmp_path / "a.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "a.txt").write_bytes("ein gr\u00fcner Ball".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        list(find_clips(tmp_path))


def test_a_shape_longer_than_every_video_is_refused(folder):
    with pytest.raises(DataError, match=r"no video lasts 4 s"):
        stream(folder, shape=SHAPE.replace(num_frames=32))


@pytest.mark.parametrize("about", [{"themes": ("bite",)}, {"near": 0.5}])
def test_footage_has_no_themes_and_is_not_filmed_again(folder, about):
    stage = Stage(name="bites", steps=1, batch=1, buckets=(Bucket(shape=SHAPE, level=2, **about),)).of(0)
    with pytest.raises(ConfigError, match="no themes and no `near`"):
        Footage(str(folder)).stream(stage, SHAPE, 1, split="train", seed=0, device="cpu")
