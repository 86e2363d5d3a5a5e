"""What finished stages left on disk, for the stages behind them; and an older model to begin from."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from ..errors import ModelError
from ..records.atomic import replacing
from . import autoencoder
from . import clip as joint
from .fit import CHECKPOINT
from .workshop import Workshop

MODEL = "model.safetensors"


def save(workshop: Workshop, stage: str, model: nn.Module) -> None:
    """Keep the finished weights of a stage."""
    weights = {name: tensor.detach().contiguous().cpu() for name, tensor in model.state_dict().items()}
    with replacing(workshop.runs / stage / MODEL) as beside:
        save_file(weights, beside)


def exists(workshop: Workshop, stage: str) -> bool:
    """Whether a stage is finished."""
    return (workshop.runs / stage / MODEL).exists()


def begun(workshop: Workshop, stage: str) -> bool:
    """Whether a stage has a checkpoint to go on from."""
    return (workshop.runs / stage / CHECKPOINT).exists()


def load_autoencoder(workshop: Workshop, stage: str = "autoencoder") -> Any:
    """The run's autoencoder, its latents whitened; of the stage `decoder`, the one whose decoder learned on.

    Raises:
        ModelError: its stage is not finished.
    """
    return _filled(autoencoder.build(workshop.recipe), workshop, stage)


def load_clip(workshop: Workshop) -> tuple[Any, Any]:
    """The run's CLIP and its tokenizer.

    Raises:
        ModelError: its stage is not finished.
    """
    from transformers import CLIPTokenizer

    tokenizer = CLIPTokenizer.from_pretrained(workshop.runs / "clip" / "tokenizer")
    return _filled(joint.build(workshop.recipe, vocabulary=len(tokenizer)), workshop, "clip"), tokenizer


def load_prior(workshop: Workshop) -> Any:
    """The run's prior.

    Raises:
        ModelError: its stage is not finished.
    """
    from . import prior

    empty = torch.zeros(workshop.recipe.embedding)
    return _filled(prior.build(workshop.recipe, mean=empty, std=empty), workshop, "prior")


def averaged_denoiser(unet: Any, workshop: Workshop) -> Any:
    """`unet` with the averaged weights of the denoiser's last checkpoint, be it finished or not.

    Raises:
        ModelError: its stage has not begun.
    """
    tensors = load_file(_file(workshop, "denoiser", CHECKPOINT))
    with torch.no_grad():
        for name, parameter in unet.named_parameters():
            parameter.copy_(tensors[f"average.unet.{name}"])
    return unet.eval().requires_grad_(False)


def load_few_steps(workshop: Workshop) -> dict[str, Tensor]:
    """The run's few-step weights by the names of diffusers, `unet.<layer>.lora_A.weight`.

    Raises:
        ModelError: its stage is not finished.
    """
    weights = load_file(_file(workshop, "few_steps"))
    return {f"unet.{name.replace('/', '.')}": tensor for name, tensor in weights.items()}


def digest(workshop: Workshop, *stages: str) -> str:
    """Of the stages' weights: what was computed with others must not be taken for theirs.

    Raises:
        ModelError: one of them is not finished.
    """
    total = hashlib.sha256()
    for stage in stages:
        total.update(_file(workshop, stage).read_bytes())
    return total.hexdigest()


def older_autoencoder(start: Path) -> Any:
    """The autoencoder of a finished model."""
    from diffusers import AutoencoderKL

    return AutoencoderKL.from_pretrained(start / "diffusion" / "vae").eval().requires_grad_(False)


def older_clip(start: Path) -> tuple[Any, Any]:
    """The CLIP of a finished model and its tokenizer."""
    from open_clip.model import CLIP
    from transformers import CLIPTokenizer

    folder = start / "clip"
    config = json.loads((folder / "open_clip_config.json").read_text(encoding="utf-8"))["model_cfg"]
    text = {name: value for name, value in config["text_cfg"].items() if name != "hf_tokenizer_name"}
    model = CLIP(config["embed_dim"], config["vision_cfg"], text)
    model.load_state_dict(
        {name: each.float() for name, each in load_file(folder / "open_clip_model.safetensors").items()}
    )
    return model.eval().requires_grad_(False), CLIPTokenizer.from_pretrained(folder)


def keep(workshop: Workshop, start: Path, part: str) -> None:
    """Copy a folder of a finished model into the new one: its CLIP, or its reader, so that figures have one judge."""
    if (start / part).resolve() != (workshop.out / part).resolve():
        shutil.copytree(start / part, workshop.out / part, dirs_exist_ok=True)


def _filled(model: Any, workshop: Workshop, stage: str) -> Any:
    model.load_state_dict(load_file(_file(workshop, stage)))
    return model.to(workshop.device).eval().requires_grad_(False)


def _file(workshop: Workshop, stage: str, name: str = MODEL) -> Path:
    file = workshop.runs / stage / name
    if not file.exists():
        raise ModelError(f"Got no {file}; train the stage {stage!r} first.", code="no stage")
    return file
