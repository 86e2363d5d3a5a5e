"""Samplers by short names, each on a model's own noise schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ModelError
from .find.folder import opened, quiet, read_json

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

ON_FLOWS = ("dpm++", "unipc")
"""Those that diffusers can put on a flow. DEIS too has the option, but it ends one step before σ = 0."""
_OTHER_SPACINGS = ("use_karras_sigmas", "use_exponential_sigmas", "use_beta_sigmas")


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
        ModelError: an unknown name, or one that cannot work on the noise schedule of `own`.
    """
    import diffusers

    if name is not None and name not in CLASSES:
        raise ModelError(f"Got scheduler {name!r}, expected one of {', '.join(CLASSES)}; or leave it to the model.")
    kind = type(own) if name is None else getattr(diffusers, CLASSES[name])
    options = {} if name is None else _options_on(own, name)
    with quiet():  # of what a configuration holds that the class has no use for
        return kind.from_config(own.config, **options)


def _options_on(own: Any, name: str) -> dict[str, Any]:
    """What the class of a name must be told beside the configuration of `own`."""
    config = own.config
    if "FlowMatch" in type(own).__name__ or config.get("use_flow_sigmas"):
        return _options_on_flow(config, name)
    if "beta_schedule" not in config:
        raise ModelError(
            f"Got scheduler {name!r} for a model on the noise schedule of its {type(own).__name__}, which no other "
            "has, expected none; leave it to the model."
        )
    # Latents reach beyond [-1, 1], to which DDIM and DDPM clip pictures unless told otherwise.
    if name in ("ddim", "ddpm") and "clip_sample" not in config:
        return {"clip_sample": False}
    # The Runge-Kutta steps that PNDM begins with otherwise take four at least, and latents fare better without.
    if name == "pndm" and "skip_prk_steps" not in config:
        return {"skip_prk_steps": True}
    return {}


def _options_on_flow(config: Any, name: str) -> dict[str, Any]:
    # Of shifts by the number of patches DPM-Solver++ knows the exponential one alone.
    linear = config.get("use_dynamic_shifting") and config.get("time_shift_type") == "linear"
    able = [each for each in ON_FLOWS if not (linear and each == "dpm++")]
    if name not in able:
        raise ModelError(
            f"Got scheduler {name!r} for a flow-matching model, expected {' or '.join(able)}; "
            "choose one, or leave it to the model."
        )
    return {
        "use_flow_sigmas": True,
        "prediction_type": "flow_prediction",
        "flow_shift": config.get("flow_shift") or config.get("shift") or 1.0,
        **dict.fromkeys(_OTHER_SPACINGS, False),  # of the σ of diffusion, which would go before those of flow
    }
