import io
import json
import subprocess
import sys

import pytest

from reelworld.core.progress import RichProgress, progress


def test_json_gives_one_object_per_line(capsys: pytest.CaptureFixture[str]) -> None:
    with progress("json", total=3, description="training") as bar:
        bar.advance(loss=0.5)
        bar.advance(2, loss=float("nan"), note="late")
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [(line["event"], line["done"]) for line in lines] == [
        ("start", 0),
        ("advance", 1),
        ("advance", 3),
        ("finish", 3),
    ]
    assert all(line["total"] == 3 and line["description"] == "training" for line in lines)
    assert (lines[1]["loss"], lines[2]["loss"], lines[2]["note"]) == (0.5, None, "late")
    assert lines[3]["seconds"] >= 0


def test_rich_shows_description_count_and_figures() -> None:
    screen = io.StringIO()
    bar = RichProgress(screen)
    bar.start(4, "drawing")
    bar.advance(loss=0.03125, clip="a")
    bar.advance()
    bar.finish()
    shown = screen.getvalue()
    assert all(part in shown for part in ("drawing", "2/4", "loss 0.03125", "clip a"))


def test_silence_and_auto_away_from_a_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    for kind in ("silent", "auto"):
        with progress(kind, total=None, description="x") as bar:  # type: ignore[arg-type]
            bar.advance(loss=1.0)
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_an_error_still_finishes_the_report(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        with progress("json", 2, "x"):
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["event"] == "finish"


READ_NO_MORE = """
import sys
from reelworld.core.progress import progress
with progress("json", 2000, "working") as bar:
    for _ in range(2000):
        bar.advance()
print("the result")
print("done", file=sys.stderr)
"""


def test_work_goes_on_where_nobody_reads_its_json() -> None:
    command = [sys.executable, "-c", READ_NO_MORE]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert json.loads(process.stdout.readline())["event"] == "start"
        process.stdout.close()
        assert process.stderr.read() == "done\n"
        assert process.wait() == 0


def test_a_closed_terminal_does_not_hide_what_ends_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    bar = RichProgress(io.StringIO())

    def stop() -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(bar.bar, "stop", stop)
    with pytest.raises(RuntimeError, match="what ended it"), progress(bar, 2, "x"):
        raise RuntimeError("what ended it")
