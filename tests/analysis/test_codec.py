"""The codec: bytes are real, come back, cost what theory says, and quality follows them."""

from __future__ import annotations

import numpy as np
import pytest

from thoughtspace.analysis.codec import latent_code
from thoughtspace.explorer.errors import AnalysisError


def latent(shape=(8, 16, 16), seed: int = 0):
    rng = np.random.default_rng(seed)
    scale, shift = np.geomspace(0.1, 10, shape[0]), np.linspace(-5, 5, shape[0])
    return (rng.standard_normal(shape) * scale[:, None, None] + shift[:, None, None]).astype(np.float32)


@pytest.mark.parametrize("step", [0.01, 0.1, 0.5, 1.0, 3.0])
def test_latents_come_back_within_half_a_step(step):
    z = latent()
    data = latent_code.encode(z, step)
    deviation = z.reshape(8, -1).std(1)[:, None, None]
    assert (np.abs(latent_code.decode(data) - z) <= 0.505 * step * deviation).all()
    assert latent_code.encode(latent_code.decode(data), 0.01) != data


def test_normal_values_take_as_many_bits_as_their_entropy():
    """h - log2(step) bits a value, h = log2(√(2πe)); the tables are counted."""
    z = latent((4, 64, 64))
    for step in (0.05, 0.25, 0.5):
        bits = 8 * len(latent_code.encode(z, step))
        expected = z.size * (0.5 * np.log2(2 * np.pi * np.e) - np.log2(np.float16(step))) + 8 * (10 + 4 * 4)
        assert bits == pytest.approx(expected, rel=0.01)


def test_error_grows_and_bytes_shrink_with_the_step():
    z = latent()
    found = [latent_code.encode(z, step) for step in (0.01, 0.1, 0.5, 1, 2, 4)]
    assert sorted(map(len, found), reverse=True) == list(map(len, found))
    errors = [np.square((latent_code.decode(each) - z) / z.std((1, 2), keepdims=True)).mean() for each in found]
    assert errors == sorted(errors)


def test_flat_channels_and_single_values_are_coded():
    z = np.zeros((3, 4, 4), np.float32)
    z[1] = 7
    z[2, 0, 0] = 1
    np.testing.assert_allclose(latent_code.decode(latent_code.encode(z, 0.01)), z, atol=0.01)
    one = np.full((1, 1, 1), 3.0, np.float32)
    np.testing.assert_array_equal(latent_code.decode(latent_code.encode(one, 0.5)), one)


def test_what_cannot_be_coded_is_refused(refused):
    for wrong in (np.zeros((3, 3)), np.full((1, 2, 2), np.nan), np.zeros((0, 2, 2))):
        with refused(AnalysisError, "shape"):
            latent_code.encode(wrong, 0.5)
    with refused(AnalysisError, "step"):
        latent_code.encode(latent(), 0)
    for damaged in (b"", b"\1\0\1", latent_code.encode(latent(), 0.5)[:20]):
        with refused(AnalysisError, "damaged"):
            latent_code.decode(damaged)
