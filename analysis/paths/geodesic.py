"""Shortest paths as they look: geodesics of the metric that a decoder pulls back to its latents.

The energy of what is seen along the path is minimised over the points between two ends (Shao et al., 2018; Arvanitidis
et al., 2018). A path of least energy is one of least length with equal steps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thoughtspace.explorer.checks import whole
from thoughtspace.explorer.errors import AnalysisError

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go
    from torch import Tensor

See = Callable[["Tensor"], "Tensor"]
"""Points `(m, ...)` -> what is seen, of which rows `(m, ...)` are compared; differentiable."""


@dataclass(frozen=True, eq=False)
class Geodesic:
    """A path of least energy.

    Attributes:
        points: `(n, ...)`, both ends included.
        energies: of the path at each iteration, the straight line's first: `n_steps / 2 · Σ |see(xᵢ₊₁) - see(xᵢ)|²`.
        length: `Σ |see(xᵢ₊₁) - see(xᵢ)|` of the path.
        straight: the same of the straight line, its null.
    """

    points: Tensor = field(repr=False)
    energies: tuple[float, ...] = field(repr=False)
    length: float
    straight: float

    def table(self) -> pd.DataFrame:
        """A row for the path and one for the straight line: `length, energy`."""
        import pandas as pd

        rows = {"geodesic": (self.length, self.energies[-1]), "straight line": (self.straight, self.energies[0])}
        return pd.DataFrame.from_dict(rows, orient="index", columns=["length", "energy"])

    def plot(self) -> go.Figure:
        """The energy at each iteration, beside that of the straight line."""
        import plotly.graph_objects as go

        figure = go.Figure(layout={"template": "plotly_white", "xaxis_title": "iteration", "yaxis_title": "energy"})
        figure.add_scatter(y=self.energies, mode="lines+markers", line_color="#4f5bd5")
        return figure.add_hline(self.energies[0], line_dash="dot", line_color="#9aa0a8", annotation_text="straight")

    def to_json(self) -> dict[str, Any]:
        """The numbers as JSON values, without the points."""
        return {"length": self.length, "straight": self.straight, "energies": list(self.energies)}


def pullback_geodesic(see: See, a: Tensor, b: Tensor, n: int = 16, *, iterations: int = 50) -> Geodesic:
    """The path from `a` to `b` on which what is seen changes least.

    It begins with the straight line and follows L-BFGS. A path around an obstacle may be a shorter one than that which
    is found: it is the nearest to the straight line.

    Args:
        see: for a decoder, points to pictures, or to features of them.
        a, b: ends of one shape.
        n: points of the path, both ends included.
        iterations: of L-BFGS, at most.

    Raises:
        AnalysisError: ends of two shapes or that are equal, or energies that are not finite.
    """
    import torch

    whole("n", n, 3, 10_000, error=AnalysisError, hint="16 is usual")
    whole("iterations", iterations, 1, 100_000, error=AnalysisError, hint="50 is usual")
    if a.shape != b.shape or torch.equal(a, b):
        what = f"shapes {tuple(a.shape)} and {tuple(b.shape)}" if a.shape != b.shape else "the same point twice"
        raise AnalysisError(f"Got ends of {what}, expected two different points of one space.", code="ends")
    t = torch.linspace(0, 1, n, dtype=a.dtype, device=a.device).view(-1, *[1] * a.dim())
    line = a + t * (b - a)
    inner = line[1:-1].clone().requires_grad_(True)
    optimizer = torch.optim.LBFGS([inner], max_iter=1, history_size=20, line_search_fn="strong_wolfe")
    energies: list[float] = []

    def whole_path() -> Tensor:
        return torch.cat([a[None], inner, b[None]])

    def energy() -> Tensor:
        optimizer.zero_grad()
        seen = see(whole_path()).flatten(1)
        value = (n - 1) / 2 * seen.diff(dim=0).square().sum()
        value.backward()
        return value

    for _ in range(iterations):
        energies.append(float(optimizer.step(energy).detach()))
        if not torch.isfinite(torch.tensor(energies[-1])):
            message = "Got a path whose energy is not finite; check what is seen at its ends."
            raise AnalysisError(message, code="not finite")
        if len(energies) > 1 and energies[-2] - energies[-1] <= 1e-7 * abs(energies[-2]):
            break
    with torch.no_grad():
        found = whole_path().detach()
        lengths = [float(see(each).flatten(1).diff(dim=0).norm(dim=1).sum()) for each in (found, line)]
    return Geodesic(found, tuple(energies), lengths[0], lengths[1])
