"""Writes docs/reference/ from the code, so that it cannot be wrong: python docs/build.py [--check]."""

from __future__ import annotations

import inspect
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer

import reelworld
from reelworld import recipes
from reelworld.cli import app
from reelworld.core import errors
from reelworld.core.config import to_json
from reelworld.train.__main__ import parser

OUT = Path(__file__).parent / "reference"


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Yield every command below one, with its full name."""
    if not hasattr(command, "commands"):
        yield name, command
        return
    for child, below in command.commands.items():
        yield from commands(below, f"{name} {child}")


def option_rows(command: Any) -> list[str]:
    """Return a table row for each argument and option."""
    rows = []
    for parameter in command.params:
        names = ", ".join([*parameter.opts, *parameter.secondary_opts])
        default = "" if parameter.default is None or parameter.required else str(parameter.default)
        rows.append(f"| `{names}` | {getattr(parameter, 'help', '') or ''} | {default} |")
    return rows


def train_rows() -> list[str]:
    """Return the same for the training command, which argparse reads."""
    rows = []
    for action in parser("reel train")._actions[1:]:
        names = ", ".join(action.option_strings) or action.dest
        rows.append(f"| `{names}` | {action.help or ''} | {'' if not action.default else action.default} |")
    return rows


def command_page() -> str:
    """Return the page of the command line."""
    lines = ["# The `reel` command", ""]
    for name, command in commands(typer.main.get_command(app), "reel"):
        lines += [f"## {name}", "", inspect.cleandoc(command.help or ""), ""]
        if rows := train_rows() if name == "reel train" else option_rows(command):
            lines += ["| option | what | default |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def entry(name: str, value: Any) -> list[str]:
    """Return a public name's signature and docstring."""
    signature = str(inspect.signature(value)) if callable(value) else ""
    return [f"## {name}", "", f"```python\n{name}{signature}\n```", "", inspect.getdoc(value) or "", ""]


def python_page() -> str:
    """Return the page of the Python interface."""
    lines = ["# Python", "", inspect.cleandoc(reelworld.__doc__ or ""), ""]
    from reelworld.generate import edit, storyboard
    from reelworld.generate.again import OPERATIONS
    from reelworld.generate.pipeline import Pipeline
    from reelworld.generate.simple import generate, load

    for name, value in (
        ("reelworld.generate", generate),
        ("reelworld.load", load),
        ("reelworld.Pipeline", Pipeline),
        ("reelworld.Pipeline.__call__", Pipeline.__call__),
        ("reelworld.Video", reelworld.Video),
        *((f"reelworld.generate.edit.{name}", getattr(edit, name)) for name in OPERATIONS),
        ("reelworld.generate.storyboard.render", storyboard.render),
    ):
        lines += entry(name, value)
    return "\n".join([*lines, "## Errors", "", "```", inspect.cleandoc(errors.__doc__ or ""), "```", ""])


def recipe_page() -> str:
    """Return the page of recipes: every setting with its value."""
    lines = [
        "# Recipes",
        "",
        "Any of these can be changed with `--set`, for instance `--set model.dim=384`.",
        "",
    ]
    for name in recipes.NAMES:
        settings = json.dumps(to_json(recipes.get(name)), indent=1)
        lines += [f"## {name}", "", "```json", settings, "```", ""]
    return "\n".join(lines)


def main() -> int:
    """Write the pages, or with --check tell which are out of date."""
    pages = {"command.md": command_page(), "python.md": python_page(), "recipes.md": recipe_page()}
    stale = [n for n, text in pages.items() if not (OUT / n).is_file() or (OUT / n).read_text() != text]
    if "--check" in sys.argv:
        print("\n".join(f"docs/reference/{name} is out of date: run `make docs`" for name in stale), end="")
        return int(bool(stale))
    OUT.mkdir(exist_ok=True)
    for name, text in pages.items():
        (OUT / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
