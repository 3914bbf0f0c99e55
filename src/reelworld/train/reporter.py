"""What a run writes beside training, by the clock: state, weights, held-out loss, samples, curves.

None of it changes the weights: it draws from its own noise and reads the average weights only.
"""

import time
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from types import TracebackType
from typing import Any

from reelworld.core.config import to_json
from reelworld.core.errors import StorageError
from reelworld.core.storage import write_bytes
from reelworld.train import snapshot
from reelworld.train.makers import DataSet
from reelworld.train.objectives import Exam
from reelworld.train.report import Record, RunLog, plot
from reelworld.train.snapshot import Run


class Reporter:
    """Writes a run's folder; use as a context, which closes the log."""

    def __init__(
        self,
        run: Run,
        exam: Exam,
        data: DataSet,
        folder: Path,
        note: Callable[[str], None],
        checks: Callable[[Path], dict[str, float]] | None = None,
    ) -> None:
        self.checks = checks
        self.run, self.exam, self.data, self.folder, self.note = run, exam, data, folder, note
        self.config = run.recipe.report
        self.weights = folder / "weights.safetensors"
        self.log = RunLog(folder, start=run.step, tensorboard=self.config.tensorboard)
        self.saved_at, self.told = -1, ""
        now = time.monotonic()
        self.due = {name: now + 60 * minutes for name, minutes in self._minutes().items()}

    def __enter__(self) -> "Reporter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.log.close()

    def _minutes(self) -> dict[str, float]:
        config = self.config
        return {
            "measure": config.heldout_minutes,
            "picture": config.sample_minutes,
            "save": config.checkpoint_minutes,
        }

    def step(self, record: Record) -> None:
        """Log a step, then do what is due by the clock."""
        self._try(lambda: self.log.write(record | {"flops": self._flops(record)}))
        if not record["applied"]:
            self.note(f"step {record['step']} refused: not finite in {record['culprit']}")
        for name, minutes in self._minutes().items():
            if time.monotonic() >= self.due[name]:
                self._try(getattr(self, name))
                self.due[name] = time.monotonic() + 60 * minutes

    def _try(self, work: Callable[[], None]) -> None:
        """Write something; a disk that refuses is told, and the training goes on and tries again later."""
        try:
            work()
        except StorageError as error:
            if str(error) != self.told:
                self.note(f"step {self.run.step}: {error}; training goes on")
            self.told = str(error)

    def _flops(self, record: Record) -> float:
        """Return the operations per second of a step, counted as models/cost.py does."""
        stage = next(stage for stage in self.run.recipe.stages if stage.name == record["stage"])
        bucket = stage.buckets[record["bucket"]]
        operations = self.run.objective.flops(bucket, stage.text_length)
        return round(operations * record["clips"] / record["seconds"])

    def measure(self) -> None:
        """Log the held-out loss of the average weights."""
        self.log.write({"kind": "heldout", "step": self.run.step} | self.exam.losses(self.run.ema))

    def picture(self) -> None:
        """Draw samples beside the ground truth, and the curves."""
        page = self.exam.picture(self.run.ema, f"{self.run.recipe.name}, step {self.run.step}")
        drawn = BytesIO()
        page.save(drawn, format="png")
        write_bytes(self.folder / "samples" / f"step_{self.run.step:08d}.png", drawn.getvalue())
        if missing := plot(self.folder / "log.jsonl", self.folder / "curves.png"):
            self.note(missing)

    def save(self) -> None:
        """Write the state to resume from and the average weights to use."""
        if self.saved_at == self.run.step:
            return
        snapshot.save(self.run, self.folder / "state", keep=self.config.keep_checkpoints)
        self.run.objective.write(self.weights, self.run.ema, self._card())
        self.saved_at = self.run.step
        if self.checks is not None:
            self.log.write({"kind": "checks", "step": self.run.step} | self.checks(self.weights))

    def finish(self) -> None:
        """Measure and draw once more."""
        self.measure()
        self.picture()

    def _card(self) -> dict[str, Any]:
        run = self.run
        return {
            "recipe": to_json(run.recipe),
            "trained": {
                "steps": run.step,
                "clips": run.clips,
                "seconds": round(run.seconds),
                "refused": run.refused,
            },
            "shape": to_json(self.exam.shape),
            "data": self.data.describe(),
        }
