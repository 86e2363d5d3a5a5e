"""Free concepts: words that need not be in the prompt, and where a network sees them (Helbling et al., 2025).

A concept's tokens read the picture and are read by none of its places, so the picture is the same with and without.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ..errors import SpaceError
from ..models.generator import Denoiser
from .joint_attention import Add, Given, added_keys, added_queries, heads


@dataclass(frozen=True, eq=False)
class Concepts:
    """Concepts, each encoded as a prompt by itself.

    Attributes:
        names: `k` words or phrases.
        states: `(tokens, width)` of the tokens of all, one concept after another, of every text encoder; without the
            marks and the filling around a text.
        lengths: tokens of each.
    """

    names: tuple[str, ...]
    states: Tensor
    lengths: tuple[int, ...]

    def mean(self, x: Tensor) -> Tensor:
        """`(..., tokens, d) -> (..., k, d)`: the mean of each concept's tokens."""
        return torch.stack([part.mean(-2) for part in x.split(self.lengths, dim=-2)], dim=-2)


def encoded_concepts(denoiser: Denoiser, names: Sequence[str]) -> Concepts:
    """Encode concepts with the model's text encoders.

    Raises:
        SpaceError: fewer than two, the same twice, or one without a token.
        ModelError: a tokenizer that does not tell where its tokens are in a text.
    """
    if isinstance(names, str) or len(names) < 2 or len(set(names)) < len(names):
        raise SpaceError(
            f"Got concepts={names!r}, expected two different ones or more, as ['sky', 'house']: a map says which of "
            "them a place is most like; name something else that is in the picture, or 'background'.",
            code="concepts",
        )
    layout, states = denoiser.prompt_layout, []
    for name in names:
        rows = layout.rows(name, (0, len(name)))
        if not rows:
            raise SpaceError(f"Got the concept {name!r}, expected a word or a few; name one.", code="concepts")
        states.append(
            layout.states(denoiser.encode_prompts([name]))[0, rows].to(denoiser.device, denoiser.network.dtype)
        )
    return Concepts(tuple(names), torch.cat(states), tuple(len(each) for each in states))


@contextmanager
def concepts_read(network: Any, blocks: str, concepts: Concepts, *, n: int, add: Add) -> Iterator[None]:
    """Within the block every evaluation adds how much each place is like each concept, layer by layer.

    Args:
        blocks: the list of the network's blocks with two streams.
        n: rows at the end of each batch that see the prompt.
    """
    stream = _Stream(network, concepts, n, add)
    with ExitStack() as hooks:
        for at, block in enumerate(network.get_submodule(blocks)):
            stream.follow(block, f"{blocks}.{at}.attn", hooks, first=at == 0)
        yield


@dataclass(eq=False)
class _Stream:
    """The stream of states of the concepts' tokens through the blocks of one evaluation.

    In each block the concepts' tokens q, k, v come from the weights of the prompt's stream. They read the places and
    one another, o_c = softmax(q_c [k_c; k_x]ᵀ/√d) [v_c; v_x], and the block's own residual and feed-forward lead to the
    next block. A place's map is softmax over the concepts of ⟨o_x, o_c⟩, where o_x is what the attention of the place
    itself gave, all heads in one vector and before the projection that leads out of the attention.
    """

    network: Any
    concepts: Concepts
    n: int
    add: Add
    _states: Tensor = field(init=False)
    _time: Tensor = field(init=False)
    _places_out: Tensor = field(init=False)

    def follow(self, block: Any, name: str, hooks: ExitStack, *, first: bool) -> None:
        """Hooks on a block: what it starts from, what its places read, and at the end of its attention our own step."""

        def enter(_: Any, __: Any, arguments: dict[str, Any]) -> None:
            self._time = arguments["temb"][-self.n :]
            if first:
                states = self.network.context_embedder(self.concepts.states)
                self._states = states.expand(self.n, *states.shape)

        def read(_: Any, arguments: tuple[Tensor, ...]) -> None:
            self._places_out = arguments[0][-self.n :]

        def step(attention: Any, _: Any, arguments: dict[str, Any], __: Any) -> None:
            given = Given.of_call(arguments, n=self.n, tokens=0)
            self.add(name, self._step(block, attention, given))

        hooks.callback(block.register_forward_pre_hook(enter, with_kwargs=True).remove)
        hooks.callback(block.attn.to_out[0].register_forward_pre_hook(read).remove)
        hooks.callback(block.attn.register_forward_hook(step, with_kwargs=True).remove)

    def _step(self, block: Any, attention: Any, given: Given) -> Tensor:
        """`(n, 1, places, k)` of a block; the states go on to the next one."""
        last = attention.context_pre_only  # SD3's last block ends the prompt's stream with its attention
        if last:
            out = self._read(attention, block.norm1_context(self._states, self._time), given)
        else:
            normed, gate, shift, scale, gate_mlp = block.norm1_context(self._states, emb=self._time)
            out = self._read(attention, normed, given)
            states = self._states + gate[:, None] * attention.to_add_out(out)
            inner = block.ff_context(block.norm2_context(states) * (1 + scale[:, None]) + shift[:, None])
            states = states + gate_mlp[:, None] * inner
            self._states = states.clip(-65504, 65504) if states.dtype == torch.float16 else states
        scores = self._places_out.float() @ self.concepts.mean(out.float()).transpose(-1, -2)
        return scores.softmax(-1)[:, None]

    def _read(self, attention: Any, normed: Tensor, given: Given) -> Tensor:
        """`(n, tokens, heads · d)`: what the concepts' tokens read of one another and of the places."""
        keys = torch.cat([added_keys(attention, normed), given.keys(attention)], dim=2)
        own, theirs = attention.add_v_proj(normed), attention.to_v(given.places)
        values = torch.cat([heads(attention, own), heads(attention, theirs)], dim=2)
        read = functional.scaled_dot_product_attention(added_queries(attention, normed), keys, values)
        return read.transpose(1, 2).flatten(2)
