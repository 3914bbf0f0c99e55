"""Optimisers (Muon for the blocks' matrices, AdamW for the rest), learning rate, moving average.

    optimizers = build(model, OptimConfig())
    set_lr(optimizers, lr_factor(step, total, warmup=50, decay_share=0.3))

Muon is written out here because `torch.optim.Muon` orthogonalises in bfloat16 whatever the device: on a CPU
without bfloat16 units that took 30 times as long as float32. The update is otherwise the same, with
`adjust_lr_fn="match_rms_adamw"`.
"""

import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

from reelworld.recipes import OptimConfig

NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)  # Source: K. Jordan, https://kellerjordan.github.io/posts/muon/


def orthogonalise(matrices: Tensor, steps: int = 5) -> Tensor:
    """Push the singular values of each matrix [..., rows, columns] towards one.

    X <- a X + b (X X^T) X + c (X X^T)^2 X, from X = G / |G|. Source:
    https://kellerjordan.github.io/posts/muon/
    """
    a, b, c = NEWTON_SCHULZ
    tall = matrices.size(-2) > matrices.size(-1)
    x = matrices.mT if tall else matrices
    x = x / x.norm(dim=(-2, -1), keepdim=True).clamp(min=1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.mT if tall else x


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised, for matrices; those of equal shape are worked on together.

    B <- m B + (1 - m) G;  W <- (1 - lr wd) W - lr 0.2 sqrt(max(rows, columns)) NS((1 - m) G + m B)
    Source: arXiv:2502.16982 Eq. 4 (the factor that matches AdamW's root mean square).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
        steps: int = 5,
    ) -> None:
        super().__init__(
            params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay, "steps": steps}
        )

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        """Apply one update from the gradients; parameters without a gradient stay."""
        for group in self.param_groups:
            shapes: dict[torch.Size, list[Tensor]] = defaultdict(list)
            for param in group["params"]:
                if param.grad is not None:
                    shapes[param.shape].append(param)
            for params in shapes.values():
                self._step_shape(params, group)

    def _step_shape(self, params: list[Tensor], group: dict[str, Any]) -> None:
        grads = [param.grad for param in params if param.grad is not None]
        buffers = [self.state[param].setdefault("momentum", torch.zeros_like(param)) for param in params]
        momentum, lr = group["momentum"], group["lr"]
        torch._foreach_lerp_(buffers, grads, 1 - momentum)
        ahead = torch.stack(
            [grad.lerp(buffer, momentum) for grad, buffer in zip(grads, buffers, strict=True)]
        )
        working = torch.bfloat16 if ahead.is_cuda else ahead.dtype
        matrices = ahead.flatten(2)  # of a convolution: what it makes of a whole window
        updates = orthogonalise(matrices.to(working), group["steps"]).to(ahead.dtype).view_as(ahead)
        torch._foreach_mul_(params, 1 - lr * group["weight_decay"])
        torch._foreach_add_(params, list(updates), alpha=-lr * 0.2 * math.sqrt(max(matrices.shape[1:])))


def block_matrices(model: nn.Module) -> list[str]:
    """Return the names of the weights that Muon updates: linear layers inside a list of blocks.

    A model of convolutions has no such list; of it, all convolutions with an activation behind them.
    """
    return [
        f"{name}.weight"
        for name, module in model.named_modules()
        if (isinstance(module, nn.Linear) and "blocks" in name.split(".")[:-1])
        or (isinstance(module, nn.Conv2d) and min(module.weight.shape[:2]) > 3 * 4)
    ]


def build(model: nn.Module, config: OptimConfig) -> dict[str, torch.optim.Optimizer]:
    """Return the optimisers by the name of their parameter group; Muon only where there are blocks for it."""
    named = dict(model.named_parameters())
    chosen = set(block_matrices(model)) & named.keys() if config.matrices == "muon" else set()
    muon = [param for name, param in named.items() if name in chosen]
    rest = [param for name, param in named.items() if name not in chosen]
    optimizers: dict[str, torch.optim.Optimizer] = {}
    if muon:
        optimizers["muon"] = Muon(
            muon,
            lr=config.muon_lr,
            momentum=config.muon_momentum,
            weight_decay=config.muon_weight_decay,
            steps=config.muon_steps,
        )
    if rest:
        optimizers["adamw"] = torch.optim.AdamW(
            rest,
            lr=config.adamw_lr,
            betas=config.adamw_betas,
            eps=config.adamw_eps,
            weight_decay=config.adamw_weight_decay,
        )
    return optimizers


def lr_factor(step: int, total: int, *, warmup: int, decay_share: float) -> float:
    """Return the factor in (0, 1] of the learning rate: linear up, constant, the last share linear to zero.

    Depends on counts of steps only, so a run that was stopped and resumed follows the same line.
    """
    rise = (step + 1) / warmup if warmup else 1.0
    decay_steps = decay_share * total
    fall = (total - step) / decay_steps if decay_steps else 1.0
    return min(1.0, rise, fall)


def set_lr(optimizers: dict[str, torch.optim.Optimizer], factor: float) -> None:
    """Set every group's learning rate to its own base rate times the factor."""
    for optimizer in optimizers.values():
        for group in optimizer.param_groups:
            group["lr"] = group.setdefault("base_lr", group["lr"]) * factor


@torch.no_grad()
def update_ema(averages: Sequence[Tensor], values: Sequence[Tensor], step: int, decay: float) -> None:
    """Move each average towards its value: avg <- d avg + (1 - d) value, d = min(decay, (1 + step) / (10 +
    step)).

    The rising d forgets the random start quickly. Source: tf.train.ExponentialMovingAverage, `num_updates`.
    """
    torch._foreach_lerp_(list(averages), list(values), 1 - min(decay, (1 + step) / (10 + step)))


def grad_norm(params: list[Tensor]) -> Tensor:
    """Return the Euclidean norm of all gradients together."""
    return nn.utils.get_total_norm([param.grad for param in params if param.grad is not None])


def first_bad(model: nn.Module, optimizers: dict[str, torch.optim.Optimizer]) -> str:
    """Name the parameter group and parameter whose gradient is not finite; empty if all are."""
    groups = {id(p): name for name, opt in optimizers.items() for g in opt.param_groups for p in g["params"]}
    for name, param in model.named_parameters():
        if param.grad is not None and not bool(torch.isfinite(param.grad).all()):
            return f"{groups[id(param)]} ({name})"
    return ""
