"""The latent space: a diffusers `AutoencoderKL` that halves the picture three times."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .fit import Loss
from .pictures import Pictures

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

KL_WEIGHT = 5e-5
"""Small: latents of unit size and a little noise on them, at almost no loss of detail."""

FIRST_LOGVAR = -6.0


def build(size: int, *, widths: tuple[int, ...], latent_channels: int) -> AutoencoderKL:
    """An untrained autoencoder for pictures of `size` pixels; `len(widths) - 1` halvings."""
    from diffusers import AutoencoderKL

    levels = len(widths)
    model = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=widths,
        layers_per_block=1,
        latent_channels=latent_channels,
        norm_num_groups=8,
        sample_size=size,
        mid_block_add_attention=False,
    )
    # Unit noise on untrained latents would drown them: begin with little and let the KL term raise it.
    with torch.no_grad():
        model.quant_conv.bias[latent_channels:] = FIRST_LOGVAR
    return model


def loss(model: AutoencoderKL, pictures: Pictures, *, batch: int, device: torch.device, compiled: bool) -> Loss:
    """Squared error (what PSNR measures) plus a whisper of KL to the unit Gaussian."""

    def pass_through(x: Tensor, noise: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        posterior = model.encode(x).latent_dist
        z = posterior.mean + posterior.std * noise
        return model.decode(z).sample, posterior.mean, posterior.logvar

    run = torch.compile(pass_through) if compiled else pass_through
    side = model.config.sample_size // 2 ** (len(model.config.block_out_channels) - 1)
    shape = (batch, model.config.latent_channels, side, side)

    def draw(generator: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        x = pictures.batch(generator.integers(len(pictures), size=batch)).to(device)
        noise = torch.from_numpy(generator.standard_normal(shape, dtype=np.float32)).to(device)
        decoded, mean, logvar = run(x, noise)
        error = (decoded.float() - x).square().mean((1, 2, 3))
        mean, logvar = mean.float(), logvar.float()
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        psnr = float((10 * torch.log10(4 / error.detach())).mean())
        return error.mean() + KL_WEIGHT * kl, {"psnr": psnr, "kl": float(kl.detach())}

    return draw


@torch.inference_mode()
def encode_all(
    model: AutoencoderKL, pictures: Pictures, *, device: torch.device, compiled: bool, batch: int = 125
) -> Tensor:
    """`(n, c, h, w)` float32: the mode of every picture's posterior, not scaled."""

    def encode(x: Tensor) -> Tensor:
        return model.encode(x).latent_dist.mean

    run = torch.compile(encode) if compiled else encode
    parts = []
    for start in range(0, len(pictures), batch):
        rows = np.arange(start, min(start + batch, len(pictures)))
        with torch.autocast(device.type, torch.bfloat16):
            parts.append(run(pictures.batch(rows).to(device)).float().cpu())
    return torch.cat(parts)
