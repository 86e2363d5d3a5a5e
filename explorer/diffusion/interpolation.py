"""Attention interpolation: a picture between two others attends to the keys and values of both.

He et al., "AID: Attention Interpolation of Text-to-Image Diffusion" (arXiv 2403.17924). A point between two prompts is
not a prompt, and its picture may change abruptly. Here the two ends are denoised in the same batch as the frame between
them, and every attention layer of the frame, self- and cross-attention, takes its keys K and values V from the ends at
the same step; the queries Q are the frame's own. With t in [0, 1] from the left end to the right one:

- `inner`: Attn(Q, (1-t)K₀ + tK₁, (1-t)V₀ + tV₁);
- `outer`: (1-t)·Attn(Q, K₀, V₀) + t·Attn(Q, K₁, V₁);
- `fused`: as outer, with the frame's own K and V appended to those of each end, Attn(Q, [K₀, K], [V₀, V]).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import ModelError
from ..models.generator import Denoiser
from ..options import ATTENTIONS, Attention
from .attention import keys_from, processors_changed, unet_of

Mode = Attention

KeysValues = tuple[Tensor, Tensor]
"""Keys and values, each `(b, heads, tokens, d)`."""

ENDS = 2
"""Rows at the end of a batch: the left end, then the right one."""


def check_mode(mode: str) -> None:
    """Raise ModelError unless it is one of `ATTENTIONS`."""
    if mode not in ATTENTIONS:
        raise ModelError(f"Got attention {mode!r}, expected one of {', '.join(ATTENTIONS)}, or None.", code="attention")


def attend(
    query: Tensor, own: KeysValues, left: KeysValues, right: KeysValues, t: Tensor, *, mode: Mode, scale: float
) -> Tensor:
    """Interpolated attention of `b` rows, `(b, heads, places, d)`.

    Args:
        query: `(b, heads, places, d)`.
        own: the rows' own keys and values, which only `fused` uses.
        left: keys and values of each row's left end.
        right: keys and values of its right end.
        t: `(b,)`, 0 at the left end and 1 at the right one.
        scale: of the scores, 1/√d as a rule.

    >>> q, k, v = torch.randn(3, 2, 4, 5, 8)
    >>> plain = functional.scaled_dot_product_attention(q, k, v)
    >>> same = [attend(q, (k, v), (k, v), (k, v), torch.tensor([0.3, 0.9]), mode=mode, scale=8**-0.5)
    ...     for mode in ("inner", "outer", "fused")]
    >>> all(torch.allclose(each, plain, atol=1e-5) for each in same)
    True
    """
    at = t.to(query)[:, None, None, None]

    def between(a: Tensor, b: Tensor) -> Tensor:
        return (1 - at) * a + at * b  # exactly an end where t is 0 or 1, which torch.lerp is not

    def attention(keys: Tensor, values: Tensor) -> Tensor:
        return functional.scaled_dot_product_attention(query, keys, values, scale=scale)

    if mode == "inner":
        return attention(between(left[0], right[0]), between(left[1], right[1]))
    if mode == "fused":
        left, right = _beside(left, own), _beside(right, own)
    return between(attention(*left), attention(*right))


def _beside(end: KeysValues, own: KeysValues) -> KeysValues:
    return torch.cat([end[0], own[0]], dim=2), torch.cat([end[1], own[1]], dim=2)


@contextmanager
def interpolated(denoiser: Denoiser, t: Tensor, *, mode: Mode) -> Iterator[None]:
    """Interpolate attention within the block: batches are frames and, in their last two rows, their two ends.

    Args:
        t: `(n,)` of the rows of a batch, including 0 and 1 of the ends; each of guidance's two sides has `n` rows.

    Raises:
        ModelError: a family without a UNet, or an unknown mode.
    """
    check_mode(mode)
    processor = _Interpolated(t.to(denoiser.device), mode)
    with processors_changed(unet_of(denoiser), lambda name, layer, before: processor):
        yield


@dataclass(frozen=True, eq=False)
class _Interpolated:
    """A processor that computes `attend` for a batch of frames and their two ends."""

    t: Tensor
    mode: Mode

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        read = keys_from(attn, hidden_states, encoder_hidden_states)
        query, keys, values = (
            each.unflatten(2, (attn.heads, -1)).transpose(1, 2)
            for each in (attn.to_q(hidden_states), attn.to_k(read), attn.to_v(read))
        )
        left, right = ((self._row(keys, end), self._row(values, end)) for end in (-2, -1))
        t = self.t.repeat(len(query) // len(self.t))
        found = attend(query, (keys, values), left, right, t, mode=self.mode, scale=attn.scale)
        out = attn.to_out[1](attn.to_out[0](found.transpose(1, 2).flatten(2)))
        if attn.residual_connection:
            out = out + hidden_states
        return out / attn.rescale_output_factor

    def _row(self, rows: Tensor, end: int) -> Tensor:
        """The row of an end, repeated for every row of the same side of guidance."""
        sides = rows.unflatten(0, (-1, len(self.t)))
        return sides[:, end].unsqueeze(1).expand_as(sides).flatten(0, 1)
