"""What can be done with a model, and for each thing that cannot, why."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ..own_loop import RunsItself
from .signatures import guidance_name, options_of, prompt_names, refusal

_LOOP = "runs its own loop, which tells its latents and nothing of the network"


@dataclass(frozen=True)
class Ability:
    """One thing that a model can do or not.

    Attributes:
        name: as `"prompt space"`.
        there: whether it can.
        reason: why not, or what to know; in one line.
    """

    name: str
    there: bool
    reason: str = ""


def abilities(model: Any) -> list[Ability]:
    """Of a pipeline class of diffusers, read from its signature, or of an opened denoiser, which knows more.

    >>> import diffusers
    >>> found = {each.name: each for each in abilities(diffusers.PixArtSigmaPipeline)}
    >>> found["noise space"].there, found["bottleneck"].there
    (True, False)
    """
    if isinstance(model, type):
        return _of_class(model)
    if isinstance(model, RunsItself):
        return _of_own_call(model)
    return _of_adapter(model)


def _of_class(kind: type) -> list[Ability]:
    call, why = options_of(kind, "__call__"), refusal(kind)
    told = [name for name in ("callback_on_step_end", "callback") if name in call]
    guidance = guidance_name(kind)
    negative = "negative_prompt_embeds" in call
    return [
        Ability("prompt space", not why, why or f"a point is {', '.join(prompt_names(kind))}"),
        Ability("noise space", not why, why),
        Ability("trajectories", bool(told), f"by {told[0]}=" if told else "takes no callback that tells its steps"),
        Ability("guidance", guidance is not None, f"by {guidance}=" if guidance else "takes no scale of guidance"),
        Ability("negative prompts", negative, "" if negative else "call takes no negative_prompt_embeds="),
        Ability("joint space", False, "is guided by prompts alone"),
        Ability("inversion", False, _LOOP),
        Ability("bottleneck", False, _LOOP),
        Ability("heat maps", False, _LOOP),
        Ability("hooks", False, _LOOP),
    ]


def _of_own_call(denoiser: Any) -> list[Ability]:
    known = _of_class(type(denoiser.pipeline))
    if guidance := guidance_name(type(denoiser.pipeline), denoiser.network):
        unasked = guidance == "true_cfg_scale" and "negative_prompt" not in options_of(
            type(denoiser.pipeline), "encode_prompt"
        )
        reason = f"by {guidance}=" + (", with a negative prompt alone" if unasked else "")
        known = [Ability(each.name, True, reason) if each.name == "guidance" else each for each in known]
    latent, ragged = denoiser._autoencoder, denoiser.parts.ragged
    return [
        *known,
        Ability("latent space", not isinstance(latent, str), latent if isinstance(latent, str) else ""),
        Ability("batches", not ragged, "prompts are as long as their texts, so they run one by one" if ragged else ""),
    ]


def _of_adapter(denoiser: Any) -> list[Ability]:
    """Of a family with an adapter, whose loop is ours."""
    unet, joint = denoiser.unet is not None, denoiser.joint_dim is not None
    network = "" if unet else "the network is a transformer, not a UNet"
    ours = ("prompt space", "noise space", "trajectories", "guidance", "inversion", "hooks", "batches")
    return [
        *(Ability(name, True) for name in ours),
        Ability("negative prompts", not denoiser.distilled, "guidance is an input of the network" * denoiser.distilled),
        Ability("joint space", joint, "" if joint else "is guided by prompts alone"),
        Ability("bottleneck", unet, network),
        Ability("heat maps", unet, network),
        Ability("latent space", denoiser.vae is not None, "" if denoiser.vae is not None else "has no autoencoder"),
    ]
