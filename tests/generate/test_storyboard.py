"""Storyboards: cards at their times, cuts where they should be, a cast, and no work done twice."""

from dataclasses import replace

import numpy as np
import pytest

from reelworld.core.errors import ConfigError, PromptError, ReelWorldError, VideoError
from reelworld.core.types import Video
from reelworld.core.video import part, write
from reelworld.generate import storyboard
from reelworld.generate.again import storyboard_again
from reelworld.generate.shelf import Shelf
from reelworld.generate.storyboard import Card, Role, Storyboard, render

FAST = {"num_inference_steps": 2, "guidance_scale": 1.0}


def noise(count, seed=0, width=16, height=16):
    rng = np.random.default_rng(seed)
    return Video(rng.integers(0, 256, (count, height, width, 3), dtype=np.uint8), 8.0)


def counted(pipeline, board, **options):
    """Render, and count the windows that were made."""
    steps = []
    video = render(pipeline, board, **FAST, callback=lambda step, *rest: steps.append(step), **options)
    return video, steps.count(0)


def test_spacing_decides_between_cut_and_going_on(pipeline):
    """A window is a second: a card half a second after another begins with a cut, later ones go on."""
    cards = tuple(Card(time=t, text="a red ball") for t in (0.0, 0.5, 2.5, 3.5))
    video, _ = counted(pipeline, Storyboard(cards=cards))
    assert len(video) == round(8 * 4.5)
    assert video.metadata["cuts"] == [4]
    asked = (cards[0], replace(cards[1], cut=False), replace(cards[2], cut=True), cards[3])
    assert counted(pipeline, Storyboard(cards=asked))[0].metadata["cuts"] == [20]


def test_a_shot_after_a_cut_is_what_it_would_be_alone(pipeline):
    first, second = Card(time=0.0, text="a red ball"), Card(time=1.0, text="a blue box", cut=True, seed=5)
    video, windows = counted(pipeline, Storyboard(cards=(first, second), duration=2.0))
    (alone,) = pipeline("a blue box", seed=5, **FAST)
    np.testing.assert_array_equal(video.frames[8:], alone.frames)
    assert windows == 2


def test_a_card_that_goes_on_sees_what_came_before(pipeline):
    cards = [Card(time=0.0, text="a red ball"), Card(time=1.0, text="a blue box", cut=False)]
    one, _ = counted(pipeline, Storyboard(cards=tuple(cards), duration=2.0))
    other, _ = counted(pipeline, Storyboard(cards=(replace(cards[0], seed=9), cards[1]), duration=2.0))
    assert not np.array_equal(one.frames[:8], other.frames[:8])
    assert not np.array_equal(one.frames[8:], other.frames[8:])


def test_pictures_and_films_are_seen_at_their_times(pipeline, tmp_path):
    picture, clip = noise(1, 1, 40, 24), noise(5, 2)
    write(picture, tmp_path / "picture.png")
    frames = tmp_path / "clip"
    write(clip, frames)
    write(noise(5, 2), tmp_path / "clip.mp4")
    board = Storyboard(
        cards=(
            Card(time=0.0, text="a red ball", image="picture.png"),
            Card(time=2.0, text="a blue box", video="clip.mp4", cut=False),
            Card(time=3.0, text="a red box", image="picture.png", cut=True),
        ),
        folder=str(tmp_path),
    )
    video, _ = counted(pipeline, board)
    assert len(video) == 32
    np.testing.assert_array_equal(video.frames[0], video.frames[24])
    shown = Video.load(tmp_path / "clip.mp4", width=16, height=16).frames
    np.testing.assert_array_equal(video.frames[16:21], shown)
    assert len(np.unique(video.frames[1:16].reshape(15, -1), axis=0)) == 15
    assert video.metadata["cuts"] == [24]


def test_the_cast_is_who_the_cards_name(knowing, tmp_path):
    write(noise(1, 3), tmp_path / "bo.png")
    shelf = Shelf(tmp_path / "shelf")
    shelf.put("Li", noise(1, 4))
    roles = (Role(name="Bo", image="bo.png"), Role(name="Ka", text="a red ball"), Role(name="Li"))
    cards = (Card(time=0.0, text="Bo rolls past Li"), Card(time=1.0, text="a box", cut=True))
    board = Storyboard(cards=cards, characters=roles, folder=str(tmp_path))
    video, _ = counted(knowing, board, shelf=shelf)
    told = video.metadata["characters"]
    assert told["Bo"]["file"] == "bo.png"
    assert told["Ka"]["prompt"] == "a red ball"
    assert told["Li"]["file"] == "li.png"
    shelf.put("Li", noise(1, 5))
    other, _ = counted(knowing, board, shelf=shelf)
    assert not np.array_equal(video.frames[:8], other.frames[:8])
    np.testing.assert_array_equal(video.frames[8:], other.frames[8:])  # who is not named is not seen


def test_only_what_changed_is_made_again(pipeline, tmp_path):
    cards = [Card(time=float(t), text="a red ball", cut=t == 2) for t in range(4)]
    board = Storyboard(cards=tuple(cards), duration=4.0)
    first, windows = counted(pipeline, board, kept=tmp_path)
    assert windows == 1 + 3 + 1 + 3
    again, windows = counted(pipeline, board, kept=tmp_path)
    assert windows == 0
    np.testing.assert_array_equal(first.frames, again.frames)
    changed = replace(board, cards=(*cards[:3], replace(cards[3], text="a blue box")))
    third, windows = counted(pipeline, changed, kept=tmp_path)
    assert windows == 3
    np.testing.assert_array_equal(third.frames[:24], first.frames[:24])
    first_changed = replace(board, cards=(replace(cards[0], text="a blue box"), *cards[1:]))
    assert counted(pipeline, first_changed, kept=tmp_path)[1] == 4  # and the card that goes on from it


def test_as_many_steps_are_done_as_the_bar_says(pipeline, tmp_path, capsys):
    write(noise(1, 1), tmp_path / "picture.png")
    cards = (
        Card(time=0.0, text="a red ball"),
        Card(time=2.5, text="a box", image="picture.png"),
        Card(time=5.0, text="a box", cut=True),
        Card(time=5.125, text="a box", image="picture.png", cut=False),
    )
    render(pipeline, Storyboard(cards=cards, folder=str(tmp_path)), progress="json", **FAST)
    lines = capsys.readouterr().out.splitlines()
    assert '"event": "finish"' in lines[-1]
    done, total = (int(lines[-1].split(f'"{name}": ')[1].split(",")[0]) for name in ("done", "total"))
    assert done == total > 0


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("cards = []", "1 to 200 cards"),
        ("[[cards]]\ntime = 1.0\ntext = 'a ball'", "put it at 0"),
        ("[[cards]]\ntime = 0.0\ntext = 'a'\n[[cards]]\ntime = 0.0\ntext = 'b'", "times must rise"),
        ("duration = 0.0\n[[cards]]\ntime = 0.0\ntext = 'a'", "times must rise"),
        ("duration = nan\n[[cards]]\ntime = 0.0\ntext = 'a'", "times must rise"),
        ("[[cards]]\ntime = 0.0\ntext = 'a'\nimage = 'x.png'\nvideo = 'y.mp4'", "give one of them"),
        ("[[cards]]\ntime = 0.0\ntekst = 'a'", "text"),
        ("[[cards]]\ntime = 'soon'\ntext = 'a'", "time"),
        ("[[characters]]\nname = 'red ball'\n[[cards]]\ntime = 0.0\ntext = 'a'", "one word"),
        (
            "[[characters]]\nname = 'Bo'\n[[characters]]\nname = 'bo'\n[[cards]]\ntime = 0.0\ntext = 'a'",
            "same",
        ),
        ("cards = {", "no storyboard that can be read"),
    ],
)
def test_what_is_no_storyboard_is_refused(text, why, tmp_path):
    path = tmp_path / "board.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=why):
        Storyboard.load(path)


def test_a_file_may_begin_with_a_byte_order_mark(tmp_path):
    path = tmp_path / "board.toml"
    path.write_text("[[cards]]\ntime = 0.0\ntext = 'a ball'\n", encoding="utf-8-sig")
    assert Storyboard.load(path).cards == (Card(time=0.0, text="a ball"),)


def test_what_a_card_lacks_is_told(pipeline, tmp_path):
    short = Storyboard(cards=(Card(time=0.0, text="a"), Card(time=0.01, text="a")))
    with pytest.raises(ConfigError, match="the card at 0 s lasts no frame"):
        render(pipeline, short, **FAST)
    film = Card(time=1.0, video="film.mp4")
    with pytest.raises(ConfigError, match="the card at 1 s lasts no frame"):
        render(pipeline, Storyboard(cards=(*short.cards[:1], film), duration=1.01), **FAST)
    missing = Storyboard(cards=(Card(time=0.0, text="a", image="no.png"),), folder=str(tmp_path))
    with pytest.raises(VideoError, match=r"no\.png"):
        render(pipeline, missing, **FAST)
    with pytest.raises(PromptError, match="empty"):
        render(pipeline, Storyboard(cards=(Card(time=0.0, text=" "),)), **FAST)
    with pytest.raises(ConfigError, match="No such file"):
        Storyboard.load(tmp_path / "none.toml")


def test_the_order_of_the_cast_does_not_matter(knowing, tmp_path):
    roles = (Role(name="Bo", text="a red ball"), Role(name="Ka", text="a blue box"))
    board = Storyboard(cards=(Card(time=0.0, text="Ka rolls past Bo"),), characters=roles)
    first, _ = counted(knowing, board, kept=tmp_path)
    other, windows = counted(knowing, replace(board, characters=roles[::-1]))
    np.testing.assert_array_equal(first.frames, other.frames)
    assert windows > 0


def test_a_card_put_in_between_changes_only_what_follows_in_its_shot(pipeline, tmp_path):
    cards = [Card(time=float(t), text=f"a red ball {'a ' * t}", cut=True) for t in (0, 2, 4)]
    board = Storyboard(cards=tuple(cards), duration=6.0)
    counted(pipeline, board, kept=tmp_path)
    more = replace(board, cards=(cards[0], Card(time=1.0, text="a box", cut=True), *cards[1:]))
    _, windows = counted(pipeline, more, kept=tmp_path)
    assert windows == 1  # the new card; the one before it is shorter now, and begins as it did


def test_films_that_leave_no_room_between_them_are_cut(pipeline, tmp_path):
    write(noise(16, 1), tmp_path / "one.mp4")
    write(noise(8, 2), tmp_path / "two.mp4")
    cards = (Card(time=0.0, text="a ball", video="one.mp4"), Card(time=2.0, text="a box", video="two.mp4"))
    video, windows = counted(pipeline, Storyboard(cards=cards, duration=3.0, folder=str(tmp_path)))
    assert video.metadata["cuts"] == [16]
    assert windows == 0
    assert [parent["file"] for parent in video.metadata["parents"]] == ["one.mp4", "two.mp4"]


def test_a_broken_kept_window_is_made_again_and_the_bar_counts_kept_ones(pipeline, tmp_path, capsys):
    board = Storyboard(
        cards=(Card(time=0.0, text="a ball"), Card(time=1.0, text="a box", cut=True)), duration=2.0
    )
    counted(pipeline, board, kept=tmp_path)
    broken, _ = sorted(tmp_path.iterdir())
    broken.write_bytes(b"\x93NUMPY broken")
    _, windows = counted(pipeline, board, kept=tmp_path, progress="json")
    assert windows == 1
    assert '"done": 4, "total": 4' in capsys.readouterr().out.splitlines()[-1]


LATE = "Shot 1: a ball. Shot 2 at 1.5 seconds: it rolls."


@pytest.mark.parametrize(
    ("card", "why"),
    [
        ({"text": "a " * 100}, "shorten it"),
        ({"text": LATE}, "a shot is to begin at 1.5 seconds"),
        ({"text": "a box", "seed": -1}, "seed is -1"),
    ],
)
def test_every_card_is_read_before_the_first_is_made(pipeline, card, why):
    board, steps = Storyboard(cards=(Card(time=0.0, text="a ball"), Card(time=1.0, cut=True, **card))), []
    with pytest.raises(ReelWorldError, match=why):
        render(pipeline, board, callback=lambda *step: steps.append(step), **FAST)
    assert steps == []


def test_shots_are_timed_where_a_card_begins_anew(pipeline):
    """One that goes on shows the last of them alone, whenever that is to begin."""
    cards = (Card(time=0.0, text="a ball"), Card(time=1.0, text=LATE, cut=False))
    assert len(render(pipeline, Storyboard(cards=cards, duration=2.0), **FAST)) == 16


def test_a_card_may_be_a_picture_or_a_film_alone(pipeline, tmp_path):
    write(noise(1, 1), tmp_path / "a.png")
    write(noise(8, 2), tmp_path / "b.mp4")
    text = Card(time=1.0, text="a red ball")
    cards = (Card(time=0.0, image="a.png"), text, Card(time=2.0, video="b.mp4", cut=True))
    video, windows = counted(pipeline, Storyboard(cards=cards, duration=3.0, folder=str(tmp_path)))
    np.testing.assert_array_equal(video.frames[16:], Video.load(tmp_path / "b.mp4").frames)
    assert (len(video), windows) == (24, 4)
    assert video.metadata["prompt"] == "a red ball"
    with pytest.raises(PromptError, match="empty"):
        render(pipeline, Storyboard(cards=(Card(time=0.0),)), **FAST)


def test_characters_are_the_boards_own(pipeline):
    board = Storyboard(cards=(Card(time=0.0, text="a red ball"),))
    with pytest.raises(ConfigError, match="as `cast`"):
        render(pipeline, board, characters={"Bo": noise(1)}, **FAST)


def test_a_card_without_a_text_goes_on_with_the_text_before(pipeline, tmp_path):
    write(noise(1, 1), tmp_path / "a.png")
    first, picture = Card(time=0.0, text="a red ball"), Card(time=2.0, image="a.png", cut=False, seed=3)
    board = Storyboard(cards=(first, picture), duration=4.0, folder=str(tmp_path))
    silent, _ = counted(pipeline, board)
    told, _ = counted(pipeline, replace(board, cards=(first, replace(picture, text="a red ball"))))
    other, _ = counted(pipeline, replace(board, cards=(first, replace(picture, text="a blue box"))))
    np.testing.assert_array_equal(silent.frames, told.frames)
    assert not np.array_equal(silent.frames, other.frames)


def test_a_film_is_shown_from_its_moment_with_its_cuts(pipeline):
    told = {"prompt": "two shots", "cuts": [6, 11]}
    film = Video(noise(16, 2).frames, 8.0, told)
    cards = (Card(time=0.0, text="a red ball"), Card(time=0.5, video="film", at=0.5))
    board = Storyboard(cards=cards, duration=1.5)
    video, windows = counted(
        pipeline, board, reader=lambda name, start=0.0, num_frames=1, **_: part(film, start, num_frames)
    )
    assert (len(video), windows) == (12, 1)
    np.testing.assert_array_equal(video.frames[4:], film.frames[4:12])
    assert video.cuts == [4, 6, 11]
    with pytest.raises(VideoError, match="begin before 2 s"):
        part(film, 2.0, 8)
    with pytest.raises(ConfigError, match="of a video"):
        Storyboard(cards=(Card(time=0.0, text="a red ball", at=1.0),))


def test_who_was_given_beside_the_board_is_needed_again(knowing):
    picture = Video(np.full((1, 16, 16, 3), 90, np.uint8), 8.0, {"character": "Bo"})
    board = Storyboard(cards=(Card(time=0.0, text="Bo rolls"),), duration=1.0)
    first = render(knowing, board, cast={"Bo": picture}, **FAST)
    with pytest.raises(ConfigError, match="made with the character Bo"):
        storyboard_again(knowing, first.metadata, {})
    twin = storyboard_again(knowing, first.metadata, {}, {"Bo": picture})
    np.testing.assert_array_equal(twin.frames, first.frames)
    assert twin.metadata == first.metadata


def test_shots_that_a_card_tells_are_cuts_of_the_video(pipeline, monkeypatch):
    monkeypatch.setattr(storyboard, "cuts_of", lambda text, frames, fps: [4] if "Shot 2" in text else [])
    card = Card(time=0.0, text="Shot 1: a red ball. Shot 2 at 0.5 seconds: the ball rolls.")
    board = Storyboard(cards=(card, Card(time=1.0, text="a blue box", cut=True)), duration=2.0)
    assert render(pipeline, board, **FAST).cuts == [4, 8]
