"""The weighted mean of weights: python examples/average.py ONE=0.7 OTHER=0.3 -o mean.safetensors

Model soups (Wortsman et al., arXiv:2203.05482): weights that were trained on from one start lie in one
valley, and their mean is often better than each. `--of-first camera.` takes tensors of that name from the
first file alone. The card is the first one's; `mean_of` in it notes files and shares.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from reelworld.core.checkpoint import load, save


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
    """theta = sum_i share_i theta_i / sum_i share_i, in float32; kept in each tensor's own type."""
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
        result[name] = torch.stack(list(parts)).sum(0).to(value.dtype)
    return result


def main() -> None:
    """Average the files and write one."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("files", nargs="+", type=weighted, metavar="FILE=SHARE")
    options.add_argument("--of-first", metavar="PREFIX", help="tensors to take from the first file alone")
    options.add_argument("-o", "--out", type=Path, required=True)
    given = options.parse_args()
    paths, shares = zip(*given.files, strict=True)
    loaded = [load(path) for path in paths]
    tensors = mean([tensors for tensors, _ in loaded], shares, given.of_first)
    noted = [[path.name, share / sum(shares)] for path, share in given.files]
    save(given.out, tensors, {**loaded[0][1], "mean_of": noted})
    print(f"{given.out}: " + ", ".join(f"{share:.3f} {name}" for name, share in noted))


if __name__ == "__main__":
    main()
