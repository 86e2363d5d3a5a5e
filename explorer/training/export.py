"""The finished model in the formats of its fields: an open_clip folder and a diffusers pipeline, in float16."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from safetensors.torch import save_file

from ..models.reference import FILE, Reference
from . import clip as joint
from . import denoiser, finished, guidance, towers
from .guidance import Joint
from .low_rank import shortened
from .workshop import Workshop

STEPS, GUIDANCE = 8, 2.0
"""The default way to decode the model: UniPC's 8 steps come as near to a vector as 16 of DDIM."""
VARIETY = 0.5
"""How far the prior draws a sentence: the point itself is a mean of pictures and none of them, a draw may err."""
FEW_STEPS = {"steps": 4, "guidance": 1.0}
"""The way to decode it with its few-step weights."""
LORA = "pytorch_lora_weights.safetensors"
"""The name by which `load_lora_weights` of diffusers finds a LoRA in a folder."""


def export(workshop: Workshop) -> None:
    """Write `clip/` and `diffusion/` into the workshop's `out`, from the averaged weights of every stage."""
    _, known = denoiser.prepare(workshop)
    _write_clip(workshop, known)
    _write_diffusion(workshop, known)
    if finished.exists(workshop, "prior"):
        _write_prior(workshop, known)


def _write_clip(workshop: Workshop, known: Joint) -> None:
    folder = workshop.out / "clip"
    shutil.copytree(workshop.runs / "clip" / "tokenizer", folder, dirs_exist_ok=True)
    weights = {name: tensor.half().contiguous().cpu() for name, tensor in known.clip.state_dict().items()}
    save_file(weights, folder / "open_clip_model.safetensors")
    # Means of the unit vectors of each modality over training pictures and captions, and the pictures' mean norm.
    Reference(known.mean_image, known.mean_text, known.norm, known.text_map).save(folder / FILE)
    half = [0.5, 0.5, 0.5]
    preprocess = {"mean": half, "std": half, "interpolation": "bicubic", "resize_mode": "shortest"}
    config = {"model_cfg": joint.config(workshop.recipe, len(known.tokenizer)), "preprocess_cfg": preprocess}
    (folder / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n", encoding="utf-8")


def _write_diffusion(workshop: Workshop, known: Joint) -> None:
    import diffusers
    from diffusers.pipelines.stable_diffusion import StableUnCLIPImageNormalizer
    from transformers import CLIPImageProcessor

    recipe, clip = workshop.recipe, known.clip.cpu()
    vae = finished.load_autoencoder(workshop, "decoder" if finished.exists(workshop, "decoder") else "autoencoder")
    vae.register_to_config(scaling_factor=1.0, shift_factor=0.0)  # its own convolutions whiten
    normalizer = StableUnCLIPImageNormalizer(recipe.embedding)
    normalizer.mean.data[0], normalizer.std.data[0] = known.mean, known.std
    pipeline = diffusers.StableUnCLIPImg2ImgPipeline(
        feature_extractor=CLIPImageProcessor(
            size={"shortest_edge": recipe.size},
            crop_size={"height": recipe.size, "width": recipe.size},
            image_mean=[0.5] * 3,
            image_std=[0.5] * 3,
        ),
        image_encoder=towers.vision_model(clip),
        image_normalizer=normalizer,
        image_noising_scheduler=diffusers.DDPMScheduler(**guidance.SCHEDULE),
        tokenizer=known.tokenizer,
        text_encoder=towers.text_model(clip, known.tokenizer),
        unet=finished.averaged_denoiser(denoiser.build(recipe), workshop),
        scheduler=_sampler(),
        vae=vae.cpu(),
    )
    folder = workshop.out / "diffusion"
    towers.save_half(pipeline, folder)
    defaults: dict[str, Any] = {"steps": STEPS, "guidance": GUIDANCE}
    if _write_few_steps(workshop, folder / "few_steps"):
        defaults["few_steps"] = FEW_STEPS
    if finished.exists(workshop, "prior"):
        defaults["variety"] = VARIETY
    (folder / "thoughtspace.json").write_text(json.dumps(defaults, indent=2) + "\n", encoding="utf-8")


def _write_few_steps(workshop: Workshop, folder: Path) -> bool:
    """Write the few-step weights, or remove those of another denoiser; whether there are some now."""
    shutil.rmtree(folder, ignore_errors=True)
    there = finished.exists(workshop, "few_steps")
    if there:
        folder.mkdir()
        short = shortened(finished.load_few_steps(workshop), workshop.recipe.few_steps_kept)
        weights = {name: each.half().contiguous() for name, each in short.items()}
        save_file(weights, folder / LORA, metadata={"format": "pt"})
    return there


def _write_prior(workshop: Workshop, known: Joint) -> None:
    """The parts that make the pipeline's folder one of `StableUnCLIPPipeline` as well."""
    import diffusers

    folder = workshop.out / "diffusion"
    encoder = towers.projecting_text_model(known.clip, known.tokenizer)
    scheduler = diffusers.DDIMScheduler(
        **guidance.SCHEDULE, prediction_type="sample", clip_sample=False, timestep_spacing="trailing"
    )
    finished.load_prior(workshop).cpu().half().save_pretrained(folder / "prior")
    encoder.half().save_pretrained(folder / "prior_text_encoder")
    known.tokenizer.save_pretrained(folder / "prior_tokenizer")
    scheduler.save_pretrained(folder / "prior_scheduler")
    towers.open_in_float32(folder)
    file = folder / "model_index.json"
    index = json.loads(file.read_text(encoding="utf-8"))
    index |= {
        "prior": ["diffusers", "PriorTransformer"],
        "prior_scheduler": ["diffusers", "DDIMScheduler"],
        "prior_text_encoder": ["transformers", "CLIPTextModelWithProjection"],
        "prior_tokenizer": index["tokenizer"],
    }
    file.write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")


def _sampler() -> Any:
    """UniPC, which keeps the options of DDIM in its configuration, for those who change the sampler."""
    import diffusers

    ddim = diffusers.DDIMScheduler(
        **guidance.SCHEDULE,
        prediction_type="v_prediction",
        clip_sample=False,
        set_alpha_to_one=True,
        timestep_spacing="trailing",
    )
    return diffusers.UniPCMultistepScheduler.from_config(ddim.config)
