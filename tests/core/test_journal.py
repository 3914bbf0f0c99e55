"""Results kept one by one: what was found is not worked out again, and other work is not mixed with it."""

import pytest

from reelworld.core.errors import ConfigError, StorageError
from reelworld.core.journal import Journal

ABOUT = {"weights": "4f1c", "each": 25}


def test_what_was_found_is_not_worked_out_again(tmp_path):
    path = tmp_path / "work.jsonl"
    assert Journal(path, ABOUT).once(("drop", 3), lambda: 0.5) == 0.5
    again = Journal(path, ABOUT)
    assert again.once(("drop", 3), lambda: pytest.fail("worked out again")) == 0.5
    assert again.found == {("drop", 3): 0.5}
    assert Journal.about(path) == ABOUT


def test_a_line_that_a_crash_cut_short_is_dropped(tmp_path):
    path = tmp_path / "work.jsonl"
    journal = Journal(path, ABOUT)
    for n in range(3):
        journal.keep((n,), {"value": n})
    whole = path.read_bytes()
    for size in range(len(whole)):
        path.write_bytes(whole[:size])
        kept = Journal(path, ABOUT)
        lines = max(whole[:size].count(b"\n") - 1, 0)
        assert kept.found == {(n,): {"value": n} for n in range(lines)}
        kept.keep((7,), None)
        assert Journal(path, ABOUT).found == {**kept.found, (7,): None}


def test_other_work_is_told_with_what_is_other(tmp_path):
    path = tmp_path / "work.jsonl"
    Journal(path, ABOUT)
    with pytest.raises(ConfigError, match="each 25, not 50; choose another folder"):
        Journal(path, ABOUT | {"each": 50})
    with pytest.raises(ConfigError, match="split None, not 'train'"):
        Journal(path, ABOUT | {"split": "train"})
    with pytest.raises(ConfigError, match="each 25, not None"):
        Journal(path, {"weights": "4f1c"})


@pytest.mark.parametrize("lines", ["{\n", "[]\n", '{"about": 1}\n', '{"key": ["a"], "value": 1}\n'])
def test_a_file_of_something_else_is_told(tmp_path, lines):
    path = tmp_path / "work.jsonl"
    path.write_text(lines)
    with pytest.raises(ConfigError, match="damaged; delete it"):
        Journal(path, ABOUT)


def test_a_damaged_line_is_told(tmp_path):
    path = tmp_path / "work.jsonl"
    Journal(path, ABOUT)
    first = path.read_text()
    for line in ("{\n", "3\n", '{"key": "a", "value": 1}\n', '{"key": ["a"]}\n'):
        path.write_text(first + line)
        with pytest.raises(ConfigError, match="damaged"):
            Journal(path, ABOUT)


def test_where_nothing_can_be_written_it_is_told(tmp_path):
    with pytest.raises(StorageError, match="its folder does not exist"):
        Journal(tmp_path / "none" / "work.jsonl", ABOUT)
    with pytest.raises(ConfigError, match="holds no work"):
        Journal.about(tmp_path / "none.jsonl")


def test_without_a_path_nothing_outlives_it():
    journal = Journal(None, ABOUT)
    assert journal.once((1,), lambda: "a") == "a"
    assert journal.once((1,), lambda: "b") == "a"
    assert Journal(None, ABOUT).found == {}
