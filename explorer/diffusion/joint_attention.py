"""Joint attention, in which a prompt's tokens and a picture's places read each other (SD3: Esser et al., 2024; Flux).

A layer with two streams projects tokens and places by weights of their own, one with a single stream by the same. What
a layer is given is looked at by hooks, so that it computes what it always computes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

Add = Callable[[str, Tensor], None]
"""Takes the name of a layer and what was read in one evaluation of it, `(n, heads, places, tokens)`."""


@dataclass(frozen=True, eq=False)
class Given:
    """What one layer is given, in the rows of a batch that see the prompt.

    Attributes:
        places: `(n, places, width)` states of the picture.
        tokens: `(n, tokens, width)` states of the prompt.
        rotation: cosines and sines `(places, d)` of the places, or None in a family without. A prompt's tokens are all
            at position 0, where the rotation changes nothing.
        two_streams: whether tokens have projections of their own.
    """

    places: Tensor
    tokens: Tensor
    rotation: tuple[Tensor, Tensor] | None
    two_streams: bool

    @classmethod
    def of_call(cls, arguments: Mapping[str, Any], *, n: int, tokens: int) -> Given:
        """From the arguments of the layer's call; a layer of a single stream has the tokens before the places."""
        states, others = arguments["hidden_states"][-n:], arguments.get("encoder_hidden_states")
        if others is None:
            written, places = states[:, :tokens], states[:, tokens:]
        else:
            written, places = others[-n:], states
        turns = arguments.get("image_rotary_emb")
        rotation = None if turns is None else (turns[0][-places.shape[1] :], turns[1][-places.shape[1] :])
        return cls(places, written, rotation, others is not None)

    def queries(self, attention: Any) -> Tensor:
        """`(n, heads, places, d)` of the places."""
        return _turned(_normed(attention.norm_q, heads(attention, attention.to_q(self.places))), self.rotation)

    def keys(self, attention: Any) -> Tensor:
        """`(n, heads, places, d)` of the places."""
        return _turned(_normed(attention.norm_k, heads(attention, attention.to_k(self.places))), self.rotation)

    def token_keys(self, attention: Any) -> Tensor:
        """`(n, heads, tokens, d)` of the prompt."""
        if self.two_streams:
            return added_keys(attention, self.tokens)
        return _normed(attention.norm_k, heads(attention, attention.to_k(self.tokens)))


def added_keys(attention: Any, states: Tensor) -> Tensor:
    """`(n, heads, tokens, d)` keys of normed states of the prompt's own stream."""
    return _normed(attention.norm_added_k, heads(attention, attention.add_k_proj(states)))


def added_queries(attention: Any, states: Tensor) -> Tensor:
    """`(n, heads, tokens, d)` queries of normed states of the prompt's own stream."""
    return _normed(attention.norm_added_q, heads(attention, attention.add_q_proj(states)))


def heads(attention: Any, states: Tensor) -> Tensor:
    """`(n, rows, heads · d) -> (n, heads, rows, d)`."""
    return states.unflatten(-1, (attention.heads, -1)).transpose(1, 2)


def share_of_tokens(query: Tensor, token_keys: Tensor, place_keys: Tensor) -> Tensor:
    """How much each place reads each token of the prompt, `(n, heads, places, tokens)`.

    softmax(q [k_tokens; k_places]ᵀ / √d) over tokens and places together, of which the tokens are kept: what is missing
    to 1 went to the places. Head by head, since the whole matrix of a large picture is gigabytes.
    """
    keys, scale = torch.cat([token_keys, place_keys], dim=2), query.shape[-1] ** -0.5
    shares = (
        (q @ k.transpose(-1, -2) * scale).float().softmax(-1)[..., : token_keys.shape[2]]
        for q, k in zip(query.unbind(1), keys.unbind(1), strict=True)
    )
    return torch.stack(list(shares), dim=1)


def joint_layers(network: Any, lists: Sequence[str]) -> dict[str, Any]:
    """The joint attention layers of a transformer by their names, in the order of the computation."""
    return {f"{name}.{at}.attn": block.attn for name in lists for at, block in enumerate(network.get_submodule(name))}


@contextmanager
def tokens_read(network: Any, lists: Sequence[str], *, n: int, tokens: int, add: Add) -> Iterator[None]:
    """Within the block every evaluation adds how much each place reads each token, layer by layer.

    Args:
        lists: see `Facts.joint_attention`.
        n: rows at the end of each batch that see the prompt.
        tokens: of the prompt.
    """

    def look(name: str) -> Callable[..., None]:
        def looked(attention: Any, _: Any, arguments: dict[str, Any]) -> None:
            given = Given.of_call(arguments, n=n, tokens=tokens)
            add(name, share_of_tokens(given.queries(attention), given.token_keys(attention), given.keys(attention)))

        return looked

    with ExitStack() as hooks:
        for name, attention in joint_layers(network, lists).items():
            hooks.callback(attention.register_forward_pre_hook(look(name), with_kwargs=True).remove)
        yield


def _normed(norm: Any, x: Tensor) -> Tensor:
    return x if norm is None else norm(x)


def _turned(x: Tensor, rotation: tuple[Tensor, Tensor] | None) -> Tensor:
    """Rotary embedding of neighbouring pairs of numbers (Su et al., 2021), in float32 as diffusers does it."""
    if rotation is None:
        return x
    cosines, sines = rotation
    real, imaginary = x.float().unflatten(-1, (-1, 2)).unbind(-1)
    turned = torch.stack([-imaginary, real], dim=-1).flatten(-2)
    return (x.float() * cosines + turned * sines).to(x.dtype)
