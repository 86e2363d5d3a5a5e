"""Fixed points of many rows at once by Anderson acceleration, each row independent of the others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..checks import number, whole
from ..errors import ModelError

MAX_ITERATIONS = 1000


@dataclass(frozen=True)
class Solver:
    """The tolerance and the limits of a fixed-point iteration.

    Attributes:
        tolerance: relative residual at which a row is finished.
        iterations: most updates; 1 is the explicit method, which takes only the first.
        memory: how many earlier updates each update uses; 0 is the plain iteration.

    Raises:
        ModelError: a number out of range.
    """

    tolerance: float = 1e-5
    iterations: int = 30
    memory: int = 5

    def __post_init__(self) -> None:
        number("tolerance", self.tolerance, 0, 1, error=ModelError, hint="1e-5 suits float32")
        whole("iterations", self.iterations, 1, MAX_ITERATIONS, error=ModelError, hint="30 is usual")
        whole("memory", self.memory, 0, MAX_ITERATIONS, error=ModelError, hint="5 is usual")


@dataclass(frozen=True)
class Solution:
    """The result of `solve`.

    Attributes:
        x: `(n, ...)`, for every row the iterate with the least residual.
        residual: `(n,)` |target - f(x)| / |target|.
        iterations: the number of updates.
    """

    x: Tensor
    residual: Tensor
    iterations: int


def solve(f: Callable[[Tensor], Tensor], start: Tensor, target: Tensor, *, gain: float, solver: Solver) -> Solution:
    """Solve `f(x) = target` by x ← x + gain·(target - f(x)) with Anderson mixing (1965; Walker & Ni, 2011).

    The mixing is of type II: the update is corrected by the combination of the last `memory` steps that would have had
    the least residual. Rows do not depend on each other, and finished rows are not changed again.

    Args:
        f: `(n, ...) -> (n, ...)`, row by row.
        start, target: `(n, ...)`.
        gain: about the inverse of the slope of `f`; without mixing the iteration contracts where |1 - gain·f'| < 1.

    >>> wanted = torch.tensor([[2.0, -1.0]], dtype=torch.float64)
    >>> found = solve(lambda x: 3 * x, torch.zeros_like(wanted), 3 * wanted, gain=1.0, solver=Solver(tolerance=1e-12))
    >>> bool((found.x - wanted).norm() < 1e-10), found.iterations
    (True, 2)
    """
    x, best = start, start
    least = torch.full((len(start),), torch.inf, dtype=torch.float64, device=start.device)
    size = _norms(target).clamp(min=torch.finfo(torch.float64).tiny)
    mixing = _Mixing(solver.memory)
    for update in range(solver.iterations + 1):
        left = target - f(x)
        residual = _norms(left) / size
        if update:  # the start is not a result
            better = residual < least
            best, least = _where(better, x, best), torch.where(better, residual, least)
            if update == solver.iterations or bool((least <= solver.tolerance).all()):
                break
        x = _where(least <= solver.tolerance, best, mixing(x, gain * left))
    return Solution(best, least, update)


class _Mixing:
    """Computes the next iterate from the last one, its step, and the remembered steps."""

    def __init__(self, memory: int) -> None:
        self.memory = memory
        self.before: tuple[Tensor, Tensor] | None = None
        self.moves: list[tuple[Tensor, Tensor]] = []

    def __call__(self, x: Tensor, step: Tensor) -> Tensor:
        if self.before is not None and self.memory:
            self.moves = [*self.moves, (x - self.before[0], step - self.before[1])][-self.memory :]
        self.before = (x, step)
        if not self.moves:
            return x + step
        dx, dstep = (torch.stack([move[side].flatten(1) for move in self.moves], 2).double() for side in (0, 1))
        # The columns are scaled to one length, so that the cut-off for nearly dependent ones is meaningful.
        length = dstep.norm(dim=1, keepdim=True).clamp(min=torch.finfo(torch.float64).tiny)
        dx, dstep = dx / length, dstep / length
        gram = torch.nan_to_num(dstep.mT @ dstep)
        weights = torch.linalg.pinv(gram, hermitian=True, rtol=1e-10) @ (dstep.mT @ step.double().flatten(1)[..., None])
        correction = ((dx + dstep) @ weights)[..., 0].view_as(x).to(x)
        return x + step - correction


def _norms(x: Tensor) -> Tensor:
    return x.double().flatten(1).norm(dim=1)


def _where(rows: Tensor, x: Tensor, y: Tensor) -> Tensor:
    return torch.where(rows.view(-1, *[1] * (x.dim() - 1)), x, y)
