"""What several families share: the pictures beside a prompt, and work that is the same for every row, done once.

The frames of a walk are all guided by one prompt, mostly the empty one, and its keys and values are the same for every
picture and at every step. A batch of them is one row expanded, which costs no memory; here it costs no work either.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from ..generator import Inputs

PICTURE = "picture"
"""The name of an IP-Adapter's picture vectors `(n, 1, d)` among the inputs of a network."""


def added_picture(inputs: Inputs) -> dict[str, Any]:
    """What a UNet is told of pictures beside the prompt: nothing without an IP-Adapter."""
    return {"image_embeds": [inputs[PICTURE]]} if PICTURE in inputs else {}


def told_guidance(family: Any, inputs: Inputs) -> Tensor | None:
    """What a UNet that guidance was distilled into is told of it, `(n, d)`: the sinusoids of g - 1; else None.

    Meng et al., "On Distillation of Guided Diffusion Models" (2023), as diffusers' pipelines embed it.
    """
    width = family.network.config.time_cond_proj_dim
    if width is None:
        return None
    # Made on the CPU, as the pipelines do, and so to the same bits.
    told = family.pipeline.get_guidance_scale_embedding(inputs["guidance"].cpu() - 1, embedding_dim=width)
    return told.to(family.device, family.dtype)


class OnceForAll(nn.Linear):
    """A linear layer that computes a batch of one row expanded as that one row."""

    @classmethod
    def of(cls, layer: nn.Linear) -> OnceForAll:
        """The same layer, its weights shared."""
        made = cls(layer.in_features, layer.out_features, bias=layer.bias is not None, device="meta")
        made.weight, made.bias = layer.weight, layer.bias
        return made.train(layer.training)

    def forward(self, input: Tensor) -> Tensor:
        """`(n, ..., in) -> (n, ..., out)`."""
        if not is_one_row(input):
            return super().forward(input)
        return super().forward(input[:1]).expand(len(input), *input.shape[1:-1], self.out_features)


def is_one_row(x: Tensor) -> bool:
    """Whether a batch is one row in memory, shown several times."""
    return len(x) > 1 and x.stride(0) == 0


def read_prompts_once(unet: Any) -> None:
    """Let the cross-attention of a UNet make the keys and values of equal prompts once, in place."""
    for name, module in unet.named_modules():
        if name.endswith("attn2"):
            module.to_k, module.to_v = OnceForAll.of(module.to_k), OnceForAll.of(module.to_v)
