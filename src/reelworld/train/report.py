"""What a run leaves to look at: log.jsonl, sample sheets, curves, TensorBoard events.

log = RunLog(folder, tensorboard=False)
log.write({"step": 1, "loss": 0.2})
sheet(prompts, truth, samples, "step 100").save("samples.png")
plot(folder / "log.jsonl", folder / "curves.png")
"""

import importlib
import importlib.util
import json
from collections.abc import Sequence
from contextlib import suppress
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from reelworld.core import storage
from reelworld.core.errors import ConfigError
from reelworld.core.sheet import contact_sheet
from reelworld.core.types import Video

Record = dict[str, Any]
MOST_POINTS = 200  # of a curve


class RunLog:
    """One JSON object a line; the same numbers as TensorBoard events if asked for."""

    def __init__(self, folder: Path, *, start: int = 0, tensorboard: bool = False) -> None:
        self.path = folder / "log.jsonl"
        self._events = _event_writer(folder) if tensorboard else None
        _forget_after(self.path, start)
        with storage.storage_errors(self.path):
            self._file = self.path.open("a", encoding="utf-8")

    def write(self, record: Record) -> None:
        """Append a record; numbers become TensorBoard scalars at the record's step.

        Raises: StorageError where the disk refuses.
        """
        with storage.storage_errors(self.path):
            self._file.write(json.dumps(record) + "\n")
            self._file.flush()
        if self._events is not None:
            for name, value in record.items():
                if isinstance(value, (int, float)) and name != "step":
                    self._events.add_scalar(f"{record['kind']}/{name}", value, record["step"])

    def close(self) -> None:
        """Close the files; what a full disk did not take was told when it was written."""
        with suppress(OSError):
            self._file.close()
        if self._events is not None:
            self._events.close()


def _forget_after(path: Path, start: int) -> None:
    """Drop the records of steps that a resumed run will repeat."""
    if path.exists():
        kept = [record for record in read_log(path) if record["step"] <= start] if start else []
        storage.write_bytes(path, "".join(json.dumps(record) + "\n" for record in kept).encode())


def read_log(path: Path) -> list[Record]:
    """Return the records of a log; lines that a crash or a full disk cut off or damaged are left out."""
    lines = path.read_text(encoding="utf-8", errors="replace").split("\n")[:-1]
    return [record for line in lines if (record := _record(line)) is not None]


def _record(line: str) -> Record | None:
    """Return the record that a line holds, or None."""
    try:
        found = json.loads(line)
    except (ValueError, RecursionError):
        return None
    whole = isinstance(found, dict) and "kind" in found and isinstance(found.get("step"), int)
    return found if whole else None


def _event_writer(folder: Path) -> Any:
    if importlib.util.find_spec("tensorboard") is None:
        raise ConfigError("report.tensorboard needs the extra: pip install 'reelworld[tensorboard]'")
    return importlib.import_module("torch.utils.tensorboard").SummaryWriter(str(folder / "tensorboard"))


def sheet(prompts: Sequence[str], truth: np.ndarray, samples: np.ndarray, title: str) -> Image.Image:
    """Draw each prompt's true clip beside the sampled one; videos are uint8 [N, T, H, W, 3]."""
    pairs = [(Video(true), Video(made)) for true, made in zip(truth, samples, strict=True)]
    return contact_sheet(pairs, prompts, headings=("ground truth", "sampled"), title=title)


def plot(log: Path, path: Path) -> str:
    """Draw training loss, held-out loss and speed over the steps; return a note, empty if all went well.

    matplotlib is an extra; without it nothing is drawn and the note says so.
    """
    if importlib.util.find_spec("matplotlib") is None:
        return "no curves drawn, the numbers are in log.jsonl: they need pip install 'reelworld[plot]'"
    figure_class = importlib.import_module("matplotlib.figure").Figure
    records = read_log(log)
    steps = [r for r in records if r["kind"] == "step" and r["applied"]]
    heldout = [r for r in records if r["kind"] == "heldout"]
    figure = figure_class(figsize=(12, 4), layout="constrained")
    checks = [r for r in records if r["kind"] == "checks"]
    axes = figure.subplots(1, 4 if checks else 3)
    _curve(axes[0], steps, ["loss"], "training loss", log=True)
    bins = [name for name in heldout[0] if name.startswith("t=")] if heldout else []
    _curve(axes[1], heldout, bins, "held-out loss (average weights)", log=True)
    _curve(axes[2], steps, ["clips_per_second"], "clips per second", log=False)
    if checks:
        names = [name for name in checks[-1] if name not in ("kind", "step")]
        _curve(axes[3], checks, names, "share that passes the checks", log=False)
    drawn = BytesIO()
    figure.savefig(drawn, dpi=100, format="png")
    storage.write_bytes(path, drawn.getvalue())
    return ""


def _curve(axis: Any, records: list[Record], names: list[str], title: str, *, log: bool) -> None:
    """Draw one line for each name; of very many steps the means of stretches, or one sees a band."""
    for name in names:
        points = np.array([(r["step"], r[name]) for r in records], dtype=float).reshape(-1, 2)
        axis.plot(*stretched(points, MOST_POINTS).T, label=name, linewidth=0.8)
    axis.set(title=title, xlabel="step")
    if log and records:
        axis.set_yscale("log")
    if names and records:
        axis.legend(fontsize=7)


def stretched(points: np.ndarray, most: int) -> np.ndarray:
    """Return points [N, 2], of more than `most` the means of as many stretches."""
    parts = np.array_split(points, min(len(points), most) or 1)
    return np.array([part.mean(0) for part in parts if len(part)]).reshape(-1, 2)
