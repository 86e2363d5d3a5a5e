"""The finished model in the formats of its fields: an open_clip folder and a diffusers pipeline, in float16."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor
from torch.nn import functional as F

from thoughtspace.datasets import captions

from . import clip as joint
from . import denoiser
from .pictures import Pictures
from .words import encode

if TYPE_CHECKING:
    from .stages import Workshop

STEPS, GUIDANCE = 8, 2.0
"""How the model is decoded unless told otherwise: UniPC's 8 steps come as near to a vector as 16 of DDIM."""


def export(workshop: Workshop) -> None:
    """Write `clip/` and `diffusion/` into the workshop's `out`, from the averaged weights of every stage."""
    prepared = denoiser.prepare(workshop)
    _write_clip(workshop, prepared)
    _write_diffusion(workshop, prepared)


def _write_clip(workshop: Workshop, prepared: denoiser.Prepared) -> None:
    folder, recipe = workshop.out / "clip", workshop.recipe
    shutil.copytree(workshop.runs / "clip" / "tokenizer", folder, dirs_exist_ok=True)
    weights = {name: tensor.half().contiguous().cpu() for name, tensor in prepared.clip.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    save_file(_reference(workshop, prepared), folder / "reference.safetensors")
    half = [0.5, 0.5, 0.5]
    preprocess = {"mean": half, "std": half, "interpolation": "bicubic", "resize_mode": "shortest"}
    config = {"model_cfg": joint.config(recipe, len(prepared.tokenizer)), "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _reference(workshop: Workshop, prepared: denoiser.Prepared) -> dict[str, Tensor]:
    """Means of the unit vectors of each modality over training pictures and captions, and the pictures' mean norm."""
    texts = _encode_captions(prepared.clip, prepared.tokenizer, prepared.pictures, workshop)
    return {
        "mean_image": F.normalize(prepared.vectors, dim=-1).mean(0),
        "mean_text": F.normalize(texts, dim=-1).mean(0),
        "norm": prepared.vectors.norm(dim=-1).mean(),
    }


@torch.inference_mode()
def _encode_captions(clip: Any, tokenizer: Any, pictures: Pictures, workshop: Workshop, n: int = 6_000) -> Tensor:
    generator = np.random.default_rng(workshop.recipe.seed)
    said = [captions.caption(scene, generator).text for scene in pictures.scenes[:n]]
    parts = []
    for start in range(0, len(said), 256):
        tokens = encode(tokenizer, said[start : start + 256], context=workshop.recipe.context)
        parts.append(joint.encode_text(clip, tokens.to(workshop.device)).float().cpu())
    return torch.cat(parts)


def _write_diffusion(workshop: Workshop, prepared: denoiser.Prepared) -> None:
    import diffusers
    from diffusers.pipelines.stable_diffusion import StableUnCLIPImageNormalizer
    from transformers import CLIPImageProcessor

    # The towers are carried over by the same code that opens open_clip folders.
    from . import towers as convert

    recipe, clip = workshop.recipe, prepared.clip.cpu()
    vae = denoiser.load_autoencoder(workshop)
    vae.register_to_config(scaling_factor=prepared.scale, shift_factor=0.0)
    normalizer = StableUnCLIPImageNormalizer(recipe.embedding)
    normalizer.mean.data[0], normalizer.std.data[0] = prepared.vectors.mean(0), prepared.vectors.std(0)
    pipeline = diffusers.StableUnCLIPImg2ImgPipeline(
        feature_extractor=CLIPImageProcessor(
            size={"shortest_edge": recipe.size},
            crop_size={"height": recipe.size, "width": recipe.size},
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
        ),
        image_encoder=convert.vision_model(clip),
        image_normalizer=normalizer,
        image_noising_scheduler=diffusers.DDPMScheduler(**denoiser.SCHEDULE),
        tokenizer=prepared.tokenizer,
        text_encoder=convert.text_model(clip, prepared.tokenizer),
        unet=denoiser.load_denoiser(workshop).cpu(),
        scheduler=_sampler(),
        vae=vae.cpu(),
    )
    folder = workshop.out / "diffusion"
    convert.save_half(pipeline, folder)
    defaults = json.dumps({"steps": STEPS, "guidance": GUIDANCE}, indent=2)
    (folder / "thoughtspace.json").write_text(defaults + "\n", encoding="utf-8")


def _sampler() -> Any:
    """UniPC, with what DDIM must be told kept in its configuration: whoever changes the sampler finds it there."""
    import diffusers

    ddim = diffusers.DDIMScheduler(
        **denoiser.SCHEDULE,
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=True,
        timestep_spacing="trailing",
    )
    return diffusers.UniPCMultistepScheduler.from_config(ddim.config)


def folder_size(folder: Path) -> int:
    """Bytes of all files below a folder."""
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
