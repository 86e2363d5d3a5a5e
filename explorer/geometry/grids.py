"""The layout of the corners of a blend on a grid, and their weights in each cell."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import GeometryError


def grid_shape(k: int, size: int) -> tuple[int, int]:
    """Rows and columns of a grid with `k` corners and `size` cells a side.

    >>> grid_shape(2, 5), grid_shape(4, 5)
    ((1, 5), (5, 5))
    """
    if k < 2:
        raise GeometryError(f"Got {k} corners, expected at least 2.", code="corners")
    if size < 2:
        raise GeometryError(f"Got a grid of {size} cells a side, expected at least 2.", code="grid")
    return (1 if k == 2 else size), size


def grid_weights(k: int, size: int) -> Tensor:
    """Weights of `k` corners in each cell, row by row: `(rows * cols, k)` float64, at least 0, of sum 1.

    Two corners make a row; three a triangle whose apex is stretched over the top row; four a square (bilinear, in
    reading order); more a ring round the square, clockwise from the top left, by mean value coordinates (Floater
    2003). Every corner has a cell of its own, of weight 1 exactly.

    Raises:
        GeometryError: fewer than two corners, or too small a grid for their number.

    >>> grid_weights(3, 2).tolist()
    [[1.0, 0.0, 0.0], [1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]]
    """
    rows, cols = grid_shape(k, size)
    u = torch.linspace(0, 1, cols, dtype=torch.float64).repeat(rows)
    if k == 2:
        return torch.stack([1 - u, u], 1)
    v = torch.linspace(0, 1, rows, dtype=torch.float64).repeat_interleave(cols)
    if k == 3:
        return torch.stack([1 - v, v * (1 - u), v * u], 1)
    if k == 4:
        return torch.stack([(1 - u) * (1 - v), u * (1 - v), (1 - u) * v, u * v], 1)
    last = size - 1
    cells = torch.stack([(u * last).round(), (v * last).round()], 1)
    return _mean_value(cells, _ring(k, last))


def _ring(k: int, last: int) -> Tensor:
    """`k` cells `(k, 2)` as `(x, y)` on the border of a square of side `last`: its four corners, the rest between."""
    sides = [[(0, 0), (1, 0)], [(last, 0), (0, 1)], [(last, last), (-1, 0)], [(0, last), (0, -1)]]
    counts = [(k + 3 - i) // 4 for i in range(4)]
    if max(counts) > last:
        raise GeometryError(
            f"Got {k} corners on a grid of {last + 1} cells a side, expected at most {4 * last}; use a larger grid.",
            code="grid",
        )
    cells = []
    for ((x, y), (dx, dy)), count in zip(sides, counts, strict=True):
        for step in range(count):
            along = round(step * last / count)
            cells.append((x + dx * along, y + dy * along))
    return torch.tensor(cells, dtype=torch.float64)


def _mean_value(cells: Tensor, ring: Tensor) -> Tensor:
    """Mean value coordinates `(n, k)` of cells `(n, 2)` in a convex ring `(k, 2)`; all are whole numbers."""
    spoke = ring - cells[:, None]
    following = spoke.roll(-1, 1)
    radius = spoke.norm(dim=-1)
    area = spoke[..., 0] * following[..., 1] - spoke[..., 1] * following[..., 0]
    toward = (spoke * following).sum(-1)
    half_tangent = torch.where(area > 0, (radius * radius.roll(-1, 1) - toward) / area.clamp(min=1), 0.0)
    weights = (half_tangent + half_tangent.roll(1, 1)) / radius.clamp(min=1)
    # On the border the formula is 0/0: there the two ends of the edge have weights by distance.
    on_edge = (area == 0) & (toward <= 0)
    edge_cell = on_edge.any(1)
    edge = on_edge[edge_cell].int().argmax(1, keepdim=True)
    start, end = radius[edge_cell].gather(1, edge), radius.roll(-1, 1)[edge_cell].gather(1, edge)
    linear = torch.zeros_like(weights[edge_cell])
    linear.scatter_(1, edge, end).scatter_(1, (edge + 1) % len(ring), start)
    weights[edge_cell] = linear
    return weights / weights.sum(1, keepdim=True)
