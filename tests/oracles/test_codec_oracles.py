"""Rates and fidelity beside bjontegaard and scikit-image."""

from __future__ import annotations

import numpy as np
import pytest

from thoughtspace.analysis.codec.fidelity import psnr, ssim
from thoughtspace.analysis.codec.rates import bd_rate


def test_bd_rate_is_that_of_bjontegaard():
    import bjontegaard

    rate, quality = np.array([120.0, 260, 500, 990]), np.array([24.1, 27.9, 31.0, 33.2])
    other = np.array([100.0, 240, 520, 900]), np.array([24.6, 28.1, 31.4, 33.0])
    expected = bjontegaard.bd_rate(rate, quality, *other, method="pchip")
    assert bd_rate((rate, quality), other) == pytest.approx(expected, abs=1e-6)


def test_fidelity_is_that_of_scikit_image():
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    rng = np.random.default_rng(0)
    a = rng.random((40, 50, 3)).repeat(2, 0)[:60]
    b = np.clip(a + 0.1 * rng.standard_normal(a.shape), 0, 1)
    assert psnr(a, b) == pytest.approx(peak_signal_noise_ratio(a, b, data_range=1))
    luma = [0.299, 0.587, 0.114]
    how = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 1.0}
    assert ssim(a, b) == pytest.approx(structural_similarity(a @ luma, b @ luma, **how), abs=1e-6)
