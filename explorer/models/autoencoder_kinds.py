"""What the classes of image autoencoders in diffusers differ in: calls, constants and the sizes of latents.

A kind is one class's way from pixels to the latents that its diffusion models work on, and back. Each follows the
pipelines of diffusers that use the class; `KINDS` names them all.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..errors import ModelError

NEITHER: Mapping[str, str] = {"tiling": "has none", "slicing": "has none"}


class AutoencoderKind:
    """AutoencoderKL's: z = (mode - mean - shift)·scale/std, all constants from the configuration.

    Attributes:
        usual_size: side in pixels of its pictures where the configuration names none.
        stages: the key of the configuration that has an entry for each stage of the encoder; all but one halve.
        distribution: whether the encoder gives one, of which the mode is taken, or latents.
        lacks: `"tiling"` or `"slicing"` where it cannot work tile by tile or picture by picture, and why.
        downsampling: pixels per latent along a side.
        channels: of a latent.
        image_size: side in pixels of the pictures it was made for.
    """

    usual_size: ClassVar[int] = 512
    stages: ClassVar[str] = "block_out_channels"
    distribution: ClassVar[bool] = True
    lacks: Mapping[str, str] = {}

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
        found = self.network.encode(pixels, return_dict=False)[0]
        return found.mode() if self.distribution else found

    def _decode(self, raw: Tensor) -> Tensor:
        return self.network.decode(raw, return_dict=False)[0]

    def _downsampling(self) -> int:
        return 2 ** (len(self.network.config[self.stages]) - 1)

    def _channels(self) -> int:
        return int(self.network.config.latent_channels)

    def _statistics(self) -> tuple[Tensor, Tensor]:
        config = self.network.config
        return self._row(config.get("latents_mean"), 0.0), self._row(config.get("latents_std"), 1.0)

    def _row(self, values: Sequence[float] | None, default: float) -> Tensor:
        # On the CPU, from where they follow what is computed: the weights may wait elsewhere, or nowhere yet.
        numbers = list(values) if values is not None else [default] * self.channels
        return torch.tensor(numbers, dtype=self.dtype).view(1, -1, 1, 1)


class AsymmetricKind(AutoencoderKind):
    """AsymmetricAutoencoderKL's, whose `block_out_channels` are the larger decoder's (Zhu et al., 2023)."""

    stages = "down_block_out_channels"
    lacks = NEITHER


class ConsistencyKind(AutoencoderKind):
    """ConsistencyDecoderVAE's: its decoder draws noise, here the same for every picture."""

    stages = "encoder_block_out_channels"

    def _decode(self, raw: Tensor) -> Tensor:
        generators = [torch.Generator().manual_seed(0) for _ in range(len(raw))]
        return self.network.decode(raw, generator=generators, return_dict=False)[0]


class VQKind(AutoencoderKind):
    """VQModel's: decoding takes the nearest code words, as latent diffusion does (Esser et al., 2021).

    With the spatial norm it is Kandinsky's MoVQ, whose pipelines neither scale the latents nor quantise them.
    """

    lacks = NEITHER
    distribution = False

    def __init__(self, network: Any) -> None:
        super().__init__(network)
        self._movq = network.config.norm_type == "spatial"
        if self._movq:
            self._scale = 1.0

    def _channels(self) -> int:
        return int(self.network.config.vq_embed_dim or self.network.config.latent_channels)

    def _decode(self, raw: Tensor) -> Tensor:
        return self.network.decode(raw, force_not_quantize=self._movq).sample


class TinyKind(AutoencoderKind):
    """AutoencoderTiny's: its latents are those of a large autoencoder, already scaled; the factor is 1 (TAESD)."""

    stages = "encoder_block_out_channels"
    distribution = False

    def __init__(self, network: Any) -> None:
        super().__init__(network)
        if (self.channels, self.downsampling) != (4, 8):  # which diffusers takes for granted in its tiles
            self.lacks = {"tiling": "tiles only 4 channels and a factor of 8"}


class DeepCompressionKind(AutoencoderKind):
    """AutoencoderDC's, Sana's: no distribution (Chen et al., 2024)."""

    usual_size = 1024
    stages = "encoder_block_out_channels"
    distribution = False


class HunyuanImageKind(AutoencoderKind):
    """AutoencoderKLHunyuanImage's."""

    def _downsampling(self) -> int:
        return int(self.network.config.spatial_compression_ratio)


class Flux2Kind(AutoencoderKind):
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


class QwenImageKind(AutoencoderKind):
    """AutoencoderKLQwenImage's: a picture is a film of one frame."""

    usual_size = 1024
    stages = "dim_mult"

    def _channels(self) -> int:
        return int(self.network.config.z_dim)

    def _encode(self, pixels: Tensor) -> Tensor:
        return super()._encode(pixels.unsqueeze(2)).squeeze(2)

    def _decode(self, raw: Tensor) -> Tensor:
        return super()._decode(raw.unsqueeze(2)).squeeze(2)


KINDS: dict[str, type[AutoencoderKind]] = {
    "AutoencoderKL": AutoencoderKind,
    "AsymmetricAutoencoderKL": AsymmetricKind,
    "AutoencoderTiny": TinyKind,
    "AutoencoderDC": DeepCompressionKind,
    "AutoencoderKLFlux2": Flux2Kind,
    "AutoencoderKLHunyuanImage": HunyuanImageKind,
    "AutoencoderKLQwenImage": QwenImageKind,
    "ConsistencyDecoderVAE": ConsistencyKind,
    "VQModel": VQKind,
}
"""By the class that `config.json` names."""


def kind_of(name: Any, where: str = "") -> type[AutoencoderKind]:
    """The kind of a class of diffusers.

    Raises:
        ModelError: no known autoencoder of pictures.
    """
    if not isinstance(name, str) or name not in KINDS:
        raise ModelError(
            f"Got an autoencoder of class {name!r}{where}, expected one of {', '.join(KINDS)}; choose another.",
            code="class",
        )
    return KINDS[name]
