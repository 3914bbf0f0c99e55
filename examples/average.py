"""The weighted mean of weights: python examples/average.py ONE=0.7 OTHER=0.3 -o mean.safetensors

Model soups (Wortsman et al., arXiv:2203.05482): weights that were trained on from one start lie in one
valley, and their mean is often better than each (docs/design/0020, 0024). `--of-first camera.` takes tensors
of that name from the first file alone. Weights rounded to 8 bits may be among them; the mean is rounded with
`--int8`. The card is the first one's, the vocabulary the longest, which the others must begin;
`mean_of` notes files and shares.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from reelworld.core.checkpoint import load, save
from reelworld.models.released import dequantised, quantised


def weighted(text: str) -> tuple[Path, float]:
    """Read `FILE=SHARE`."""
    name, sign, share = text.rpartition("=")
    try:
        if not sign:
            raise ValueError
        return Path(name), float(share)
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not FILE=SHARE, as in a.safetensors=0.5") from None


def mean(
    files: Sequence[dict[str, Tensor]], shares: Sequence[float], of_first: str | None
) -> dict[str, Tensor]:
    """theta = sum_i share_i theta_i / sum_i share_i, in float32."""
    first = files[0]
    for other in files[1:]:
        if {n: t.shape for n, t in other.items()} != {n: t.shape for n, t in first.items()}:
            raise SystemExit("different tensors; a mean needs weights of one configuration")
    whole = sum(shares)
    result = {}
    for name, value in first.items():
        if of_first is not None and name.startswith(of_first):
            result[name] = value
            continue
        parts = (share / whole * file[name].float() for share, file in zip(shares, files, strict=True))
        result[name] = torch.stack(list(parts)).sum(0)
    return result


def vocabulary(cards: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Return the longest of the tokenizers, if there are any: rows of the same word are averaged."""
    told = [card["tokenizer"] for card in cards if "tokenizer" in card]
    longest: dict[str, Any] = max(told, key=lambda t: len(t["words"]), default={})
    if any(t["words"] != longest["words"][: len(t["words"])] for t in told):
        raise SystemExit(
            "different vocabularies; a mean needs weights of which one was trained on from another"
        )
    return {"tokenizer": longest} if told else {}


def main() -> None:
    """Average the files and write one."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", nargs="+", type=weighted, metavar="FILE=SHARE")
    options.add_argument("--of-first", metavar="PREFIX", help="tensors to take from the first file alone")
    options.add_argument("--int8", action="store_true", help="round the mean to 8 bits")
    options.add_argument("-o", "--out", type=Path, required=True)
    given = options.parse_args()
    paths, shares = zip(*given.files, strict=True)
    loaded = [load(path) for path in paths]
    whole = [dequantised(path, tensors) for path, (tensors, _) in zip(paths, loaded, strict=True)]
    cards = [card for _, card in loaded]
    tensors = mean(whole, shares, given.of_first)
    noted = [[path.name, share / sum(shares)] for path, share in given.files]
    card = {**cards[0], **vocabulary(cards), "mean_of": noted, "dtype": "int8" if given.int8 else "float32"}
    save(given.out, quantised(tensors) if given.int8 else tensors, card)
    print(f"{given.out}: " + ", ".join(f"{share:.3f} {name}" for name, share in noted))


if __name__ == "__main__":
    main()
