"""The stages of the recipe, each from what the ones before it left on disk."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

import torch
from torch import nn

from thoughtspace.datasets import captions

from . import autoencoder, clip, denoiser, export, few_steps, finished, latents, prior, reader, text_tower, words
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
    """Both towers from nothing, or an older model's image tower as it is; then the text tower by itself."""
    recipe, device, pictures = workshop.recipe, workshop.device, workshop.pictures
    folder, context = workshop.runs / "clip" / "tokenizer", recipe.context
    tokenizer = words.build_tokenizer(folder, vocabulary=recipe.vocabulary, context=context)
    model = clip.build(recipe, vocabulary=len(tokenizer))
    if workshop.start:
        text_tower.begin_from(model, tokenizer, *finished.older_clip(workshop.start))
    model.to(device)
    look = clip.looking(model, pictures, device=device, compiled=workshop.compiled)
    if not workshop.start:
        loss = clip.loss(
            model, tokenizer, pictures, look=look, say=captions.caption, batch=recipe.clip.batch, context=context
        )
        _fit(workshop, "clip", model, loss, recipe.clip)
    model.visual.requires_grad_(False)
    model.logit_scale.requires_grad_(False)
    seen = text_tower.remembered(look, len(pictures.scenes))
    loss = clip.loss(
        model, tokenizer, pictures, look=seen, say=text_tower.say, batch=recipe.text.batch, context=context
    )
    _fit(workshop, "text", model, loss, recipe.text)
    finished.save(workshop, "clip", model)


def _prior(workshop: Workshop) -> None:
    recipe, device, pictures = workshop.recipe, workshop.device, workshop.pictures
    model, tokenizer = finished.load_clip(workshop)
    vectors = text_tower.encoded(lambda rows: model.visual(pictures.batch(rows, device)).float(), len(pictures.scenes))
    made = prior.build(recipe, mean=vectors.mean(0), std=vectors.std(0)).to(device)
    loss = prior.loss(made, model, tokenizer, pictures, vectors, batch=recipe.prior.batch)
    _fit(workshop, "prior", made, loss, recipe.prior)
    finished.save(workshop, "prior", made)


def _denoiser(workshop: Workshop) -> None:
    recipe = workshop.recipe
    unet = denoiser.build(recipe)
    if workshop.start and not finished.begun(workshop, "denoiser"):
        denoiser.begin_from(unet, workshop, workshop.start)
    student = Student(unet, features=recipe.width).to(workshop.device)
    loss = denoiser.loss(student, *denoiser.prepare(workshop), workshop)
    _fit(workshop, "denoiser", student, loss, recipe.denoiser)


def _few_steps(workshop: Workshop) -> None:
    recipe = workshop.recipe
    unet = finished.averaged_denoiser(denoiser.build(recipe), workshop).to(workshop.device)
    lora = few_steps.Lora(unet, rank=recipe.few_steps_rank).to(workshop.device)
    loss = few_steps.loss(unet, lora, *denoiser.prepare(workshop), workshop)
    _fit(workshop, "few_steps", lora, loss, recipe.few_steps)
    finished.save(workshop, "few_steps", lora)


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
    "prior": _prior,
    "denoiser": _denoiser,
    "decoder": _decoder,
    "few_steps": _few_steps,
    "export": export.export,
    "reader": _reader,
}
"""In the order in which they need each other."""


def run(workshop: Workshop, stage: str) -> None:
    """Run one stage, or go on with it; a finished one is left as it is."""
    torch.manual_seed(workshop.recipe.seed)
    if not finished.exists(workshop, stage):
        STAGES[stage](workshop)
