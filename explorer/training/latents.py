"""Linear changes of an autoencoder's latent channels, folded into the convolutions on either side of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from .autoencoder import FIRST_LOGVAR
from .pictures import Pictures

if TYPE_CHECKING:
    from diffusers import AutoencoderKL, UNet2DConditionModel


@dataclass(frozen=True)
class Moments:
    """Of latents over pictures and places, float64.

    Attributes:
        mean: `(c,)`.
        covariance: `(c, c)`.
        noise: `(c,)` mean variance of the posterior.
    """

    mean: Tensor
    covariance: Tensor
    noise: Tensor


@torch.inference_mode()
def moments(model: AutoencoderKL, pictures: Pictures, *, device: torch.device, n: int = 4096) -> Moments:
    """Over the first `n` pictures."""
    means, noises = [], []
    for rows in np.array_split(np.arange(min(n, len(pictures))), max(1, min(n, len(pictures)) // 64)):
        posterior = model.encode(pictures.batch(rows, device)).latent_dist
        means.append(posterior.mean.movedim(1, -1).flatten(0, -2).cpu().double())
        noises.append(posterior.var.mean((0, 2, 3)).cpu().double() * len(rows))
    mean = torch.cat(means)
    return Moments(mean.mean(0), torch.cov(mean.T), torch.stack(noises).sum(0) / min(n, len(pictures)))


@torch.no_grad()
def whiten(model: AutoencoderKL, moments: Moments) -> None:
    """Turn and scale the latent channels in place, so that over `moments` they are uncorrelated and of unit size.

    `quant_conv` and `post_quant_conv` are linear in the channels and take it up, so pictures come back as before. The
    posterior's noise does not turn along: its mean size in each new channel is kept, the same for all pictures.
    """
    values, axes = torch.linalg.eigh(moments.covariance)
    turn = axes.T / values.sqrt()[:, None]
    back = axes * values.sqrt()
    c = len(values)
    before, after = model.quant_conv, model.post_quant_conv
    weight, bias = (each.detach().cpu().double() for each in (before.weight, before.bias))
    weight[:c, :, 0, 0] = turn @ weight[:c, :, 0, 0]
    bias[:c] = turn @ (bias[:c] - moments.mean)
    weight[c:] = 0
    bias[c:] = (turn.square() @ moments.noise).log()
    before.weight.copy_(weight)
    before.bias.copy_(bias)
    weight, bias = (each.detach().cpu().double() for each in (after.weight, after.bias))
    after.bias.copy_(bias + weight[:, :, 0, 0] @ moments.mean)
    weight[:, :, 0, 0] = weight[:, :, 0, 0] @ back
    after.weight.copy_(weight)


@torch.no_grad()
def narrow(model: AutoencoderKL, wider: AutoencoderKL, moments: Moments) -> None:
    """Start `model` from one with more latent channels, whose strongest directions over `moments` it keeps.

    All other weights are the wider one's. Only where the zero padding of the decoder meets the latents' mean do the two
    differ by more than the directions that are lost.
    """
    c, d = model.config.latent_channels, wider.config.latent_channels
    axes = torch.linalg.eigh(moments.covariance).eigenvectors[:, -c:]
    theirs = {name: weight.detach().cpu().double() for name, weight in wider.state_dict().items()}
    quant, quant_bias = theirs["quant_conv.weight"][:d, :, 0, 0], theirs["quant_conv.bias"][:d]
    post, post_bias = theirs["post_quant_conv.weight"][:, :, 0, 0], theirs["post_quant_conv.bias"]
    out, first = theirs["encoder.conv_out.weight"], theirs["decoder.conv_in.weight"]
    mean = axes.T @ (quant @ theirs["encoder.conv_out.bias"] + quant_bias - moments.mean)
    quiet = torch.full((c,), FIRST_LOGVAR, dtype=torch.float64)
    encoded = torch.einsum("kc,cihw->kihw", axes.T @ quant, out)
    decoded = torch.einsum("oihw,ik->okhw", first, post @ axes)
    own = {
        "encoder.conv_out.weight": torch.cat([encoded, torch.zeros_like(encoded)]),
        "encoder.conv_out.bias": torch.cat([mean, quiet]),
        "quant_conv.weight": torch.eye(2 * c)[:, :, None, None],
        "quant_conv.bias": torch.zeros(2 * c),
        "post_quant_conv.weight": torch.eye(c)[:, :, None, None],
        "post_quant_conv.bias": torch.zeros(c),
        "decoder.conv_in.weight": decoded,
        "decoder.conv_in.bias": theirs["decoder.conv_in.bias"]
        + torch.einsum("oihw,i->o", first, post @ moments.mean + post_bias),
    }
    model.load_state_dict({name: tensor.float() for name, tensor in (theirs | own).items()})


@torch.no_grad()
def translate(unet: UNet2DConditionModel, older: Mapping[str, Tensor], *, before: Tensor, after: Tensor) -> None:
    """Start `unet` from one that worked on other latents of the same pictures.

    What the older one saw is a linear function of the new latents, as far as a regression finds it, and so is what it
    predicts: its first and last convolution take these functions up. All other weights are its own. Noise is not
    translated, so this is a start, no equal.

    Args:
        older: its weights, by their names in a UNet of the same layout.
        before: `(n, c, h, w)` latents of some pictures, as the older one was given them.
        after: `(n, k, h, w)` those of the same pictures that `unet` is given.
    """
    flat = [each.movedim(1, -1).flatten(0, -2).double() for each in (before, after)]
    (before_mean, after_mean), centred = [each.mean(0) for each in flat], [each - each.mean(0) for each in flat]
    seen = torch.linalg.lstsq(centred[1], centred[0]).solution.T  # (c, k)
    made = torch.linalg.lstsq(centred[0], centred[1]).solution.T  # (k, c)
    first, last = older["conv_in.weight"].double(), older["conv_out.weight"].double()
    own = {
        "conv_in.weight": torch.einsum("oihw,ik->okhw", first, seen),
        "conv_in.bias": older["conv_in.bias"] + first.sum((2, 3)) @ (before_mean - seen @ after_mean),
        "conv_out.weight": torch.einsum("kc,cihw->kihw", made, last),
        "conv_out.bias": made @ older["conv_out.bias"].double(),
    }
    unet.load_state_dict({name: weight.float() for name, weight in {**older, **own}.items()})
