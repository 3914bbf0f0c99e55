"""Weights and training states as one safetensors file each, with a JSON card in the header. No pickles.

    save("nano.safetensors", model.state_dict(), {"recipe": "nano"})
    tensors, card = load("nano.safetensors")

    save_state("runs/nano", step, {"model": ..., "optimizer": ..., "generator": rng.get_state()}, keep=3)
    state = latest("runs/nano")          # None at the first start; else state.step, state.tree, state.card

The header's one entry `reelworld` is the card with a checksum of card and tensors (`crc32`), so that a
flipped bit is found as well as a cut file. The same content gives the same bytes. Writes are atomic.
"""

from __future__ import annotations

import json
import warnings
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save as serialize
from torch import Tensor

from reelworld.core.errors import CheckpointError
from reelworld.core.storage import remove_leftovers, storage_errors, write_bytes

_CARD, _CHECKSUM = "reelworld", "crc32"
_PICKLE_STARTS = (b"PK\x03\x04", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05")


class State(NamedTuple):
    """A training state read back: where it lay, its step, the nested state as it was saved, and its card."""

    path: Path
    step: int
    tree: dict[str, Any]
    card: dict[str, Any]


def save(path: str | Path, tensors: Mapping[str, Tensor], card: Mapping[str, Any]) -> Path:
    """Write named tensors and a JSON card to one file, whole or not at all.

    Raises: CheckpointError where the card is not JSON or a value is no tensor; StorageError where the disk
    refuses.
    """
    stored = _storable(tensors)
    plain = _plain(card)
    text = json.dumps({**plain, _CHECKSUM: _checksum(plain, stored)}, sort_keys=True)
    return write_bytes(path, serialize(stored, metadata={_CARD: text}))


def load(path: str | Path, device: str | torch.device = "cpu") -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Read (tensors, card) and verify the checksum.

    Raises: CheckpointError where the file is missing, foreign or corrupt.
    """
    with _opened(path) as file:
        card, checksum = _card(file, path)
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a dict)
    if _checksum(card, tensors) != checksum:
        raise CheckpointError(f"{path} is corrupt (its checksum differs); download or copy it again")
    return {name: tensor.to(device) for name, tensor in tensors.items()}, card


def read_card(path: str | Path) -> dict[str, Any]:
    """Read the JSON card alone, without the tensors.

    Raises: CheckpointError where the file is missing, foreign or cut.
    """
    with _opened(path) as file:
        return _card(file, path)[0]


def save_state(
    directory: str | Path,
    step: int,
    tree: Mapping[str, Any],
    card: Mapping[str, Any] | None = None,
    keep: int = 3,
) -> Path:
    """Write a training state to `directory/step_00001000.safetensors`; keep the newest `keep` up to it.

    `tree` nests dicts, lists and tuples of tensors and plain values; the state_dict of an optimizer and the
    state of a generator fit as they are.
    Raises: CheckpointError for a value that cannot be stored; StorageError where the disk refuses.
    """
    tensors: dict[str, Tensor] = {}
    structure = _flatten(tree, "", tensors)
    folder = Path(directory)
    with storage_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        remove_leftovers(folder)
    path = save(
        folder / f"step_{step:08d}.safetensors", tensors, {**(card or {}), "step": step, "state": structure}
    )
    rotate(folder, keep, step)
    return path


def load_state(path: str | Path) -> State:
    """Read one training state; tensors come back on the CPU, where optimizers and generators want them.

    Raises: CheckpointError where the file is missing, foreign, corrupt or holds weights only.
    """
    tensors, card = load(path)
    if "state" not in card or "step" not in card:
        raise CheckpointError(
            f"{path} holds weights, not a training state; resume from a step_*.safetensors file"
        )
    tree = _unflatten(card.pop("state"), tensors)
    return State(Path(path), card["step"], tree, card)


def latest(directory: str | Path) -> State | None:
    """Read the newest valid training state in `directory`, or None; warn about each corrupt one skipped."""
    for path in reversed(states(directory)):
        try:
            return load_state(path)
        except CheckpointError as error:
            warnings.warn(f"passing over a training state: {error}", stacklevel=2)
    return None


def states(directory: str | Path) -> list[Path]:
    """List the training states in `directory`, oldest step first."""
    return sorted(Path(directory).glob("step_*.safetensors"), key=_step)


def rotate(directory: str | Path, keep: int, step: int | None = None) -> None:
    """Delete all but the newest `keep` states at or before `step`; later ones are left alone."""
    if keep < 1:
        raise CheckpointError(f"keep is {keep}; keep at least 1 state, or training could not resume")
    paths = [path for path in states(directory) if step is None or _step(path) <= step]
    for path in paths[:-keep]:
        with storage_errors(path):
            path.unlink(missing_ok=True)


def _step(path: Path) -> int:
    digits = path.stem.removeprefix("step_")
    return int(digits) if digits.isdecimal() else -1


def _storable(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return contiguous CPU tensors that share no memory (safetensors wants tied weights twice)."""
    stored: dict[str, Tensor] = {}
    seen: set[int] = set()
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor):
            raise CheckpointError(
                f"{name!r} is {type(tensor).__name__}, not a tensor; put plain values in the card"
            )
        tensor = tensor.detach().cpu().contiguous()
        place = tensor.untyped_storage().data_ptr()
        stored[name] = tensor.clone() if place in seen else tensor
        seen.add(place)
    return stored


def _checksum(card: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> int:
    """CRC-32 of the card, then of every tensor's name and bytes in the order of names."""
    crc = zlib.crc32(json.dumps(card, sort_keys=True).encode())
    for name in sorted(tensors):
        crc = zlib.crc32(name.encode(), crc)
        crc = zlib.crc32(tensors[name].reshape(-1).view(torch.uint8).numpy().data, crc)
    return crc


def _plain(card: Mapping[str, Any]) -> dict[str, Any]:
    """Return the card as it will be read back: keys are text, tuples are lists."""
    try:
        plain: dict[str, Any] = json.loads(json.dumps(dict(card)))
    except (TypeError, ValueError) as error:
        raise CheckpointError(
            f"the card cannot be JSON ({error}); use text, numbers, lists and dicts"
        ) from error
    return plain


@contextmanager
def _opened(path: str | Path) -> Iterator[Any]:
    """Open a safetensors file for reading, or say why it cannot be one of ours."""
    try:
        if not Path(path).exists():
            raise CheckpointError(
                f"{path} does not exist; check the path, or train or download the weights first"
            )
        if not Path(path).is_file():
            raise CheckpointError(
                f"{path} is a folder, not a checkpoint; give the .safetensors file inside it"
            )
        with safe_open(path, framework="pt", device="cpu") as file:
            yield file
    except (SafetensorError, OSError) as error:
        raise CheckpointError(_why_unreadable(path, error)) from error


def _card(file: Any, path: str | Path) -> tuple[dict[str, Any], int | None]:
    """Return the card and the checksum from the header of an open file."""
    header = file.metadata() or {}
    try:
        card = json.loads(header.get(_CARD, ""))
    except ValueError:
        card = None
    if not isinstance(card, dict):
        raise CheckpointError(
            f"{path} is not from ReelWorld (no card in its header); give weights that it saved"
        )
    return card, card.pop(_CHECKSUM, None)


def _why_unreadable(path: str | Path, error: Exception) -> str:
    if isinstance(error, OSError):
        return f"{path} cannot be read: {error.strerror or error}; check the file and its permissions"
    with open(path, "rb") as file:
        start = file.read(4)
    if start.startswith(_PICKLE_STARTS):
        return f"{path} is a pickle, which is never loaded (it could run code); convert it to safetensors"
    return f"{path} is not a whole safetensors file ({error}); download or copy it again"


def _flatten(value: Any, key: str, tensors: dict[str, Tensor]) -> Any:
    """Move the tensors of a nested value into `tensors`; return the rest as JSON for `_unflatten`."""
    if isinstance(value, Tensor):
        tensors[key] = value
        return {"tensor": key}
    if isinstance(value, Mapping):
        return {"dict": [[_key(k, key), _flatten(v, f"{key}/{k}", tensors)] for k, v in value.items()]}
    if isinstance(value, (list, tuple)):
        kind = "list" if isinstance(value, list) else "tuple"
        return {kind: [_flatten(item, f"{key}/{i}", tensors) for i, item in enumerate(value)]}
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise CheckpointError(
        f"state{key} is {type(value).__name__}; use tensors, numbers, text, lists, tuples and dicts"
    )


def _unflatten(value: Any, tensors: Mapping[str, Tensor]) -> Any:
    """Reverse `_flatten`."""
    if not isinstance(value, dict):
        return value
    ((kind, content),) = value.items()
    if kind == "tensor":
        return tensors[content]
    if kind == "dict":
        return {key: _unflatten(item, tensors) for key, item in content}
    items = [_unflatten(item, tensors) for item in content]
    return items if kind == "list" else tuple(items)


def _key(key: Any, where: str) -> str | int:
    if not isinstance(key, (str, int)):
        raise CheckpointError(
            f"state{where} has a key of type {type(key).__name__}; use text or whole numbers"
        )
    return key
