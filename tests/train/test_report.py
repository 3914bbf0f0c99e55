"""What a run leaves to look at: the log, sheets, curves, TensorBoard events."""

import importlib.util
import json

import numpy as np
import pytest

from reelworld.core.errors import ConfigError
from reelworld.train import report

STEP = {"kind": "step", "step": 1, "loss": 0.5, "clips_per_second": 3.0, "applied": True}
HELDOUT = {"kind": "heldout", "step": 1, "t=0.1": 0.5, "mean": 0.5}


def write(folder, records, **options):
    log = report.RunLog(folder, **options)
    for record in records:
        log.write(record)
    log.close()


def test_a_resumed_log_forgets_the_steps_that_are_repeated(tmp_path):
    write(tmp_path, [STEP | {"step": step} for step in range(1, 6)])
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"kind": "st')  # a crash in the middle of a line
    write(tmp_path, [STEP | {"step": 4, "loss": 0.25}], start=3)
    records = report.read_log(tmp_path / "log.jsonl")
    assert [(r["step"], r["loss"]) for r in records] == [(1, 0.5), (2, 0.5), (3, 0.5), (4, 0.25)]


def test_damaged_lines_are_left_out(tmp_path):
    write(tmp_path, [STEP, HELDOUT])
    with (tmp_path / "log.jsonl").open("ab") as file:
        file.write(b'{"kind": "st{"kind": "step"}\n\xff\x00\n3\n{}\n')
    write(tmp_path, [STEP | {"step": 2}], start=1)
    assert report.read_log(tmp_path / "log.jsonl") == [STEP, HELDOUT, STEP | {"step": 2}]


def test_a_full_disk_does_not_hide_what_ended_the_work(tmp_path, monkeypatch):
    log = report.RunLog(tmp_path)
    closed = []

    class Full:
        def close(self):
            closed.append("file")
            raise OSError(28, "No space left on device")

    class Events:
        def close(self):
            closed.append("events")

    log._file.close()
    monkeypatch.setattr(log, "_file", Full())
    monkeypatch.setattr(log, "_events", Events())
    log.close()
    assert closed == ["file", "events"]


def test_every_line_is_json_on_its_own(tmp_path):
    write(tmp_path, [STEP, HELDOUT])
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line) for line in lines] == [STEP, HELDOUT]


def test_the_sheet_shows_truth_and_sample(tmp_path):
    truth = np.zeros((2, 4, 16, 16, 3), np.uint8)
    truth[..., 0] = 255
    samples = np.zeros_like(truth)
    samples[..., 2] = 255
    page = np.asarray(report.sheet(["one", "two"], truth, samples, "step 1"))
    red, blue = ((page == colour).all(-1) for colour in ([255, 0, 0], [0, 0, 255]))
    assert red.sum() == blue.sum() > 0
    assert red.nonzero()[1].max() < blue.nonzero()[1].min(), "truth left, sample right"


def test_curves_are_drawn_even_before_the_first_measurement(tmp_path):
    write(tmp_path, [STEP])
    assert report.plot(tmp_path / "log.jsonl", tmp_path / "a.png") == ""
    write(tmp_path, [STEP, HELDOUT])
    assert report.plot(tmp_path / "log.jsonl", tmp_path / "b.png") == ""
    assert (tmp_path / "a.png").read_bytes()[:4] == (tmp_path / "b.png").read_bytes()[:4] == b"\x89PNG"


def test_many_points_are_drawn_as_means_of_stretches():
    points = np.stack([np.arange(1000.0), np.tile([0.0, 2.0], 500)], 1)
    means = report.stretched(points, 100)
    assert means.shape == (100, 2)
    assert (means[:, 1] == 1.0).all()
    assert means[:, 0].mean() == points[:, 0].mean()
    assert (report.stretched(points[:7], 100) == points[:7]).all()
    assert report.stretched(points[:0], 100).shape == (0, 2)


@pytest.fixture
def without_extras(monkeypatch):
    find = importlib.util.find_spec
    missing = ("matplotlib", "tensorboard")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name in missing else find(name))


@pytest.mark.usefixtures("without_extras")
def test_missing_extras_are_named(tmp_path):
    write(tmp_path, [STEP])
    assert "reelworld[plot]" in report.plot(tmp_path / "log.jsonl", tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()
    with pytest.raises(ConfigError, match=r"reelworld\[tensorboard\]"):
        report.RunLog(tmp_path, tensorboard=True)


def test_tensorboard_events_are_written_when_asked_for(tmp_path):
    write(tmp_path, [STEP, HELDOUT], tensorboard=True)
    events = list((tmp_path / "tensorboard").glob("events.out.*"))
    assert len(events) == 1
    assert b"step/loss" in events[0].read_bytes()
