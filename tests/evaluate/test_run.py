"""Scoring what is known: renders of the prompts score 1; stopped runs go on; the report holds its own."""

import json
import re
from base64 import b64decode
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from reelworld.core.errors import ConfigError
from reelworld.core.types import Video
from reelworld.evaluate.compare import compare
from reelworld.evaluate.report import write_report
from reelworld.evaluate.run import Evaluation, Settings
from reelworld.evaluate.suite import suite, suite_config
from reelworld.world.stream import film

SETTINGS = Settings(split="train", each=2, seeds=2, truth=2)


class Renders:
    """A generator that knows the world: it films the scene that a prompt of the suite tells of."""

    def __init__(self, stop_after: int | None = None, still: bool = False) -> None:
        self.left, self.still, self.asked = stop_after, still, []
        cases = suite(SETTINGS.split, SETTINGS.each)
        films = film([case.clip for case in cases], suite_config(SETTINGS.split, SETTINGS.level)).numpy()
        self.films = {case.clip.caption: frames for case, frames in zip(cases, films, strict=True)}

    def __call__(self, prompt: str, *, seed: int) -> list[Video]:
        if len(self.asked) == self.left:
            raise KeyboardInterrupt
        self.asked.append((prompt, seed))
        frames = self.films[prompt]
        return [Video(np.repeat(frames[:1], len(frames), axis=0) if self.still else frames, 8.0)]


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    evaluation = Evaluation(tmp_path_factory.mktemp("report"), SETTINGS, "renders")
    evaluation.run(Renders())
    return evaluation


def test_suite_is_the_same_every_time_and_gives_each_check_its_prompts():
    cases = suite("train", 2)
    suite.cache_clear()
    assert [case.index for case in suite("train", 2)] == [case.index for case in cases]
    for group, check in (
        ("something falls", "gravity"),
        ("two things", "left_right"),
        ("two things", "lift"),
    ):
        assert sum(case.group == group and check in case.asks for case in cases) >= 2
    assert {len(case.clip.told.cast) for case in cases if case.group == "two things"} == {2}


def test_renders_of_the_prompts_reach_the_ceiling(finished):
    rows = finished.table()
    assert {row.check for row in rows} == {check for case in finished.cases for check in case.asks}
    for row in rows:
        assert row.score.share.mean == pytest.approx(row.score.ceiling)
        if row.score.measured:
            assert row.score.value == pytest.approx(1.0)
        share, kappa = row.agreement
        assert np.isnan(share) or kappa <= share <= 1.0
        assert row.score.share.clips == SETTINGS.seeds * row.asked


def test_a_stopped_run_goes_on_where_it_was(finished, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        Evaluation(tmp_path, SETTINGS, "renders").run(Renders(stop_after=5))
    with (tmp_path / "verdicts.jsonl").open("a") as file:
        file.write('{"prompt": 3, "se')  # a crash in the middle of a line
    rest = Renders(stop_after=6)
    evaluation = Evaluation(tmp_path, SETTINGS, "renders")
    missing = [(case.clip.caption, evaluation.seed(case, n)) for case, n in evaluation.missing()]
    with pytest.raises(KeyboardInterrupt):
        evaluation.run(rest)
    assert rest.asked == missing[:6]  # what other processes make ahead
    assert len(missing) == len(evaluation.cases) * SETTINGS.seeds - 5
    assert len(evaluation.verdicts) == 5 + 6
    assert evaluation.verdicts.items() <= finished.verdicts.items()
    assert evaluation.second.items() <= finished.second.items()


def test_a_folder_keeps_to_one_model(finished):
    with pytest.raises(ConfigError, match="weights 'renders', not 'others'"):
        Evaluation(finished.folder, SETTINGS, "others")
    with pytest.raises(ConfigError, match="seeds 2, not 3"):
        Evaluation(finished.folder, replace(SETTINGS, seeds=3), "renders")
    with pytest.raises(ConfigError, match="holds no evaluation"):
        Evaluation.read(finished.folder.parent)


def test_a_record_that_is_none_is_told(tmp_path):
    (tmp_path / "verdicts.jsonl").write_text('{"about": {"split": "train"}}\n')
    with pytest.raises(ConfigError, match="no record of an evaluation"):
        Evaluation.read(tmp_path)


def test_damaged_verdicts_are_told(tmp_path):
    path = Evaluation(tmp_path, SETTINGS, "renders").journal.path
    first = path.read_text()
    for lines in ("{\n", "[]\n", '{"about": 1}\n', first + "[]\n", first + '{"key": [1, 2]}\n'):
        path.write_text(lines)
        with pytest.raises(ConfigError, match="damaged"):
            Evaluation(tmp_path, SETTINGS, "renders")


def test_verdicts_of_other_code_are_not_mixed(tmp_path, monkeypatch):
    Evaluation(tmp_path, SETTINGS, "renders")
    monkeypatch.setattr("reelworld.evaluate.run.code_hash", lambda: "other")
    with pytest.raises(ConfigError, match="code"):
        Evaluation(tmp_path, SETTINGS, "renders")


def test_other_prompts_under_the_same_numbers_are_told(finished, tmp_path):
    begun = {"about": finished.claim | {"prompts": "of another world"}}
    (tmp_path / "verdicts.jsonl").write_text(json.dumps(begun) + "\n")
    with pytest.raises(ConfigError, match="prompts 'of another world'"):
        Evaluation(tmp_path, SETTINGS, "renders")


@pytest.fixture(scope="module")
def still(tmp_path_factory):
    evaluation = Evaluation(tmp_path_factory.mktemp("still"), SETTINGS, "still")
    evaluation.run(Renders(still=True))
    return evaluation


def test_a_still_picture_scores_nothing_on_motion(still):
    evaluation = still
    scores = {(row.group, row.check): row.score for row in evaluation.table()}
    for key in (("something falls", "gravity"), ("one thing", "lift")):
        assert scores[key].share.mean == 0.0


def test_report_holds_its_pictures_and_figures(finished):
    page, figures = write_report(finished)
    text, facts = page.read_text(), json.loads(figures.read_text())
    assert not re.search(r'(src|href)=(?!"data:)', text)  # nothing is loaded from elsewhere
    looping = re.findall(r"data:image/webp;base64,([^\"]+)", text)
    assert len(looping) >= len(facts["checks"])
    assert Image.open(BytesIO(b64decode(looping[0]))).n_frames == 16
    assert facts["settings"]["weights"] == "renders"
    for row in facts["checks"]:
        assert row["S"] is None  # so few prompts prove no ceiling
        assert any(why.startswith("ceiling") for why in row["refused"])


def test_models_are_compared_on_the_same_videos(finished, still):
    changes = {
        (change.group, change.check): change for change in compare(Evaluation.read(finished.folder), still)
    }
    assert changes["something falls", "gravity"].difference.mean < 0
    assert changes["two things", "left_right"].p == 1.0  # where things begin, a picture shows as well
    assert all(change.p >= change.difference.p for change in changes.values())
    assert "gravity" in changes["something falls", "gravity"].line()
    assert {change.p for change in compare(finished, finished)} == {1.0}


def test_other_prompts_are_not_compared(finished, tmp_path):
    other = Evaluation(tmp_path, replace(SETTINGS, each=1), "renders")
    with pytest.raises(ConfigError, match="each 2, the other 1"):
        compare(finished, other)
