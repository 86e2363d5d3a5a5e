"""What diffusers' schedulers are, declared by class: what their state is made of and what it is scaled by."""

from __future__ import annotations

from enum import StrEnum
from typing import Any

from ..errors import ModelError


class State(StrEnum):
    """What x_t is of the picture x0 and the noise ε."""

    BY_TIMESTEP = "by timestep"
    """√ᾱ x0 + √(1-ᾱ) ε, with ᾱ of each timestep of training: variance preserving."""
    BY_RATIO = "by ratio"
    """The same, from a table of σ/α at the steps."""
    OVER_ALPHA = "over alpha"
    """The same divided by α: x0 + (σ/α) ε."""
    PRECONDITIONED = "preconditioned"
    """x0 + σε, with a network that is scaled as well (EDM: Karras et al., 2022)."""
    FLOW = "flow"
    """(1-σ) x0 + σε."""


_CLASSES = {
    State.BY_TIMESTEP: "DDIMScheduler DDIMParallelScheduler DDPMScheduler DDPMParallelScheduler LCMScheduler "
    "PNDMScheduler TCDScheduler UnCLIPScheduler",
    State.BY_RATIO: "DEISMultistepScheduler DPMSolverMultistepScheduler DPMSolverSinglestepScheduler SASolverScheduler "
    "UniPCMultistepScheduler",
    State.OVER_ALPHA: "DPMSolverSDEScheduler EulerAncestralDiscreteScheduler EulerDiscreteScheduler "
    "HeunDiscreteScheduler KDPM2AncestralDiscreteScheduler KDPM2DiscreteScheduler LMSDiscreteScheduler",
    State.PRECONDITIONED: "CosineDPMSolverMultistepScheduler EDMDPMSolverMultistepScheduler EDMEulerScheduler",
    State.FLOW: "FlowMatchEulerDiscreteScheduler FlowMatchHeunDiscreteScheduler FlowMatchLCMScheduler",
}
STATES = {name: state for state, names in _CLASSES.items() for name in names.split()}
"""Class of diffusers -> its state, unless its configuration puts it on a flow."""

KINDS = ("epsilon", "v_prediction", "sample", "flow_prediction")
"""What a network may predict."""


def state_of(scheduler: Any) -> State:
    """What the state of a scheduler is made of.

    Raises:
        ModelError: a class whose state is not known.
    """
    name = type(scheduler).__name__
    if name not in STATES:
        raise ModelError(
            f"Got a {name}, whose noise schedule is not known, expected one of {', '.join(sorted(STATES))}; choose "
            "another scheduler.",
            code="scheduler",
        )
    found = STATES[name]
    return State.FLOW if found is State.BY_RATIO and scheduler.config.get("use_flow_sigmas") else found


def flows(scheduler: Any) -> bool:
    """Whether the state of a scheduler is a linear mix of picture and noise, α = 1-σ."""
    return state_of(scheduler) is State.FLOW


def prediction_kind(scheduler: Any) -> str:
    """`epsilon`, `v_prediction`, `sample` or `flow_prediction`.

    Raises:
        ModelError: another prediction type.
    """
    kind = scheduler.config.get("prediction_type")
    if kind is None and flows(scheduler):
        return "flow_prediction"
    if kind not in KINDS:
        raise ModelError(
            f"Got prediction type {kind!r} of a {type(scheduler).__name__}, expected {', '.join(KINDS[:-1])} or "
            f"{KINDS[-1]}; choose another scheduler.",
            code="prediction type",
        )
    return kind


def noise_scale(scheduler: Any) -> float:
    """The standard deviation of the state that denoising starts from; `set_timesteps` comes first."""
    return 1.0 if flows(scheduler) else float(scheduler.init_noise_sigma)


def network_input(scheduler: Any, x_t: Any, t: Any) -> Any:
    """The state `x_t` as the network is given it; a flow is given as it is."""
    return x_t if flows(scheduler) else scheduler.scale_model_input(x_t, t)


def uses_learned_variance(scheduler: Any) -> bool:
    """Whether the step uses the variance that a network predicts beside the noise."""
    return scheduler.config.get("variance_type") in ("learned", "learned_range")
