"""The stages of the recipe, each from what the ones before it left on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import torch
from torch import nn

from . import autoencoder, clip, denoiser, export, finished, latents, reader, words
from .alignment import Student
from .fit import Budget, Loss, fit
from .workshop import Workshop


def _autoencoder(workshop: Workshop) -> None:
    device, pictures, budget = workshop.device, workshop.pictures, workshop.recipe.autoencoder
    model = autoencoder.build(workshop.recipe).to(device)
    if workshop.start:
        older = finished.older_autoencoder(workshop.start).to(device)
        latents.narrow(model, older, latents.moments(older, pictures, device=device, n=1024))
    _fit(workshop, "autoencoder", model, autoencoder.loss(model, workshop, batch=budget.batch), budget)
    latents.whiten(model, latents.moments(model, pictures, device=device))
    finished.save(workshop, "autoencoder", model)


def _decoder(workshop: Workshop) -> None:
    """The decoder alone learns on: the denoiser's latents stay as they are, their pictures become sharper."""
    model, budget = finished.load_autoencoder(workshop), workshop.recipe.decoder
    for part in (model.decoder, model.post_quant_conv):
        part.requires_grad_(True)
    loss = autoencoder.loss(model, workshop, batch=budget.batch, moved_share=0)
    _fit(workshop, "decoder", model, loss, budget)
    finished.save(workshop, "decoder", model)


def _clip(workshop: Workshop) -> None:
    if workshop.start:
        finished.keep_clip(workshop, workshop.start)
        return
    recipe, device = workshop.recipe, workshop.device
    folder = workshop.runs / "clip" / "tokenizer"
    tokenizer = words.build_tokenizer(folder, vocabulary=recipe.vocabulary, context=recipe.context)
    model = clip.build(recipe, vocabulary=len(tokenizer)).to(device)
    loss = clip.loss(model, tokenizer, workshop.pictures, recipe, device=device, compiled=workshop.compiled)
    _fit(workshop, "clip", model, loss, recipe.clip)
    finished.save(workshop, "clip", model)


def _denoiser(workshop: Workshop) -> None:
    recipe = workshop.recipe
    unet = denoiser.build(recipe)
    if workshop.start and not finished.begun(workshop, "denoiser"):
        denoiser.begin_from(unet, workshop, workshop.start)
    student = Student(unet, features=recipe.width).to(workshop.device)
    loss = denoiser.loss(student, *denoiser.prepare(workshop), workshop)
    _fit(workshop, "denoiser", student, loss, recipe.denoiser)


def _reader(workshop: Workshop) -> None:
    if workshop.start:
        finished.keep(workshop, workshop.start, "reader")
        return
    recipe, device = workshop.recipe, workshop.device
    model = reader.Reader().to(device)
    pictures = workshop.rendered(recipe.reader_pictures, split="reader", size=reader.SIZE)
    loss = reader.loss(model, pictures, batch=recipe.reader.batch, device=device, compiled=workshop.compiled)
    _fit(workshop, "reader", model, loss, recipe.reader)
    reader.save(model, workshop.out / "reader")


def _fit(workshop: Workshop, name: str, model: nn.Module, loss: Loss, budget: Budget) -> None:
    folder = workshop.runs / name
    figures = fit(model, loss, budget, folder, seed=workshop.recipe.seed, device=workshop.device)
    (folder / "figures.json").write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


STAGES: Mapping[str, Callable[[Workshop], None]] = {
    "autoencoder": _autoencoder,
    "clip": _clip,
    "denoiser": _denoiser,
    "decoder": _decoder,
    "export": export.export,
    "reader": _reader,
}
"""In the order in which they need each other."""


def run(workshop: Workshop, stage: str) -> None:
    """Run one stage, or go on with it; a finished one is left as it is."""
    torch.manual_seed(workshop.recipe.seed)
    if not finished.exists(workshop, stage):
        STAGES[stage](workshop)
