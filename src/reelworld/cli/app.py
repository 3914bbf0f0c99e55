"""What every command shares: the app, how it reports, and how errors are told.

Bad input ends with one clear line on standard error and exit code 2; Ctrl-C with 130.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from functools import wraps
from importlib.util import find_spec
from typing import TYPE_CHECKING, Annotated, Any

import typer

from reelworld import __version__
from reelworld.core.errors import ConfigError, Interrupted, ReelWorldError

if TYPE_CHECKING:
    from reelworld.core.progress import Kind

app = typer.Typer(
    help="ReelWorld: text to video, open from end to end.", no_args_is_help=True,
    pretty_exceptions_enable=False, rich_markup_mode=None, add_completion=False,
)  # fmt: skip
_UsageError: Any = typer.BadParameter.__base__  # of the click that typer carries, which has no public name
Json = Annotated[bool, typer.Option("--json", help="Report progress and results as JSON lines.")]


def told(command: Callable[..., None]) -> Callable[..., None]:
    """Turn our errors into one line on standard error and an exit code."""

    @wraps(command)
    def run(*args: Any, **kwargs: Any) -> None:
        try:
            command(*args, **kwargs)
        except (Interrupted, KeyboardInterrupt) as error:
            print(f"interrupted: {error}" if str(error) else "interrupted", file=sys.stderr)
            raise typer.Exit(130) from None
        except ReelWorldError as error:
            print(f"error: {error}", file=sys.stderr)
            raise typer.Exit(2) from None

    return run


def need(module: str, extra: str) -> None:
    """Raise ConfigError where the package of an extra is not installed."""
    if find_spec(module) is None:
        raise ConfigError(f"this command needs {module}: pip install 'reelworld[{extra}]'")


def kind(as_json: bool) -> Kind:
    return "json" if as_json else "auto"


def say(as_json: bool, text: str, **facts: Any) -> None:
    """Report a result: a line for people, or an object for programs."""
    print(json.dumps({"event": "result", **facts}) if as_json else text, flush=True)


def _version(wanted: bool) -> None:
    if wanted:
        print(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Text to video, open from end to end."""


def run() -> None:
    """Run the command; what cannot be understood is told in one line, like every other error."""
    try:
        code = app(standalone_mode=False)
    except _UsageError as error:
        message = " ".join(error.format_message().split())
        path = error.ctx.command_path if error.ctx else "reel"
        print(f"error: {message} See {path} --help.", file=sys.stderr)
        sys.exit(2)
    except typer.Abort:
        print("interrupted", file=sys.stderr)
        sys.exit(130)
    sys.exit(code if isinstance(code, int) else 0)
