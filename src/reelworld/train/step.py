"""One step of a training: draw, forward, backward, and an update that is refused when a number is not finite.

record = train_step(run, serving, loss_function)
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from reelworld.core import runtime
from reelworld.core.errors import NonFiniteError
from reelworld.recipes import Stage
from reelworld.train import optim
from reelworld.train.data import Serving
from reelworld.train.report import Record
from reelworld.train.snapshot import Run

LossFunction = Callable[..., Tensor]


def train_step(run: Run, serving: Serving, loss_function: LossFunction) -> Record:
    """Make one update, or refuse it when the loss or a gradient is not finite; return what to log.

    Raises: NonFiniteError when too many steps in a row were refused.
    """
    stage = run.recipe.stages[run.recipe.stage_at(run.step)[0]]
    factor = _set_lr(run)
    loss, norm = _gradients(run, serving, stage, loss_function)
    applied = bool(torch.isfinite(loss) & torch.isfinite(norm))
    record = _record(run, stage, serving, float(loss), float(norm)) | {
        "lr_factor": factor,
        "applied": applied,
    }
    if applied:
        _update(run, norm)
    run.step += 1
    run.clips += len(serving.batch.captions)
    return record | _count_refused(run, applied)


def _set_lr(run: Run) -> float:
    config = run.recipe.optim
    factor = optim.lr_factor(
        run.step, run.recipe.total_steps, warmup=config.warmup_steps, decay_share=config.decay_share
    )
    optim.set_lr(run.optimizers, factor)
    return factor


def _gradients(
    run: Run, serving: Serving, stage: Stage, loss_function: LossFunction
) -> tuple[Tensor, Tensor]:
    """Leave the gradients of the batch on the parameters; return the loss and the norm of the gradients."""
    fps = stage.buckets[serving.bucket].shape.fps
    inputs = run.objective.inputs(serving.batch, stage.text_length, fps)
    device = next(run.objective.model.parameters()).device
    dtype = runtime.compute_dtype(device)
    run.objective.model.zero_grad(set_to_none=True)
    with torch.autocast(device.type, torch.bfloat16, enabled=dtype == torch.bfloat16):
        loss = loss_function(**inputs)
    loss.backward()
    return loss.detach(), optim.grad_norm(list(run.objective.model.parameters()))


def _update(run: Run, norm: Tensor) -> None:
    """Clip, step every optimiser, move the averages."""
    params = list(run.objective.model.parameters())
    nn.utils.clip_grads_with_norm_(params, run.recipe.optim.clip_norm, norm)
    for optimizer in run.optimizers.values():
        optimizer.step()
    optim.update_ema(list(run.ema.parameters()), params, run.applied, run.recipe.optim.ema_decay)


def _record(run: Run, stage: Stage, serving: Serving, loss: float, norm: float) -> Record:
    return {
        "kind": "step",
        "step": run.step + 1,
        "stage": stage.name,
        "bucket": serving.bucket,
        "clips": len(serving.batch.captions),
        "loss": loss if math.isfinite(loss) else None,  # JSON knows no NaN
        "grad_norm": norm if math.isfinite(norm) else None,
    }


def _count_refused(run: Run, applied: bool) -> Record:
    """Count a refused step and name what was not finite in it."""
    if applied:
        run.refused_in_row = 0
        return {}
    run.refused += 1
    run.refused_in_row += 1
    culprit = optim.first_bad(run.objective.model, run.optimizers) or "the loss alone"
    if run.refused_in_row >= run.recipe.optim.max_refused:
        raise NonFiniteError(
            f"step {run.step}: {run.refused_in_row} steps in a row had no finite loss or gradient, the last "
            f"in {culprit}; lower optim.muon_lr and optim.adamw_lr, or look at the data of these steps"
        )
    return {"refused": run.refused, "culprit": culprit}
