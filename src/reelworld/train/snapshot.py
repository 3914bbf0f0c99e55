"""The whole state of a run: what must be kept so that a resumed run continues bit for bit.

run = Run(objective, recipe)
save(run, out / "state", keep=2)
restore(run, out / "state")
"""

import copy
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from reelworld.core import checkpoint
from reelworld.core.checkpoint import State
from reelworld.core.config import from_json, to_json
from reelworld.core.errors import CheckpointError, ConfigError
from reelworld.core.storage import file_hash
from reelworld.recipes import Recipe
from reelworld.train import optim
from reelworld.train.objectives import Objective

COUNTERS = ("step", "clips", "refused", "refused_in_row", "seconds")


@dataclass
class Run:
    """A training under way. `step` counts attempted steps, `refused` those that were not applied."""

    objective: Objective
    recipe: Recipe
    data: dict[str, Any] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    step: int = 0
    clips: int = 0
    refused: int = 0
    refused_in_row: int = 0
    seconds: float = 0.0
    ema: nn.Module = field(init=False)
    optimizers: dict[str, torch.optim.Optimizer] = field(init=False)

    def __post_init__(self) -> None:
        self.ema = copy.deepcopy(self.objective.model).requires_grad_(False).eval()
        self.optimizers = optim.build(self.objective.model, self.recipe.optim)

    @property
    def applied(self) -> int:
        """Return the number of updates made."""
        return self.step - self.refused


def save(run: Run, folder: Path, keep: int) -> Path:
    """Write weights, averages, optimisers, generators and counters; the newest `keep` files stay."""
    tree = {
        "model": run.objective.model.state_dict(),
        "ema": run.ema.state_dict(),
        "optimizers": {name: optimizer.state_dict() for name, optimizer in run.optimizers.items()},
        "generators": {name: g.get_state() for name, g in run.objective.generators.items()},
        "counters": {name: getattr(run, name) for name in COUNTERS},
    }
    card = {
        "recipe": to_json(run.recipe),
        **run.objective.card(),
        "data": run.data,
        "machine": run.machine,
    }
    return checkpoint.save_state(folder, run.step, tree, card, keep=keep)


def newest(folder: Path, recipe: Recipe, data: dict[str, Any], init: str | Path | None = None) -> State:
    """Read the newest state; `init` may name the weights that the run began from.

    Raises: CheckpointError when there is none, or all are damaged; ConfigError when it belongs to another
    recipe, kind of data or beginning.
    """
    state = checkpoint.latest(folder)
    if state is None and (damaged := checkpoint.states(folder)):
        names = ", ".join(path.name for path in damaged)
        raise CheckpointError(
            f"every state in {folder} is damaged ({names}), so nothing can be resumed; begin a new run in "
            "another folder, with --init from this one's weights.safetensors if they are whole"
        )
    if state is None:
        raise CheckpointError(f"there is nothing to resume in {folder}; start without --resume")
    _check_recipe(state.card["recipe"], to_json(recipe))
    before = state.card.get("data", data)
    if before.get("kind") != data.get("kind"):
        raise ConfigError(
            f"the run was started on data of kind '{before.get('kind')}', not '{data.get('kind')}'; resume "
            "with the same --data, or begin a new run from its weights with --init"
        )
    if init is not None:
        _check_init(state.card, init)
    return state


def restore(run: Run, state: State) -> list[str]:
    """Put the state into the run; return notes on what will not repeat bit for bit."""
    there = state.card.get("machine", run.machine) | {"data": state.card.get("data", run.data)}
    here = run.machine | {"data": run.data}
    changed = [
        f"{name} (then {there.get(name)}, now {now})" for name, now in here.items() if there.get(name) != now
    ]
    run.objective.model.load_state_dict(state.tree["model"])
    run.ema.load_state_dict(state.tree["ema"])
    for name, optimizer in run.optimizers.items():
        optimizer.load_state_dict(state.tree["optimizers"][name])
    for name, generator in run.objective.generators.items():
        generator.set_state(state.tree["generators"][name])
    for name in COUNTERS:
        setattr(run, name, state.tree["counters"][name])
    return [f"resumed, but not bit for bit: other {item}" for item in changed]


def _check_init(card: dict[str, Any], init: str | Path) -> None:
    """Compare the weights that a run is said to begin from with those that it began from."""
    if not Path(init).is_file():
        raise CheckpointError(f"{init} does not exist; check the path, or resume without --init")
    if card.get("continued", {}).get("from") != file_hash(init):
        raise ConfigError(
            f"a resumed run goes on from its own state, which did not begin from {init}; leave --init out, "
            "or begin a new run in another folder without --resume"
        )


def _check_recipe(stored: dict[str, Any], given: dict[str, Any]) -> None:
    """Compare what decides the weights; how often a run reports may change."""
    stored = to_json(from_json(Recipe, stored))  # settings newer than the state take their defaults
    changed = [key for key in given if key != "report" and stored[key] != given[key]]
    if changed:
        raise ConfigError(
            f"the run was started with other settings of: {', '.join(changed)}; resume with the same recipe "
            "and --set, or begin a new run from its weights with --init"
        )
