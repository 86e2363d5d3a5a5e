"""Samplers by short names, each on a model's own noise schedule."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import ModelError
from .find.folder import opened, quiet, read_json, require_weights
from .scheduler_facts import STATES, flows

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


def require_scheduler(folder: Path) -> None:
    """Raises ModelError where the configuration of a scheduler cannot be read, or is of a class diffusers lacks."""
    import diffusers

    name = str(read_json(require_weights(folder, "scheduler_config.json")).get("_class_name"))
    if not name.endswith("Scheduler") or name not in dir(diffusers):
        raise ModelError(
            f"Got scheduler class {name!r} in {folder}, expected one of diffusers; restore its config.",
            code="scheduler",
        )


def open_scheduler(folder: Path) -> Any:
    """The scheduler of a folder.

    Raises:
        ModelError: as `require_scheduler`.
    """
    import diffusers

    require_scheduler(folder)
    name = read_json(folder / "scheduler_config.json")["_class_name"]
    return opened("a scheduler", folder, lambda: getattr(diffusers, name).from_pretrained(folder))


def scheduler_like(own: Any, name: str | None = None) -> Any:
    """A new scheduler without state, with the configuration of `own` and the class that `name` stands for.

    Raises:
        ModelError: an unknown name, or one that cannot work on the noise schedule of `own`.
    """
    import diffusers

    if name is not None and name not in CLASSES:
        raise ModelError(
            f"Got scheduler {name!r}, expected one of {', '.join(CLASSES)}; or leave it to the model.", code="scheduler"
        )
    kind = type(own) if name is None else getattr(diffusers, CLASSES[name])
    options = {} if name is None else _options_on(own, name)
    with quiet():  # of what a configuration holds that the class has no use for
        return kind.from_config(own.config, **options)


def _options_on(own: Any, name: str) -> dict[str, Any]:
    """The options that the class of a name needs beside the configuration of `own`."""
    config = own.config
    if type(own).__name__ in STATES and flows(own):
        return _options_on_flow(config, name)
    if "beta_schedule" not in config:
        raise ModelError(
            f"Got scheduler {name!r} for a model on the noise schedule of its {type(own).__name__}, which no other "
            "has; leave it out.",
            code="own schedule",
        )
    # Latents reach beyond [-1, 1], to which DDIM and DDPM clip pictures by default.
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
            "choose one, or leave it to the model.",
            code="scheduler",
        )
    return {
        "use_flow_sigmas": True,
        "prediction_type": "flow_prediction",
        "flow_shift": config.get("flow_shift") or config.get("shift") or 1.0,
        **dict.fromkeys(_OTHER_SPACINGS, False),  # of the σ of diffusion, which would go before those of flow
    }


def dynamic_shift(sampler: Any, patches: int, calculate: Any, highest: float) -> dict[str, float]:
    """`mu`, where a flow-matching scheduler shifts its noise by the number of patches; nothing where it does not.

    Args:
        calculate: `calculate_shift` of the family's pipeline.
        highest: its largest shift, where the configuration has none.
    """
    config = sampler.config
    if not config.get("use_dynamic_shifting", False):
        return {}
    mu = calculate(
        patches,
        config.get("base_image_seq_len", 256),
        config.get("max_image_seq_len", 4096),
        config.get("base_shift", 0.5),
        config.get("max_shift", highest),
    )
    return {"mu": mu}
