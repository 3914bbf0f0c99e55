import pickle
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from reelworld.core.checkpoint import (
    latest,
    load,
    load_state,
    read_card,
    rotate,
    save,
    save_state,
    states,
)
from reelworld.core.errors import CheckpointError, StorageError
from reelworld.core.runtime import generator

CARD = {"recipe": "nano", "steps": 7, "unicode": "é", "nested": {"a": [1, 2.5, None]}}


def tensors() -> dict[str, Tensor]:
    values = torch.randn(4, 6, generator=generator(0))
    return {
        "float": values,
        "bfloat": values.bfloat16(),
        "turned": values.T,
        "part": values[1:3],
        "tied": values,
        "scalar": torch.tensor(3),
        "flags": values > 0,
        "empty": torch.zeros(0, 3),
        "grad": nn.Parameter(values.clone()),
    }


def same(a: Any, b: Any) -> bool:
    if isinstance(a, Tensor):
        return a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, dict):
        return list(a) == list(b) and all(same(a[key], b[key]) for key in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(map(same, a, b))
    return type(a) is type(b) and a == b


def test_tensors_and_card_come_back(tmp_path: Path) -> None:
    path = save(tmp_path / "w.safetensors", tensors(), CARD)
    loaded, card = load(path)
    assert same(loaded, {name: tensors()[name].detach() for name in loaded})
    assert set(loaded) == set(tensors())
    assert card == read_card(path) == CARD
    assert list(tmp_path.iterdir()) == [path]


def test_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = (save(tmp_path / name, tensors(), CARD) for name in ("a", "b"))
    assert first.read_bytes() == second.read_bytes()


def test_a_missing_file_a_folder_and_an_empty_file(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="does not exist"):
        load(tmp_path / "none.safetensors")
    with pytest.raises(CheckpointError, match="is a folder"):
        load(tmp_path)
    (tmp_path / "empty").write_bytes(b"")
    with pytest.raises(CheckpointError, match="not a whole safetensors file"):
        load(tmp_path / "empty")


def test_a_pickle_is_never_loaded(tmp_path: Path) -> None:
    torch.save(tensors(), tmp_path / "zip.pt")
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(CARD))
    for name in ("zip.pt", "plain.pkl"):
        with pytest.raises(CheckpointError, match="is a pickle, which is never loaded"):
            load(tmp_path / name)


def test_foreign_weights_are_refused(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "foreign.safetensors", metadata={"format": "pt"})
    for read in (load, read_card):
        with pytest.raises(CheckpointError, match="is not from ReelWorld"):
            read(tmp_path / "foreign.safetensors")


@pytest.mark.parametrize("kept", [1, 7, 9, 300, -1])
def test_a_cut_file_is_refused(tmp_path: Path, kept: int) -> None:
    path = save(tmp_path / "w.safetensors", tensors(), CARD)
    path.write_bytes(path.read_bytes()[:kept])
    for read in (load, read_card):
        with pytest.raises(CheckpointError, match=r"w\.safetensors is not a whole .*download or copy"):
            read(path)


def test_a_flipped_bit_is_found_in_tensors_and_card(tmp_path: Path) -> None:
    path = save(tmp_path / "w.safetensors", tensors(), CARD)
    whole = path.read_bytes()
    for place in (len(whole) - 1, whole.index(b"nano")):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        with pytest.raises(CheckpointError, match="is corrupt"):
            load(path)


def test_what_cannot_be_stored_is_refused_before_writing(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="the card cannot be JSON"):
        save(tmp_path / "w", {}, {"a": object()})
    with pytest.raises(CheckpointError, match="'a' is int, not a tensor"):
        save(tmp_path / "w", {"a": 3}, {})  # type: ignore[dict-item]
    with pytest.raises(CheckpointError, match="state/a/b is set"):
        save_state(tmp_path, 1, {"a": {"b": {1}}})
    with pytest.raises(CheckpointError, match="state/a has a key of type tuple"):
        save_state(tmp_path, 1, {"a": {(1, 2): 3}})
    assert list(tmp_path.iterdir()) == []


def test_an_unwritable_place_is_explained(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="create the folder"):
        save(tmp_path / "no" / "w", tensors(), CARD)
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(StorageError):
        save_state(tmp_path / "file", 1, {})


def test_any_nested_state_comes_back(tmp_path: Path) -> None:
    tree = {
        "model": tensors() | {"grad": torch.zeros(1)},
        "numbers": {0: [1, 2.5, float("inf")], 1: (True, None, "text", ())},
        "big": 2**200,
        "empty": {},
        "deep": [{"x": (torch.ones(2), [torch.zeros(1, dtype=torch.uint8)])}],
    }
    state = load_state(save_state(tmp_path, 12, tree, {"recipe": "nano"}))
    assert same(state.tree, tree)
    assert (state.step, state.card["recipe"]) == (12, "nano")


def train(model: nn.Linear, optimizer: torch.optim.Optimizer, rng: torch.Generator, steps: int) -> None:
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.randn(3, 4, generator=rng)).square().mean().backward()
        optimizer.step()


def test_training_resumes_bit_for_bit(tmp_path: Path) -> None:
    def fresh() -> tuple[nn.Linear, torch.optim.Optimizer, torch.Generator]:
        model = nn.Linear(4, 2)
        nn.init.ones_(model.weight)
        nn.init.zeros_(model.bias)
        return model, torch.optim.AdamW(model.parameters(), lr=0.1), generator(5)

    model, optimizer, rng = fresh()
    train(model, optimizer, rng, 3)
    tree = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "rng": rng.get_state()}
    save_state(tmp_path, 3, tree)
    train(model, optimizer, rng, 3)

    resumed, its_optimizer, its_rng = fresh()
    state = latest(tmp_path)
    assert state is not None
    resumed.load_state_dict(state.tree["model"])
    its_optimizer.load_state_dict(state.tree["optimizer"])
    its_rng.set_state(state.tree["rng"])
    train(resumed, its_optimizer, its_rng, 3)
    assert torch.equal(resumed.weight, model.weight)


def test_only_the_newest_states_are_kept(tmp_path: Path) -> None:
    (tmp_path / ".reel-dead.tmp").write_bytes(b"half")
    for step in (1, 5, 30, 200):
        save_state(tmp_path, step, {}, keep=2)
    assert [path.name for path in states(tmp_path)] == [
        "step_00000030.safetensors",
        "step_00000200.safetensors",
    ]
    assert len(list(tmp_path.iterdir())) == 2
    with pytest.raises(CheckpointError, match="at least 1"):
        rotate(tmp_path, 0)


def test_rotation_never_deletes_the_state_just_written(tmp_path: Path) -> None:
    for step in (100, 200, 300):
        save_state(tmp_path, step, {}, keep=5)
    save_state(tmp_path, 50, {}, keep=1)
    assert [int(path.stem[5:]) for path in states(tmp_path)] == [50, 100, 200, 300]


def test_latest_passes_over_a_corrupt_state_with_a_warning(tmp_path: Path) -> None:
    assert latest(tmp_path) is None
    assert latest(tmp_path / "none") is None
    for step in (1, 2, 3):
        save_state(tmp_path, step, {"x": torch.full((9,), float(step))})
    newest = states(tmp_path)[-1]
    newest.write_bytes(newest.read_bytes()[:-3])
    with pytest.warns(UserWarning, match=r"step_00000003\.safetensors is not a whole"):
        state = latest(tmp_path)
    assert state is not None
    assert state.step == 2
    assert state.tree["x"][0] == 2


def test_weights_are_no_training_state(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match="holds weights, not a training state"):
        load_state(save(tmp_path / "w.safetensors", tensors(), CARD))
