"""Blend grids: weights are shares, corners are themselves, and cells lie where their weights say."""

import math

import pytest
import torch
from torch.testing import assert_close

from thoughtspace.explorer.errors import GeometryError
from thoughtspace.explorer.geometry.grids import grid_shape, grid_weights

every_grid = pytest.mark.parametrize(("k", "size"), [(k, s) for k in (2, 3, 4, 5, 6, 7, 8, 11, 12) for s in (4, 5, 8)])


def places(k: int, size: int) -> torch.Tensor:
    rows, cols = grid_shape(k, size)
    return torch.tensor([[col, row] for row in range(rows) for col in range(cols)], dtype=torch.float64)


@every_grid
def test_weights_are_shares_and_every_corner_has_a_cell_of_its_own(k, size):
    weights = grid_weights(k, size)
    assert weights.shape == (math.prod(grid_shape(k, size)), k)
    assert (weights >= 0).all()
    assert_close(weights.sum(1), torch.ones(len(weights), dtype=torch.float64))
    whole = weights[(weights == 1).any(1)]
    assert set(whole.argmax(1).tolist()) == set(range(k))


@every_grid
def test_a_cell_is_the_mean_of_the_corners_places(k, size):
    """Linear precision: what bilinear and mean value coordinates promise, and what inverse distances do not keep."""
    if k == 3:
        return _apex_is_a_row(size)
    weights, cells = grid_weights(k, size), places(k, size)
    corners = cells[(weights == 1).int().argmax(0)]
    assert_close(weights @ corners, cells, rtol=1e-9, atol=1e-9)
    distance = (cells[:, None] - corners).norm(dim=-1).clamp(min=1e-9)
    inverse = 1 / distance / (1 / distance).sum(1, keepdim=True)
    if k > 2:
        assert float((inverse @ corners - cells).norm(dim=1).max()) > 0.1, "negative control"
    return None


def _apex_is_a_row(size: int) -> None:
    weights = grid_weights(3, size).reshape(size, size, 3)
    assert_close(weights[..., 0], torch.linspace(1, 0, size, dtype=torch.float64)[:, None].expand(size, size))
    assert_close(weights[-1, :, 2], torch.linspace(0, 1, size, dtype=torch.float64))


@pytest.mark.parametrize("k", [4, 8, 12])
def test_a_quarter_turn_of_the_ring_is_a_quarter_turn_of_the_grid(k):
    weights = grid_weights(k, 7).reshape(7, 7, k)
    clockwise = [0, 1, 3, 2] if k == 4 else list(range(k))
    ring = weights[..., clockwise]
    turned = torch.rot90(ring, -1, (0, 1)).roll(k // 4, 2)
    assert_close(turned, ring, rtol=1e-9, atol=1e-9)


def test_four_corners_read_like_a_page_and_more_go_round():
    page = grid_weights(4, 3).argmax(1).reshape(3, 3)
    assert page[[0, 0, 2, 2], [0, 2, 0, 2]].tolist() == [0, 1, 2, 3]
    ring = grid_weights(8, 3).argmax(1).reshape(3, 3)
    assert ring[[0, 0, 0, 1, 2, 2, 2, 1], [0, 1, 2, 2, 2, 1, 0, 0]].tolist() == list(range(8))


@pytest.mark.parametrize(
    ("k", "size", "code", "fact"),
    [
        (1, 5, "corners", "1 corners"),
        (0, 5, "corners", "0 corners"),
        (4, 1, "grid", "1 cells"),
        (9, 3, "grid", "at most 8"),
    ],
)
def test_impossible_grids_raise_an_error(refused, k, size, code, fact):
    with refused(GeometryError, code, fact):
        grid_weights(k, size)
