"""What is inside the codec: places of errors, channels and what passes, on autoencoders whose answers are known."""

from __future__ import annotations

import json

import numpy as np
import pytest
from PIL import Image

from thoughtspace.analysis.codec.channels import channels
from thoughtspace.analysis.codec.errors import errors
from thoughtspace.analysis.codec.of_model import measure_channels, measure_errors, measure_passing, squares, through
from thoughtspace.analysis.codec.passing import passing
from thoughtspace.dashboards.cli import main
from thoughtspace.explorer.errors import AnalysisError


def scenes(n: int = 12, side: int = 16, seed: int = 0):
    """A bright square on a dark ground, elsewhere in each picture, with a little noise."""
    rng = np.random.default_rng(seed)
    x = np.full((n, side, side, 3), 0.2) + 0.01 * rng.standard_normal((n, side, side, 3))
    for each in x:
        row, column = rng.integers(1, side - 6, 2)
        each[row : row + 5, column : column + 5] = rng.uniform(0.5, 0.9, 3)
    return x


def cells(x, cell: int = 2):
    """Means of cells: an orthogonal projection, with `1 / cell²` of the numbers."""
    n, height, width, _ = x.shape
    return x.reshape(n, height // cell, cell, width // cell, cell, 3).mean((2, 4)).transpose(0, 3, 1, 2)


def grown(z, cell: int = 2):
    return z.transpose(0, 2, 3, 1).repeat(cell, 1).repeat(cell, 2)


def test_channels_that_are_colours_are_found_to_be():
    x = scenes()
    z = np.concatenate([cells(x), np.random.default_rng(1).standard_normal((len(x), 1, 8, 8))], axis=1)
    found = channels(x, z, lambda latents: grown(latents[:, :3]), n_null=5)
    np.testing.assert_allclose(found.luma[:3], 1 / 3, atol=1e-6)  # one of three colours is a third lightness
    np.testing.assert_allclose(found.colour[:3], 1, atol=1e-6)
    assert found.colour[3] < 0.05
    np.testing.assert_allclose(found.loss[3], 0, atol=1e-9)  # the decoder does not look at it
    assert np.isnan(found.luma[3])
    assert (found.loss[:3].mean(1) > 0.1).all()
    np.testing.assert_allclose(found.variance, z.var((0, 2, 3)) / z.var((0, 2, 3)).sum(), rtol=1e-4)
    assert found.variance.sum() == pytest.approx(1)
    assert found.null.shape == (5,)
    assert len(found.plot().data) == 1


def test_the_loss_of_a_channel_is_its_variance_in_the_picture():
    """Cells of one pixel: without red, the squared error is the variance of red over three, in closed form."""
    x = np.random.default_rng(0).uniform(0.3, 0.7, (6, 8, 8, 3))
    z = x.transpose(0, 3, 1, 2) + np.array([0.01, 0, 0]).reshape(1, 3, 1, 1)  # so that the best is finite
    found = channels(x, z, lambda latents: latents.transpose(0, 2, 3, 1), n_null=1)
    red = x[..., 0]
    without = np.square(red - red.mean() - 0.01).mean((1, 2)) / 3
    np.testing.assert_allclose(found.loss[0], 10 * np.log10(without / (1e-4 / 3)), rtol=1e-3)


def test_coarse_channels_are_told_from_fine_ones():
    x = np.random.default_rng(0).uniform(0.3, 0.7, (4, 16, 16, 3))
    z = np.random.default_rng(1).standard_normal((4, 2, 4, 4))
    checks = np.where(np.indices((16, 16)).sum(0) % 2, 1, -1)[None, :, :, None]  # alternates at every pixel

    def decode(latents):
        wide = latents.repeat(4, 2).repeat(4, 3)[..., None]
        return 0.5 + 0.01 * (wide[:, 0].mean((1, 2), keepdims=True) + wide[:, 1] * checks).repeat(3, 3)

    found = channels(x, z, decode, n_null=1)
    assert found.coarse[0] == pytest.approx(1)
    assert found.coarse[1] < 0.1


@pytest.mark.parametrize("cell", [2, 4])
def test_a_projection_passes_what_theory_says(cell):
    """Noise by the share of dimensions kept, a colour whole, noise in strips by the share of its own dimensions."""
    x = np.random.default_rng(3).uniform(0, 1, (40, 16, 16, 3))
    found = passing(x, lambda y: grown(cells(y, cell), cell), n_numbers=3 * (16 // cell) ** 2, levels=(0.05, 0.2))
    assert found.null == 1 / cell**2
    assert found.shares["white noise"].mean() == pytest.approx(found.null, rel=0.1)
    np.testing.assert_allclose(found.shares["a shift of colour"], 1, atol=1e-5)
    assert found.shares["noise in strips"].mean() == pytest.approx(1 / cell, rel=0.1)
    np.testing.assert_allclose(found.shares["white noise"][0], found.shares["white noise"][1], rtol=1e-3)
    assert list(found.table().columns) == ["change", "level", "passes", "low", "high"]


def test_all_passes_through_nothing_and_nothing_through_a_wall():
    x = scenes()
    for through_, share in ((lambda y: y, 1), (lambda y: np.zeros_like(y), 0)):
        for each in passing(x, through_, n_numbers=1).shares.values():
            np.testing.assert_allclose(each, share, atol=1e-5)


def test_errors_at_edges_are_told_from_errors_anywhere():
    x = scenes(40)
    found = errors(x, grown(cells(x)))
    assert found.edges.p_value == pytest.approx(1 / 40)
    assert found.edges.interval[0] > found.edges.null.max()
    assert len(found.plot().data) == 3
    p = [
        errors(x, x + 0.05 * np.random.default_rng(seed).standard_normal(x.shape)).edges.p_value for seed in range(200)
    ]
    assert np.mean(np.array(p) <= 0.1) == pytest.approx(0.1, abs=0.07)  # uniform where nothing is at edges
    assert np.mean(p) == pytest.approx(0.5, abs=0.08)


def test_the_worst_pictures_are_named():
    x = scenes(6)
    shown = x.copy()
    shown[4] += 0.3
    shown[2] += 0.1
    found = errors(x, shown)
    assert found.worst(2).tolist() == [4, 2]
    assert found.to_json()["rms"] == pytest.approx(np.sqrt((0.3**2 + 0.1**2) / 6))


def test_what_cannot_be_measured_is_refused(refused):
    x = scenes(4)
    for call, code in (
        (lambda: channels(x[:1], cells(x[:1]), grown), "shape"),
        (lambda: channels(x, cells(x)[:2], grown), "shape"),
        (lambda: channels(x, cells(x), grown, n_null=0), "n_null"),
        (lambda: passing(x[:1], lambda y: y, n_numbers=1), "shape"),
        (lambda: passing(x[[0, 0, 1]], lambda y: y, n_numbers=1), "equal"),
        (lambda: passing(x, lambda y: y, n_numbers=1, levels=()), "levels"),
        (lambda: passing(x, lambda y: y, n_numbers=1, levels=(2,)), "level"),
        (lambda: errors(x[:2], x[:2]), "shape"),
        (lambda: errors(x, x[:2]), "shape"),
    ):
        with refused(AnalysisError, code):
            call()


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory):
    folder = tmp_path_factory.mktemp("codec") / "pictures"
    folder.mkdir()
    for index in range(5):
        small = np.random.default_rng(index).integers(0, 256, (4, 4, 3), dtype=np.uint8)
        Image.fromarray(small).resize((64, 64), Image.Resampling.BICUBIC).save(folder / f"{index}.png")
    return folder


def test_a_model_is_measured_on_what_it_decodes(pictures, tiny_explorer):
    paths = sorted(pictures.iterdir())
    x = squares(tiny_explorer, paths)
    latent = tiny_explorer.latent
    decoded = latent.decode(latent.image(*paths)).pixels.permute(0, 2, 3, 1).numpy()
    np.testing.assert_allclose(np.clip(through(tiny_explorer, x), 0, 1), decoded, atol=1e-5)
    np.testing.assert_allclose(
        measure_errors(tiny_explorer, paths).each, np.sqrt(np.square(decoded - x).mean((1, 2, 3))), atol=1e-5
    )
    assert measure_channels(tiny_explorer, paths, n_null=2).loss.shape == (latent.shape[0], 5)
    share = np.prod(latent.shape) / x[0].size
    assert measure_passing(tiny_explorer, paths, levels=[0.1]).null == pytest.approx(share)


def test_the_command_answers_for_each_part(pictures, tiny_model, tmp_path, capsys):
    for part, key in (("errors", "edges"), ("channels", "channels"), ("passing", "passing")):
        page = tmp_path / f"{part}.html"
        how = ["codec", str(pictures), "--model", str(tiny_model), f"--{part}", "--plot", str(page)]
        assert main([*how, "--json"]) == 0
        assert json.loads(capsys.readouterr().out)[key]
        assert "plotly" in page.read_text(encoding="utf-8")
        assert main(how) == 0
        assert len(capsys.readouterr().out.splitlines()) > 3
    assert main(["codec", str(pictures / "0.png"), "--model", str(tiny_model), "--errors"]) == 2
    assert "three or more" in capsys.readouterr().err
    assert main(["codec", str(pictures), "--errors", "--channels"]) == 2
