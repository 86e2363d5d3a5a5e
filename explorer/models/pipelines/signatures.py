"""What a pipeline of diffusers can do, read from the signatures of its call and of what the call is made of."""

from __future__ import annotations

import ast
import inspect
import textwrap
from typing import Any, Literal

from ..facts import Facts, OwnLoop

MAKES_SOMETHING_ELSE = {
    "strength": "starts from a picture",
    "mask_image": "fills holes in a picture",
    "control_image": "follows a control picture",
    "num_frames": "makes videos",
    "frames": "makes videos",
    "control_video": "makes videos",
    "source_embeds": "edits a picture",
    "audio_duration": "makes sound",
    "image_guidance_scale": "edits a picture",
    "gligen_boxes": "puts things into boxes",
}
"""Arguments that pipelines from prompts to pictures do not have."""

MAKES_OTHERWISE = {"Prior": "makes what guides another model and no pictures", "LDM3D": "makes a map of depths as well"}
"""What classes are called whose call is like those from prompts to pictures."""


def diffusers_class(name: str) -> type | None:
    """The pipeline class of diffusers of a name, or None."""
    import diffusers

    kind = getattr(diffusers, name, None)
    return kind if isinstance(kind, type) and issubclass(kind, diffusers.DiffusionPipeline) else None


def options_of(pipeline_class: type, method: str) -> dict[str, Any]:
    """The arguments of a method by name, with their defaults; `inspect.Parameter.empty` where there is none."""
    function = getattr(pipeline_class, method, None)
    if function is None:
        return {}
    parameters = inspect.signature(function).parameters
    return {name: each.default for name, each in parameters.items() if name != "self"}


def encoded_names(pipeline_class: type) -> tuple[str, ...]:
    """Names of what `encode_prompt` returns, as its own return statement has them; empty where that has no names."""
    function = getattr(pipeline_class, "encode_prompt", None)
    if function is None:
        return ()
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    names: tuple[str, ...] = ()
    for node in ast.walk(tree):
        if isinstance(node, ast.Return) and node.value is not None:
            values = node.value.elts if isinstance(node.value, ast.Tuple) else [node.value]
            names = tuple(value.id if isinstance(value, ast.Name) else "" for value in values)
    return names


def prompt_names(pipeline_class: type) -> tuple[str, ...]:
    """What a prompt consists of: what `encode_prompt` returns of it and the call takes."""
    call = options_of(pipeline_class, "__call__")
    return tuple(name for name in encoded_names(pipeline_class) if name in call and not name.startswith("negative"))


def guidance_name(pipeline_class: type, network: Any = None) -> str | None:
    """The argument that is the scale of guidance; a distilled network's own where a pipeline has both kinds."""
    call = options_of(pipeline_class, "__call__")
    distilled = network is not None and bool(network.config.get("guidance_embeds", False))
    names = ("guidance_scale", "true_cfg_scale") if distilled else ("true_cfg_scale", "guidance_scale")
    return next((name for name in names if name in call), None)


def refusal(pipeline_class: type) -> str:
    """Why a pipeline cannot be explored from prompts to pictures, as the end of a sentence; empty where it can."""
    from diffusers.pipelines.auto_pipeline import AUTO_TEXT2IMAGE_PIPELINES_MAPPING

    call = options_of(pipeline_class, "__call__")
    for name, what in MAKES_SOMETHING_ELSE.items():
        if name in call:
            return f"{what} ({name}=)"
    if "controlnet" in inspect.signature(pipeline_class).parameters:
        return "follows a control picture (controlnet=)"
    for word, what in MAKES_OTHERWISE.items():
        if word in pipeline_class.__name__:
            return what
    # Some from prompts to pictures can be shown a picture as well; diffusers says which.
    if "image" in call and pipeline_class not in AUTO_TEXT2IMAGE_PIPELINES_MAPPING.values():
        return "starts from a picture (image=)"
    needed = [name for name, default in call.items() if default is inspect.Parameter.empty and name != "kwargs"]
    if needed:
        return f"needs {needed[0]}= at each call"
    for name in ("height", "width", "prompt_embeds", "latents", "generator", "num_inference_steps", "output_type"):
        if name not in call:
            return f"takes no {name}="
    for method in ("encode_prompt", "prepare_latents"):
        if not options_of(pipeline_class, method):
            return f"has no {method}()"
    if "prompt_embeds" not in prompt_names(pipeline_class):
        return "does not say which of the tensors that encode_prompt() returns are prompt_embeds"
    return ""


def facts_of(pipeline_class: type, network: Literal["unet", "transformer"] = "transformer") -> Facts:
    """The facts of a pipeline that runs its own loop, with the steps and the guidance of its call's defaults."""
    call, guidance = options_of(pipeline_class, "__call__"), guidance_name(pipeline_class)
    steps, scale = (call.get(name) for name in ("num_inference_steps", guidance or ""))
    return Facts(
        pipeline_class.__name__,
        network=network,
        usual=(steps if isinstance(steps, int) else 1, float(scale) if isinstance(scale, int | float) else 1.0),
        own_loop=OwnLoop(
            guidance=guidance or "",
            negative="negative_prompt_embeds" in call,
            callback=next((name for name in ("callback_on_step_end", "callback") if name in call), ""),
            refusal=refusal(pipeline_class),
        ),
    )
