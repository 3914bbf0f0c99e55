"""Writes docs/reference/ from the code, so that it cannot be wrong: python docs/build.py [--check]."""

from __future__ import annotations

import inspect
import json
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import typer

import reelworld
from reelworld import recipes
from reelworld.cli import app
from reelworld.core import errors
from reelworld.core.config import to_json
from reelworld.serve import documents
from reelworld.serve.app import build
from reelworld.serve.desk import Desk
from reelworld.serve.gate import Keys, Rules
from reelworld.serve.jobs import Jobs
from reelworld.serve.storage import Storage
from reelworld.serve.tables import open_database
from reelworld.train.__main__ import parser

OUT = Path(__file__).parent / "reference"
HTTP = """
`reel serve` answers here at `http://127.0.0.1:8000`; `/openapi.json` says the same to programs.

Every POST takes JSON, multipart and form data; in forms, lists and objects are JSON text or bracketed names
(`video[id]`). Beyond this machine each call needs `Authorization: Bearer KEY` (`reel key NAME` makes one).
What makes a video answers at once with its object; `openai-poll-after-ms` says when to ask again, and
`GET /v1/videos/{video_id}/events` tells without asking. Fields with * must be given.

Errors are `{"error": {"message", "type", "param", "code"}}`; `param` names the field that is wrong.
"""


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


def openapi() -> dict[str, Any]:
    """Return the document of the API."""
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/jobs.db")
        desk = Desk(Jobs(engine), Storage(f"{folder}/files"), {"nano": None})
        document = build(desk, Keys(engine), Rules()).openapi()
        engine.dispose()
    return document


def told(schema: Mapping[str, Any]) -> str:
    """Return the type of a value, and its bounds, in words."""
    if any_of := schema.get("anyOf"):
        return " or ".join(told(one) for one in any_of)
    if one_of := schema.get("enum", [schema["const"]] if "const" in schema else None):
        return ", ".join(f"`{json.dumps(one)}`" for one in one_of)
    if name := schema.get("$ref"):
        return f"[{name.split('/')[-1]}](#{name.split('/')[-1].lower()})"
    if schema.get("type") == "array":
        pair = schema["items"].get("prefixItems")
        return f"list of {'pairs of ' + told(pair[0]) if pair else told(schema['items'])}"
    if schema.get("format") == "binary":
        return "file"
    if fields := schema.get("properties"):
        together = (
            ['"' + '", "'.join(fields) + '"'] if "required" in schema else [f'"{one}"' for one in fields]
        )
        return " or ".join(f"`{{{names}}}`" for names in together)
    return f"{schema.get('type', 'object')} {bounds(schema)}".strip()


def bounds(schema: Mapping[str, Any]) -> str:
    """Return from where to where a number may go, in words."""
    least, most = schema.get("exclusiveMinimum", schema.get("minimum")), schema.get("maximum")
    if least is None or most is None:
        return ""
    return f"{'above ' * ('exclusiveMinimum' in schema)}{least:.16g} to {most:.16g}"


def about(schema: Mapping[str, Any]) -> str:
    """Return what a value means; of a list, or of one that may be left out, it is said within."""
    within = [*schema.get("anyOf", ()), schema.get("items", {})]
    inner = [one["description"] for one in within if "description" in one]
    return str(schema.get("description") or " ".join(inner))


def field_row(name: str, schema: Mapping[str, Any], needed: bool) -> str:
    """Return the table row of a field or parameter that may be sent; * marks what must be."""
    default = schema.get("default")
    given = "" if default in (None, "") else f"`{json.dumps(default)}`"
    kind = told(schema).removesuffix(" or null")
    return f"| `{name}`{'*' if needed else ''} | {kind} | {about(schema)} | {given} |"


def sent_rows(schema: Mapping[str, Any]) -> list[str]:
    """Return the table of an object's fields as they are sent."""
    required, fields = schema.get("required", ()), schema["properties"].items()
    rows = [field_row(name, value, name in required) for name, value in fields]
    return ["| field | type | what | default |", "|---|---|---|---|", *rows, ""]


def answered_rows(schema: Mapping[str, Any]) -> list[str]:
    """Return the table of an object's fields as they are answered: all of them."""
    rows = [f"| `{name}` | {told(value)} | {about(value)} |" for name, value in schema["properties"].items()]
    return ["| field | type | what |", "|---|---|---|", *rows, ""]


def call_lines(call: Mapping[str, Any]) -> list[str]:
    """Return what a call does, takes and answers with."""
    lines = [call["description"], ""]
    if given := [one for one in call.get("parameters", ()) if one["in"] != "path"]:
        rows = [
            field_row(
                one["name"], {"description": one.get("description", ""), **one["schema"]}, one["required"]
            )
            for one in given
        ]
        lines += ["| parameter | type | what | default |", "|---|---|---|---|", *rows, ""]
    if body := call.get("requestBody"):
        content = {kind: object_of["schema"] for kind, object_of in body["content"].items()}
        plain, form = content["application/json"], content["multipart/form-data"]
        files = {name for name, value in form["properties"].items() if value == documents.FILE}
        fields = {
            name: {"anyOf": [value, documents.FILE]} if name in files else value
            for name, value in plain["properties"].items()
        }
        lines += sent_rows({**plain, "properties": fields})
    answers = [told(kind["schema"]) for kind in call["responses"]["200"]["content"].values()]
    kinds = " or ".join(f"`{kind}`" for kind in call["responses"]["200"]["content"])
    return [*lines, f"Answers with {kinds if 'file' in answers else answers[0]}.", ""]


def http_page() -> str:
    """Return the page of the HTTP interface."""
    document = openapi()
    lines = ["# HTTP", "", inspect.cleandoc(HTTP), "", "| status | why |", "|---|---|"]
    lines += [*(f"| {status} | {text} |" for status, text in documents.ERRORS.items()), "", "# Calls", ""]
    for path, calls in document["paths"].items():
        for method, call in calls.items():
            lines += [f"## {method.upper()} {path}", "", *call_lines(call)]
    lines += ["# Webhooks", "", "`reel serve --webhook URL` tells it there, signed.", ""]
    lines += ["| header | what |", "|---|---|"]
    lines += [*(f"| `{one['name']}` | {one['description']} |" for one in documents.SIGNED), ""]
    lines += ["# Objects", ""]
    for name, schema in document["components"]["schemas"].items():
        lines += [f"## {name}", "", *(answered_rows if name in documents.SCHEMAS else sent_rows)(schema)]
    return "\n".join(lines)


def main() -> int:
    """Write the pages, or with --check tell which are out of date."""
    pages = {
        "command.md": command_page(), "http.md": http_page(), "python.md": python_page(),
        "recipes.md": recipe_page(),
    }  # fmt: skip
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
