"""The ridge: its penalty is the one that leaving each row out would choose, and what it explains is not chance."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from sklearn.linear_model import Ridge

from thoughtspace.explorer.errors import ModelError
from thoughtspace.explorer.training.ridge import SHRINKAGES, LinearMap, fit_linear_map


def pairs(n: int = 120, d: int = 6, e: int = 4, noise: float = 0.5, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    generator = np.random.default_rng(seed)
    x = generator.standard_normal((n, d)) + 3
    return x, x @ generator.standard_normal((d, e)) - 5 + noise * generator.standard_normal((n, e))


def fitted(x: np.ndarray, y: np.ndarray) -> LinearMap:
    return fit_linear_map(x, y, generator=np.random.default_rng(1))


def test_it_is_sklearns_ridge_at_the_same_penalty() -> None:
    x, y = pairs()
    own = fitted(x, y)
    theirs = Ridge(alpha=own.penalty).fit(x, y)
    np.testing.assert_allclose(own(x), theirs.predict(x), rtol=0, atol=1e-9)


@pytest.mark.parametrize("noise", [0.01, 3.0, 30.0])
def test_its_penalty_is_the_one_that_leaving_each_row_out_chooses(noise: float) -> None:
    x, y = pairs(40, noise=noise)
    scale = np.square(np.linalg.svd(x - x.mean(0), compute_uv=False)).mean()

    def missed(penalty: float) -> float:
        errors = []
        for row in range(len(x)):
            rest = np.arange(len(x)) != row
            errors.append(Ridge(alpha=penalty).fit(x[rest], y[rest]).predict(x[row : row + 1])[0] - y[row])
        return float(np.square(errors).mean())

    best = min((shrinkage * scale for shrinkage in SHRINKAGES), key=missed)
    assert fitted(x, y).penalty == pytest.approx(best)


def test_it_recovers_a_linear_map_with_its_offset() -> None:
    x, y = pairs(noise=0)
    own = fitted(x, y)
    np.testing.assert_allclose(own(x), y, atol=1e-2)
    assert own.explained > 0.999
    assert own.by_chance < 0.1


def test_unrelated_vectors_explain_nothing() -> None:
    """Negative control."""
    x, _ = pairs()
    _, y = pairs(seed=7)
    own = fitted(x, y[np.random.default_rng(2).permutation(len(y))])
    assert own.explained < 0.1


@pytest.mark.parametrize(
    ("x", "y", "code", "fact"),
    [
        (np.ones((30, 20)), np.ones((30, 3)), "too few", "30 pairs"),
        (np.ones((30, 2)), np.ones((29, 3)), "shape", "(29, 3)"),
        (np.ones(30), np.ones((30, 3)), "shape", "(30,)"),
        (np.full((30, 2), np.nan), np.ones((30, 3)), "not finite", "NaN"),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    refused: Callable, x: np.ndarray, y: np.ndarray, code: str, fact: str
) -> None:
    with refused(ModelError, code, fact):
        fitted(x, y)
