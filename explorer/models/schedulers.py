"""Samplers by short names, each on a model's own noise schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ModelError
from .files import opened, read_json

CLASSES = {
    "ddim": "DDIMScheduler",
    "ddpm": "DDPMScheduler",
    "euler": "EulerDiscreteScheduler",
    "euler-ancestral": "EulerAncestralDiscreteScheduler",
    "heun": "HeunDiscreteScheduler",
    "dpm++": "DPMSolverMultistepScheduler",
    "unipc": "UniPCMultistepScheduler",
    "deis": "DEISMultistepScheduler",
    "lms": "LMSDiscreteScheduler",
    "pndm": "PNDMScheduler",
}
"""Short name -> class of diffusers. All of them read x_t = αx0 + σε, or the same divided by α."""


def read_scheduler(folder: Path) -> Any:
    """The scheduler that a pipeline was saved with, of whatever class.

    Raises:
        ModelError: no readable configuration, or a class that diffusers does not have.
    """
    import diffusers

    name = read_json(folder / "scheduler_config.json").get("_class_name", "")
    cls = getattr(diffusers, str(name), None)
    if not str(name).endswith("Scheduler") or cls is None:
        raise ModelError(f"Got scheduler class {name!r} in {folder}, expected one of diffusers; restore its config.")
    return opened("a scheduler", folder, lambda: cls.from_pretrained(folder, local_files_only=True))


def scheduler_like(own: Any, name: str | None = None) -> Any:
    """A new scheduler without state, with the configuration of `own` and the class that `name` stands for.

    Raises:
        ModelError: an unknown name.
    """
    import diffusers

    if name is None:
        return type(own).from_config(own.config)
    if name not in CLASSES:
        raise ModelError(f"Got scheduler {name!r}, expected one of {', '.join(CLASSES)}; or leave it to the model.")
    # Latents reach beyond [-1, 1], to which DDIM and DDPM clip pictures unless told otherwise.
    unclipped = {"clip_sample": False} if name in ("ddim", "ddpm") and "clip_sample" not in own.config else {}
    return getattr(diffusers, CLASSES[name]).from_config(own.config, **unclipped)
