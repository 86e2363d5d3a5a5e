"""The codec: bytes are real, come back, cost what theory says, and quality follows them."""

from __future__ import annotations

import numpy as np
import pytest

from thoughtspace.analysis.codec import latent_code, picture_code
from thoughtspace.analysis.codec.fidelity import error_map, error_spectrum, psnr, ssim
from thoughtspace.analysis.codec.rates import bd_rate, rates
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


def scene(side: int, seed: int):
    """A picture with smooth parts and an edge, `(side, side, 3)` in [0, 1]."""
    rng = np.random.default_rng(seed)
    x = np.linspace(0, 1, side)
    waves = [np.sin(2 * np.pi * (rng.uniform(0.5, 3) * x[:, None] + rng.uniform(0.5, 3) * x)) for _ in range(3)]
    picture = 0.5 + 0.35 * np.stack(waves, -1)
    picture[side // 3 :, side // 2 :] *= 0.5
    return picture.astype(np.float32)


PICTURES = np.stack([scene(96, seed) for seed in range(6)])


def blocks_of(pictures):
    """A toy autoencoder that is its own inverse but for averaging: 4 x 4 blocks, `(n, 3, h/4, w/4)`."""
    n, side = len(pictures), pictures.shape[1] // 4
    return pictures.reshape(n, side, 4, side, 4, 3).mean((2, 4)).transpose(0, 3, 1, 2)


def spread_out(latents):
    return latents.transpose(0, 2, 3, 1).repeat(4, 1).repeat(4, 2)


def measured(**how):
    return rates(PICTURES, blocks_of(PICTURES), spread_out, **how)


def test_each_codec_stays_within_the_bytes_of_the_autoencoder():
    found = measured(steps=[0.02, 0.1, 0.4])
    ours = found.curves["autoencoder"].sizes
    assert list(found.curves) == ["autoencoder", *picture_code.known_formats()]
    for name, curve in found.curves.items():
        there = np.isfinite(curve.sizes)
        assert (curve.sizes[there] <= ours[there]).all(), name
        assert (np.isfinite(curve.psnr) == there).all()
    table = found.table().set_index(["codec", "rate"])
    assert table.loc[("autoencoder", 0), "psnr"] == pytest.approx(found.raw.mean(), abs=0.1)
    assert (table.loc["autoencoder", "bytes"].diff().dropna() < 0).all()
    assert (table.loc["autoencoder", "psnr"].diff().dropna() < 0).all()
    assert table.loc[("autoencoder", 0), "bits_per_pixel"] == pytest.approx(8 * ours[0].mean() / 96**2)


def test_a_size_that_no_file_has_is_left_out_and_not_made_up():
    found = measured(steps=[4.0, 0.1])
    jpeg = found.curves["jpeg"]
    assert np.isnan(jpeg.sizes[0]).all()
    assert np.isfinite(jpeg.sizes[1]).any()
    rows = found.to_json()["rates"]
    assert [row["psnr"] for row in rows if row["codec"] == "jpeg" and row["rate"] == 0] == [None]
    assert found.bd_rate("jpeg") is None  # two rates are no curve


def test_the_perceptual_distance_is_that_of_the_pictures_that_there_are():
    def distance(a, b):
        return np.abs(a - b).mean((1, 2, 3))

    found = measured(steps=[0.1], formats=["jpeg"], distance=distance)
    assert found.curves["autoencoder"].distance[0] == pytest.approx(
        distance(PICTURES, spread_out(blocks_of(PICTURES))), abs=0.01
    )


def test_files_of_a_size_are_the_best_that_fit():
    picture = PICTURES[0]
    for name in picture_code.known_formats():
        best = picture_code.coded(picture, name, 60)
        assert picture_code.within(picture, name, best.size).quality >= 60
        assert picture_code.within(picture, name, best.size - 1).size < best.size
        assert picture_code.within(picture, name, 20) is None
        known: dict[int, int] = {}
        for size in (best.size, best.size - 1, 20):
            again, alone = (picture_code.within(picture, name, size, known=sizes) for sizes in (known, None))
            assert (again and (again.size, again.quality)) == (alone and (alone.size, alone.quality))


def test_a_codec_of_half_the_bytes_has_a_bd_rate_of_minus_50():
    rate, quality = np.array([100.0, 200, 400, 800]), np.array([20.0, 25, 30, 35])
    assert bd_rate((rate, quality), (rate / 2, quality)) == pytest.approx(-50)
    assert bd_rate((rate, quality), (rate, quality)) == pytest.approx(0)
    assert bd_rate((rate, quality), (rate, quality + 100)) is None


def test_fidelity_of_known_errors():
    picture = PICTURES[0] * 0.5
    assert psnr(picture, picture + 0.1) == pytest.approx(20)
    assert psnr(picture, picture) == float("inf")
    assert ssim(picture, picture) == pytest.approx(1)
    assert ssim(picture, 1 - picture) < 0.5
    shifted = np.repeat(picture[None], 3, 0)
    shifted[:, 10, 20] += 0.3
    where = error_map(np.repeat(picture[None], 3, 0), shifted)
    assert np.unravel_index(where.argmax(), where.shape) == (10, 20)
    assert where[10, 20] == pytest.approx(0.3)


def test_the_spectrum_says_which_frequencies_are_lost():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((20, 32, 32, 3))
    spectrum = np.fft.fft2(noise, axes=(1, 2))
    radius = np.hypot(*np.meshgrid(np.fft.fftfreq(32), np.fft.fftfreq(32), indexing="ij"))
    low = np.fft.ifft2(spectrum * (radius < 0.25)[None, :, :, None], axes=(1, 2)).real
    middle, lost, power = error_spectrum(noise, low)
    assert lost[middle < 0.23] == pytest.approx(0, abs=1e-9)
    assert lost[middle > 0.26] == pytest.approx(1)
    assert power.sum() == pytest.approx(1)


def test_what_cannot_be_compared_is_refused(refused):
    z = blocks_of(PICTURES)
    with refused(AnalysisError, "shape", "(5, 96, 96, 3)"):
        rates(PICTURES[:5], z, spread_out)
    with refused(AnalysisError, "shape", "from the decoder"):
        rates(PICTURES, z, lambda latents: latents, steps=[0.5])
    with refused(AnalysisError, "steps"):
        measured(steps=[])
    with refused(AnalysisError, "format", "'gif'"):
        measured(steps=[0.5], formats=["gif"])
    with refused(AnalysisError, "shape"):
        psnr(PICTURES[0], PICTURES[0][:50])
