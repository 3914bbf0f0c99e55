"""The training loop: the only one. Objectives are passed in; data comes in the order of the steps.

    python -m reelworld.train nano --out runs/nano
    train(recipes.get("nano"), "runs/nano", minutes=30)

The run folder holds recipe.json, log.jsonl, state/ (to resume), weights.safetensors (the average weights, to
use), samples/ and curves.png. Learning rate and data depend on the step alone; `minutes` stops and saves. A
resumed run ends with the same weights, bit for bit on the same machine, as one that was never stopped.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from reelworld.core import checkpoint, runtime, storage
from reelworld.core.config import to_json
from reelworld.core.errors import ConfigError, DataError, Interrupted, StorageError, VideoError
from reelworld.core.progress import Kind
from reelworld.core.progress import progress as open_progress
from reelworld.models.denoiser import DenoiserConfig
from reelworld.recipes import Recipe
from reelworld.train import objectives, snapshot
from reelworld.train.data import Serving, open_feed, world_data
from reelworld.train.makers import DataSet
from reelworld.train.objectives import Objective
from reelworld.train.report import Record
from reelworld.train.reporter import Reporter
from reelworld.train.signals import Stop, stop_signals
from reelworld.train.snapshot import Run
from reelworld.train.step import LossFunction, train_step

MOST_SHAPES = 64  # of clips, for each of which code is compiled


def train(
    recipe: Recipe,
    out: str | Path,
    *,
    data: DataSet | None = None,
    init: str | Path | None = None,
    minutes: float | None = None,
    resume: bool = False,
    compile: bool | None = None,
    device: str = "auto",
    progress: Kind = "auto",
    note: Callable[[str], None] = print,
    checks: Callable[[Path], dict[str, float]] | None = None,
) -> Path:
    """Train a recipe into the folder `out`; return the path of the average weights.

    `data` defaults to the simulated world; `init` starts from released weights with new optimisers (a resumed
    run goes on from its own state; `init` may only be the weights it began from); `minutes` stops and saves
    early; `note` is told, in one line each, what the user should know; `checks` scores a weights file, each
    time one is written.

    Raises: StorageError when `out` holds a run already; Interrupted on Ctrl-C, SIGTERM or a closed terminal,
    with the state saved; NonFiniteError when training diverged; CheckpointError, ConfigError, DataError and
    VideoError for what cannot be used.
    """
    if minutes is not None and not minutes >= 0:
        raise ConfigError(f"minutes is {minutes}; give a number of 0 or more")
    if checks is not None and not isinstance(recipe.model, DenoiserConfig):
        raise ConfigError(f"recipe '{recipe.name}' makes no videos to check; leave --checks out")
    folder, where = _open_folder(out, recipe, resume), runtime.device(device)
    data = data if data is not None else world_data(recipe)
    state = snapshot.newest(folder / "state", recipe, data.describe(), init) if resume else None
    objective = objectives.build(recipe, data, init, state, where)
    compiled = _may_compile(where, compile, note)
    loss_function = _compiled(objective) if compiled else objective.loss
    machine = {"device": where.type, "threads": torch.get_num_threads(), "compiled": compiled}
    run = Run(objective, recipe, data=data.describe(), machine=machine)
    resumed = [] if state is None else snapshot.restore(run, state)
    for line in [*data.notes(recipe, objective.words), *resumed]:
        note(line)
    reporter = Reporter(run, objective.exam(data, recipe), data, folder, note, checks)
    with (
        reporter,
        _repeatable(where),
        stop_signals() as stop,
        open_feed(data, recipe, run.step, str(where), objective.annotate) as feed,
    ):
        try:
            fit(run, feed, loss_function, reporter, stop=stop, minutes=minutes, progress=progress)
        except (Interrupted, DataError, VideoError):  # between two steps; in mid-step the last state is right
            reporter.save()
            raise
        reporter.save()
        reporter.finish()
    return reporter.weights


def _open_folder(out: str | Path, recipe: Recipe, resume: bool) -> Path:
    """Make the run's folder; a folder that holds a run is only touched to resume it."""
    folder = Path(out)
    if not resume and checkpoint.states(folder / "state"):
        raise StorageError(
            f"{folder} holds a run already; continue it with --resume or choose another folder"
        )
    if not resume and (folder / "weights.safetensors").exists():
        raise StorageError(
            f"{folder} holds weights.safetensors already; choose another folder, with or without --init"
        )
    with storage.storage_errors(folder):
        for part in ("state", "samples"):
            (folder / part).mkdir(parents=True, exist_ok=True)
    if not resume:
        storage.write_bytes(folder / "recipe.json", json.dumps(to_json(recipe), indent=1).encode())
    return folder


def _may_compile(device: torch.device, wanted: bool | None, note: Callable[[str], None]) -> bool:
    """Tell whether to compile: if that is wanted (None: on a GPU) and possible; say so if it is not possible.

    On a CPU most of a step is matrix products, which compiling leaves as they are: it gained nothing there.
    """
    wanted = device.type == "cuda" if wanted is None else wanted
    if wanted and not runtime.compiler_available(device):
        note("training without torch.compile: no C++ compiler found (install g++), or no triton for the GPU")
        return False
    return wanted


def _compiled(objective: Objective) -> LossFunction:
    """Compile the blocks of a transformer, once for all of them and each shape; of other models, the loss.

    Of the whole loss every shape of clip would take a minute to compile (docs/design/0016).
    """
    torch._dynamo.config.recompile_limit = MOST_SHAPES
    blocks = getattr(objective.model, "blocks", None)
    if blocks is None:
        return torch.compile(objective.loss, dynamic=False)
    for block in blocks:
        block.compile(dynamic=False)
    return objective.loss


@contextmanager
def _repeatable(device: torch.device) -> Iterator[None]:
    """Use algorithms that give the same bits each time, on a CPU (compiled code would add with atomics)."""
    fill: Any = torch.utils.deterministic
    before = torch.are_deterministic_algorithms_enabled(), fill.fill_uninitialized_memory
    torch.use_deterministic_algorithms(before[0] or device.type == "cpu")
    fill.fill_uninitialized_memory = False
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0])
        fill.fill_uninitialized_memory = before[1]


def fit(
    run: Run,
    feed: Iterator[Serving],
    loss_function: LossFunction,
    reporter: Reporter,
    *,
    stop: Stop,
    minutes: float | None = None,
    progress: Kind = "silent",
) -> None:
    """Train until the recipe's last step, for `minutes`, or until a request to stop.

    Raises: Interrupted on request, after the step is finished; NonFiniteError after too many refused steps in
    a row.
    """
    total = run.recipe.total_steps
    deadline = time.monotonic() + 60 * minutes if minutes is not None else float("inf")
    with open_progress(progress, total, f"training {run.recipe.name}") as bar:
        bar.advance(run.step)
        while run.step < total and time.monotonic() < deadline:
            record = timed_step(run, feed, loss_function)
            reporter.step(record)
            bar.advance(1, loss=record["loss"], clips_per_second=record["clips_per_second"])
            if stop.requested and run.step < total:
                raise Interrupted(
                    f"{stop.requested}: stopped after step {run.step} and saved; go on with --resume"
                )


def timed_step(run: Run, feed: Iterator[Serving], loss_function: LossFunction) -> Record:
    """Take the next clips and make a step of them; time both.

    `wait_share` is what the step waited for clips, `render_share` what making them took, wherever that ran.
    """
    began = time.perf_counter()
    serving = next(feed)
    waited = time.perf_counter() - began
    record = train_step(run, serving, loss_function)
    seconds = time.perf_counter() - began
    run.seconds += seconds
    return record | {
        "seconds": round(seconds, 4),
        "clips_per_second": round(record["clips"] / seconds, 2),
        "wait_share": round(waited / seconds, 4),
        "render_share": round(serving.seconds / seconds, 4),
    }
