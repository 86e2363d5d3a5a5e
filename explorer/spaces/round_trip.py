"""Round trips of pictures into the noise space and back, with the error of each part."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..diffusion.anderson import Solver
from ..diffusion.inversion import inverting_scheduler
from ..diffusion.sampling import sampled
from ..models.generator import Guide
from ..options import Settled
from ..progress import run
from .inputs import opened
from .noise import NoiseSpace


@dataclass(frozen=True)
class RoundTrip:
    """The error of `n` pictures, split by where it arises; all tensors are `(n,)` float64.

    PSNR is in decibels of colours in [0, 1]; a relative error is |x - y| / |y| of latents.

    Attributes:
        autoencoder_psnr: of picture -> latent -> picture, in practice the limit for every inversion.
        inversion_error: relative, of latent -> noise -> latent.
        inversion_psnr: the same between the decoded latents.
        picture_psnr: of picture -> latent -> noise -> latent -> picture.
        residual: the largest relative residual of a step, usually of the step that ends at σ = 0.
        norms: length of the noise over √D; a draw of N(0, I) has 1.
        edit_error: relative, from the reconstruction to the latents of the same noise under another prompt; or None.
        edit_psnr: the same between the decoded latents; or None.
    """

    autoencoder_psnr: Tensor
    inversion_error: Tensor
    inversion_psnr: Tensor
    picture_psnr: Tensor
    residual: Tensor
    norms: Tensor
    edit_error: Tensor | None = None
    edit_psnr: Tensor | None = None


def round_trip(
    space: NoiseSpace,
    images: Sequence[Any],
    *,
    prompt: str = "",
    edit: str | None = None,
    steps: int | None = None,
    solver: Solver | None = None,
) -> RoundTrip:
    """Invert pictures to noise, decode them again, and measure the error of each part.

    Args:
        space: the noise space of the model.
        images: PIL pictures or paths, few enough for one batch.
        prompt: the prompt of the inversion and of the decoding.
        edit: another prompt under which the noise is decoded too.
        steps: by default the model's own number.
        solver: as of `NoiseSpace.image`; `Solver(iterations=1)` measures naive inversion.

    Raises:
        PictureError, ModelError: as `NoiseSpace.image`.
    """
    autoencoder = space.model.autoencoder
    pixels = autoencoder.pixels(opened(images)[0]).to(space.model.device)
    latents = autoencoder.encode(pixels)
    steps = space.model.steps if steps is None else steps
    found = space.inversion(latents, prompt=prompt, steps=steps, solver=solver)
    again = redecoded(space, found.noise, prompt=prompt, steps=steps)
    plain, seen = autoencoder.decode(latents), autoencoder.decode(again)
    edited = None if edit is None else redecoded(space, found.noise, prompt=edit, steps=steps)
    return RoundTrip(
        autoencoder_psnr=psnr(plain, pixels),
        inversion_error=relative_error(again, latents),
        inversion_psnr=psnr(seen, plain),
        picture_psnr=psnr(seen, pixels),
        residual=found.residuals.amax(0).cpu(),
        norms=found.norms.cpu(),
        edit_error=None if edited is None else relative_error(edited, again),
        edit_psnr=None if edited is None else psnr(autoencoder.decode(edited), seen),
    )


def relative_error(x: Tensor, y: Tensor) -> Tensor:
    """|x - y| / |y| of each row, float64 on the CPU.

    >>> import torch
    >>> relative_error(torch.tensor([[3.0, 5.0]]), torch.tensor([[3.0, 4.0]])).tolist()
    [0.2]
    """
    x, y = (each.double().cpu().flatten(1) for each in (x, y))
    return (x - y).norm(dim=1) / y.norm(dim=1)


def psnr(x: Tensor, y: Tensor) -> Tensor:
    """Peak signal-to-noise ratio of pictures in [-1, 1], clipped to it: `(n, 3, h, w)` -> `(n,)` decibels.

    >>> import torch
    >>> psnr(torch.full((1, 3, 2, 2), 0.2), torch.zeros(1, 3, 2, 2)).round(decimals=3).tolist()
    [20.0]
    """
    x, y = (each.double().cpu().clamp(-1, 1).flatten(1) / 2 for each in (x, y))
    return -10 * (x - y).square().mean(1).log10()


def redecoded(space: NoiseSpace, noise: Tensor, *, prompt: str, steps: int) -> Tensor:
    """Denoise inverted noise to latents with the sampler of the inversion: `(n, *shape)` to the same shape."""
    denoiser = space.model.denoiser
    how = Settled(steps=steps, guidance=1.0, prompt=prompt, scheduler=inverting_scheduler(denoiser))
    return run(sampled(denoiser, Guide(noise=noise), [0] * len(noise), how))
