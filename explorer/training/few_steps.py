"""Few steps: guidance distilled into a LoRA, so that a step asks the network once (Meng et al., 2023, section 3.1).

The student's plain prediction learns to be the teacher's guided one. Both are one UNet: the teacher is the student
without its LoRA (Hu et al., 2022). UniPC needs few steps anyway; what they cost without guidance is half.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from . import denoiser, guidance
from .export import GUIDANCE
from .fit import Loss, Step, normal
from .guidance import Guidance, Joint
from .pool import Pool
from .workshop import Workshop


class Lora(nn.Module):
    """B A beside the weight W of every linear layer and convolution of a UNet, which itself does not learn.

    B begins at zero, so at first it changes nothing. `/` stands for the `.` in the names of layers.

    Args:
        unet: frozen; its layers add what this module computes to their output.
        rank: of A and B, or less in layers that are narrower.
    """

    def __init__(self, unet: nn.Module, *, rank: int) -> None:
        super().__init__()
        self.on = True
        for name, layer in list(unet.named_modules()):
            if isinstance(layer, nn.Linear | nn.Conv2d):
                factors = _factors(layer, min(rank, *layer.weight.flatten(1).shape))
                self.add_module(name.replace(".", "/"), factors)
                layer.register_forward_hook(self._beside(factors))

    def _beside(self, factors: nn.ModuleDict) -> Any:
        def add(layer: nn.Module, inputs: tuple[Tensor, ...], output: Tensor) -> Tensor:
            return output + factors["lora_B"](factors["lora_A"](inputs[0])) if self.on else output

        return add

    @contextmanager
    def off(self) -> Iterator[None]:
        """Within the block the UNet is the teacher."""
        self.on = False
        try:
            yield
        finally:
            self.on = True


def _factors(layer: nn.Linear | nn.Conv2d, rank: int) -> nn.ModuleDict:
    a: nn.Module
    b: nn.Module
    if isinstance(layer, nn.Linear):
        a, b = nn.Linear(layer.in_features, rank, bias=False), nn.Linear(rank, layer.out_features, bias=False)
    else:
        kind: Any = nn.Conv2d  # its annotations know less than a layer does of itself
        a = kind(layer.in_channels, rank, layer.kernel_size, layer.stride, layer.padding, layer.dilation, bias=False)
        b = nn.Conv2d(rank, layer.out_channels, 1, bias=False)
    nn.init.zeros_(b.weight)
    return nn.ModuleDict({"lora_A": a, "lora_B": b})


def loss(
    unet: Any, lora: Lora, pool: Pool, joint: Joint, workshop: Workshop, *, guidance_scale: float = GUIDANCE
) -> Loss:
    """Squared error of v against the teacher's guided v, at a random time under random guidance.

    Args:
        unet: whose layers have the LoRA.
        guidance_scale: g in v_u + g (v_c - v_u), the teacher's prediction.
    """
    from diffusers import DDPMScheduler

    recipe, device = workshop.recipe, workshop.device
    schedule, guide = DDPMScheduler(**guidance.SCHEDULE), Guidance(joint)
    batch = recipe.few_steps.batch
    network: Any = torch.compile(unet) if workshop.compiled else unet

    def draw(step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        generator = step.generator
        pool.grow(denoiser.MEASURED + step.number // recipe.shard_steps)
        rows = pool.draw(batch, generator)
        states, classes, guided = guide.draw_marked(pool, rows, generator)
        x = pool.rows("latents", rows)
        noise, t = normal(generator, x.shape, device), denoiser.times(batch, generator)
        at, scale = t.to(device), torch.where(guided, guidance_scale, 1.0).to(device)
        noisy = schedule.add_noise(x, noise, at)
        with torch.no_grad(), lora.off():
            target = taught(network, noisy, at, states, classes, guide.nothing, scale)
        predicted = predict(network, noisy, at, states, classes)
        errors = (predicted - target).square().mean((1, 2, 3))
        return errors.mean(), denoiser.by_noise(errors, t)

    return draw


def taught(
    network: Any, x: Tensor, t: Tensor, states: Tensor, classes: Tensor, nothing: Tensor, scale: Tensor
) -> Tensor:
    """The guided prediction v_u + g (v_c - v_u) of `n` rows, `n` numbers g; v_u is what the pipeline's negative gives.

    That is the empty text and class labels of zeros. Where g is 1, the prediction is v_c itself.
    """
    towards = predict(network, x, t, states, classes)
    without = predict(network, x, t, nothing.expand_as(states), torch.zeros_like(classes))
    return torch.lerp(without, towards, scale[:, None, None, None])


def predict(network: Any, x: Tensor, t: Tensor, states: Tensor, classes: Tensor) -> Tensor:
    """v of `n` noisy latents, float32."""
    return network(x, t, encoder_hidden_states=states, class_labels=classes).sample.float()
