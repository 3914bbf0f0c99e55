"""Muon against float64, torch's own Muon and its grouping; the schedule; the moving average."""

import math

import pytest
import torch
from torch import nn

from reelworld.recipes import OptimConfig
from reelworld.train import optim


class Net(nn.Module):
    """A table and a head around a list of blocks, as in a transformer."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(5, 4)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 4)) for _ in range(3)
        )
        self.bias_table = nn.Parameter(torch.zeros(6, 4))
        self.head = nn.Linear(4, 2)


def newton_schulz_float64(matrix: torch.Tensor, steps: int) -> torch.Tensor:
    """The polynomial on the singular values alone: another way to the same matrix."""
    u, s, v = torch.linalg.svd(matrix.double(), full_matrices=False)
    s = s / s.norm()
    a, b, c = optim.NEWTON_SCHULZ
    for _ in range(steps):
        s = a * s + b * s**3 + c * s**5
    return u @ torch.diag(s) @ v


@pytest.mark.parametrize("shape", [(6, 6), (12, 5), (5, 12)])
def test_orthogonalise_matches_float64_singular_values(shape):
    matrix = torch.randn(shape, generator=torch.Generator().manual_seed(1))
    ours = optim.orthogonalise(matrix[None])[0].double()
    torch.testing.assert_close(ours, newton_schulz_float64(matrix, 5), atol=2e-5, rtol=0)


def test_muon_first_update_against_float64():
    weight = nn.Parameter(torch.randn(8, 4, generator=torch.Generator().manual_seed(2)))
    grad = torch.randn(8, 4, generator=torch.Generator().manual_seed(3))
    before, weight.grad = weight.detach().double(), grad.clone()
    optim.Muon([weight], lr=0.01, momentum=0.9, weight_decay=0.1).step()
    ahead = 0.1 * grad.double() + 0.9 * (0.1 * grad.double())
    update = 0.2 * math.sqrt(8) * newton_schulz_float64(ahead, 5)
    expected = before * (1 - 0.01 * 0.1) - 0.01 * update
    torch.testing.assert_close(weight.detach().double(), expected, atol=1e-6, rtol=0)


def test_muon_follows_torch_muon():
    """torch's version works in bfloat16, so the paths agree to its precision only."""
    generator = torch.Generator().manual_seed(4)
    start = [torch.randn(s, generator=generator) for s in ((8, 4), (8, 4), (4, 6))]
    ours, theirs = ([nn.Parameter(w.clone()) for w in start] for _ in range(2))
    optimizers = [
        optim.Muon(ours, lr=0.02, momentum=0.95, weight_decay=0.1),
        torch.optim.Muon(theirs, lr=0.02, momentum=0.95, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
    ]
    for _ in range(4):
        for a, b in zip(ours, theirs, strict=True):
            a.grad = torch.randn(a.shape, generator=generator)
            b.grad = a.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for a, b, w in zip(ours, theirs, start, strict=True):
        assert (a - b).norm() < 0.02 * (b - w).norm()


def test_muon_gets_exactly_the_blocks_matrices():
    net = Net()
    groups = optim.build(net, OptimConfig())
    muon = {id(p) for g in groups["muon"].param_groups for p in g["params"]}
    adamw = {id(p) for g in groups["adamw"].param_groups for p in g["params"]}
    names = {name for name, p in net.named_parameters() if id(p) in muon}
    assert names == {f"blocks.{i}.{j}.weight" for i in range(3) for j in (0, 2)}
    assert not muon & adamw
    assert muon | adamw == {id(p) for p in net.parameters()}


def test_adamw_may_have_the_matrices_too():
    net = Net()
    groups = optim.build(net, OptimConfig(matrices="adamw"))
    assert set(groups) == {"adamw"}
    assert {id(p) for g in groups["adamw"].param_groups for p in g["params"]} == {
        id(p) for p in net.parameters()
    }


def test_of_convolutions_muon_gets_the_wide_ones():
    net = nn.Sequential(nn.Conv2d(3, 16, 3), nn.SiLU(), nn.Conv2d(16, 16, 3), nn.Linear(2, 2))
    groups = optim.build(net, OptimConfig())
    assert [p is net[2].weight for g in groups["muon"].param_groups for p in g["params"]] == [True]
    assert set(optim.build(nn.Linear(2, 2), OptimConfig())) == {"adamw"}


def test_lr_factor_rises_stays_and_falls():
    factors = [optim.lr_factor(step, 100, warmup=10, decay_share=0.3) for step in range(100)]
    assert factors[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert set(factors[10:71]) == {1.0}
    assert factors[71:] == pytest.approx([(100 - step) / 30 for step in range(71, 100)])
    assert optim.lr_factor(0, 100, warmup=0, decay_share=0.0) == 1.0


def test_set_lr_keeps_each_base_rate():
    groups = optim.build(Net(), OptimConfig(muon_lr=0.2, adamw_lr=0.1))
    for factor in (0.5, 1.0, 0.25):
        optim.set_lr(groups, factor)
    assert groups["muon"].param_groups[0]["lr"] == pytest.approx(0.05)
    assert groups["adamw"].param_groups[0]["lr"] == pytest.approx(0.025)


def test_ema_matches_closed_form():
    """With a constant decay d and values v_1 ... v_n: d^n start + sum (1 - d) d^(n - k) v_k."""
    values, decay, average = [3.0, -1.0, 2.0, 5.0], 0.05, torch.tensor([1.0], dtype=torch.float64)
    for step, value in enumerate(values):
        optim.update_ema([average], [torch.tensor([value], dtype=torch.float64)], step, decay)
    n = len(values)
    closed = decay**n + sum((1 - decay) * decay ** (n - k) * v for k, v in enumerate(values, start=1))
    assert float(average) == pytest.approx(closed, abs=1e-12)


def test_ema_decay_warms_up():
    """The first averages have decays 1/10, 2/11, 3/12 whatever the final decay."""
    average = torch.tensor([0.0], dtype=torch.float64)
    for step in range(3):
        optim.update_ema([average], [torch.tensor([1.0], dtype=torch.float64)], step, 0.999)
    assert 1 - float(average) == pytest.approx(1 / 10 * 2 / 11 * 3 / 12, abs=1e-12)


def test_first_bad_names_group_and_parameter():
    net = Net()
    groups = optim.build(net, OptimConfig())
    for p in net.parameters():
        p.grad = torch.zeros_like(p)
    assert optim.first_bad(net, groups) == ""
    net.blocks[1][0].weight.grad[0, 0] = float("nan")
    assert optim.first_bad(net, groups) == "muon (blocks.1.0.weight)"
