"""The spaces of one model, each made when it is first asked for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from types import MappingProxyType

from ..diffusion.bottleneck import has_bottleneck
from ..errors import SpaceError
from ..models.model import Model
from ..models.own_loop import RunsItself
from .bottleneck import BottleneckSpace
from .dynamic import dynamic_space
from .joint import JointSpace, joint_space
from .latent import LatentSpace
from .mixed import MixedSpace, mixed_space
from .noise import NoiseSpace
from .prompt import PromptSpace
from .rendering import DecodingSpace


@dataclass(frozen=True, eq=False)
class ModelSpaces:
    """What an explorer has to be in: `joint`, `latent`, `prompt`, `noise`, `bottleneck`, `joint-raw`, and mixtures."""

    model: Model

    @cached_property
    def joint(self) -> JointSpace:
        """Pictures and texts on one sphere, the gap between them closed."""
        return joint_space(self.model)

    @cached_property
    def joint_raw(self) -> JointSpace:
        """The same without the correction: CLIP's own unit vectors."""
        return joint_space(self.model, gap="none")

    @cached_property
    def latent(self) -> LatentSpace:
        """The autoencoder's latents."""
        return LatentSpace(self.model)

    @cached_property
    def prompt(self) -> PromptSpace:
        """What the denoiser reads of a text."""
        return PromptSpace(self.model)

    @cached_property
    def noise(self) -> NoiseSpace:
        """Where denoising starts."""
        return NoiseSpace(self.model)

    @cached_property
    def bottleneck(self) -> BottleneckSpace:
        """What the middle of the denoiser's UNet can be moved by."""
        return BottleneckSpace(self.model)

    @cached_property
    def spaces(self) -> Mapping[str, DecodingSpace]:
        """Those that the model has, by name."""
        clip, denoiser = self.model.opened_clip, self.model.opened_denoiser
        joint = clip is not None  # where no denoiser is guided by its vectors, the nearest items are shown instead
        there = {
            "joint": joint,
            "latent": self.model.opened_autoencoder is not None,
            "prompt": denoiser is not None and 0 not in denoiser.prompt_shape,
            "noise": denoiser is not None,
            "bottleneck": denoiser is not None and has_bottleneck(denoiser),
            "joint_raw": joint,
        }
        every: list[DecodingSpace] = [getattr(self, name) for name, is_there in there.items() if is_there]
        return MappingProxyType({space.name: space for space in every})

    @property
    def usual_space(self) -> str:
        """Where expressions are read unless told otherwise.

        `joint` where its points decode and texts have points there; else `prompt`; else the first space there is.
        """
        joint = self.spaces.get("joint")
        best = joint is not None and self.joint.decodes and hasattr(joint, "text")
        wanted = ("joint", "prompt") if best else ("prompt",)
        return next(name for name in (*wanted, *self.spaces) if name in self.spaces)

    def space(self, name: str) -> DecodingSpace:
        """A space by its name, or a mixed one by the names of its parts, `"prompt+noise"`.

        Raises:
            SpaceError: the model has none of that name.
        """
        if not isinstance(name, str):
            raise SpaceError(f"Got {name!r} as a space, expected one of {', '.join(self.spaces)}; name it.")
        if name not in self.spaces:
            if made := dynamic_space(self, name):
                return made
            denoiser = self.model.opened_denoiser
            why = denoiser.lacks(f"{name} space") if isinstance(denoiser, RunsItself) else ""
            told = f" ({why})" if why else ""
            raise SpaceError(f"Got space {name!r}{told}, expected one of {', '.join(self.spaces)}; choose one.")
        return self.spaces[name]

    def mixed(self, *parts: str) -> MixedSpace:
        """The space whose points are one of each part: two or three of `prompt`, `joint` and `noise`.

        Raises:
            SpaceError: other parts, one alone, or one that the model has not.
        """
        return mixed_space(self.model, self.spaces, parts)
