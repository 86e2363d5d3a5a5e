"""The stages of the recipe, each from what the ones before it left on disk."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

from ..errors import ModelError
from .fit import Budget, Loss, fit
from .pictures import Pictures, prepare
from .recipe import Recipe

STAGES = ("autoencoder", "clip", "denoiser", "export", "reader")


@dataclass(frozen=True)
class Workshop:
    """A recipe at work: where its checkpoints are, on what it runs."""

    recipe: Recipe
    runs: Path
    out: Path
    device: torch.device
    compiled: bool

    @classmethod
    def open(
        cls, recipe: Recipe, runs: Path, out: Path, *, device: str | None, threads: int | None, compiled: bool
    ) -> Workshop:
        """Check the recipe and make its folder, where it is written down; stages finished there stay as they are.

        Raises:
            ModelError: sizes that do not fit each other, or a folder begun by a recipe of another model.
        """
        if recipe.size % 8 or recipe.size % recipe.patch:
            raise ModelError(f"Got size {recipe.size}; expected a multiple of 8 and of the patch {recipe.patch}.")
        if threads:
            torch.set_num_threads(threads)
        best = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
        runs.mkdir(parents=True, exist_ok=True)
        begun = runs / "recipe.json"
        other = recipe.differences(Recipe.read(begun)) if begun.exists() else []
        if other:
            raise ModelError(f"Got {runs}, begun with another {', '.join(other)}; give --runs another folder.")
        begun.write_text(recipe.to_json() + "\n", encoding="utf-8")
        return cls(recipe, runs, out, torch.device(device or best), compiled)

    def run(self, stage: str) -> None:
        {
            "autoencoder": self._autoencoder,
            "clip": self._clip,
            "denoiser": self._denoiser,
            "export": self._export,
            "reader": self._reader,
        }[stage]()

    @property
    def pictures(self) -> Pictures:
        return prepare(self.runs / "pictures", self.recipe.pictures, split="train", size=self.recipe.size)

    def _autoencoder(self) -> None:
        from . import autoencoder

        recipe = self.recipe
        torch.manual_seed(recipe.seed)
        model = autoencoder.build(recipe.size, widths=recipe.autoencoder_widths, latent_channels=recipe.latent_channels)
        model.to(self.device)
        loss = autoencoder.loss(
            model, self.pictures, batch=recipe.autoencoder.batch, device=self.device, compiled=self.compiled
        )
        self._fit("autoencoder", model, loss, recipe.autoencoder)

    def _clip(self) -> None:
        from . import clip, words

        recipe = self.recipe
        torch.manual_seed(recipe.seed)
        tokenizer = words.build_tokenizer(
            self.runs / "clip" / "tokenizer", vocabulary=recipe.vocabulary, context=recipe.context
        )
        model = clip.build(recipe, vocabulary=len(tokenizer))
        model.to(self.device)
        loss = clip.loss(model, tokenizer, self.pictures, recipe, device=self.device, compiled=self.compiled)
        self._fit("clip", model, loss, recipe.clip)

    def _denoiser(self) -> None:
        from . import denoiser

        torch.manual_seed(self.recipe.seed)
        prepared = denoiser.prepare(self)
        model = denoiser.build(self.recipe).to(self.device)
        loss = denoiser.loss(model, prepared, self.recipe, device=self.device, compiled=self.compiled)
        self._fit("denoiser", model, loss, self.recipe.denoiser)

    def _export(self) -> None:
        from . import export

        export.export(self)

    def _reader(self) -> None:
        from . import reader

        recipe = self.recipe
        torch.manual_seed(recipe.seed)
        model = reader.Reader().to(self.device)
        pictures = prepare(self.runs / "pictures", recipe.reader_pictures, split="reader", size=reader.SIZE)
        loss = reader.loss(model, pictures, batch=recipe.reader.batch, device=self.device, compiled=self.compiled)
        self._fit("reader", model, loss, recipe.reader)
        reader.save(model, self.out / "reader")

    def _fit(self, name: str, model: nn.Module, loss: Loss, budget: Budget) -> None:
        folder = self.runs / name
        figures = fit(model, loss, budget, folder, seed=self.recipe.seed, device=self.device)
        (folder / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")
