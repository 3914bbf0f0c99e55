"""Train a recipe from the command line.

python -m reelworld.train nano --out runs/nano
python -m reelworld.train nano --out runs/nano --resume
python -m reelworld.train nano --out runs/mine --data footage/ --init weights.safetensors
"""

import argparse
import json
import sys
from pathlib import Path
from typing import NoReturn

from reelworld import recipes
from reelworld.core import runtime
from reelworld.core.config import override
from reelworld.core.errors import Interrupted, ReelWorldError
from reelworld.train.data import DataSet, WorldData
from reelworld.train.loop import train


class _Parser(argparse.ArgumentParser):
    """Tells what it cannot understand in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"error: {message}; see {self.prog} --help\n")


def parser(prog: str = "python -m reelworld.train") -> argparse.ArgumentParser:
    """Return the options."""
    options = _Parser(prog=prog, description="Train a recipe.")
    options.add_argument("recipe", help=f"one of: {', '.join(recipes.NAMES)}")
    options.add_argument("--out", type=Path, required=True, help="folder of the run")
    options.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="change a setting; repeatable"
    )
    options.add_argument("--resume", action="store_true", help="continue the run in --out, bit for bit")
    options.add_argument("--minutes", type=float, help="stop and save after so many minutes")
    options.add_argument(
        "--data",
        type=Path,
        help="folder of footage (NAME.mp4 with NAME.json or NAME.txt); default: the world",
    )
    options.add_argument("--init", type=Path, help="start from these weights instead of from scratch")
    options.add_argument("--threads", type=int, help="CPU threads (default: all cores)")
    options.add_argument("--device", default="auto", help="auto, cpu, cuda, cuda:1 (default: auto)")
    options.add_argument(
        "--compile", action=argparse.BooleanOptionalAction, help="use torch.compile (default: on a GPU)"
    )
    options.add_argument("--json", action="store_true", help="report progress as JSON lines")
    return options


def run(arguments: argparse.Namespace) -> Path:
    """Train as the options say; return the path of the weights."""
    runtime.set_threads(arguments.threads)
    recipe = override(recipes.get(arguments.recipe), arguments.set)
    return train(
        recipe,
        arguments.out,
        data=open_data(arguments.data),
        init=arguments.init,
        minutes=arguments.minutes,
        resume=arguments.resume,
        compile=arguments.compile,
        device=arguments.device,
        progress="json" if arguments.json else "auto",
        note=lambda line: print(line, file=sys.stderr),
    )


def open_data(folder: Path | None) -> DataSet:
    """Return the data set of a folder of footage, or the simulated world."""
    if folder is None:
        return WorldData()
    from reelworld.train.footage import Footage  # needs PyAV, which training on the world does not

    return Footage(folder=str(folder))


def main(argv: list[str] | None = None, prog: str = "python -m reelworld.train") -> int:
    """Run; return 0, 2 after an error that was told in one line, or 130 when interrupted."""
    try:
        arguments = parser(prog).parse_args(argv)
        weights = str(run(arguments))
        print(json.dumps({"event": "result", "weights": weights}) if arguments.json else weights)
    except (Interrupted, KeyboardInterrupt) as error:
        print(str(error) or "interrupted", file=sys.stderr)
        return 130
    except ReelWorldError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
