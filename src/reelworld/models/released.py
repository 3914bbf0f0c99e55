"""A weights file <-> denoiser, tokenizer and card: what training writes and what generation reads.

    denoiser_to_checkpoint("nano.safetensors", denoiser, tokenizer, card, dtype=torch.bfloat16)
    denoiser, tokenizer, card = checkpoint_to_denoiser("nano.safetensors")

One safetensors file holds the tensors of the denoiser (the averaged ones, as training hands them in) and a
JSON card: format, model (DenoiserConfig), tokenizer, dtype, and what training adds: recipe, trained, shape,
data. With dtype int8, matrices are whole numbers from -127 to 127 with a scale for each row.
"""

from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import torch
from torch import Tensor, nn

from reelworld.core import checkpoint
from reelworld.core.config import from_json, to_json
from reelworld.core.errors import CheckpointError, ConfigError
from reelworld.core.storage import file_hash
from reelworld.models.denoiser import Denoiser, DenoiserConfig
from reelworld.models.perception import Perception
from reelworld.models.text import Tokenizer
from reelworld.models.upsampler import Upsampler

FORMAT = "reelworld-denoiser-1"
FORMATS: dict[type[nn.Module], str] = {
    Denoiser: FORMAT,
    Perception: "reelworld-perception-1",
    Upsampler: "reelworld-upsampler-1",
}
SCALE = ":scale"  # behind a matrix's name: the units of its rows
SMALL = 1 << 14  # numbers of a matrix below which nothing is gained by rounding it
Network = TypeVar("Network", bound=nn.Module)


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
    """Write weights, tokenizer and card to one file; bfloat16 halves its size, int8 halves it again.

    `card` holds JSON; of its entries `shape` (a VideoShape as JSON) is what the weights make unless told
    otherwise. Raises: CheckpointError where the card is not JSON; StorageError where the disk refuses.
    """
    return network_to_checkpoint(path, denoiser, {**card, "tokenizer": tokenizer.to_json()}, dtype)


def network_to_checkpoint(
    path: str | Path, network: nn.Module, card: Mapping[str, Any], dtype: torch.dtype = torch.float32
) -> Path:
    """Write the weights of any of our networks, with the configuration that builds it again."""
    described = {
        "format": FORMATS[type(network)],
        "model": to_json(network.config),
        "dtype": str(dtype).removeprefix("torch."),
    }
    tensors = network.state_dict()
    stored = quantised(tensors) if dtype is torch.int8 else {n: t.to(dtype) for n, t in tensors.items()}
    return checkpoint.save(path, stored, {**card, **described})


def quantised(tensors: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Round matrices to 8 bits, each row in units of its own: s = max |w| / 127, q = round(w / s).

    Source: arXiv:2208.07339 section 2.1 (absmax quantisation, vector-wise). What is small stays as it is.
    """
    stored: dict[str, Tensor] = {}
    for name, tensor in tensors.items():
        stored[name] = tensor.float()
        if tensor.ndim >= 2 and tensor.numel() >= SMALL:
            rows = tensor.float().flatten(1)
            scale = rows.abs().amax(1, keepdim=True).clamp_min(torch.finfo(torch.float32).tiny) / 127
            stored[name] = (rows / scale).round().to(torch.int8).view_as(tensor)
            stored[name + SCALE] = scale.squeeze(1)
    return stored


def dequantised(path: str | Path, stored: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Return the matrices that `quantised` rounded, float32: q s. What was stored otherwise stays.

    Raises: CheckpointError where a rounded matrix has no scale for each row.
    """
    tensors = {name: tensor for name, tensor in stored.items() if not name.endswith(SCALE)}
    for name, tensor in tensors.items():
        if tensor.dtype is torch.int8:
            scale = stored.get(name + SCALE)
            if scale is None or scale.shape != tensor.shape[:1]:
                raise CheckpointError(f"{path} lacks the scale of {name!r}; write the weights again")
            tensors[name] = tensor * scale.view(-1, *[1] * (tensor.ndim - 1))
    return tensors


def checkpoint_to_denoiser(path: str | Path, device: str | torch.device = "cpu") -> Released:
    """Read what `denoiser_to_checkpoint` wrote, as float32 whatever it was stored as.

    Raises: CheckpointError where the file is missing, corrupt, or not the weights of a denoiser.
    """
    denoiser, card = checkpoint_to_network(path, Denoiser, DenoiserConfig, device)
    try:
        tokenizer = Tokenizer.from_json(card["tokenizer"])
    except (ConfigError, KeyError, TypeError) as error:
        raise CheckpointError(_unbuildable(path, error)) from error
    return Released(denoiser, tokenizer, card)


def checkpoint_to_network(
    path: str | Path, network: type[Network], config: type, device: str | torch.device = "cpu"
) -> tuple[Network, dict[str, Any]]:
    """Read a network and its card: float32, evaluation mode.

    Raises: CheckpointError where the file is missing, corrupt, or the weights of something else.
    """
    stored, card = checkpoint.load(path)
    if card.get("format") != FORMATS[network]:
        raise CheckpointError(_foreign(path, card, FORMATS[network]))
    try:
        model = network(from_json(config, card.get("model")))
    except (ConfigError, KeyError, TypeError) as error:
        raise CheckpointError(_unbuildable(path, error)) from error
    tensors = dequantised(path, stored)
    _check_tensors(path, tensors, model.state_dict())
    model.load_state_dict(tensors)
    return model.eval().to(device), card


def packaged_file(name: str) -> Path:
    """Return the weights of a name in this package. Raises: CheckpointError where this copy has none."""
    path = Path(str(files("reelworld") / "weights" / f"{name}.safetensors"))
    if not path.is_file():
        raise CheckpointError(
            f"no weights are packaged here ({path} is missing); train them with `reel train {name}`, "
            "then load the weights.safetensors of that run"
        )
    return path


def packaged(network: type[Network], config: type, name: str, path: str | Path | None) -> tuple[Network, str]:
    """Return a network and the hash of its file: `path`, or the weights of that name in this package.

    It stays loaded, and is read anew where the file was written anew. Raises: CheckpointError.
    """
    source = packaged_file(name) if path is None else Path(path)
    if not source.is_file():
        raise CheckpointError(
            f"the weights are missing ({source}); `reel train {name}` makes some; those packaged need no name"
        )
    kind: Any = network
    loaded: tuple[Network, str] = _loaded(kind, config, source, source.stat().st_mtime_ns)
    return loaded


@lru_cache(maxsize=4)
def _loaded(network: Any, config: type, source: Path, written: int) -> tuple[Any, str]:
    return checkpoint_to_network(source, network, config)[0], file_hash(source)


def check_same(path: str | Path, config: object, recipe_name: str, wanted: object) -> None:
    """Raise ConfigError where weights are of another model than a recipe's."""
    if config != wanted:
        raise ConfigError(
            f"{path} holds another model than the recipe '{recipe_name}'; choose the recipe it came from"
        )


def _unbuildable(path: str | Path, error: Exception) -> str:
    return (
        f"{path} describes a model that this version cannot build ({error}); "
        "train it again, or use the version of ReelWorld that wrote it"
    )


def _foreign(path: str | Path, card: Mapping[str, Any], wanted: str) -> str:
    if "state" in card:
        return f"{path} is the state of a training, not weights; give the weights.safetensors of its run"
    return (
        f"{path} holds {card.get('format', 'something else')!r}, not {wanted!r}; "
        f"give weights of {wanted.removeprefix('reelworld-').removesuffix('-1')} networks"
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
