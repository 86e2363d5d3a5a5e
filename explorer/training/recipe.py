"""Recipes: every number that decides what a trained model will be, in one JSON file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from ..errors import ModelError
from .fit import Budget

BUDGETS = ("autoencoder", "clip", "text", "prior", "denoiser", "decoder", "few_steps", "reader")
"""The keys that say how long a stage learns."""


@dataclass(frozen=True)
class Recipe:
    """What to train and for how long. The defaults are the pocket model's, for two cores.

    Attributes:
        size: side of the pictures in pixels; a multiple of `patch`, and of what the autoencoder makes one place of.
        pictures: how many are rendered for the autoencoder and CLIP to learn from.
        context: longest text in tokens.
        embedding: width of the joint space.
        few_steps_rank: rank of the LoRA that guidance is distilled into.
        few_steps_kept: the rank that it is cut to when it is written: the last of it does little, and takes space.
        shard: new scenes that the denoiser is given every `shard_steps`.
    """

    size: int = 128
    pictures: int = 60_000
    seed: int = 0
    # autoencoder
    autoencoder_widths: tuple[int, ...] = (16, 32, 64, 96, 192)
    latent_channels: int = 16
    autoencoder: Budget = field(default_factory=lambda: Budget(steps=20_000, minutes=80, batch=16, lr=1e-3))
    # CLIP
    vocabulary: int = 1_800
    context: int = 56
    embedding: int = 256
    patch: int = 16
    image_layers: int = 5
    text_layers: int = 4
    width: int = 192
    head_width: int = 32
    clip: Budget = field(default_factory=lambda: Budget(steps=20_000, minutes=35, batch=64, lr=2e-3))
    # its text tower, once more
    text: Budget = field(default_factory=lambda: Budget(steps=20_000, minutes=60, batch=128, lr=1e-3))
    # prior
    prior_layers: int = 4
    prior: Budget = field(default_factory=lambda: Budget(steps=20_000, minutes=60, batch=64, lr=1e-3, average=0.998))
    # denoiser
    shard: int = 4_096
    shard_steps: int = 150
    denoiser_widths: tuple[int, ...] = (128, 256)
    denoiser: Budget = field(
        default_factory=lambda: Budget(steps=40_000, minutes=480, batch=128, lr=1e-3, fall=0.25, average=0.999)
    )
    # decoder, once more
    decoder: Budget = field(default_factory=lambda: Budget(steps=20_000, minutes=60, batch=16, lr=7e-4))
    # few-step weights
    few_steps_rank: int = 32
    few_steps_kept: int = 20
    few_steps: Budget = field(
        default_factory=lambda: Budget(steps=20_000, minutes=40, batch=64, lr=1e-3, average=0.998)
    )
    # reader
    reader_pictures: int = 24_000
    reader: Budget = field(default_factory=lambda: Budget(steps=4_000, minutes=40, batch=64, lr=2e-3))

    @classmethod
    def for_a_gpu(cls) -> Recipe:
        """The same model in minutes of a large GPU, which wants large batches and new scenes often."""
        longest = 10**9
        return cls(
            shard_steps=50,
            autoencoder=Budget(steps=longest, minutes=2, batch=128, lr=1e-3, average=0.998),
            clip=Budget(steps=longest, minutes=1.5, batch=512, lr=2e-3),
            text=Budget(steps=longest, minutes=1, batch=512, lr=1e-3, average=0.998),
            prior=Budget(steps=longest, minutes=1, batch=512, lr=1e-3, average=0.998),
            denoiser=Budget(steps=longest, minutes=4.5, batch=1024, lr=1e-3, fall=0.6, average=0.999),
            decoder=Budget(steps=longest, minutes=1, batch=128, lr=7e-4, average=0.998),
            few_steps=Budget(steps=longest, minutes=0.7, batch=512, lr=1e-3, average=0.995),
            reader=Budget(steps=longest, minutes=0.5, batch=512, lr=2e-3),
        )

    @classmethod
    def read(cls, path: Path) -> Recipe:
        """The recipe in a JSON file; what it leaves out has its default.

        Raises:
            ModelError: no such file, not JSON, or a key that no recipe has.
        """
        try:
            given: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
            for name in BUDGETS:
                if name in given:
                    given[name] = Budget(**given[name])
            for name in ("autoencoder_widths", "denoiser_widths"):
                if name in given:
                    given[name] = tuple(given[name])
            return cls(**given)
        except (OSError, json.JSONDecodeError, TypeError) as error:
            raise ModelError(
                f"Got recipe {path}, which cannot be read: {error}; see Recipe for its keys.", code="cannot read"
            ) from error

    def within(self, minutes: float) -> Recipe:
        """The same recipe with its stages' minutes scaled to `minutes` in all, and no other limit to their steps."""
        stages = {name: getattr(self, name) for name in BUDGETS}
        scale = minutes / sum(budget.minutes for budget in stages.values())
        longest = 10**9
        return replace(
            self,
            **{name: replace(budget, steps=longest, minutes=scale * budget.minutes) for name, budget in stages.items()},
        )

    def differences(self, other: Recipe) -> list[str]:
        """Keys in which two recipes make different models; how long each stage learns is not among them."""
        mine, theirs = asdict(self), asdict(other)
        return [key for key in mine if key not in BUDGETS and mine[key] != theirs[key]]

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=2)
