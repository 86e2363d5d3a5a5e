"""Dimension and isotropy beside scikit-dimension and IsoScore.

DADApy 0.3.4 asks for NumPy 1, against which its extensions are built, so it cannot be imported beside NumPy 2: its
estimates of two neighbours and of Gride are written out here from the papers.
"""

from __future__ import annotations

import numpy as np
import pytest

from thoughtspace.analysis.structure.dimension import gride, local_dimension, mle, two_nn
from thoughtspace.analysis.structure.spread import effective_rank, isotropy

rng = np.random.default_rng(0)
X = rng.random((500, 5)) @ rng.standard_normal((5, 9))


def test_local_dimensions_are_those_of_scikit_dimension():
    import skdim

    theirs = skdim.id.MLE(unbiased=True).fit(X, n_neighbors=20).dimension_pw_
    np.testing.assert_allclose(local_dimension(X, k=20), theirs, rtol=1e-4)


def test_the_common_dimension_is_that_of_scikit_dimension():
    import skdim

    assert mle(X, k=20) == pytest.approx(skdim.id.MLE().fit(X, n_neighbors=20, comb="mle").dimension_, rel=1e-4)


def test_two_nn_is_near_that_of_scikit_dimension():
    """Which fits a line to the distribution instead, and leaves out the largest tenth."""
    import skdim

    assert two_nn(X).value == pytest.approx(skdim.id.TwoNN().fit(X).dimension_, rel=0.08)


def test_two_nn_is_the_estimate_of_largest_likelihood():
    """`N / Σ log μ`, and its interval no narrower than 1.96 d / √N of independent ratios (Denti et al., 2022)."""
    from scipy.spatial import cKDTree

    found = np.asarray(cKDTree(X).query(X, k=3)[0])
    expected = len(X) / np.log(found[:, 2] / found[:, 1]).sum()
    ours = two_nn(X)
    assert ours.value == pytest.approx(expected, rel=1e-4)
    assert ours.high - ours.value >= 1.96 * expected / np.sqrt(len(X)) * 0.9


def test_gride_is_where_its_likelihood_is_largest():
    """The likelihood of Denti et al. (2022), equation 6, on a grid."""
    from scipy.spatial import cKDTree
    from scipy.special import betaln

    found = np.asarray(cKDTree(X).query(X, k=9)[0])
    ratios, k = found[:, 8] / found[:, 4], 4
    grid = np.linspace(2, 8, 6001)
    log_likelihood = [
        (np.log(d) + (k - 1) * np.log(ratios**d - 1) - (d * (2 * k - 1) + 1) * np.log(ratios) - betaln(k, k)).sum()
        for d in grid
    ]
    assert gride(X, n_near=4).value == pytest.approx(grid[np.argmax(log_likelihood)], abs=2e-3)


def test_isotropy_is_that_of_isoscore():
    from IsoScore import IsoScore

    assert isotropy(X) == pytest.approx(float(IsoScore.IsoScore(X)), abs=1e-5)


def test_effective_rank_is_the_formula():
    singular = np.linalg.svd(X - X.mean(0), compute_uv=False)
    share = singular[:5] / singular.sum()
    assert effective_rank(X) == pytest.approx(np.exp(-(share * np.log(share)).sum()), rel=1e-4)
