"""A figure of a check and its limit; and the record of those that the packaged parser was released with.

gates = recorded(level=1, parser=Perceiver.load().weights_hash)   # or those of a folder that was validated
failed(gates, "one thing", "growth")          # ("null encoded, of 60: 0.030 against 0.02",)
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from reelworld.core.errors import ConfigError
from reelworld.core.storage import write_bytes

UNTESTED = "its gates were not tested with this parser and this code: `reel evaluate --validate`"
SHOWING = ("report.py", "compare.py", "gate.py")  # code of this room on which no verdict depends


@dataclass(frozen=True)
class Gate:
    """A figure of a check and its limit, from below or from above."""

    name: str
    check: str
    what: str
    value: float
    limit: float
    from_below: bool = True
    group: str = ""  # of prompts, where it is of one
    share: float | None = None  # of a ceiling: what its lower end is of
    prompts: int | None = None

    @property
    def passed(self) -> bool:
        """Tell whether the figure keeps its limit."""
        return self.value >= self.limit if self.from_below else self.value <= self.limit

    def facts(self) -> dict[str, object]:
        """Say it for programs."""
        return {**asdict(self), "passed": self.passed}

    def line(self) -> str:
        """Say it in one line for people."""
        sign = ">=" if self.from_below else "<="
        verdict = "pass" if self.passed else "FAIL"
        what = ", ".join(part for part in (self.check.replace("_", " "), self.group, self.what) if part)
        return f"{verdict}  {self.name:9s} {what:66s} {self.value:.3f} {sign} {self.limit:.2f}"


def write_gates(path: Path, parser: str, split: str, gates: Sequence[Gate]) -> Path:
    """Write the record of a parser's gates on a split and level. Raises: StorageError."""
    found = [asdict(gate) for gate in gates]
    record = {"parser": parser, "split": split, "code": code_hash(), "gates": found}
    return write_bytes(path, json.dumps(record, indent=1).encode())


def packaged(level: int) -> Path:
    """Return where the record of the packaged parser lies."""
    return Path(str(files("reelworld") / "weights" / f"gates-level{level}.json"))


def recorded(level: int, parser: str, folder: Path | None = None) -> list[Gate] | None:
    """Return the gates on record in a folder, else the packaged ones.

    None where neither was tested with this parser and this code. Raises: ConfigError for a damaged record.
    """
    for path in (*([folder / packaged(level).name] if folder else []), packaged(level)):
        record = read_json(path) if path.is_file() else {}
        if (record.get("parser"), record.get("code")) == (parser, code_hash()):
            return [Gate(**facts) for facts in record["gates"]]
    return None


def read_json(path: Path) -> dict[str, Any]:
    """Read an object. Raises: ConfigError where a file holds none."""
    try:
        found = json.loads(path.read_text())
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path} is damaged ({error}); delete it, and it will be made again") from error
    if not isinstance(found, dict):
        raise ConfigError(f"{path} holds no object; delete it, and it will be made again")
    return found


@cache
def code_hash() -> str:
    """Return 16 digits that change with the code of the checks and of the world, not with comments.

    Pages and comparisons show verdicts that are given already.
    """
    folder, digest = Path(str(files("reelworld"))), hashlib.sha256()
    for path in sorted(p for room in ("evaluate", "world") for p in (folder / room).glob("*.py")):
        if path.name in SHOWING:
            continue
        digest.update("\0".join([path.name, *_code(ast.parse(path.read_text()))]).encode())
    return digest.hexdigest()[:16]


def _code(node: ast.AST) -> Iterator[str]:
    """Yield what a syntax tree says, in every version of Python the same, without texts that stand alone."""
    if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
        return
    yield type(node).__name__
    for name, value in ast.iter_fields(node):
        for part in value if isinstance(value, list) else [value]:
            if isinstance(part, ast.AST):
                yield from _code(part)
            elif part is not None:
                yield f"{name}={part!r}"


def failed(gates: Sequence[Gate] | None, group: str, check: str) -> tuple[str, ...]:
    """Say which recorded gates of a check and group fail; of what was not tested, that it was not."""
    asked = [g for g in gates or [] if (g.name, g.check, g.group) == ("ceiling", check, group)]
    if gates is None or not asked:
        return (UNTESTED,)
    broken = [g for g in gates if not g.passed and g.check in (check, "all") and g.group in (group, "")]
    return tuple(f"{g.name} {g.what}: {g.value:.3f} against {g.limit:.2f}" for g in broken)
