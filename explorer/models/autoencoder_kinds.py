"""What the classes of image autoencoders in diffusers differ in: calls, constants and the sizes of latents.

A codec is one class's way from pixels to the latents that its diffusion models work on, and back. Each follows the
pipelines of diffusers that use the class; `CODECS` names them all.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import ModelError


class Codec:
    """AutoencoderKL's: z = (mode - mean - shift)·scale/std, all constants from the configuration.

    Attributes:
        downsampling: pixels per latent along a side.
        channels: of a latent.
        image_size: side in pixels of the pictures it was made for.
    """

    usual_size: ClassVar[int] = 512
    """Where the configuration names no size."""

    tiles: ClassVar[bool] = True
    """Whether it can work tile by tile, and picture by picture."""

    def __init__(self, network: Any) -> None:
        self.network = network
        config = network.config
        pixels = [config.get(name) for name in ("in_channels", "input_channels", "encoder_in_channels")]
        if any(channels not in (None, 3) for channels in pixels):
            raise ModelError(
                f"Got an autoencoder of pictures of {next(each for each in pixels if each)} channels, expected 3; "
                "choose one of plain RGB pictures.",
                code="channels",
            )
        sides = config.get("sample_size") or self.usual_size
        self.image_size = int(sides if isinstance(sides, int) else sides[0])
        self.downsampling = self._downsampling()
        self.channels = self._channels()
        self._scale = float(config.get("scaling_factor") or 1.0)
        self._shift = float(config.get("shift_factor") or 0.0)
        if not all(map(math.isfinite, (self._scale, self._shift))) or self._scale <= 0:
            raise ModelError(
                f"Got an autoencoder of scaling factor {self._scale} and shift {self._shift}, expected finite numbers, "
                "the first above 0; restore its config.json.",
                code="scaling factor",
            )
        self.dtype = next(network.parameters()).dtype
        self.mean, self._std = self._statistics()

    def encode(self, pixels: Tensor) -> Tensor:
        """`(n, 3, h, w)` in [-1, 1] -> `(n, c, h/f, w/f)`, scaled as a diffusion model takes them."""
        raw = self._encode(pixels.to(self.dtype))
        return (raw - self.mean.to(raw) - self._shift) * self._scale / self._std.to(raw)

    def decode(self, latents: Tensor) -> Tensor:
        """The inverse of `encode`, up to what the network loses."""
        z = latents.to(self.dtype)
        return self._decode(z * self._std.to(z) / self._scale + self.mean.to(z) + self._shift)

    def _encode(self, pixels: Tensor) -> Tensor:
        return self.network.encode(pixels).latent_dist.mode()

    def _decode(self, raw: Tensor) -> Tensor:
        return self.network.decode(raw, return_dict=False)[0]

    def _downsampling(self) -> int:
        return 2 ** (len(self.network.config.block_out_channels) - 1)

    def _channels(self) -> int:
        return int(self.network.config.latent_channels)

    def _statistics(self) -> tuple[Tensor, Tensor]:
        config = self.network.config
        return self._row(config.get("latents_mean"), 0.0), self._row(config.get("latents_std"), 1.0)

    def _row(self, values: Sequence[float] | None, default: float) -> Tensor:
        # On the CPU, from where they follow what is computed: the weights may wait elsewhere, or nowhere yet.
        numbers = list(values) if values is not None else [default] * self.channels
        return torch.tensor(numbers, dtype=self.dtype).view(1, -1, 1, 1)


class AsymmetricCodec(Codec):
    """AsymmetricAutoencoderKL's, whose `block_out_channels` are the larger decoder's (Zhu et al., 2023)."""

    tiles = False

    def _downsampling(self) -> int:
        return 2 ** (len(self.network.config.down_block_out_channels) - 1)


class ConsistencyCodec(Codec):
    """ConsistencyDecoderVAE's: its decoder draws noise, here the same for every picture."""

    def _downsampling(self) -> int:
        return 2 ** (len(self.network.config.encoder_block_out_channels) - 1)

    def _decode(self, raw: Tensor) -> Tensor:
        generators = [torch.Generator().manual_seed(0) for _ in range(len(raw))]
        return self.network.decode(raw, generator=generators, return_dict=False)[0]


class VQCodec(Codec):
    """VQModel's: decoding takes the nearest code words, as latent diffusion does (Esser et al., 2021).

    With the spatial norm it is Kandinsky's MoVQ, whose pipelines neither scale the latents nor quantise them.
    """

    tiles = False

    def __init__(self, network: Any) -> None:
        super().__init__(network)
        self._movq = network.config.norm_type == "spatial"
        if self._movq:
            self._scale = 1.0

    def _channels(self) -> int:
        return int(self.network.config.vq_embed_dim or self.network.config.latent_channels)

    def _encode(self, pixels: Tensor) -> Tensor:
        return self.network.encode(pixels).latents

    def _decode(self, raw: Tensor) -> Tensor:
        return self.network.decode(raw, force_not_quantize=self._movq).sample


class TinyCodec(Codec):
    """AutoencoderTiny's: its latents are those of a large autoencoder, already scaled; the factor is 1 (TAESD)."""

    def _downsampling(self) -> int:
        return 2 ** (len(self.network.config.encoder_block_out_channels) - 1)

    def _encode(self, pixels: Tensor) -> Tensor:
        return self.network.encode(pixels).latents


class DeepCompressionCodec(Codec):
    """AutoencoderDC's, Sana's: no distribution (Chen et al., 2024)."""

    usual_size = 1024

    def _downsampling(self) -> int:
        return int(self.network.spatial_compression_ratio)

    def _encode(self, pixels: Tensor) -> Tensor:
        return self.network.encode(pixels).latent


class HunyuanImageCodec(Codec):
    """AutoencoderKLHunyuanImage's."""

    def _downsampling(self) -> int:
        return int(self.network.config.spatial_compression_ratio)


class Flux2Codec(Codec):
    """AutoencoderKLFlux2's: patches of latents become channels, and its batch norm's running statistics scale them."""

    def _downsampling(self) -> int:
        self._patch = tuple(map(int, self.network.config.patch_size))
        if self._patch[0] != self._patch[1]:
            raise ModelError(
                f"Got latents in patches of {self._patch}, expected squares; choose another autoencoder.",
                code="patches",
            )
        return super()._downsampling() * self._patch[0]

    def _channels(self) -> int:
        return super()._channels() * math.prod(self._patch)

    def _statistics(self) -> tuple[Tensor, Tensor]:
        norm = self.network.bn
        variance = norm.running_var.view(1, -1, 1, 1) + self.network.config.batch_norm_eps
        weight = next(self.network.parameters())
        return norm.running_mean.view(1, -1, 1, 1).to(weight), torch.sqrt(variance).to(weight)

    def _encode(self, pixels: Tensor) -> Tensor:
        return torch.nn.functional.pixel_unshuffle(super()._encode(pixels), self._patch[0])

    def _decode(self, raw: Tensor) -> Tensor:
        return super()._decode(torch.nn.functional.pixel_shuffle(raw, self._patch[0]))


class QwenImageCodec(Codec):
    """AutoencoderKLQwenImage's: a picture is a film of one frame."""

    usual_size = 1024

    def _downsampling(self) -> int:
        return 2 ** (len(self.network.config.dim_mult) - 1)

    def _channels(self) -> int:
        return int(self.network.config.z_dim)

    def _encode(self, pixels: Tensor) -> Tensor:
        return super()._encode(pixels.unsqueeze(2)).squeeze(2)

    def _decode(self, raw: Tensor) -> Tensor:
        return super()._decode(raw.unsqueeze(2)).squeeze(2)


CODECS: dict[str, type[Codec]] = {
    "AutoencoderKL": Codec,
    "AsymmetricAutoencoderKL": AsymmetricCodec,
    "AutoencoderTiny": TinyCodec,
    "AutoencoderDC": DeepCompressionCodec,
    "AutoencoderKLFlux2": Flux2Codec,
    "AutoencoderKLHunyuanImage": HunyuanImageCodec,
    "AutoencoderKLQwenImage": QwenImageCodec,
    "ConsistencyDecoderVAE": ConsistencyCodec,
    "VQModel": VQCodec,
}
"""By the class that `config.json` names."""


def codec(network: Any) -> Codec:
    """The codec of a network of diffusers.

    Raises:
        ModelError: a class that is no known autoencoder of pictures, or one of other than RGB pictures.
    """
    return CODECS[known(type(network).__name__)](network)


def known(name: Any, where: str = "") -> str:
    """The name of a class, checked to be one of `CODECS`.

    Raises:
        ModelError: it has not.
    """
    if not isinstance(name, str) or name not in CODECS:
        raise ModelError(
            f"Got an autoencoder of class {name!r}{where}, expected one of {', '.join(CODECS)}; choose another.",
            code="class",
        )
    return str(name)
