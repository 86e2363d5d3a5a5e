"""Few-step weights: a LoRA (Hu et al., 2022) with which a UNet predicts at once what guidance made of two predictions.

They lie in a pipeline's folder as `few_steps/pytorch_lora_weights.safetensors`, which diffusers' own
`load_lora_weights` reads: a layer's weight W becomes W + B A. Here they are fused into a copy of the UNet, so the UNet
itself stays as it is, to the bit.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Self

import torch
from torch import Tensor

from ..checks import number, whole
from ..errors import ModelError
from ..options import MAX_GUIDANCE, MAX_STEPS
from .find.folder import FEW_STEPS, opened, read_if_there, require_weights, shapes_in
from .placement import Target

FILE = "pytorch_lora_weights.safetensors"
STEPS, GUIDANCE = 4, 1.0

_KEY = re.compile(r"unet\.(.+)\.lora_([AB])\.weight")
_SCALES = "lora_adapter_metadata"
"""The entry of a file's metadata in which diffusers keeps other scales than 1."""


@dataclass(frozen=True, eq=False)
class FewSteps:
    """The few-step weights of a UNet.

    Attributes:
        file: safetensors with `unet.<layer>.lora_A.weight` (r, in) and `unet.<layer>.lora_B.weight` (out, r); of a
            convolution (r, in, h, w) and (out, r, 1, 1).
        unet: the network that they were made for.
        steps: denoising steps that they decode well with.
        guidance: scale of classifier-free guidance that they decode well with.
        offloaded: whether the UNet's weights come and go, so that it cannot be copied.
    """

    file: Path
    unet: Any
    steps: int = STEPS
    guidance: float = GUIDANCE
    offloaded: bool = False
    _made: list[Any] = field(default_factory=list, repr=False)
    _making: Any = field(default_factory=Lock, repr=False)

    @classmethod
    def beside(cls, folder: Path, unet: Any, target: Target) -> Self | None:
        """The few-step weights in the folder of a pipeline, or None where it has none.

        Args:
            unet: the pipeline's network, or None where that is no UNet.

        Raises:
            ModelError: weights that are missing, pickled or damaged, or made for another network.
        """
        if not (folder / FEW_STEPS).is_dir():
            return None
        file = require_weights(folder / FEW_STEPS, FILE)
        if unet is None:
            raise ModelError(
                f"Got few-step weights {file} for a model whose network is no UNet, expected none; remove them.",
                code="no unet",
            )
        _check(file, {name: tuple(each.shape) for name, each in unet.named_parameters()})
        steps, guidance = _defaults(folder / "thoughtspace.json")
        return cls(file, unet, steps, guidance, offloaded=target.placement.offload is not None)

    @property
    def network(self) -> Any:
        """The UNet with these weights: a copy, made when it is first asked for and kept.

        Raises:
            ModelError: a UNet that is offloaded, or a file that was damaged since it was opened.
        """
        with self._making:  # two threads must not watch and ask two copies
            if not self._made:
                self._made.append(self._fused())
            return self._made[0]

    def _fused(self) -> Any:
        from safetensors.torch import load_file

        if self.offloaded:
            raise ModelError(
                "Got few_steps=True for a UNet that is offloaded, expected one that stays on its device; open the "
                "model without offload.",
                code="offload",
            )
        made = fused(self.unet, opened("few-step weights", self.file, lambda: load_file(self.file)))
        if self.unet._compiled_call_impl is not None:  # a copy is not compiled
            made.compile()
        return made


def fused(unet: Any, factors: Mapping[str, Tensor]) -> Any:
    """A copy of a UNet with W + B A in place of the weight W of each layer that has factors."""
    with torch.inference_mode(False), torch.no_grad():
        made = deepcopy(unet)
        for name, (a, b) in _pairs(factors).items():
            weight = made.get_parameter(f"{name}.weight")
            a, b = (each.to(weight.device, torch.float32).flatten(1) for each in (a, b))
            weight.copy_(weight.float() + (b @ a).view_as(weight))
    return made


def _pairs(factors: Mapping[str, Any]) -> dict[str, tuple[Any, Any]]:
    """A and B of each layer, by its name."""
    layers = dict.fromkeys(match[1] for key in factors if (match := _KEY.fullmatch(key)))
    return {name: (factors[f"unet.{name}.lora_A.weight"], factors[f"unet.{name}.lora_B.weight"]) for name in layers}


def _check(file: Path, unet: Mapping[str, tuple[int, ...]]) -> None:
    """Raises ModelError unless a file holds a LoRA of the UNet with parameters of these shapes, and nothing else."""
    shapes = shapes_in(file)
    names = {key: match[1] if (match := _KEY.fullmatch(key)) else "" for key in shapes}
    strange = [key for key, name in names.items() if len(unet.get(f"{name}.weight", ())) < 2]
    if strange or not shapes:
        some = f"{strange[0]!r}" if strange else "nothing"
        raise ModelError(
            f"Got {some} in {file}, where {len(strange)} of {len(shapes)} weights are unknown to the UNet, "
            "expected unet.<layer>.lora_A.weight and lora_B.weight of its layers; export both from one training.",
            code="other weights",
        )
    for name in names.values():
        alone = [part for part in "AB" if f"unet.{name}.lora_{part}.weight" not in shapes]
        if alone:
            raise ModelError(
                f"Got {file} without lora_{alone[0]} of {name!r}, expected lora_A and lora_B of each; restore it.",
                code="incomplete",
            )
    for name, (a, b) in _pairs(shapes).items():
        out, *rest = unet[f"{name}.weight"]
        expected = (a[0], *rest), (out, a[0], *(1 for _ in rest[1:]))
        if (a, b) != expected or not a[0]:
            raise ModelError(
                f"Got lora_A {a} and lora_B {b} of {name!r} in {file} for a weight {(out, *rest)}, expected "
                f"{expected[0]} and {expected[1]}; export both from one training.",
                code="shape",
            )
    _check_scale(file)


def _check_scale(file: Path) -> None:
    from safetensors import safe_open

    with safe_open(str(file), framework="pt") as tensors:
        if _SCALES in (tensors.metadata() or {}):
            raise ModelError(
                f"Got {file}, whose {_SCALES} may scale its factors, expected factors to add as they are; save it "
                "without that entry.",
                code="scaled",
            )


def _defaults(file: Path) -> tuple[int, float]:
    """Steps and guidance from `few_steps` of a `thoughtspace.json`."""
    options = read_if_there(file).get(FEW_STEPS, {})
    if not isinstance(options, dict):
        raise ModelError(
            f"Got {FEW_STEPS} {str(options)[:40]!r} in {file}, expected an object with steps and guidance; correct it.",
            code="not json",
        )
    where = f"correct {file}"
    return (
        whole("few steps", options.get("steps", STEPS), 1, MAX_STEPS, error=ModelError, hint=where),
        number("few-step guidance", options.get("guidance", GUIDANCE), 0, MAX_GUIDANCE, error=ModelError, hint=where),
    )
