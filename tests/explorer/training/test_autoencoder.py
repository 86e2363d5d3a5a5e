"""Latents made for a denoiser: moving them moves the picture, and linear changes of their channels change none."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from thoughtspace.explorer.training import autoencoder, denoiser, latents
from thoughtspace.explorer.training.fit import Step
from thoughtspace.explorer.training.pictures import Pictures, prepare
from thoughtspace.explorer.training.recipe import Recipe
from thoughtspace.explorer.training.workshop import Workshop

CPU = torch.device("cpu")


def recipe(channels: int) -> Recipe:
    return Recipe(size=32, autoencoder_widths=(8, 8, 8, 16), latent_channels=channels)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Pictures:
    return prepare(tmp_path_factory.mktemp("pictures"), 12, split="train", size=32, workers=0)


@pytest.fixture
def model() -> Any:
    torch.manual_seed(0)
    return autoencoder.build(recipe(4)).eval()


def encoded(model: Any, x: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model.encode(x).latent_dist.mean


def there_and_back(model: Any, x: torch.Tensor) -> torch.Tensor:
    with torch.inference_mode():
        return model.decode(encoded(model, x)).sample


def test_moving_is_mirroring_then_averaging() -> None:
    x = torch.arange(16.0).reshape(1, 1, 4, 4)
    torch.testing.assert_close(autoencoder.move(x, mirrored=False, side=4), x)
    torch.testing.assert_close(autoencoder.move(x, mirrored=True, side=2), F.avg_pool2d(x.flip(-1), 2))
    assert autoencoder.move(x, mirrored=False, side=3).mean() == pytest.approx(float(x.mean()), abs=0.01)


def test_every_step_gives_a_gradient_whether_moved_or_not(model: Any, tmp_path: Path) -> None:
    workshop = Workshop(replace(recipe(4), pictures=12), tmp_path / "runs", tmp_path / "out", CPU, compiled=False)
    loss = autoencoder.loss(model, workshop, batch=2)
    seen: set[str] = set()
    for number in range(24):
        value, figures = loss(Step(number, 0.0, np.random.default_rng(number)))
        seen |= set(figures)
        value.backward()
    assert seen == {"psnr", "psnr mirrored", "psnr at 0.75", "psnr at 0.5", "kl"}
    assert all(bool(p.grad.abs().sum() > 0) for name, p in model.named_parameters() if "conv" in name and p.ndim > 1)


def test_whitened_latents_are_uncorrelated_and_decode_as_before(model: Any, pictures: Pictures) -> None:
    x = pictures.batch(np.arange(len(pictures)))
    before = there_and_back(model, x)
    latents.whiten(model, latents.moments(model, pictures, device=CPU))
    torch.testing.assert_close(there_and_back(model, x), before, rtol=0, atol=1e-4)
    channels = encoded(model, x).movedim(1, 0).flatten(1)
    torch.testing.assert_close(channels.mean(1), torch.zeros(4), rtol=0, atol=1e-3)
    torch.testing.assert_close(torch.cov(channels), torch.eye(4), rtol=0, atol=1e-2)
    # Negative control: another turn of the channels without its way back gives another picture.
    model.quant_conv.weight.data[:4] = model.quant_conv.weight.data[:4].flip(0)
    assert (there_and_back(model, x) - before).abs().max() > 1e-2


def test_whitening_keeps_the_size_of_the_posteriors_noise(model: Any, pictures: Pictures) -> None:
    before = latents.moments(model, pictures, device=CPU)
    latents.whiten(model, before)
    after = latents.moments(model, pictures, device=CPU)
    values, axes = torch.linalg.eigh(before.covariance)
    turned = torch.einsum("ck,c,ck->k", axes, before.noise, axes) / values  # the diagonal of the turned covariance
    torch.testing.assert_close(after.noise, turned, rtol=1e-4, atol=0)


def test_a_narrower_start_keeps_the_strongest_directions(model: Any, pictures: Pictures) -> None:
    x = pictures.batch(np.arange(len(pictures)))
    moments = latents.moments(model, pictures, device=CPU)
    # Zero padding meets the latents' mean at the border, where the two may differ.
    whole = there_and_back(model, x)[..., 12:-12, 12:-12]
    errors = []
    for channels in (4, 3, 1):
        narrow = autoencoder.build(recipe(channels)).eval()
        latents.narrow(narrow, model, moments)
        errors.append(float((there_and_back(narrow, x)[..., 12:-12, 12:-12] - whole).abs().mean()))
    assert errors[0] < errors[1] < errors[2]


def test_a_denoiser_is_translated_where_new_latents_are_a_turn_of_the_old() -> None:
    sizes = {"width": 64, "embedding": 8, "denoiser_widths": (32, 64)}
    older = denoiser.build(Recipe(latent_channels=5, **sizes)).eval()
    unet = denoiser.build(Recipe(latent_channels=5, **sizes)).eval()
    torch.manual_seed(0)
    before = torch.randn(40, 5, 8, 8)
    turn = torch.linalg.qr(torch.randn(5, 5)).Q
    after = torch.einsum("kc,nchw->nkhw", turn, before)
    latents.translate(unet, older.state_dict(), before=before, after=after)
    t, given = (
        torch.tensor([500] * 4),
        {"encoder_hidden_states": torch.randn(4, 3, 64), "class_labels": torch.randn(4, 16)},
    )
    with torch.inference_mode():
        theirs = torch.einsum("kc,nchw->nkhw", turn, older(before[:4], t, **given).sample)
        inner = (..., slice(2, -2), slice(2, -2))  # at the border a padding of zeros is another latent
        ours = unet(after[:4], t, **given).sample
    torch.testing.assert_close(ours, theirs, rtol=0, atol=0.05)
    assert (ours - theirs)[inner].abs().mean() < 0.01 < theirs.abs().mean()
