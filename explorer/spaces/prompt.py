"""The prompt space: the states of a text, token by token, that the denoiser reads."""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ..checks import whole
from ..errors import ModelError, SpaceError
from ..geometry.interpolation import Geometry
from ..language.nodes import Given, Text, Weighted
from ..models.generator import Guide
from ..models.model import Model
from ..models.prompt_tokens import PromptLayout, chunks_for
from ..options import Settled
from ..points import Points
from .inputs import require_texts
from .prompt_weights import Method, read_weights, weighed
from .prompt_words import Word, pairs, per_token
from .rendering import COMMON, DecodingSpace, few_step_option

MAX_CHUNKS = 16
"""Most chunks of a prompt, about 1200 tokens: far more than any network was trained on."""

_CHUNKED = re.compile(r"prompt-x([1-9]\d{0,5})")


class PromptSpace(DecodingSpace):
    """States of the text encoder, `(tokens, width)`; decoded by the denoiser from the seed's noise, with no picture.

    In families with pooled vectors, these follow the states in one row: `states` and `pooled` split a point, and
    `points(layout.joined(states, pooled))` puts it together.

    Args:
        chunks: how many chunks of a text are read, each as long as the text encoder's context; see `chunked`.
    """

    name = "prompt"
    geometry = Geometry.EUCLIDEAN
    encodes = frozenset({"text", "weighted"})
    attends = True

    def __init__(self, model: Model, *, chunks: int = 1) -> None:
        self._plain, self.chunks = model, chunks
        self._chunked: dict[int, PromptSpace] = {1: self} if chunks == 1 else {}
        if chunks > 1:
            model = replace(model, opened_generator=model.generator.chunked(chunks))
            self.name = f"prompt-x{chunks}"
        super().__init__(model)
        self.takes = COMMON - {"prompt"} | few_step_option(model)

    @property
    def shape(self) -> tuple[int, ...]:
        return self.model.generator.prompt_shape

    @property
    def layout(self) -> PromptLayout:
        """The places of states, pooled vectors and words in a point.

        Raises:
            ModelError: a family whose prompts do not have such parts.
        """
        return self.model.generator.prompt_layout

    def text(self, *texts: str) -> Points:
        """Encode texts as points; warns of texts longer than the context, whose end is not read."""
        given = require_texts(texts)
        self.warn_cut(given)
        return Points(self.model.generator.encode_prompts(given), self.info, tuple(map(Text, given)))

    def weighted(self, *texts: str, method: Method = "blend") -> Points:
        r"""Encode texts with weights on their words: `(red:1.4)`, `(red)` for 1.1, `[red]` for 1/1.1, `\(` for `(`.

        Args:
            method: how a weight changes a token's state: `"blend"`, z₀ + w (z - z₀) with z₀ of the empty prompt, or
                `"scale"`, w z with the mean restored; see `prompt_weights.weighed`. Pooled vectors have no words and
                do not change.

        Raises:
            ExpressionError: invalid brackets or weights.
            SpaceError: an unknown method.
            ModelError: a family whose states have no known layout.
        """
        read = [read_weights(text) for text in require_texts(texts)]
        layout, plain = self.layout, self.text(*(each.text for each in read))
        empty = layout.states(self.model.generator.encode_prompts([""]))[0]
        rows = [
            weighed(layout, states, each, empty=empty, method=method)
            for states, each in zip(layout.states(plain.values), read, strict=True)
        ]
        values = layout.joined(torch.stack(rows), layout.pooled_of(plain.values)) if rows else plain.values
        # A source is encoded with the default method, so only that may label a point by it.
        blend = method == "blend"
        return Points(
            values, self.info, tuple(Weighted(text) if blend else Given(f"{text!r} by {method}") for text in texts)
        )

    def long(self, text: str) -> Points:
        """Encode a text of any length, in the space with as many chunks as it needs: `prompt-x2`, `prompt-x3`, ...

        Raises:
            SpaceError: a text of more than `MAX_CHUNKS` chunks.
            ModelError: a family that reads only one chunk.
        """
        (given,) = require_texts([text])
        return self.chunked(self._needed(given)).text(given)

    def chunked(self, chunks: int) -> PromptSpace:
        """The space of prompts in several chunks, each of 75 tokens with a start and an end: `prompt-x2` for two.

        The states of the chunks follow each other. Short texts and negative prompts are filled up with empty chunks;
        pooled vectors are those of the first chunk. UNets attend to any number of tokens, though they were trained on
        one chunk.

        Raises:
            SpaceError: a number of chunks out of range.
            ModelError: a family that reads only one chunk.
        """
        chunks = whole("chunks", chunks, 1, MAX_CHUNKS, error=SpaceError)
        if self.chunks > 1:
            raise SpaceError(
                f"Got the {self.info} to divide in chunks, expected the space 'prompt'; call its chunked().",
                code="chunks",
            )
        if chunks not in self._chunked:
            self._chunked[chunks] = PromptSpace(self._plain, chunks=chunks)
        return self._chunked[chunks]

    def tokens(self, text: str) -> list[str]:
        """The tokenizer's name for each row of a text's states, with start, end and padding."""
        (given,) = require_texts([text])
        return self.layout.names(given)

    def states(self, points: Points) -> Tensor:
        """The states of points, `(n, tokens, width)`."""
        return self.layout.states(self.owned(points).values).clone()

    def pooled(self, points: Points) -> Tensor | None:
        """The pooled vectors of points, `(n, d)`, or None in a family without."""
        found = self.layout.pooled_of(self.owned(points).values)
        return None if found is None else found.clone()

    def replaced(
        self, a: Points, b: Points, words: Sequence[Word], *, t: float | Tensor | Sequence[float] = 1.0
    ) -> Points:
        """Points of `a` in which the states of some words are moved to those of `b`, to (1 - t) a + t b.

        All other states and the pooled vectors stay those of `a`, to the bit.

        Args:
            a, b: points of this space, in equal numbers, or one point on one side.
            words: words of a's text, replaced by b's states at the same positions; pairs `("red", "dark blue")` of a
                word of a and one of b with equally many tokens; or token positions.
            t: 0 is `a`, 1 has the states of `b`; one number, or `(tokens,)`, one for each token of a.

        Raises:
            SpaceError: a word that is not in the text, of which the message names the tokens; or another shape of t.
        """
        a, b, layout = *self._matched(a, b), self.layout
        states, others = layout.states(a.values).clone(), layout.states(b.values)
        weight = per_token(t, layout.tokens).to(states)
        share = f"t={t}" if isinstance(t, float | int) else "each token by its own t"
        nodes = []
        for row, (mine, theirs) in enumerate(zip(a.origin, b.origin, strict=True)):
            of_a, of_b = pairs(layout, mine, theirs, words)
            states[row, of_a] = torch.lerp(states[row, of_a], others[row, of_b], weight[of_a])
            nodes.append(Given(f"{mine} with {list(words)} of {theirs}, {share}"))
        return Points(layout.joined(states, layout.pooled_of(a.values)), self.info, tuple(nodes))

    def _matched(self, a: Points, b: Points) -> tuple[Points, Points]:
        a, b = self.owned(a), self.owned(b)
        if len(a) != len(b) and 1 not in (len(a), len(b)):
            raise SpaceError(
                f"Got {len(a)} points with {len(b)}, expected equal numbers, or one point on one side; choose rows "
                "by index.",
                code="number of points",
            )
        return (a[[0] * len(b)] if len(a) == 1 else a), (b[[0] * len(a)] if len(b) == 1 else b)

    def truncated(self, *texts: str) -> list[bool]:
        """Which texts are longer than the model reads."""
        return self.model.generator.truncated(require_texts(texts))

    def warn_cut(self, texts: list[str]) -> None:
        """Warn of texts whose end is not read, and name the space that reads them whole."""
        cut = [text for text, cut in zip(texts, self.truncated(*texts), strict=True) if cut]
        if not cut:
            return
        try:
            excess = self.layout.excess(cut[0])
        except ModelError:
            super().warn_cut(texts)
            return
        warnings.warn(
            f"Got the text {cut[0][:40]!r}…, {excess} tokens longer than the model reads; its end is left out. "
            f"Shorten it{self._longer(cut[0])}.",
            stacklevel=3,
        )

    def _longer(self, text: str) -> str:
        """The part of the warning that names the space that reads the whole text; empty if there is none."""
        try:
            needed = self._needed(text)
            self._plain.generator.chunked(needed)
        except ModelError:
            return ""
        return f", or read it whole in the space 'prompt-x{needed}'" if needed <= MAX_CHUNKS else ""

    def _needed(self, text: str) -> int:
        readings = self._plain.generator.prompt_layout.readings
        return min(chunks_for(each.tokenizer, each.limit, text) for each in readings)

    def guide(self, values: Tensor, how: Settled) -> Guide:
        return Guide(prompts=values)


def chunks_named(name: str) -> int | None:
    """The number of chunks in the name of a prompt space, or None for other names.

    >>> chunks_named("prompt-x2"), chunks_named("prompt")
    (2, None)
    """
    found = _CHUNKED.fullmatch(name)
    return int(found[1]) if found else None
