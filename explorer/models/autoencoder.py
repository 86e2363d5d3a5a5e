"""The autoencoder: pictures to latents and back, by diffusers' AutoencoderKL, or Kandinsky's MoVQ."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from .files import opened, require_weights

_BATCH = 64


class Autoencoder:
    """z = (mode - shift) * scale, and back; all constants are read from the configuration (Rombach et al., 2022).

    Attributes:
        image_size: side of the pictures in pixels.
        latent_shape: `(channels, height, width)` of one latent.
    """

    def __init__(self, network: Any, *, image_size: int | None = None) -> None:
        self.network = network
        config = network.config
        self.image_size = int(image_size or config.sample_size)
        self._downsampling = 2 ** (len(config.block_out_channels) - 1)
        side = self.image_size // self._downsampling
        self.latent_shape = (self._latent_channels(), side, side)
        self._scale = self._scaling()
        self._shift = float(getattr(config, "shift_factor", None) or 0.0)
        self._mean = self._channels(getattr(config, "latents_mean", None), 0.0)
        self._std = self._channels(getattr(config, "latents_std", None), 1.0)

    @classmethod
    def open(cls, folder: Path, *, device: torch.device, dtype: torch.dtype = torch.float32) -> Autoencoder:
        """The autoencoder saved by diffusers in `folder`.

        Raises:
            ModelError: no safetensors weights, or damage.
        """
        require_weights(folder, "diffusion_pytorch_model.safetensors")

        def load() -> Autoencoder:
            from diffusers import AutoencoderKL

            network = AutoencoderKL.from_pretrained(
                folder, dtype=dtype, use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False
            )
            return cls(network.eval().requires_grad_(False).to(device))

        return opened("an autoencoder", folder, load)

    def sized(self, latent_shape: tuple[int, ...]) -> Self:
        """The same network for pictures of the size whose latents a denoiser makes; its own channels stay."""
        return type(self)(self.network, image_size=latent_shape[-1] * self._downsampling)

    @torch.inference_mode()
    def encode(self, images: Sequence[Any] | Tensor) -> Tensor:
        """Pictures to the mode of their latents.

        Args:
            images: PIL pictures, scaled and cropped about the centre to a square; or `(n, 3, h, w)` in [-1, 1].

        Returns:
            `(n, c, h/f, w/f)` float32.
        """
        latents = [torch.empty(0, *self.latent_shape, device=self._mean.device)]
        for start in range(0, len(images), _BATCH):
            some = images[start : start + _BATCH]
            pixels = some if isinstance(some, Tensor) else self._pixels(some)
            mode = self._encoded(pixels.to(self._mean))
            latents.append(((mode - self._mean - self._shift) * self._scale / self._std).float())
        return torch.cat(latents)

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """`(n, c, h, w)` latents to pictures `(n, 3, h*f, w*f)`, float32, about [-1, 1] and not clipped."""
        scaled = latents.to(self._mean) * self._std / self._scale + self._mean + self._shift
        return self._decoded(scaled).float()

    def _latent_channels(self) -> int:
        return int(self.network.config.latent_channels)

    def _scaling(self) -> float:
        return float(self.network.config.scaling_factor)

    def _encoded(self, pixels: Tensor) -> Tensor:
        mode: Tensor = self.network.encode(pixels).latent_dist.mode()
        return mode

    def _decoded(self, latents: Tensor) -> Tensor:
        decoded: Tensor = self.network.decode(latents, return_dict=False)[0]
        return decoded

    def _pixels(self, images: Sequence[Any]) -> Tensor:
        from PIL import Image, ImageOps

        size = (self.image_size, self.image_size)
        squares = [ImageOps.fit(image.convert("RGB"), size, Image.Resampling.BICUBIC) for image in images]
        array = np.stack([np.asarray(square) for square in squares])
        return torch.from_numpy(array).permute(0, 3, 1, 2).float() / 127.5 - 1

    def _channels(self, values: Sequence[float] | None, default: float) -> Tensor:
        weight = next(self.network.parameters())
        numbers = list(values) if values is not None else [default] * self.latent_shape[0]
        return torch.tensor(numbers, device=weight.device, dtype=weight.dtype).view(1, -1, 1, 1)


class MoVQ(Autoencoder):
    """A VQ autoencoder whose latents are used before they are quantised, and not scaled (Zheng et al., 2022).

    Its configuration has a scaling factor, which Kandinsky does not use.
    """

    def _latent_channels(self) -> int:
        config = self.network.config
        return int(config.vq_embed_dim or config.latent_channels)

    def _scaling(self) -> float:
        return 1.0

    def _encoded(self, pixels: Tensor) -> Tensor:
        latents: Tensor = self.network.encode(pixels).latents
        return latents

    def _decoded(self, latents: Tensor) -> Tensor:
        decoded: Tensor = self.network.decode(latents, force_not_quantize=True)["sample"]
        return decoded


def autoencoder_of(network: Any) -> Autoencoder:
    """The autoencoder of a network of diffusers that is open already."""
    return (MoVQ if type(network).__name__ == "VQModel" else Autoencoder)(network)
