"""The joint space: an open_clip CLIP, taught by captions that may be true of many pictures at once.

Two things are known of this world that web captions do not tell, and the losses use both. A caption that leaves
factors out is true of every picture that agrees with what it says, so the contrast counts all of those as matches
(supervised contrast, Khosla et al., 2020, eq. 2). And each factor has a plain word for each value, so a picture
should lie nearer to `a crown` than to `a cap`: a classifier whose weights are the text tower's own vectors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from thoughtspace.datasets import captions, world

from .fit import Loss, Step
from .pictures import Pictures
from .recipe import Recipe
from .start import look_at_neighbours
from .words import encode

WORD_WEIGHT = 0.5
"""How much the words of a caption's vector count beside those of a picture's."""
ONE_KIND = 0.5
"""Share of batches in which every picture is of one kind, so that only the details tell them apart."""


def config(recipe: Recipe, vocabulary: int) -> dict[str, Any]:
    """The `model_cfg` of open_clip."""
    return {
        "embed_dim": recipe.embedding,
        "vision_cfg": {
            "image_size": recipe.size,
            "patch_size": recipe.patch,
            "width": recipe.width,
            "layers": recipe.image_layers,
            "head_width": recipe.head_width,
        },
        "text_cfg": {
            "context_length": recipe.context,
            "vocab_size": vocabulary,
            "hf_tokenizer_name": "pocket",
            "width": recipe.width,
            "heads": recipe.width // recipe.head_width,
            "layers": recipe.text_layers,
        },
    }


def build(recipe: Recipe, *, vocabulary: int) -> nn.Module:
    """An untrained open_clip `CLIP`, its image tower started as a stack of convolutions."""
    from open_clip.model import CLIP

    sizes = config(recipe, vocabulary)
    text = {name: value for name, value in sizes["text_cfg"].items() if name != "hf_tokenizer_name"}
    model = CLIP(sizes["embed_dim"], sizes["vision_cfg"], text)
    look_at_neighbours(model.visual, np.random.default_rng(recipe.seed))
    return model


def encode_text(model: Any, tokens: Tensor) -> tuple[Tensor, Tensor]:
    """`(n, length)` ids -> states `(n, length, width)` and un-normalised vectors `(n, d)`.

    Any length, where open_clip's own insists on the full context.
    """
    length = tokens.shape[1]
    x = model.token_embedding(tokens) + model.positional_embedding[:length]
    x = model.ln_final(model.transformer(x, attn_mask=model.attn_mask[:length, :length]))
    return x, x[torch.arange(len(x), device=x.device), tokens.argmax(1)] @ model.text_projection


@dataclass(frozen=True)
class Vocabulary:
    """Every value of every factor as a column, so that all factors are read in one product.

    Attributes:
        phrases: the words for each value.
        sizes: columns of each head.
    """

    phrases: tuple[tuple[str, ...], ...]
    sizes: tuple[int, ...]

    @classmethod
    def of_the_world(cls) -> Vocabulary:
        phrases = (captions.synonyms(kind, each.name, value) for kind, each in world.HEADS for value in each.values)
        return cls(tuple(phrases), tuple(len(factor.values) for _, factor in world.HEADS))

    def say(self, generator: np.random.Generator) -> list[str]:
        return [options[int(generator.integers(len(options)))] for options in self.phrases]

    def read(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross-entropy over heads of `(n, columns)` logits; labels of -1 do not count."""
        heads = [
            F.cross_entropy(columns, labels[:, head], ignore_index=-1, reduction="sum")
            for head, columns in enumerate(logits.split(self.sizes, dim=1))
        ]
        return torch.stack(heads).sum() / (labels >= 0).sum().clamp(min=1)


Look = Callable[[NDArray[np.int64]], Tensor]
"""Rows of the pictures -> their unit vectors `(n, d)`."""
Say = Callable[[world.Scene, np.random.Generator], captions.Caption]
"""A scene -> a caption to learn from."""


def looking(model: Any, pictures: Pictures, *, device: torch.device, compiled: bool = False) -> Look:
    """Look at pictures through the image tower."""
    visual = torch.compile(model.visual) if compiled else model.visual
    return lambda rows: F.normalize(visual(pictures.batch(rows, device)).float(), dim=-1)


def loss(model: Any, tokenizer: Any, pictures: Pictures, *, look: Look, say: Say, batch: int, context: int) -> Loss:
    """Contrast of captions and pictures plus the words of each."""
    vocabulary = Vocabulary.of_the_world()
    labels, device = pictures.labels, model.positional_embedding.device
    kinds = np.array([world.KINDS.index(scene.kind) for scene in pictures.scenes])

    def draw(step: Step) -> tuple[Tensor, dict[str, float]]:
        generator = step.generator
        rows = _rows(kinds, batch, generator)
        said = [say(pictures.scenes[row], generator) for row in rows]
        texts = [caption.text for caption in said] + vocabulary.say(generator)
        tokens = encode(tokenizer, texts, context=context).to(device)
        image = look(rows)
        # The phrases are short: apart from the captions they need not carry their padding through the tower.
        longest = int((tokens[len(rows) :].argmax(1)).max()) + 1
        text = F.normalize(encode_text(model, tokens[: len(rows)])[1].float(), dim=-1)
        word = F.normalize(encode_text(model, tokens[len(rows) :, :longest])[1].float(), dim=-1)
        scale = model.logit_scale.exp().clamp(max=100)
        named = np.stack([_named_labels(labels[row], caption.named) for row, caption in zip(rows, said, strict=True)])
        match = torch.from_numpy(_true_of(labels[rows], named)).to(device)
        contrast = _contrast(scale * image @ text.T, match)
        seen = vocabulary.read(scale * image @ word.T, torch.from_numpy(labels[rows]).to(device))
        heard = vocabulary.read(scale * text @ word.T, torch.from_numpy(named).to(device))
        shown = {"contrast": contrast, "seen": seen, "heard": heard, "scale": scale}
        return contrast + seen + WORD_WEIGHT * heard, {name: float(value.detach()) for name, value in shown.items()}

    return draw


def _rows(kinds: NDArray[np.int64], batch: int, generator: np.random.Generator) -> NDArray[np.int64]:
    if generator.random() < ONE_KIND:
        candidates = np.flatnonzero(kinds == generator.integers(len(world.KINDS)))
        return candidates[generator.integers(len(candidates), size=batch)]
    return generator.integers(len(kinds), size=batch)


def _named_labels(labels: NDArray[np.int64], named: tuple[str, ...]) -> NDArray[np.int64]:
    says = np.array([factor.name in named for _, factor in world.HEADS])
    return np.where(says, labels, -1)


def _true_of(labels: NDArray[np.int64], named: NDArray[np.int64]) -> NDArray[np.bool_]:
    """`(pictures, captions)`: whether the picture has every value that the caption names."""
    return ((named[None] < 0) | (labels[:, None] == named[None])).all(2)


def _contrast(logits: Tensor, match: Tensor) -> Tensor:
    """Mean over matches of -log p(match | itself and all that do not match), both ways."""

    def one_way(scores: Tensor, match: Tensor) -> Tensor:
        others = scores.masked_fill(match, -torch.inf).logsumexp(1, keepdim=True)
        cost = torch.logaddexp(scores, others) - scores
        return ((cost * match).sum(1) / match.sum(1).clamp(min=1)).mean()

    return 0.5 * (one_way(logits, match) + one_way(logits.T, match.T))
