"""A weights file <-> denoiser, tokenizer and card: what training writes and what generation reads.

    denoiser_to_checkpoint("nano.safetensors", denoiser, tokenizer, card, dtype=torch.bfloat16)
    denoiser, tokenizer, card = checkpoint_to_denoiser("nano.safetensors")

One safetensors file holds the tensors of the denoiser (the averaged ones, as training hands them in) and a
JSON card: format, model (DenoiserConfig), tokenizer, dtype, and what training adds: recipe, trained, shape,
data.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from reelworld.core import checkpoint
from reelworld.core.config import from_json, to_json
from reelworld.core.errors import CheckpointError, ConfigError
from reelworld.models.denoiser import Denoiser, DenoiserConfig
from reelworld.models.text import Tokenizer

FORMAT = "reelworld-denoiser-1"


class Released(NamedTuple):
    """A denoiser ready to predict (float32, evaluation mode), its tokenizer, and the card of its weights."""

    denoiser: Denoiser
    tokenizer: Tokenizer
    card: dict[str, Any]


def denoiser_to_checkpoint(
    path: str | Path,
    denoiser: Denoiser,
    tokenizer: Tokenizer,
    card: Mapping[str, Any],
    dtype: torch.dtype = torch.float32,
) -> Path:
    """Write weights, tokenizer and card to one file; bfloat16 halves its size.

    `card` holds JSON; of its entries `shape` (a VideoShape as JSON) is what the weights make unless told
    otherwise. Raises: CheckpointError where the card is not JSON; StorageError where the disk refuses.
    """
    described = {
        "format": FORMAT,
        "model": to_json(denoiser.config),
        "tokenizer": tokenizer.to_json(),
        "dtype": str(dtype).removeprefix("torch."),
    }
    tensors = {name: tensor.to(dtype) for name, tensor in denoiser.state_dict().items()}
    return checkpoint.save(path, tensors, {**card, **described})


def checkpoint_to_denoiser(path: str | Path, device: str | torch.device = "cpu") -> Released:
    """Read what `denoiser_to_checkpoint` wrote, as float32 whatever it was stored as.

    Raises: CheckpointError where the file is missing, corrupt, or not the weights of a denoiser.
    """
    tensors, card = checkpoint.load(path)
    if card.get("format") != FORMAT:
        raise CheckpointError(_foreign(path, card))
    try:
        denoiser = Denoiser(from_json(DenoiserConfig, card.get("model")))
        tokenizer = Tokenizer.from_json(card["tokenizer"])
    except (ConfigError, KeyError, TypeError) as error:
        raise CheckpointError(
            f"{path} describes a model that this version cannot build ({error}); "
            "train it again, or use the version of ReelWorld that wrote it"
        ) from error
    _check_tensors(path, tensors, denoiser.state_dict())
    denoiser.load_state_dict(tensors)
    return Released(denoiser.eval().to(device), tokenizer, card)


def _foreign(path: str | Path, card: Mapping[str, Any]) -> str:
    if "state" in card:
        return f"{path} is the state of a training, not weights; give the weights.safetensors of its run"
    return (
        f"{path} holds {card.get('format', 'something else')!r}, not {FORMAT!r}; give weights of a denoiser"
    )


def _check_tensors(path: str | Path, given: Mapping[str, Tensor], wanted: Mapping[str, Tensor]) -> None:
    """Raise CheckpointError unless both hold tensors of the same names and shapes."""
    wrong = [
        name
        for name in sorted({*given, *wanted})
        if name not in given or name not in wanted or given[name].shape != wanted[name].shape
    ]
    if wrong:
        raise CheckpointError(
            f"{path} does not fit the model that its card describes ({len(wrong)} tensors differ, first "
            f"{wrong[0]!r}); it was written by another version: train it again, or use that version"
        )
