"""The contract of a denoiser: what every family of diffusion models looks like to the rest of the house.

The loop (`explorer.diffusion.loop`) knows nothing but this contract, so Stable Diffusion, SDXL, SD3, Flux or
Kandinsky need one file each in `families/`. Three conventions make them fit:

- A prompt is *one* tensor a text. A family whose text encoders give several (SDXL: states and a pooled vector) packs
  them into one row and takes them apart again in `predict`, so a point of the prompt space carries all of it.
- What guides a batch is a mapping of named tensors with a row a picture; only the family knows the names.
- All randomness of a picture comes from its own generator, in the order in which the family's pipeline in diffusers
  draws it: first in `conditioning`, then the starting noise.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from ..errors import ModelError
from .find.folder import opened, read_json
from .placement import Placement
from .prompt_layout import PromptLayout

FAMILIES: dict[str, tuple[str, str]] = {
    "StableUnCLIPImg2ImgPipeline": ("unclip", "StableUnCLIP"),
    "StableUnCLIPPipeline": ("unclip", "StableUnCLIP"),
    "KandinskyV22Pipeline": ("kandinsky", "Kandinsky"),
    "KandinskyV22CombinedPipeline": ("kandinsky", "Kandinsky"),
    "StableDiffusionPipeline": ("stable_diffusion", "StableDiffusion"),
    "StableDiffusionXLPipeline": ("stable_diffusion_xl", "StableDiffusionXL"),
    "StableDiffusion3Pipeline": ("stable_diffusion_3", "StableDiffusion3"),
    "FluxPipeline": ("flux", "Flux"),
}
"""Pipeline class -> the module and the class in `families/` that adapt it."""

Inputs = Mapping[str, Tensor]


@dataclass(frozen=True)
class Conditioning:
    """What guides a batch of `n` pictures, with classifier-free guidance's two sides.

    Attributes:
        positive: named tensors `(n, ...)`: what the pictures should be.
        negative: the same names and shapes: what guidance leads away from.
    """

    positive: Inputs
    negative: Inputs

    def __len__(self) -> int:
        return len(next(iter(self.positive.values())))

    @property
    def both(self) -> Inputs:
        """Negative rows, then positive rows, as diffusers stacks them: `(2n, ...)`."""
        return {name: _stacked(self.negative[name], value) for name, value in self.positive.items()}


def _stacked(negative: Tensor, positive: Tensor) -> Tensor:
    # One row shown many times stays one in memory, so that a network can tell and work on it once.
    expanded = len(positive) > 1 and negative.stride(0) == positive.stride(0) == 0
    if expanded and torch.equal(negative[0], positive[0]):
        return positive[:1].expand(2 * len(positive), *positive.shape[1:])
    return torch.cat([negative, positive])


class Denoiser(Protocol):
    """A diffusion model with its text encoder."""

    @property
    def latent_shape(self) -> tuple[int, ...]:
        """Of x_t, without the batch."""
        ...

    @property
    def prompt_shape(self) -> tuple[int, ...]:
        """Of one encoded prompt; with a 0 in it where the family reads none."""
        ...

    @property
    def prompt_layout(self) -> PromptLayout:
        """Where the states and the pooled vectors of a prompt are in its row, and its words in the states.

        Raises:
            ModelError: a family whose prompts are not told apart so.
        """
        ...

    @property
    def joint_dim(self) -> int | None:
        """Width of the joint vector that it decodes, or None where it decodes none."""
        ...

    @property
    def usual(self) -> tuple[int, float]:
        """Steps and guidance that its family is usually decoded with."""
        ...

    @property
    def distilled(self) -> bool:
        """Whether guidance is an input of the network, `guidance`, and the network is asked once a step."""
        ...

    @property
    def vae(self) -> Any:
        """An autoencoder of diffusers that was opened with it, or None."""
        ...

    @property
    def unet(self) -> Any:
        """Its network where that is a UNet, whose middle and attention can be looked into; or None."""
        ...

    @property
    def device(self) -> torch.device:
        """Where it computes."""
        ...

    def sized(self, side: int) -> Self:
        """The same model for pictures of another side in pixels.

        Raises:
            ModelError: a side that its network cannot make.
        """
        ...

    def chunked(self, chunks: int) -> Self:
        """The same model, reading each prompt in so many chunks; see `chunks`.

        Raises:
            ModelError: a network or a text encoder that takes no more tokens than its own.
        """
        ...

    def respaced(self, spacing: str) -> None:
        """Let its own sampler place its steps by another `timestep_spacing` of diffusers."""
        ...

    def set_timesteps(self, sampler: Any, steps: int) -> None:
        """Lay out a scheduler's steps as the family's pipeline does."""
        ...

    def scheduler(self, name: str | None = None) -> Any:
        """A new diffusers scheduler: the model's own, or another one on the model's noise schedule."""
        ...

    def encode_prompts(self, prompts: Sequence[str]) -> Tensor:
        """`n` texts -> `(n, *prompt_shape)`."""
        ...

    def truncated(self, prompts: Sequence[str]) -> list[bool]:
        """Which prompts are longer than the text encoder reads."""
        ...

    def tokens(self, prompt: str) -> list[str]:
        """What the text encoder whose states the network attends to makes of a prompt: a name for each state."""
        ...

    def conditioning(
        self,
        generators: Sequence[torch.Generator],
        *,
        prompts: Tensor | None = None,
        joint: Tensor | None = None,
        negative: str = "",
    ) -> Conditioning:
        """What guides `n` pictures.

        Args:
            generators: one a picture, on the CPU; what the family draws here it draws from them.
            prompts: `(n, *prompt_shape)`; the empty prompt where None.
            joint: `(n, joint_dim)` un-normalised joint vectors; no picture where None.
            negative: the prompt that guidance leads away from.
        """
        ...

    def predict(self, x: Tensor, t: Tensor, inputs: Inputs) -> Tensor:
        """The network's prediction (ε, v or x0, as the scheduler's `prediction_type` says) at one timestep.

        A network that learned its variance gives that too, as as many channels behind the prediction.
        """
        ...


def family(folder: Path) -> str:
    """The pipeline class that a diffusion folder was saved from; the folder's parts must come from known libraries.

    Raises:
        ModelError: no `model_index.json`, or parts whose code is not in diffusers or transformers.
    """
    index = read_json(folder / "model_index.json")
    name = index.get("_class_name")
    for part, origin in index.items():
        known = isinstance(origin, list) and len(origin) == 2 and origin[0] in (None, "diffusers", "transformers")
        # "stable_diffusion" is the folder of diffusers that StableUnCLIPImageNormalizer lives in.
        if not part.startswith("_") and isinstance(origin, list) and not known and origin[:1] != ["stable_diffusion"]:
            raise ModelError(
                f"Got part {part!r} from {str(origin[0] if origin else '')!r} in {folder}, expected diffusers or "
                "transformers; models with code of their own are not opened."
            )
    return name if isinstance(name, str) else str(name)


def open_denoiser(
    folder: Path,
    *,
    device: torch.device,
    dtype: torch.dtype = torch.float32,
    placement: Placement | None = None,
    unet: Path | None = None,
) -> Denoiser:
    """The denoiser of a diffusers pipeline folder, by the family that its `model_index.json` names.

    Args:
        placement: how it is made to fit.
        unet: a safetensors file of weights in place of its UNet's own.

    Raises:
        ModelError: a family without an adapter, or a folder that is incomplete.
    """
    name = family(folder)
    opener = adapter_of(name) or _own_call(name, folder)
    denoiser: Denoiser = opener.open(folder, device=device, dtype=dtype, placement=placement or Placement())
    if unet is not None:
        load_unet(denoiser, unet)
    return denoiser


def load_unet(denoiser: Denoiser, file: Path) -> None:
    """Weights of a distilled UNet in place of a model's own, and the steps that such models are trained on.

    They are trained on the last timestep and evenly down from it: `timestep_spacing="trailing"` (Lin et al., 2024).

    Raises:
        ModelError: a model without a UNet, or weights of another one.
    """
    from safetensors.torch import load_file

    if denoiser.unet is None:
        raise ModelError(f"Got weights {file} for a model whose network is no UNet; open it without them.")

    if any(each.is_meta for each in denoiser.unet.parameters()):  # which would take the weights and keep none of them
        raise ModelError(
            f"Got weights {file} for a UNet that is offloaded layer by layer, expected one whose weights are there; "
            "open it with offload='model'."
        )

    def load() -> Any:
        return denoiser.unet.load_state_dict(load_file(file), strict=False)

    told = opened("weights of a UNet", file, load)
    if told.missing_keys or told.unexpected_keys:
        raise ModelError(
            f"Got {file}, of which {len(told.unexpected_keys)} weights are unknown to the UNet and "
            f"{len(told.missing_keys)} are missing, expected all of them; choose the file for this model."
        )
    denoiser.respaced("trailing")


def adapter_of(name: str) -> Any:
    """The class that adapts a family with an adapter of its own, by the class of its pipeline; or None."""
    if name not in FAMILIES:
        return None
    module, adapter = FAMILIES[name]
    return getattr(import_module(f".families.{module}", __package__), adapter)


def _own_call(name: str, folder: Path) -> Any:
    """The adapter of any other pipeline from prompts to pictures."""
    import diffusers

    from .pipelines.pipeline import family_class
    from .pipelines.signatures import refusal

    kind = getattr(diffusers, name, None)
    if not isinstance(kind, type) or not issubclass(kind, diffusers.DiffusionPipeline):
        raise ModelError(
            f"Got a diffusion model of class {name!r} in {folder}, expected one of {', '.join(FAMILIES)}, or another "
            "text-to-image pipeline of diffusers; choose another model."
        )
    if why := refusal(kind):
        raise ModelError(
            f"Got a diffusion model of class {name!r} in {folder}, which {why}, expected a text-to-image pipeline; "
            "choose another model."
        )
    network = "unet" if (folder / "unet").is_dir() else "transformer"
    return family_class(kind, network)
