"""Editing: what is given stays, the rest is made; how it was made is told; what cannot be is refused."""

import json

import numpy as np
import pytest
import torch

from reelworld.core.errors import ConfigError, PromptError, ShapeError
from reelworld.core.types import Video
from reelworld.core.video import fit, read, write
from reelworld.diffusion.samplers import schedule
from reelworld.generate import edit
from reelworld.generate.again import again
from reelworld.generate.simple import of_text
from reelworld.generate.windows import Windows, opened, to_bridge, to_grow

FAST = {"num_inference_steps": 2, "guidance_scale": 1.0}
PROMPT = "a red ball rolls"


def film(count, width=16, height=16, seed=0):
    rng = np.random.default_rng(seed)
    return Video(
        rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8), 8.0, {"prompt": f"film {seed}"}
    )


def test_an_image_begins_the_video(pipeline):
    image = film(1)
    video = edit.animate(pipeline, image, PROMPT, **FAST)
    assert video.frames.shape == (8, 16, 16, 3)
    np.testing.assert_array_equal(video.frames[0], image.frames[0])
    assert not np.array_equal(video.frames[1], image.frames[0])
    assert len(edit.animate(pipeline, image, PROMPT, num_frames=12, **FAST)) == 12


@pytest.mark.parametrize("before", [False, True])
@pytest.mark.parametrize("length", [3, 8, 13])
def test_a_video_goes_on_and_keeps_what_it_was(pipeline, before, length):
    video = film(length)
    longer = edit.extend(pipeline, video, PROMPT, seconds=1.5, before=before, **FAST)
    assert len(longer) == length + 12
    own = longer.frames[12:] if before else longer.frames[:length]
    np.testing.assert_array_equal(own, video.frames)
    new = longer.frames[:12] if before else longer.frames[length:]
    assert len(np.unique(new.reshape(12, -1), axis=0)) == 12  # made, not repeated


@pytest.mark.parametrize(("start", "end"), [(0.5, 1.0), (0.25, 2.75), (1.0, 1.125)])
def test_what_is_missing_is_filled_between_what_stays(pipeline, start, end):
    video = film(24)
    filled = edit.fill(pipeline, video, PROMPT, start=start, end=end, **FAST)
    first, last = round(8 * start), round(8 * end)
    assert len(filled) == 24
    np.testing.assert_array_equal(filled.frames[:first], video.frames[:first])
    np.testing.assert_array_equal(filled.frames[last:], video.frames[last:])
    changed = (filled.frames[first:last] != video.frames[first:last]).reshape(last - first, -1).any(1)
    assert changed.all()


@pytest.mark.parametrize(
    ("length", "more", "soft"), [(0.25, 2, (3, 3)), ("short", 4, (2, 2)), ("normal", 8, (2, 0))]
)
def test_a_loop_leads_back(pipeline, length, more, soft):
    """A few frames at its ends fade into what is made, the more the nearer; the others stay.

    Of a gap of more than one window the first frames made are no fade, but go on from the end as it is.
    """
    video, (begin, end) = film(9), soft
    looped = edit.loop(pipeline, video, PROMPT, length=length, **FAST)
    assert len(looped) == 9 + more
    np.testing.assert_array_equal(looped.frames[begin : 9 - end], video.frames[begin : 9 - end])
    changed = np.abs(looped.frames[:9].astype(int) - video.frames).mean((1, 2, 3))
    assert (np.diff(changed[: begin + 1]) < 0).all()
    assert (np.diff(changed[8 - end :]) > 0).all()


@pytest.mark.parametrize("count", [1, 2, 4, 5])
def test_a_loop_of_few_frames_softens_no_frame_twice(pipeline, count):
    video, soft = film(count), count // 2
    looped = edit.loop(pipeline, video, PROMPT, length="short", **FAST)
    assert len(looped) == count + 4
    np.testing.assert_array_equal(looped.frames[soft : count - soft], video.frames[soft : count - soft])


def test_a_recut_keeps_its_parts(pipeline):
    video = film(24)
    cut = edit.recut(pipeline, video, PROMPT, keep=[(2.0, 3.0), (0.0, 0.5)], gap=0.25, **FAST)
    assert len(cut) == 8 + 2 + 4
    np.testing.assert_array_equal(cut.frames[:8], video.frames[16:24])
    np.testing.assert_array_equal(cut.frames[10:], video.frames[:4])


def test_a_remix_is_as_long_as_its_video(pipeline):
    made = edit.remix(pipeline, film(20), PROMPT, strength="mild", **FAST)
    assert len(made) == 20
    assert made.metadata["strength"] == "mild"


@pytest.mark.parametrize(("strength", "steps"), [(0.25, 2), (0.5, 4), (1.0, 8)])
def test_strength_says_how_noisy_the_beginning_is(pipeline, strength, steps):
    video, seen = film(8), []
    pipeline(
        PROMPT, init=video.frames, strength=strength, num_inference_steps=8, seed=4,
        callback=lambda step, count, clean, noisy: seen.append((count, noisy.clone())),
    )  # fmt: skip
    assert len(seen) == seen[0][0] == steps
    noise = torch.randn(1, 8, 16, 16, 3, generator=torch.Generator().manual_seed(4))
    begun = (1 - strength) * (torch.tensor(video.frames)[None].float() / 127.5 - 1) + strength * noise
    torch.testing.assert_close(seen[0][1], begun)


def test_a_blend_keeps_both_ends(pipeline):
    one, other = film(10, seed=1), film(16, seed=2)
    mixed = edit.blend(pipeline, one, other, PROMPT, **FAST)
    assert len(mixed) == 10
    np.testing.assert_array_equal(mixed.frames[0], one.frames[0])
    np.testing.assert_array_equal(mixed.frames[-1], other.frames[-1])
    late = edit.blend(
        pipeline, one, other, PROMPT, strength=0.05, curve=edit.through([(0, 0), (0.9, 0), (1, 1)]), **FAST
    )
    near = np.abs(late.frames[:6].astype(float) - one.frames[:6]).mean()
    assert near < np.abs(late.frames[:6].astype(float) - other.frames[-8:-2]).mean()


def test_how_it_was_made_can_be_followed(pipeline):
    image = film(1)
    child = edit.extend(
        pipeline, edit.animate(pipeline, image, PROMPT, seed=3, **FAST), PROMPT, seconds=1, **FAST
    )
    assert child.metadata["operation"] == "extend"
    (parent,) = child.metadata["parents"]
    assert (parent["operation"], parent["seed"], parent["prompt"]) == ("animate", 3, PROMPT)
    assert parent["parents"] == [image.metadata]
    assert child.metadata["weights"] == pipeline.weights_hash


def test_an_account_holds_all_that_made_it_and_nothing_else(pipeline):
    image, video = film(1), film(8)
    made = edit.animate(pipeline, image, PROMPT, num_frames=12, progress="silent", callback=None, **FAST)
    twin = again(pipeline, made.metadata, [image])
    np.testing.assert_array_equal(made.frames, twin.frames)
    assert not {"progress", "callback"} & set(made.metadata)
    mixed = edit.blend(pipeline, video, film(8, seed=2), PROMPT, curve=[(0, 0), (1, 1)], **FAST)
    twin = again(pipeline, mixed.metadata, [video, film(8, seed=2)])
    np.testing.assert_array_equal(mixed.frames, twin.frames)
    with pytest.raises(ConfigError, match="needs 2 videos"):
        again(pipeline, mixed.metadata, [video])


def test_the_same_seed_makes_the_same(pipeline):
    twins = [edit.loop(pipeline, film(8), PROMPT, seed=5, **FAST).frames for _ in range(2)]
    other = edit.loop(pipeline, film(8), PROMPT, seed=6, **FAST).frames
    np.testing.assert_array_equal(*twins)
    assert not np.array_equal(twins[0], other)


def test_videos_of_other_sizes_are_cropped_not_stretched():
    wide = np.zeros((8, 16, 32, 3), np.uint8)
    wide[:, :, 8:24] = 255  # the middle square
    fitted = fit(Video(wide, 16.0), width=16, height=16, fps=8.0)
    assert fitted.frames.shape == (4, 16, 16, 3)
    assert (fitted.frames == 255).all()


@pytest.mark.parametrize(
    ("operation", "arguments", "complaint"),
    [
        (edit.extend, {"seconds": 0.0}, "seconds is 0"),
        (edit.fill, {"start": 1.0, "end": 0.5}, "must lie within"),
        (edit.fill, {"start": 0.5, "end": 9.0}, "use extend"),
        (edit.loop, {"length": "endless"}, "short, normal, long"),
        (edit.recut, {"keep": []}, "keeps nothing"),
        (edit.recut, {"keep": [(0.5, 9.0)]}, "is no part"),
        (edit.remix, {"strength": "brutal"}, "subtle, mild, strong"),
        (edit.remix, {"strength": -0.1}, "strength is -0.1"),
    ],
)
def test_what_cannot_be_is_told(pipeline, operation, arguments, complaint):
    with pytest.raises(ConfigError, match=complaint):
        operation(pipeline, film(16), PROMPT, **arguments, **FAST)


def test_a_start_of_another_shape_or_without_a_video_is_told(pipeline):
    with pytest.raises(ShapeError, match="init frames"):
        pipeline(PROMPT, init=film(8, width=8).frames, num_frames=8, width=16, height=16, strength=0.5)
    with pytest.raises(ConfigError, match="begins from a video"):
        pipeline(PROMPT, strength=0.5)
    with pytest.raises(ShapeError, match="two videos of 8 frames"):
        edit.blend(pipeline, film(4), film(16), PROMPT, **FAST)


@pytest.mark.parametrize("shift", [1.0, 3.0])
def test_a_schedule_begins_where_it_is_told(shift):
    times = schedule(5, shift, start=0.6)
    assert len(times) == 6
    torch.testing.assert_close(times[0], torch.tensor(0.6, dtype=torch.float64))
    assert times[-1] == 0
    assert (times.diff() < 0).all()


def test_a_long_result_has_one_progress_bar(pipeline, capsys):
    """Twenty seconds are 54 windows of the tiny weights; programs read one count of steps to the end."""
    longer = edit.extend(pipeline, film(8), PROMPT, seconds=20.0, progress="json", **FAST)
    assert len(longer) == 8 + 160
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [line["event"] for line in lines].count("start") == 1
    assert lines[-1] == lines[-1] | {"event": "finish", "done": 108, "total": 108}


def test_windows_are_counted_before_they_are_made(pipeline):
    """Whatever the operation, as many steps are done as the bar was told."""

    def steps(operation, *parents, **arguments):
        seen = []
        options = {**FAST, "callback": lambda step, *rest: seen.append(step)}
        operation(pipeline, *parents, PROMPT, **arguments, **options)
        return len(seen)

    bridged = [steps(edit.loop, film(12), length=seconds) for seconds in (0.125, 0.5, 0.75, 2.0)]
    assert bridged == [2 * to_bridge(pipeline, 12, gap) for gap in (1, 4, 6, 16)]
    assert steps(edit.extend, film(3), seconds=1.125) == 2 * to_grow(pipeline, 3, 9) == 6
    assert steps(edit.remix, film(13), strength=1.0) == 2 * (1 + to_grow(pipeline, 8, 5)) == 6


def test_characters_are_told_and_needed_again(knowing):
    bo = Video(film(1, seed=3).frames, 8.0, {"file": "bo.png"})
    video = edit.animate(knowing, film(1), "Bo rolls", characters={"Bo": bo}, **FAST)
    assert video.metadata["characters"] == {"Bo": {"file": "bo.png"}}
    twin = again(knowing, video.metadata, [film(1)], {"Bo": bo})
    np.testing.assert_array_equal(twin.frames, video.frames)
    assert twin.metadata == video.metadata
    with pytest.raises(ConfigError, match="character Bo"):
        again(knowing, video.metadata, [film(1)])


def test_a_curve_that_is_a_function_is_told_as_points(pipeline):
    one, other = film(8), film(8, seed=1)
    video = edit.blend(pipeline, one, other, PROMPT, curve=lambda time: time**2, **FAST)
    assert video.metadata["curve"][4] == [4 / 7, (4 / 7) ** 2]
    twin = again(pipeline, video.metadata, [one, other])
    np.testing.assert_array_equal(twin.frames, video.frames)


def test_a_blend_is_made_anew_as_much_as_it_is_told(pipeline):
    one, other = film(8), film(8, seed=2)
    made = {
        part: edit.blend(pipeline, one, other, PROMPT, strength=part, **FAST) for part in (0, 0.55, "mild")
    }
    share = edit.half_cosine(np.linspace(0, 1, 8))[:, None, None, None]
    mixture = np.rint((1 - share) * one.frames + share * other.frames).astype(np.uint8)
    assert np.array_equal(made[0].frames, mixture)
    assert np.array_equal(made["mild"].frames, made[0.55].frames)
    assert not np.array_equal(made["mild"].frames, mixture)
    assert made["mild"].metadata["strength"] == "mild"
    with pytest.raises(ConfigError, match="strength"):
        edit.blend(pipeline, one, other, PROMPT, strength="much", **FAST)


def test_long_blends_are_made_window_by_window(pipeline):
    seen = []
    options = {**FAST, "callback": lambda step, steps, clean, noisy: seen.append(clean.shape[1])}
    one, other = film(24), film(24, seed=1)
    video = edit.blend(pipeline, one, other, PROMPT, **options)
    assert len(video) == 24
    assert set(seen) == {8}
    np.testing.assert_array_equal(video.frames[0], one.frames[0])
    np.testing.assert_array_equal(video.frames[-1], other.frames[-1])


def test_what_is_padded_is_not_told_as_known(pipeline, monkeypatch):
    """Leading to a single frame, the model must not learn that the world stands still behind it."""
    told = []
    call = type(pipeline).__call__

    def heard(self, *args, **options):
        told.append(options["mask"].flatten().tolist())
        return call(self, *args, **options)

    monkeypatch.setattr(type(pipeline), "__call__", heard)
    with opened(pipeline, PROMPT, FAST, 1) as windows:
        windows.bridge(film(2).frames, film(1).frames, 4, 0)
    assert told == [[1.0, 1.0, 0.0, 0.0, 0.0, 0.0, 1.0, 0.0]]


@pytest.mark.parametrize(
    "changes", [{"guidance_scale": "high"}, {"seconds": "two"}, {"seconds": 1e308}, {"seed": "x"}]
)
def test_accounts_with_values_of_the_wrong_kind(pipeline, changes):
    video = edit.extend(pipeline, film(8), PROMPT, seconds=0.5, **FAST)
    with pytest.raises(ConfigError):
        again(pipeline, video.metadata, [film(8)], **changes)


def test_frames_that_an_account_does_not_hold(pipeline):
    mask = torch.zeros(8, 1, 1, 1)
    (video,) = pipeline(PROMPT, known=film(8).frames, mask=mask, num_inference_steps=1)
    with pytest.raises(ConfigError, match="does not hold"):
        again(pipeline, video.metadata)


@pytest.mark.parametrize(("length", "windows"), [(1, 1), (8, 1), (9, 2), (20, 5)])
def test_a_film_of_any_length(pipeline, length, windows):
    seen = []
    options = {**FAST, "callback": lambda step, *rest: seen.append(step)}
    video = edit.film(pipeline, PROMPT, num_frames=length, seed=3, **options)
    assert len(video) == length
    assert seen.count(0) == windows
    (first,) = pipeline(PROMPT, seed=3, **FAST)
    np.testing.assert_array_equal(video.frames[:8], first.frames[:length])
    np.testing.assert_array_equal(again(pipeline, video.metadata).frames, video.frames)


def test_an_image_begins_a_video_of_any_length_window_by_window(pipeline):
    seen = []
    options = {**FAST, "callback": lambda step, steps, clean, noisy: seen.append(clean.shape[1])}
    video = edit.animate(pipeline, film(1), PROMPT, num_frames=30, **options)
    assert len(video) == 30
    assert set(seen) == {8}
    for wrong in (0, 10**6, 2.5):
        with pytest.raises(ConfigError, match="num_frames"):
            edit.animate(pipeline, film(1), PROMPT, num_frames=wrong, **FAST)


def test_without_a_prompt_the_video_speaks_for_itself(pipeline):
    told, silent = film(24), Video(film(24).frames, 8.0)
    assert edit.loop(pipeline, told, **FAST).metadata["prompt"] == "film 0"
    assert edit.blend(pipeline, told, film(24, seed=1), **FAST).metadata["prompt"] == "film 0"
    untold = edit.recut(pipeline, silent, keep=[(0.0, 1.0), (2.0, 3.0)], **FAST)
    assert untold.metadata["prompt"] == ""
    assert len(untold) == 8 + 4 + 8
    with pytest.raises(PromptError, match="empty"):
        edit.film(pipeline, "", **FAST)


def test_a_recut_may_cut_plainly_and_go_on(pipeline):
    video = film(24)
    plain = edit.recut(pipeline, video, keep=[(0.0, 1.0), (2.0, 3.0)], gap=0, **FAST)
    np.testing.assert_array_equal(plain.frames, np.concatenate([video.frames[:8], video.frames[16:]]))
    longer = edit.recut(pipeline, video, keep=[(0.0, 1.0)], gap=0, seconds=1.5, **FAST)
    np.testing.assert_array_equal(longer.frames[:8], video.frames[:8])
    assert len(longer) == 8 + 12


def test_an_image_begins_a_video_of_so_many_seconds(pipeline):
    assert len(edit.animate(pipeline, film(1), PROMPT, seconds=1.5, **FAST)) == 12
    with pytest.raises(ConfigError, match="give one of them"):
        edit.animate(pipeline, film(1), PROMPT, seconds=1.5, num_frames=12, **FAST)


@pytest.mark.parametrize("option", [{"fps": 24.0}, {"num_videos": 2}, {"widht": 3}])
def test_options_that_an_edit_does_not_take(pipeline, option):
    with pytest.raises(ConfigError, match=f"takes no '{next(iter(option))}'"):
        edit.film(pipeline, PROMPT, **option, **FAST)


@pytest.mark.parametrize(("count", "operation"), [(1, None), (4, None), (8, None), (6, "film"), (20, "film")])
def test_a_text_makes_any_number_of_frames(pipeline, count, operation):
    video = of_text(pipeline, PROMPT, num_frames=count, **FAST)
    assert len(video) == count
    assert video.metadata.get("operation") == operation
    assert np.ptp(video.frames[-1].astype(int)) > 0


@pytest.mark.parametrize(
    "made",
    [
        {"parents": 1},
        {"parents": [3]},
        {"shape": 5},
        {"scale": 10**9},
        {"scale": "large"},
        {"operation": "extend"},
        {"operation": 3},
        {"characters": []},
    ],
)
def test_accounts_that_somebody_else_wrote(pipeline, made):
    with pytest.raises(ConfigError):
        again(pipeline, {"prompt": "a", **made})
    with pytest.raises(ConfigError):
        again(pipeline, {"prompt": "a", "characters": {}}, characters=3)


def test_a_remix_of_no_strength_is_the_video(pipeline):
    video = film(8)
    same = edit.remix(pipeline, video, PROMPT, strength=0, **FAST)
    np.testing.assert_array_equal(same.frames, video.frames)
    assert same.metadata["strength"] == 0


@pytest.mark.parametrize("points", [[(0, "x"), (1, 1)], [(0, 0, 1), (1, 1, 1)], [0, 1], [(0, 0)], 3])
def test_a_curve_is_made_of_pairs(points):
    with pytest.raises(ConfigError, match="curve"):
        edit.through(points)


@pytest.mark.parametrize("keep", [[1], [(0, 1, 2)], 3])
def test_parts_are_pairs(pipeline, keep):
    with pytest.raises(ConfigError, match="pairs"):
        edit.recut(pipeline, film(8), PROMPT, keep=keep, **FAST)


def test_the_last_seed_of_all_makes_later_windows_too(pipeline):
    last = 2**63 - 1
    assert len(edit.film(pipeline, PROMPT, num_frames=20, seed=last, **FAST)) == 20
    assert len(edit.extend(pipeline, film(8), PROMPT, seconds=1.5, seed=last, **FAST)) == 20
    cut = edit.recut(pipeline, film(24), PROMPT, keep=[(0.0, 1.0), (2.0, 3.0)], gap=4.0, seed=last, **FAST)
    assert len(cut) == 8 + 32 + 8


def shots(*lengths):
    """A film of plain shots, each of another grey."""
    greys = [np.full((n, 16, 16, 3), 60 * k, np.uint8) for k, n in enumerate(lengths)]
    cuts = [int(cut) for cut in np.cumsum(lengths)[:-1]]
    return Video(np.concatenate(greys), 8.0, {"prompt": "greys", "cuts": cuts})


@pytest.mark.parametrize(
    ("make", "seen", "cuts"),
    [
        (lambda p, v: edit.extend(p, v, PROMPT, seconds=0.5, **FAST), [{120}], [6, 12]),
        (lambda p, v: edit.extend(p, v, PROMPT, seconds=0.375, before=True, **FAST), [{0}], [9, 15]),
        (lambda p, v: edit.loop(p, v, PROMPT, length="short", **FAST), [{0, 120}], [6, 12]),
        (lambda p, v: edit.fill(p, v, PROMPT, start=1.0, end=1.25, **FAST), [{60}], [6, 12]),
        (lambda p, v: edit.recut(p, v, PROMPT, keep=[(0, 1), (1.5, 1.875)], seconds=0.5, gap=0.0, **FAST),
         [{120}], [6, 8]),
        (lambda p, v: edit.recut(p, v, PROMPT, keep=[(0, 1), (1.5, 1.875)], gap=0.25, **FAST),
         [{60, 120}], [6]),
    ],
)  # fmt: skip
def test_what_is_made_goes_on_with_its_shot_alone(pipeline, monkeypatch, make, seen, cuts):
    """However short: frames of the shot before it would draw it back there."""
    told = []
    real = Windows._window

    def window(self, known, mask, **given):
        told.append({int(grey) for grey in np.unique(known[mask[0, :, 0, 0, 0].bool().numpy()])})
        return real(self, known=known, mask=mask, **given)

    monkeypatch.setattr(Windows, "_window", window)
    made = make(pipeline, shots(6, 6, 3))
    assert told == seen
    assert made.cuts == cuts


@pytest.mark.parametrize("fps", [24.0, 30.0, 12.0, 8.0, 5.0])
def test_the_same_is_seen_of_a_film_and_of_its_file(pipeline, tmp_path, fps):
    """Frames tell their number; cuts stay at what they cut."""
    frames = np.stack([np.full((16, 16, 3), 4 * n, np.uint8) for n in range(49)])
    write(Video(frames, fps, {"prompt": "numbers", "cuts": [4, 16, 29]}), path := tmp_path / "film.mp4")
    read_so, fitted = read(path, fps=8.0), fit(read(path), width=16, height=16, fps=8.0)
    assert np.abs(read_so.frames.astype(int) - fitted.frames).max() <= 2
    assert read_so.cuts == fitted.cuts
    numbers = [round(float(frame.mean()) / 4) for frame in fitted.frames]
    assert fitted.cuts == [next(n for n, seen in enumerate(numbers) if seen >= cut) for cut in (4, 16, 29)]
    assert round(float(edit.animate(pipeline, read(path), PROMPT, **FAST).frames[0].mean()) / 4) == 0


def test_an_account_says_how_it_was_sampled_and_old_ones_were_guided_throughout(pipeline):
    made = edit.remix(pipeline, film(8), PROMPT, num_inference_steps=3, strength=0.9)
    assert made.metadata["guidance_interval"] == [0.5, 1.0]
    assert again(pipeline, made.metadata, [film(8)], num_inference_steps=2).metadata["strength"] == 0.9
    old = {name: value for name, value in made.metadata.items() if name != "guidance_interval"}
    guided = edit.remix(
        pipeline, film(8), PROMPT, num_inference_steps=3, strength=0.9, guidance_interval=(0.0, 1.0)
    )
    np.testing.assert_array_equal(again(pipeline, old, [film(8)]).frames, guided.frames)
    assert not np.array_equal(guided.frames, made.frames)


def test_more_frames_are_made_again_as_they_would_be_made(pipeline):
    first = of_text(pipeline, PROMPT, **FAST)
    longer = again(pipeline, first.metadata, num_frames=15)
    np.testing.assert_array_equal(longer.frames, of_text(pipeline, PROMPT, num_frames=15, **FAST).frames)


@pytest.mark.parametrize("told", [{"noise": "x"}, {"scale": 2.0}, {"callback": 1}, {"num_videos": 3}])
def test_accounts_hold_nothing_that_steers(pipeline, told):
    made = edit.remix(pipeline, film(8), PROMPT, **FAST).metadata
    with pytest.raises(ConfigError, match="ReelWorld"):
        again(pipeline, {**made, **told}, [film(8)])


@pytest.mark.parametrize("characters", [["Bo"], {"Bo": "bo.png"}])
def test_characters_are_pictures_by_name(knowing, characters):
    with pytest.raises(ConfigError, match="a picture"):
        edit.extend(knowing, film(8), "Bo rolls", seconds=1.0, characters=characters, **FAST)


@pytest.mark.parametrize("video", ["ball.mp4", np.zeros((8, 16, 16, 3), np.uint8)])
def test_what_is_no_video_is_told(pipeline, video):
    with pytest.raises(ConfigError, match=r"Video\.load reads a file"):
        edit.extend(pipeline, video, PROMPT, seconds=1.0)
