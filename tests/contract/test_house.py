"""The house keeps its own rules: layers, light imports, no stray environment reads, an honest README."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "reelworld"
FILES = sorted(SOURCE.rglob("*.py"))


def test_layers() -> None:
    """Imports go downward only; the contract stands in pyproject.toml."""
    code = "from importlinter.cli import lint_imports_command as run; run()"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


def test_import_is_light() -> None:
    """`import reelworld` pulls in no torch and no numpy."""
    code = "import sys, reelworld; print([m for m in ('torch', 'numpy', 'av', 'typer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_training_needs_neither_av_nor_typer() -> None:
    code = "import sys, reelworld.train.__main__; print([m for m in ('av', 'typer') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(SOURCE)))
def test_file_keeps_the_rules(path: Path) -> None:
    text = path.read_text()
    if path.name != "__init__.py" or text.strip():
        assert text.lstrip().startswith('"""'), "a module says what it is for"
    if path.name != "runtime.py":
        assert "os.environ" not in text
        assert "getenv" not in text
    assert not re.search(r"except\s*(Exception|BaseException)?\s*:", text), "no broad except"
    assert not re.search(r"\b(TODO|FIXME|XXX)\b", text)
    assert text.count("\n") <= 450


def test_readme_tree_names_every_file() -> None:
    tree = (ROOT / "README.md").read_text()
    missing = [str(p.relative_to(SOURCE)) for p in FILES if p.name != "__init__.py" and p.name not in tree]
    assert not missing


@pytest.mark.skipif(sys.version_info[:2] != (3, 11), reason="signatures print differently")
def test_reference_is_up_to_date() -> None:
    """The reference is generated: `make docs` writes it."""
    command = [sys.executable, "docs/build.py", "--check"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("example", "options", "written"),
    [("gallery.py", ["--count", "2", "--size", "32", "-o"], "gallery.png")],
)
def test_examples_run(example: str, options: list[str], written: str, tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "examples" / example), *options, str(tmp_path / written)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / written).stat().st_size > 1000
