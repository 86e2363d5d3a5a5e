"""What can be done with a model, and for each thing that cannot, why."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...errors import ModelError
from ..abilities import Abilities, abilities_of
from ..find.presets import preset_of, presets
from ..opening import family
from ..own_loop import RunsItself
from ..pipelines.signatures import guidance_name, options_of, prompt_names, refusal

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
    >>> found["noise space"].there, found["bottleneck space"].there
    (True, False)
    """
    if isinstance(model, type):
        return _of_class(model)
    if isinstance(model, RunsItself):
        return _of_own_call(model)
    return _of_adapter(model)


def abilities_by_name(name: str) -> tuple[str, list[Ability]]:
    """What a model can do, and the class of its pipeline, without opening it.

    Args:
        name: a preset, the folder of a pipeline, or a pipeline class of diffusers.

    Raises:
        ModelError: none of these.
    """
    import diffusers

    known = preset_of(name)
    place = Path(os.path.expanduser(name))
    found = next((each for each in (place, place / "diffusion") if (each / "model_index.json").is_file()), None)
    kind = known.family if known else family(found) if found else name
    if (of_family := abilities_of(kind)) is not None:
        return kind, _of_family(of_family)
    pipeline = getattr(diffusers, kind, None)
    if not isinstance(pipeline, type) or not issubclass(pipeline, diffusers.DiffusionPipeline):
        raise ModelError(
            f"Got {name!r}, expected a preset ({', '.join(presets())}), the folder of a pipeline, or a pipeline class "
            "of diffusers; name one."
        )
    return kind, _of_class(pipeline)


def _of_family(can: Abilities) -> list[Ability]:
    """Of a family with an adapter, told by its name alone."""
    loop = "noise" in can.spaces
    inside = "" if can.looks_inside else "needs a UNet that reads a prompt"
    joint = {
        "decoder": "decoded by its own denoiser",
        "adapter": "decoded with an IP-Adapter added",
        "retrieval": "decoded by the nearest item of a collection",
        "": "is guided by prompts alone",
    }[can.joint]
    spaces = ("latent", "prompt", "noise", "bottleneck")
    lacks = {"latent": "has no autoencoder", "prompt": "reads no prompt", "noise": "has no denoiser"}
    return [
        Ability("joint space", bool(can.joint), joint),
        *(Ability(f"{each} space", each in can.spaces, _reason(each, can, lacks)) for each in spaces),
        Ability("trajectories", loop, "" if loop else lacks["noise"]),
        Ability("inversion", can.inverts, "" if can.inverts else lacks["noise"]),
        Ability("heat maps", can.looks_inside, inside),
        Ability("attention walks", can.looks_inside, inside),
    ]


def _reason(space: str, can: Abilities, lacks: dict[str, str]) -> str:
    return "" if space in can.spaces else lacks.get(space, "needs a UNet")


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
        Ability("bottleneck space", False, _LOOP),
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
        Ability("bottleneck space", unet, network),
        Ability("heat maps", unet, network),
        Ability("latent space", denoiser.vae is not None, "" if denoiser.vae is not None else "has no autoencoder"),
    ]
