"""Training on a folder of videos with captions, and what is wrong with folders."""

import json
import shutil
from dataclasses import replace

import numpy as np
import pytest
import torch

from reelworld.core import checkpoint
from reelworld.core.errors import ConfigError, DataError
from reelworld.core.types import Video, VideoShape
from reelworld.models.text import PUNCTUATION, SPECIALS, TextConfig, Tokenizer
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


def test_about_every_tenth_clip_is_held_out_whatever_else_is_there(folder, tmp_path):
    footage = Footage(str(folder))
    assert [clip.path.stem for clip in footage.split("heldout")] == ["clip_10"]
    assert len(footage.split("train")) == 11
    shutil.copytree(folder, tmp_path / "more")
    for suffix in (".mp4", ".json"):
        shutil.copy(folder / f"clip_00{suffix}", tmp_path / "more" / f"a_new_one{suffix}")
    more = Footage(str(tmp_path / "more"))
    assert [clip.path.stem for clip in more.split("heldout")] == ["clip_10"]


def test_where_nothing_long_enough_is_held_out_training_clips_are_measured(folder, tiny):
    footage, stage = Footage(str(folder)), tiny().stages[0]
    held = "no video is held out"
    assert not [note for note in footage.notes(tiny(), ()) if held in note]
    clips = [replace(clip, seconds=0.1) if clip.held else clip for clip in footage.clips]
    footage.__dict__["clips"] = tuple(clips)
    source = footage.stream(stage, SHAPE, 2, split="heldout", seed=0, device="cpu")
    assert len(source.clips) == 11
    assert [note for note in footage.notes(tiny(), ()) if held in note]
    footage.__dict__["clips"] = tuple(clips[:9])
    assert footage.split("heldout") == ()
    assert len(footage.split("train")) == 9


def test_the_user_is_told_what_of_a_folder_is_used(folder, tiny):
    footage = Footage(str(folder))
    footage.__dict__["clips"] = tuple(
        replace(clip, seconds=0.1 if number < 2 else 9.0, captions={"short": "one two " * (20 * number)})
        for number, clip in enumerate(footage.clips)
    )
    told, *_ = footage.notes(tiny(), ("two",))
    assert "12 videos, 2 of them too short for clips of 1 s; 11 of 12 captions cut at 32 words" in told
    assert ("1 rare words" if "one" not in vocabulary() else "0 rare words") in told


def test_other_footage_has_another_digest(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "same")
    first = Footage(str(folder)).describe()
    assert first["clips"] == 12
    assert Footage(str(tmp_path / "same")).describe() == first
    (tmp_path / "same" / "clip_01.txt").write_text("something else")
    assert Footage(str(tmp_path / "same")).describe() != first


def test_the_caption_mix_is_followed_where_there_is_a_choice(folder):
    batch = next(stream(folder, captions=CaptionMix(raw=1.0, short=0.0, descriptive=0.0)))
    assert all(c == "IMG" or int(c.split()[3]) % 2 for c in batch.captions)


def test_new_words_follow_the_worlds_up_to_the_reserved_rows(folder):
    footage = Footage(str(folder))
    world, own = len(vocabulary()), footage.own_words()
    assert footage.words() == vocabulary()
    assert own[0] == "wombat"
    assert not {*own} & {*vocabulary(), ".", ","}
    assert Footage(str(folder), max_words=world + 1).own_words() == ("wombat",)
    assert Footage(str(folder), max_words=3).own_words() == ()


def test_rare_words_are_left_out_where_a_vocabulary_is_full(folder, tiny, tmp_path):
    base, quiet = tiny(4), {"compile": False, "progress": "silent", "minutes": 0.0}
    words = [*Tokenizer.from_words(vocabulary()).words, "wombat"]
    room = len(SPECIALS) + len(PUNCTUATION) + len(words)
    text = TextConfig(vocabulary_size=room, dim=32, depth=1, num_heads=2)
    recipe, notes = replace(base, model=replace(base.model, text=text)), []
    footage = Footage(str(folder))
    first = train(recipe, tmp_path / "a", data=footage, note=notes.append, **quiet)
    assert checkpoint.read_card(first)["tokenizer"]["words"] == words
    assert [note for note in notes if f"{len(footage.own_words()) - 1} rare words left out" in note]
    second = train(recipe, tmp_path / "b", data=footage, init=first, note=notes.append, **quiet)
    assert checkpoint.read_card(second)["tokenizer"]["words"] == words


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
        ('{"captions": {"short": " "}}', "is empty"),
        ('{"captions": {"caption": "a wombat"}}', "a caption called 'caption'; call it raw or short"),
    ):
        video.with_suffix(".json").write_text(content)
        with pytest.raises(DataError, match=message):
            Footage(str(tmp_path)).clips  # noqa: B018


def test_names_and_files_as_other_programs_write_them_are_read(folder, tmp_path):
    video = (folder / "clip_00.mp4").read_bytes()
    for name in ("a.MP4", "b.mp4", "._b.mp4"):
        (tmp_path / name).write_bytes(video)
    (tmp_path / "a.TXT").write_text("\ufeffa wombat\n", encoding="utf-8")
    (tmp_path / "b.json").write_text('\ufeff{"captions": {"short": " a wombat\\n"}}', encoding="utf-8")
    clips = list(find_clips(tmp_path))
    assert [clip.path.name for clip in clips] == ["a.MP4", "b.mp4"]
    assert [clip.captions for clip in clips] == [{"descriptive": "a wombat"}, {"short": "a wombat"}]


def test_a_caption_in_another_encoding_is_told(folder, tmp_path):
    clip = next(folder.glob("*.mp4"))
    (tmp_path / "a.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "a.txt").write_bytes("ein gr\u00fcner Ball".encode("latin-1"))
    with pytest.raises(DataError, match="UTF-8"):
        list(find_clips(tmp_path))


def test_a_shape_longer_than_every_video_is_refused(folder):
    with pytest.raises(DataError, match=r"none of the 11 videos to train on lasts 4 s"):
        stream(folder, shape=SHAPE.replace(num_frames=32))


@pytest.mark.parametrize("about", [{"themes": ("bite",)}, {"near": 0.5}])
def test_footage_has_no_themes_and_is_not_filmed_again(folder, about):
    stage = Stage(name="bites", steps=1, batch=1, buckets=(Bucket(shape=SHAPE, level=2, **about),)).of(0)
    with pytest.raises(ConfigError, match="no themes and no `near`"):
        Footage(str(folder)).stream(stage, SHAPE, 1, split="train", seed=0, device="cpu")
