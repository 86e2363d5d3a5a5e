"""What finished stages left on disk, for the stages behind them; and an older model to begin from."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from torch import nn

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


def keep_clip(workshop: Workshop, start: Path) -> None:
    """Take over the CLIP of a finished model as it is: its vectors are what stored collections are made of."""
    folder = workshop.runs / "clip"
    folder.mkdir(parents=True, exist_ok=True)
    names = ("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt")
    (folder / "tokenizer").mkdir(exist_ok=True)
    for name in names:
        shutil.copyfile(start / "clip" / name, folder / "tokenizer" / name)
    weights = load_file(start / "clip" / "open_clip_model.safetensors")
    with replacing(folder / MODEL) as beside:
        save_file({name: tensor.float() for name, tensor in weights.items()}, beside)


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
