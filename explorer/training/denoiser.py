"""The denoiser: a StableUnCLIP UNet that a prompt, a joint vector, both or neither may guide.

It works on encoded scenes, predicts v (Salimans & Ho, 2022, appendix D) on the cosine schedule, and begins with the
help of a teacher that shows its middle what CLIP sees.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor
from torch.nn import functional as F

from . import alignment, finished, guidance, latents
from .examples import Prepare
from .fit import Loss, Step, normal
from .guidance import Guidance, Joint
from .pictures import Workers
from .pool import Pool
from .recipe import Recipe
from .workshop import Workshop

if TYPE_CHECKING:
    from diffusers import UNet2DConditionModel

UNIFORM = 0.25
"""Share of times drawn evenly; the others crowd in the middle (logit-normal, Esser et al., 2024, section 3.1)."""
LAYOUT = "captions and changes"
"""What a shard has beside encoded pictures; one of another layout is made again."""
MEASURED = 2
"""Shards over which the joint space is measured before the denoiser learns."""

TRANSLATED = 512
"""Pictures by whose latents an older denoiser's are translated."""


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


def begin_from(unet: UNet2DConditionModel, workshop: Workshop, start: Path) -> None:
    """Take over the weights of the denoiser of a finished model, its first and last layer translated.

    Raises:
        ModelError: the autoencoder of this run is not finished.
    """
    older = load_file(start / "diffusion" / "unet" / "diffusion_pytorch_model.safetensors")
    theirs, own = finished.older_autoencoder(start), finished.load_autoencoder(workshop).cpu()
    x = workshop.pictures.batch(np.arange(min(TRANSLATED, len(workshop.pictures))))
    with torch.inference_mode():
        # A model of smaller pictures is shown them as small as it knows them.
        small = F.adaptive_avg_pool2d(x, theirs.config.sample_size)
        before = theirs.encode(small).latent_dist.mean * theirs.config.scaling_factor
        after = own.encode(x).latent_dist.mean
    latents.translate(unet, {name: weight.float() for name, weight in older.items()}, before=before, after=after)


def prepare(workshop: Workshop) -> tuple[Pool, Joint]:
    """The first encoded scenes, and what is known of the joint space from them.

    The pool has their `latents`, their joint `vectors` and the `features` of the teacher.

    Raises:
        ModelError: the autoencoder or CLIP of this run is not finished.
    """
    recipe, device = workshop.recipe, workshop.device
    vae, (clip, tokenizer) = finished.load_autoencoder(workshop), finished.load_clip(workshop)
    middle = recipe.size // 2 ** (len(recipe.autoencoder_widths) + len(recipe.denoiser_widths) - 2)

    @torch.inference_mode()
    def encode(x: Tensor) -> Mapping[str, Tensor]:
        return {
            "latents": vae.encode(x).latent_dist.mean,
            "vectors": clip.encode_image(x),
            "features": alignment.patch_features(clip, x, middle),
        }

    pool = Pool(
        workshop.runs / "denoiser" / "pool",
        made_of=f"{LAYOUT} {finished.digest(workshop, 'autoencoder', 'clip')}",
        shard=recipe.shard,
        workers=Workers(Prepare(recipe.size, workshop.runs / "clip" / "tokenizer", recipe.context), workshop.workers),
        encode=encode,
        device=device,
    )
    pool.grow(MEASURED)
    joint = guidance.measure(
        clip,
        tokenizer,
        context=recipe.context,
        scenes=pool.scenes[: MEASURED * recipe.shard],
        vectors=pool.column("vectors", MEASURED),
        seed=recipe.seed,
    )
    return pool, joint


def loss(student: alignment.Student, pool: Pool, joint: Joint, workshop: Workshop) -> Loss:
    """Squared error of v at a random time under random guidance, with the teacher's part at first."""
    from diffusers import DDPMScheduler

    recipe, device = workshop.recipe, workshop.device
    schedule = DDPMScheduler(**guidance.SCHEDULE)
    guide = Guidance(joint)
    batch = recipe.denoiser.batch
    predict: Any = torch.compile(student) if workshop.compiled else student

    def draw(step: Step) -> tuple[Tensor, dict[str, Tensor]]:
        generator = step.generator
        pool.grow(MEASURED + step.number // recipe.shard_steps)
        rows = pool.draw(batch, generator)
        states, classes = guide.draw(pool, rows, generator)
        x = pool.rows("latents", rows)
        noise, t = normal(generator, x.shape, device), times(batch, generator)
        at = t.to(device)
        noisy, target = schedule.add_noise(x, noise, at), schedule.get_velocity(x, noise, at)
        predicted, middle = predict(noisy, at, states, classes)
        errors = (predicted.float() - target).square().mean((1, 2, 3))
        value, figures = errors.mean(), by_noise(errors, t)
        if step.progress < alignment.UNTIL:
            apart = alignment.distance(middle, pool.rows("features", rows))
            value, figures = value + alignment.WEIGHT * apart, figures | {"apart": apart}
        return value, figures

    return draw


def times(n: int, generator: np.random.Generator) -> Tensor:
    """`n` times of the schedule's 1000, most of them in the middle, where it is decided what a picture shows.

    They are stratified: every batch sees the whole schedule, which steadies the loss at no cost.
    """
    even = round(UNIFORM * n)
    spread = [torch.from_numpy((np.arange(k) + generator.random(k)) / k) for k in (even, n - even)]
    middling = torch.sigmoid(torch.special.ndtri(spread[1]))
    return (torch.cat([spread[0], middling]) * 1000).long().clamp(max=999)


def by_noise(errors: Tensor, t: Tensor) -> dict[str, Tensor]:
    """Mean error at little, middling and much noise: unlike their mean, they do not depend on how times are drawn.

    Args:
        t: on the CPU, so that a GPU need not be waited for.
    """
    thirds = {"low": t < 333, "middle": (t >= 333) & (t < 667), "high": t >= 667}
    shares = {f"v_{name}": third / third.sum() for name, third in thirds.items() if bool(third.any())}
    return {name: (errors.detach() * share.to(errors)).sum() for name, share in shares.items()}
