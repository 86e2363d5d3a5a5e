"""The latent space: a diffusers `AutoencoderKL` that halves the picture between each two of its widths.

Its latents are made for a denoiser. Mirrored or averaged down they decode into the picture mirrored or averaged down
(EQ-VAE, Kouzelis et al., 2025), so that they carry no more fine detail than pixels do; and in the end they are
whitened, which the convolutions on either side of them undo. The quarter turns of that paper are left out: this world
has an up and a down, and a small decoder would have to draw it in four ways.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from .fit import Loss, Step, normal
from .recipe import Recipe
from .workshop import Workshop

if TYPE_CHECKING:
    from diffusers import AutoencoderKL

KL_WEIGHT = 5e-5
"""Small: latents of unit size and a little noise on them, at almost no loss of detail."""

FIRST_LOGVAR = -6.0
MOVED = 0.5
"""Share of steps whose latents are mirrored or averaged down before they are decoded."""
SHARES = (1.0, 0.75, 0.5)
"""What is left of a side when a moved latent is averaged down; one is chosen for each such step."""


def build(recipe: Recipe) -> AutoencoderKL:
    """An untrained autoencoder of the recipe's pictures; it halves them once less often than it has widths."""
    from diffusers import AutoencoderKL

    levels = len(recipe.autoencoder_widths)
    model = AutoencoderKL(
        in_channels=3,
        out_channels=3,
        down_block_types=("DownEncoderBlock2D",) * levels,
        up_block_types=("UpDecoderBlock2D",) * levels,
        block_out_channels=recipe.autoencoder_widths,
        layers_per_block=1,
        latent_channels=recipe.latent_channels,
        norm_num_groups=8,
        sample_size=recipe.size,
        mid_block_add_attention=False,
    )
    # Unit noise on untrained latents would drown them: begin with little and let the KL term raise it.
    with torch.no_grad():
        model.quant_conv.bias[recipe.latent_channels :] = FIRST_LOGVAR
    return model


def loss(model: AutoencoderKL, workshop: Workshop, *, batch: int, moved_share: float = MOVED) -> Loss:
    """Squared error (what PSNR measures) plus a whisper of KL to the unit Gaussian."""
    device, pictures = workshop.device, workshop.pictures

    def encode(x: Tensor) -> tuple[Tensor, Tensor]:
        posterior = model.encode(x).latent_dist
        return posterior.mean, posterior.logvar

    def decode(z: Tensor) -> Tensor:
        return model.decode(z).sample

    if workshop.compiled:
        encode = torch.compile(encode)
        decode = torch.compile(decode, dynamic=False)
    side = latent_side(model)

    def draw(step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        generator = step.generator
        x = pictures.batch(generator.integers(len(pictures), size=batch), device)
        mean, logvar = (each.float() for each in encode(x))
        noise = normal(generator, mean.shape, device)
        z, kept, moved = mean + (0.5 * logvar).exp() * noise, 1.0, generator.random() < moved_share
        if moved:
            kept = float(generator.choice(SHARES))
            mirrored = kept == 1 or generator.random() < 0.5
            z = move(z, mirrored=mirrored, side=round(kept * side))
            x = move(x, mirrored=mirrored, side=round(kept * side) * (x.shape[-1] // side))
        error = (decode(z).float() - x).square().mean((1, 2, 3))
        kl = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).mean()
        psnr = (10 * torch.log10(4 / error.detach())).mean()
        name = "psnr" if not moved else "psnr mirrored" if kept == 1 else f"psnr at {kept:g}"
        return error.mean() + KL_WEIGHT * kl, {name: psnr, "kl": kl.detach()}

    return draw


def latent_side(model: AutoencoderKL) -> int:
    """Side of the latent of a picture of the model's own size."""
    return model.config.sample_size // 2 ** (len(model.config.block_out_channels) - 1)


def move(x: Tensor, *, mirrored: bool, side: int) -> Tensor:
    """`(n, c, h, h)`, perhaps mirrored, and averaged down to `(n, c, side, side)`."""
    x = x.flip(-1) if mirrored else x
    return x if side == x.shape[-1] else F.adaptive_avg_pool2d(x, side)
