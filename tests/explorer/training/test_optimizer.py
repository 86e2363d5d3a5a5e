"""The optimizer: torch's Muon in another precision, and a step in which every direction counts alike."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from thoughtspace.explorer.training.optimizer import Optimizer, orthogonal


@pytest.mark.parametrize("shape", [(20, 60), (60, 20), (24, 24)])
def test_all_directions_become_alike(shape: tuple[int, int]) -> None:
    torch.manual_seed(0)
    matrix = torch.randn(shape) @ torch.diag(torch.logspace(0, -1, shape[1]))
    u, _, vh = torch.linalg.svd(matrix, full_matrices=False)
    made = orthogonal(matrix)
    within = u.T @ made @ vh.T  # diagonal, if the singular vectors are those of the matrix
    sizes = within.diagonal()
    torch.testing.assert_close(within, torch.diag(sizes), rtol=0, atol=2e-3)
    assert 0.5 < float(sizes.min()) <= float(sizes.max()) < 1.5
    spread = torch.linalg.svdvals(matrix)
    assert float(spread[0] / spread[-1]) > 3  # Negative control: they were not alike before.


@pytest.mark.parametrize("shape", [(6, 3, 3, 3), (16, 4)])
def test_it_steps_as_torchs_muon(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    start, gradients = torch.randn(shape), [torch.randn(shape) for _ in range(3)]
    own, theirs = nn.Parameter(start.clone()), nn.Parameter(start.flatten(1).clone())
    optimizer = Optimizer({"weight": own}, weight_decay=0.1)
    reference = torch.optim.Muon([theirs], lr=0.02, weight_decay=0.1, adjust_lr_fn="match_rms_adamw")
    for gradient in gradients:
        own.grad, theirs.grad = gradient.clone(), gradient.flatten(1)
        optimizer.step(0.02)
        reference.step()
    moved = (theirs - start.flatten(1)).norm()
    assert float(((own.flatten(1) - theirs).norm() / moved).detach()) < 0.03  # bfloat16 on their side


def test_vectors_step_as_adamw_without_decay_and_what_has_no_gradient_stays() -> None:
    torch.manual_seed(0)
    bias, still = nn.Parameter(torch.randn(5)), nn.Parameter(torch.randn(4, 5))
    before, start = still.clone(), bias.detach().clone()
    optimizer = Optimizer({"bias": bias, "still": still}, weight_decay=0.1)
    theirs = nn.Parameter(start)
    reference = torch.optim.AdamW([theirs], lr=0.01, betas=(0.9, 0.98), weight_decay=0)
    for _ in range(3):
        gradient = torch.randn(5)
        bias.grad, theirs.grad = gradient.clone(), gradient
        optimizer.step(0.01)
        reference.step()
    torch.testing.assert_close(bias, theirs)
    torch.testing.assert_close(still, before, rtol=0, atol=0)
