"""Train a recipe from the command line.

python -m reelworld.train nano --out runs/nano
python -m reelworld.train nano --out runs/nano --resume
python -m reelworld.train nano --out runs/mine --data footage/ --init weights.safetensors
"""

import argparse
import json
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import NoReturn

from reelworld import recipes
from reelworld.core import runtime
from reelworld.core.config import override
from reelworld.core.errors import ConfigError, Interrupted, ReelWorldError
from reelworld.train.data import world_data
from reelworld.train.loop import train
from reelworld.train.makers import DataSet


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
    options.add_argument(
        "--checks",
        type=int,
        metavar="N",
        help="with each state, score the weights on N prompts of every world check (`reel train` only)",
    )
    options.add_argument("--json", action="store_true", help="report progress as JSON lines")
    return options


Checker = Callable[[Path, int], dict[str, float]]  # weights, prompts a check -> shares that pass


def run(arguments: argparse.Namespace, checker: Checker | None = None) -> Path:
    """Train as the options say; return the path of the weights."""
    if arguments.checks is not None and (checker is None or arguments.checks < 1):
        raise ConfigError("--checks needs a number above 0, and `reel train`, which knows the checks")
    runtime.set_threads(arguments.threads)
    recipe = override(recipes.get(arguments.recipe), arguments.set)
    return train(
        recipe,
        arguments.out,
        data=open_data(arguments.data, recipe),
        init=arguments.init,
        minutes=arguments.minutes,
        resume=arguments.resume,
        compile=arguments.compile,
        device=arguments.device,
        progress="json" if arguments.json else "auto",
        note=lambda line: print(line, file=sys.stderr),
        checks=partial(_checked, checker, arguments.checks) if checker and arguments.checks else None,
    )


def _checked(checker: Checker, prompts: int, weights: Path) -> dict[str, float]:
    return checker(weights, prompts)


def open_data(folder: Path | None, recipe: recipes.Recipe) -> DataSet:
    """Return the data set of a folder of footage, or the simulated world."""
    if folder is None:
        return world_data(recipe)
    from reelworld.train.footage import Footage  # needs PyAV, which training on the world does not

    return Footage(folder=str(folder))


def main(
    argv: list[str] | None = None, prog: str = "python -m reelworld.train", checker: Checker | None = None
) -> int:
    """Run; return 0, 2 after an error that was told in one line, or 130 when interrupted."""
    try:
        arguments = parser(prog).parse_args(argv)
        weights = str(run(arguments, checker))
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
