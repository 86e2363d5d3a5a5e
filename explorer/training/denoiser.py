"""The denoiser: a StableUnCLIP UNet that a prompt, a joint vector, both or neither may guide.

It works on latents computed once, predicts v (Salimans & Ho, 2022, appendix D) on the cosine schedule, and is
conditioned as `StableUnCLIPImg2ImgPipeline` conditions it: the text tower's tokens by cross-attention, and by the
class embedding the joint vector, noised to a level that the model is told (Ramesh et al., 2022, section 2.1).
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from thoughtspace.datasets import captions

from ..errors import ModelError
from . import autoencoder as latent
from . import clip as joint
from .fit import Loss
from .pictures import Pictures
from .recipe import Recipe
from .words import encode

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

    from .stages import Workshop

TEXT_ONLY, VECTOR_ONLY, BOTH = 0.4, 0.4, 0.12
"""Shares of a batch guided by one, the other and both; what remains is guided by nothing, as guidance needs."""
NOISED = 0.4
"""Share of vectors that are noised: arithmetic makes vectors that no picture has, and this makes room for them."""
HIGHEST_LEVEL = 400
SCHEDULE = {"beta_schedule": "squaredcos_cap_v2", "num_train_timesteps": 1000}


@dataclass(frozen=True)
class Prepared:
    """What the denoiser learns from.

    Attributes:
        latents: `(n, c, h, w)` scaled to unit variance.
        vectors: `(n, d)` un-normalised joint vectors of the pictures.
        scale: what the autoencoder's latents were multiplied by.
    """

    latents: Tensor
    vectors: Tensor
    scale: float
    pictures: Pictures
    clip: Any
    tokenizer: Any


def build(recipe: Recipe) -> UNet2DConditionModel:
    """An untrained denoiser of the recipe's latents, tokens and vectors."""
    from diffusers import UNet2DConditionModel

    levels = len(recipe.denoiser_widths)
    return UNet2DConditionModel(
        sample_size=recipe.size // 2 ** (len(recipe.autoencoder_widths) - 1),
        in_channels=recipe.latent_channels,
        out_channels=recipe.latent_channels,
        down_block_types=("CrossAttnDownBlock2D",) * levels,
        up_block_types=("CrossAttnUpBlock2D",) * levels,
        block_out_channels=recipe.denoiser_widths,
        layers_per_block=1,
        attention_head_dim=4,
        norm_num_groups=32,
        cross_attention_dim=recipe.width,
        # The time and the joint vector scale features as well as shift them (Dhariwal & Nichol, 2021, section 3.1).
        resnet_time_scale_shift="scale_shift",
        class_embed_type="projection",
        projection_class_embeddings_input_dim=2 * recipe.embedding,
    )


def prepare(workshop: Workshop) -> Prepared:
    """Latents and vectors of all training pictures, computed once.

    Raises:
        ModelError: the autoencoder or CLIP of this run is not finished.
    """
    recipe, device = workshop.recipe, workshop.device
    vae, clip, tokenizer = load_autoencoder(workshop), *load_clip(workshop)
    pictures = workshop.pictures
    file = workshop.runs / "denoiser" / "prepared.safetensors"
    made_of = _digest(workshop.runs / "autoencoder", workshop.runs / "clip") + f" {recipe.pictures}"
    if _made_of(file) != made_of:
        latents = latent.encode_all(vae, pictures, device=device, compiled=workshop.compiled)
        tensors = {"latents": latents, "vectors": encode_pictures(clip, pictures, device=device)}
        file.parent.mkdir(parents=True, exist_ok=True)
        save_file(tensors, file.with_suffix(".partial"), metadata={"made_of": made_of})
        file.with_suffix(".partial").rename(file)
    tensors = load_file(file)
    scale = float(1 / tensors["latents"].std())
    return Prepared(tensors["latents"] * scale, tensors["vectors"], scale, pictures, clip, tokenizer)


def _made_of(file: Path) -> str | None:
    if not file.exists():
        return None
    with safe_open(file, "pt") as tensors:
        return (tensors.metadata() or {}).get("made_of")


def _digest(*stages: Path) -> str:
    """Of the stages' checkpoints: latents and vectors of other weights must not be taken for these."""
    digest = hashlib.sha256()
    for stage in stages:
        digest.update((stage / "checkpoint.safetensors").read_bytes())
    return digest.hexdigest()


def loss(
    model: UNet2DConditionModel, prepared: Prepared, recipe: Recipe, *, device: torch.device, compiled: bool
) -> Loss:
    """Squared error of v at a random time, under random guidance."""
    from diffusers import DDPMScheduler

    schedule = DDPMScheduler(**SCHEDULE)
    mean, std = prepared.vectors.mean(0), prepared.vectors.std(0)
    nothing = text_states(prepared.clip, prepared.tokenizer, [""], context=recipe.context, device=device)
    batch = recipe.denoiser.batch

    def run(x: Tensor, t: Tensor, states: Tensor, classes: Tensor) -> Tensor:
        return model(x, t, encoder_hidden_states=states, class_labels=classes).sample

    predict = torch.compile(run) if compiled else run

    def draw(generator: np.random.Generator) -> tuple[Tensor, dict[str, float]]:
        rows = generator.integers(len(prepared.latents), size=batch)
        mode = generator.choice(4, size=batch, p=[TEXT_ONLY, VECTOR_ONLY, BOTH, 1 - TEXT_ONLY - VECTOR_ONLY - BOTH])
        texted = np.flatnonzero((mode == 0) | (mode == 2))
        said = [captions.caption(prepared.pictures.scenes[row], generator).text for row in rows[texted]]
        states = nothing.repeat(batch, 1, 1)
        if said:
            states[texted] = text_states(prepared.clip, prepared.tokenizer, said, context=recipe.context, device=device)
        classes = _classes(prepared.vectors[rows], mode, mean, std, schedule, generator).to(device)
        x = prepared.latents[rows]
        noise = torch.from_numpy(generator.standard_normal(x.shape, dtype=np.float32))
        # Stratified times: every batch sees the whole schedule, which steadies the loss at no cost.
        t = torch.from_numpy(((np.arange(batch) + generator.random(batch)) * 1000 / batch).astype(np.int64))
        noisy, target = schedule.add_noise(x, noise, t), schedule.get_velocity(x, noise, t)
        predicted = predict(noisy.to(device), t.to(device), states, classes).float()
        value = (predicted - target.to(device)).square().mean()
        return value, {"v_error": float(value.detach())}

    return draw


def _classes(
    vectors: Tensor,
    mode: np.ndarray,
    mean: Tensor,
    std: Tensor,
    schedule: Any,
    generator: np.random.Generator,
) -> Tensor:
    """The vector, noised, beside its level: `(n, 2d)`. Where no vector guides: zeros noised at level 0, or all zeros.

    The pipeline gives the first for a zero vector and the second as the negative of guidance; both must mean nothing.
    """
    from diffusers.models.embeddings import get_timestep_embedding

    n, d = vectors.shape
    drawn = np.where(generator.random(n) < NOISED, generator.integers(HIGHEST_LEVEL, size=n), 0)
    guided = (mode == 1) | (mode == 2)
    level = torch.from_numpy(np.where(guided, drawn, 0))
    clean = torch.where(torch.from_numpy(guided)[:, None], vectors, torch.zeros(()))
    noise = torch.from_numpy(generator.standard_normal((n, d), dtype=np.float32))
    noised = schedule.add_noise((clean - mean) / std, noise, level) * std + mean
    classes = torch.cat([noised, get_timestep_embedding(level, d, flip_sin_to_cos=True, downscale_freq_shift=0)], dim=1)
    blank = torch.from_numpy(~guided & (generator.random(n) < 0.5))
    return classes.masked_fill(blank[:, None], 0.0)


@torch.inference_mode()
def text_states(clip: Any, tokenizer: Any, texts: list[str], *, context: int, device: torch.device) -> Tensor:
    """`(n, context, width)`: what `CLIPTextModel` gives as `last_hidden_state`."""
    tokens = encode(tokenizer, texts, context=context)
    tokens = torch.nn.functional.pad(tokens, (0, context - tokens.shape[1])).to(device)
    x = clip.token_embedding(tokens) + clip.positional_embedding
    with torch.autocast(device.type, torch.bfloat16):
        return clip.ln_final(clip.transformer(x, attn_mask=clip.attn_mask)).float().clone()


@torch.inference_mode()
def encode_pictures(clip: Any, pictures: Pictures, *, device: torch.device, batch: int = 128) -> Tensor:
    """`(n, d)` un-normalised joint vectors."""
    parts = []
    for start in range(0, len(pictures), batch):
        rows = np.arange(start, min(start + batch, len(pictures)))
        with torch.autocast(device.type, torch.bfloat16):
            parts.append(clip.encode_image(pictures.batch(rows).to(device)).float().cpu())
    return torch.cat(parts)


def load_autoencoder(workshop: Workshop) -> Any:
    """The run's finished autoencoder with its averaged weights."""
    recipe = workshop.recipe
    model = latent.build(recipe.size, widths=recipe.autoencoder_widths, latent_channels=recipe.latent_channels)
    return _finished(model, workshop, "autoencoder")


def load_clip(workshop: Workshop) -> tuple[Any, Any]:
    """The run's finished CLIP with its averaged weights, and its tokenizer."""
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(workshop.runs / "clip" / "tokenizer")
    return _finished(joint.build(workshop.recipe, vocabulary=len(tokenizer)), workshop, "clip"), tokenizer


def load_denoiser(workshop: Workshop) -> Any:
    """The run's denoiser with its averaged weights."""
    return _finished(build(workshop.recipe), workshop, "denoiser")


def _finished(model: Any, workshop: Workshop, stage: str) -> Any:
    file = workshop.runs / stage / "checkpoint.safetensors"
    if not file.exists():
        raise ModelError(f"Got no {file}; train the stage {stage!r} first.")
    tensors = load_file(file)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(tensors[f"average.{name}"])
    return model.to(workshop.device).eval().requires_grad_(False)
