"""Record which tokens of the prompt, or which free concepts, each place of a picture attends to while it is denoised.

A recorder computes the probabilities in addition to the layer, which still computes its own output: the bits of the
picture are the same with and without a recording.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor

from ..errors import ModelError
from ..models.generator import Denoiser
from .attention import Change, keys_from, processors_changed, unet_of
from .concepts import Concepts, concepts_read
from .joint_attention import tokens_read

Axis = Literal["steps", "heads"]

MAX_BYTES = 4 << 30
"""Most bytes that one recording may keep."""


@dataclass(eq=False)
class Recording:
    """Attention probabilities of a batch of `n` pictures, layer by layer, in the order of the computation.

    Attributes:
        n: pictures; in a batch with guidance's two sides, the last `n` rows are the conditional ones.
        steps: expected evaluations, from which the size of the recording is computed in advance.
        keep: the axes to keep; the others are summed and have length 1.
        dtype: of the kept maps; sums are taken in float32.
    """

    n: int
    steps: int
    keep: Collection[Axis] = ("steps", "heads")
    dtype: torch.dtype = torch.float32
    _rows: dict[str, list[Tensor]] = field(default_factory=dict, repr=False)
    _bytes: int = field(default=0, repr=False)

    def __post_init__(self) -> None:
        unknown = [each for each in self.keep if each not in ("steps", "heads")]
        if isinstance(self.keep, str) or unknown:
            raise ModelError(
                f"Got keep={self.keep!r}, expected a tuple of 'steps', 'heads' or both; the other axes are summed.",
                code="keep",
            )
        if self.dtype not in (torch.float16, torch.float32):
            raise ModelError(f"Got maps of {self.dtype}, expected float16 or float32.", code="dtype")

    @property
    def layers(self) -> tuple[str, ...]:
        return tuple(self._rows)

    def add(self, layer: str, probabilities: Tensor) -> None:
        """Record one evaluation of one layer, `(n, heads, queries, tokens)`.

        Raises:
            ModelError: a recording that would be larger than `MAX_BYTES`.
        """
        if "heads" not in self.keep:
            probabilities = probabilities.float().sum(1, keepdim=True)
        rows = self._rows.setdefault(layer, [])
        if not rows:
            self._check_size(probabilities.numel())
        if "steps" in self.keep:
            rows.append(probabilities.to("cpu", self.dtype))
        elif rows:
            rows[0] += probabilities.to("cpu", torch.float32)
        else:
            rows.append(probabilities.to("cpu", torch.float32))

    def of(self, layer: str) -> Tensor:
        """`(steps, n, heads, queries, tokens)` of one layer."""
        return torch.stack(self._rows[layer]).to(self.dtype)

    def _check_size(self, numbers: int) -> None:
        times = self.steps if "steps" in self.keep else 1
        self._bytes += numbers * times * self.dtype.itemsize
        if self._bytes > MAX_BYTES:
            raise ModelError(
                f"Got maps of {self._bytes / 2**30:.1f} GiB in {len(self._rows)} layers and {self.steps} steps, "
                f"expected at most {MAX_BYTES / 2**30:.1f} GiB; keep fewer axes apart, as keep=() or "
                "keep=('steps',), or use float16.",
                code="too large",
            )


def check_attention(denoiser: Denoiser) -> None:
    """Raise ModelError unless the attention of a denoiser to its prompt can be recorded."""
    if not denoiser.facts.joint_attention:
        unet_of(denoiser)
    elif denoiser.network._compiled_call_impl is not None:  # compiled code neither sees new hooks nor loses old ones
        raise ModelError(
            f"Got heat maps of a {denoiser.facts.pipeline} whose network is compiled, expected one that is not; open "
            "the model without compile.",
            code="compiled",
        )


@contextmanager
def recorded(denoiser: Denoiser, recording: Recording, concepts: Concepts | None = None) -> Iterator[Recording]:
    """Add what every evaluation of the denoiser's network within the block reads to `recording`.

    In a UNet's cross-attention the probabilities are softmax(qKᵀ/√d) over the prompt's tokens, or over the concepts,
    where K has the mean of the keys of each one's tokens. For joint attention see `joint_attention` and `concepts`.

    Args:
        concepts: record these in place of the prompt's tokens.

    Raises:
        ModelError: a family without a UNet and without joint attention.
    """
    check_attention(denoiser)
    network, lists, n = denoiser.network, denoiser.facts.joint_attention, recording.n
    if not lists:
        reading = processors_changed(network, _beside(recording, concepts))
    elif concepts is None:
        tokens = denoiser.prompt_layout.tokens
        reading = tokens_read(network, lists, n=n, tokens=tokens, add=recording.add)
    else:
        reading = concepts_read(network, lists[0], concepts, n=n, add=recording.add)
    with reading:
        yield recording


def _beside(recording: Recording, concepts: Concepts | None) -> Change:
    def change(name: str, layer: Any, processor: Any) -> Any:
        return _Beside(name, processor, recording, concepts) if layer.is_cross_attention else processor

    return change


@dataclass(frozen=True, eq=False)
class _Beside:
    """A processor that records the probabilities and lets another one compute the output."""

    name: str
    processor: Any
    recording: Recording
    concepts: Concepts | None

    def __call__(
        self,
        attn: Any,
        hidden_states: Tensor,
        encoder_hidden_states: Tensor | None = None,
        attention_mask: Tensor | None = None,
        temb: Tensor | None = None,
    ) -> Tensor:
        n = self.recording.n
        query = attn.head_to_batch_dim(attn.to_q(hidden_states[-n:]))
        key = attn.head_to_batch_dim(self._keys(attn, hidden_states, encoder_hidden_states))
        self.recording.add(self.name, attn.get_attention_scores(query, key).unflatten(0, (n, -1)))
        return self.processor(attn, hidden_states, encoder_hidden_states, attention_mask, temb)

    def _keys(self, attn: Any, hidden_states: Tensor, encoder_hidden_states: Tensor | None) -> Tensor:
        n = self.recording.n
        if self.concepts is None:
            return attn.to_k(keys_from(attn, hidden_states, encoder_hidden_states)[-n:])
        states = self.concepts.states.expand(n, *self.concepts.states.shape)
        return self.concepts.mean(attn.to_k(keys_from(attn, hidden_states, states)))
