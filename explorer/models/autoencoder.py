"""The autoencoder: pictures to latents and back, by any autoencoder of pictures in diffusers."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ..errors import ModelError, PictureError
from ..records.pictures import open_picture
from .autoencoder_kinds import kind_of
from .batch_limit import Batch
from .configurations import require_described
from .find.folder import NETWORK_WEIGHTS, opened, read_json, require_weights
from .placement import Placement, Target, check_side


class Autoencoder:
    """z = (mode - shift) * scale, and back; all constants are read from the configuration (Rombach et al., 2022).

    What a class of diffusers does otherwise, its kind knows: latents come out as the diffusion models of that class
    take them.

    Attributes:
        image_size: side of the pictures in pixels.
        latent_shape: `(channels, height, width)` of one latent.

    Raises:
        ModelError: a network that is no known autoencoder of RGB pictures, or pictures of a size that it cannot halve.
    """

    def __init__(self, network: Any, *, image_size: int | None = None, device: torch.device | None = None) -> None:
        self.network = network
        self.device = device or next(network.parameters()).device  # where it computes, wherever its weights wait
        self._kind = kind_of(type(network).__name__)(network)
        self._downsampling = self._kind.downsampling
        self.image_size = int(image_size or self._kind.image_size)
        check_side(self.image_size, self._downsampling, f"an {type(network).__name__}")
        side = self.image_size // self._downsampling
        self.latent_shape = (self._kind.channels, side, side)
        self._batch = Batch.for_side(self.image_size)

    @classmethod
    def open(cls, folder: Path, target: Target) -> Autoencoder:
        """The autoencoder saved by diffusers in `folder`, of the class that its `config.json` names.

        Its pictures are of the target's size, or else of what the configuration says or models of the class make.

        Raises:
            ModelError: no safetensors weights, or damage; a class that is not known, or that cannot tile or slice.
        """
        require_weights(folder, *NETWORK_WEIGHTS)
        name: Any = read_json(folder / "config.json").get("_class_name")
        kind_of(name, f" in {folder}")

        def load() -> Autoencoder:
            import diffusers

            network = getattr(diffusers, name).from_pretrained(
                folder, dtype=target.dtype, use_safetensors=True, local_files_only=True, low_cpu_mem_usage=False
            )
            require_described(network, folder)
            made = cls(network.eval().requires_grad_(False).to(target.device), image_size=target.size)
            made.save_memory(target.placement)
            return made

        return opened("an autoencoder", folder, load)

    def sized(self, latent_shape: tuple[int, ...]) -> Self:
        """The same network for pictures of the size whose latents a denoiser makes; its own channels stay."""
        side = latent_shape[-1] * self._downsampling
        return type(self)(self.network, image_size=side, device=self.device)

    @torch.inference_mode()
    def encode(self, images: Sequence[Any] | Tensor) -> Tensor:
        """Pictures -> the mode of their latents, `(n, c, h/f, w/f)` float32.

        Args:
            images: pictures, as `open_picture` takes them, scaled and cropped about the centre to a square; or
                `(n, 3, h, w)` in [-1, 1].

        Raises:
            PictureError: a tensor of a height or width that the network cannot halve.
        """
        if isinstance(images, Tensor) and any(side % self._downsampling for side in images.shape[-2:]):
            raise PictureError(
                f"Got pictures of {tuple(images.shape[-2:])} px, expected multiples of {self._downsampling}; "
                "crop or scale them.",
                code="size",
            )
        size = min(len(images), 2 * self._batch.largest)  # encoding takes about half as much as decoding
        return self._batch.fitted(size, lambda size: self._encoded(images, size))[0]

    def _encoded(self, images: Sequence[Any] | Tensor, size: int) -> Tensor:
        latents = [torch.empty(0, *self.latent_shape, device=self.device)] if not len(images) else []
        for start in range(0, len(images), max(1, size)):
            some = images[start : start + size]
            pixels = some if isinstance(some, Tensor) else self.pixels(some)
            latents.append(self._kind.encode(pixels.to(self.device)).float())
        return torch.cat(latents)

    @torch.inference_mode()
    def decode(self, latents: Tensor) -> Tensor:
        """`(n, c, h, w)` latents to pictures `(n, 3, h*f, w*f)`, float32, about [-1, 1] and not clipped.

        Raises:
            ModelError: latents of other channels than this autoencoder's.
        """
        return self.decode_with_gradients(latents)

    def decode_with_gradients(self, latents: Tensor) -> Tensor:
        """As `decode`, but gradients go back to the latents."""
        if latents.ndim != 4 or latents.shape[1] != self.latent_shape[0]:
            raise ModelError(
                f"Got latents of shape {tuple(latents.shape)}, expected (n, {self.latent_shape[0]}, h, w); "
                "decode them with the autoencoder that made them.",
                code="latents",
            )
        return self._kind.decode(latents.to(self.device)).float()

    def save_memory(self, placement: Placement) -> None:
        """Let it work tile by tile, or picture by picture, as the placement says; a `ModelError` where it cannot."""
        for wanted, option in ((placement.tiling, "tiling"), (placement.slicing, "slicing")):
            if wanted and option in self._kind.lacks:
                raise ModelError(
                    f"Got {option}=True for {type(self.network).__name__}, which {self._kind.lacks[option]}; leave it "
                    "out.",
                    code="tiling",
                )
        if placement.tiling:
            self.network.enable_tiling()
        if placement.slicing:
            self.network.enable_slicing()

    def pixels(self, images: Sequence[Any]) -> Tensor:
        """Pictures as the network is given them, cropped and scaled: `(n, 3, h, w)` float32 in [-1, 1]."""
        from PIL import Image, ImageOps

        size = (self.image_size, self.image_size)
        squares = [ImageOps.fit(open_picture(image), size, Image.Resampling.BICUBIC) for image in images]
        array = np.stack([np.asarray(square) for square in squares])
        return torch.from_numpy(array).permute(0, 3, 1, 2).float() / 127.5 - 1


def open_preview(folder: Path, target: Target, *, like: Autoencoder) -> Autoencoder:
    """A second, smaller autoencoder of the same latents, for quick pictures (TAESD and its like).

    An AutoencoderTiny takes the scaled latents as they are, which is what `Autoencoder` gives for every class, so
    `open_preview(folder, target, like=big).decode(z)` shows what `big.decode(z)` would.

    Raises:
        ModelError: as `Autoencoder.open`; or latents of other channels or of another size.
    """
    preview = Autoencoder.open(folder, Target(target.device, target.dtype)).sized(like.latent_shape)
    got, expected = ((each.latent_shape[0], each._downsampling) for each in (preview, like))
    if got != expected:
        raise ModelError(
            f"Got a preview of {got[0]} channels and {got[1]} px a latent in {folder}, expected {expected[0]} and "
            f"{expected[1]} as the autoencoder has; open the one made for this model.",
            code="other latents",
        )
    return preview
