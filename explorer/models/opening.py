"""From the folders of a model's parts to its encoder and its generator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import torch

from ..errors import ModelError
from .encoder import Encoder
from .facts import Facts
from .families.family import Family
from .families.flux import Flux
from .families.ip_adapter import AdapterFiles, adapter_files
from .families.kandinsky import Kandinsky
from .families.stable_diffusion import StableDiffusion
from .families.stable_diffusion_3 import StableDiffusion3
from .families.stable_diffusion_xl import StableDiffusionXL
from .families.unclip import StableUnCLIP
from .few_steps import FewSteps
from .find.folder import opened, read_if_there, read_index
from .find.parts import Parts, Towers, towers
from .generator import Generator
from .open_clip import ClipModel
from .pipelines.pipeline import Pipeline
from .pipelines.signatures import diffusers_class, facts_of
from .placement import Target, require_in_memory
from .scheduler_facts import uses_learned_variance
from .transformers_clip import TransformersClip

FAMILIES: dict[str, type[Family]] = {
    "StableUnCLIPImg2ImgPipeline": StableUnCLIP,
    "StableUnCLIPPipeline": StableUnCLIP,
    "KandinskyV22Pipeline": Kandinsky,
    "KandinskyV22CombinedPipeline": Kandinsky,
    "StableDiffusionPipeline": StableDiffusion,
    "StableDiffusionXLPipeline": StableDiffusionXL,
    "StableDiffusion3Pipeline": StableDiffusion3,
    "FluxPipeline": Flux,
}
"""Pipeline class -> its adapter."""

_LIBRARIES = ("diffusers", "transformers", "stable_diffusion")
"""Where the code of a pipeline's parts may be; the last is the folder of diffusers with StableUnCLIP's normalizer."""


def family(folder: Path) -> str:
    """The pipeline class that a diffusion folder was saved from; the folder's parts must come from known libraries.

    Raises:
        ModelError: no `model_index.json`, or parts whose code is not in diffusers or transformers.
    """
    index = read_index(folder)
    for part, origin in index.items():
        if part.startswith("_") or not isinstance(origin, list):
            continue
        library = origin[0] if len(origin) == 2 else origin
        if library is not None and library not in _LIBRARIES:
            raise ModelError(
                f"Got part {part!r} from {library!r} in {folder}, expected diffusers or transformers; models with code "
                "of their own are not opened.",
                code="code",
            )
    return str(index.get("_class_name"))


def facts_in(folder: Path) -> Facts:
    """The facts of the pipeline in a folder.

    Raises:
        ModelError: no pipeline from prompts to pictures.
    """
    name = family(folder)
    if name in FAMILIES:
        return FAMILIES[name].facts
    pipeline = diffusers_class(name)
    facts = facts_of(pipeline, "unet" if (folder / "unet").is_dir() else "transformer") if pipeline else None
    if facts is None or (facts.own_loop and facts.own_loop.refusal):
        why = f", which {facts.own_loop.refusal}" if facts and facts.own_loop else ""
        raise ModelError(
            f"Got a diffusion model of class {name!r} in {folder}{why}, expected one of {', '.join(FAMILIES)}, or "
            "another text-to-image pipeline of diffusers; choose another model.",
            code="class",
        )
    return facts


def adapter_in(parts: Parts) -> AdapterFiles | None:
    """The files of the IP-Adapter that is added to a generator, or None where none is.

    Raises:
        ModelError: no adapter in that place, or a kind that is not known.
    """
    if parts.adapter is None:
        return None
    config = read_if_there(parts.diffusion / "unet" / "config.json") if parts.diffusion else {}
    return adapter_files(parts.adapter, config.get("cross_attention_dim"))


def open_generator(parts: Parts, target: Target, adapter: AdapterFiles | None = None) -> Generator | None:
    """The generator of a model, by the family that its `model_index.json` names; None in a model without one.

    Raises:
        ModelError: a family that is not known, a folder that is incomplete, or parts that do not fit.
    """
    folder = parts.diffusion
    if folder is None:
        return None
    facts = facts_in(folder)
    if facts.own_loop is None:
        made: Generator = _open_family(folder, parts, target, adapter)
    elif parts.unet or adapter or (parts.autoencoder and not parts.own_autoencoder):
        raise ModelError(
            f"Got weights of a UNet, an IP-Adapter or an autoencoder for a {facts.pipeline}, which is used by its own "
            "call and decodes its own latents, expected it alone; leave them out.",
            code="own loop",
        )
    else:
        made = Pipeline.open(folder, facts, target)
    if target.size is not None:
        made = made.sized(target.size)
    # A scheduler is made of whatever its configuration says, and may find out only now that it cannot work so.
    opened("a scheduler", folder / "scheduler", lambda: _try_scheduler(made))
    if made.unet is not None:  # beside one the text encoders are small, and the empty prompt is kept for later
        opened("text encoders", folder, lambda: made.encode_prompts([""]))
    return made


def _try_scheduler(generator: Generator) -> None:
    """Lay out two steps and, where the steps are ours to take, take them on a state of zeros."""
    sampler = generator.scheduler()
    generator.set_timesteps(sampler, 2)
    if generator.facts.own_loop is not None:
        return
    x_t = torch.zeros(1, 1, 8, 8, device=generator.device)
    output = torch.cat([x_t, x_t], dim=1) if uses_learned_variance(sampler) else x_t
    with torch.random.fork_rng():
        for t in sampler.timesteps:
            x_t = sampler.step(output, t, x_t, return_dict=False)[0]


def _open_family(folder: Path, parts: Parts, target: Target, adapter: AdapterFiles | None) -> Family:
    made = FAMILIES[family(folder)].open(folder, target)
    if parts.unet is not None:
        load_unet(made, parts.unet)
    if adapter is not None:
        made = made.adapted(adapter)
    if takes_few_steps(parts):
        made = replace(made, few_step_weights=FewSteps.beside(folder, made.unet, target))
    return made


def takes_few_steps(parts: Parts) -> bool:
    """Whether a pipeline's few-step weights, if it has some, are opened: they were made for its UNet as it is."""
    return parts.unet is None and parts.adapter is None


def load_unet(generator: Family, file: Path) -> None:
    """Weights of a distilled UNet in place of a model's own, and the steps that such models are trained on.

    They are trained on the last timestep and evenly down from it: `timestep_spacing="trailing"` (Lin et al., 2024).

    Raises:
        ModelError: a model without a UNet, or weights of another one.
    """
    from safetensors.torch import load_file

    unet = generator.unet
    if unet is None:
        raise ModelError(
            f"Got weights {file} for a model whose network is no UNet; open it without them.", code="no unet"
        )
    require_in_memory(unet, f"weights {file}")

    keys = opened("weights of a UNet", file, lambda: unet.load_state_dict(load_file(file), strict=False))
    if keys.missing_keys or keys.unexpected_keys:
        raise ModelError(
            f"Got {file}, of which {len(keys.unexpected_keys)} weights are unknown to the UNet and "
            f"{len(keys.missing_keys)} are missing, expected all of them; choose the file for this model.",
            code="other weights",
        )
    generator.pipeline.scheduler.register_to_config(timestep_spacing="trailing")


def open_encoder(parts: Parts, target: Target, adapter: AdapterFiles | None = None) -> Encoder | None:
    """The encoder of joint vectors: of an open_clip folder, of a pipeline that has one inside, or of an IP-Adapter.

    Raises:
        ModelError: weights that are missing, pickled or damaged, or an adapter without the encoder of its vectors.
    """
    if parts.clip is not None:
        found = towers(parts.clip)
        if found is None:
            return ClipModel.open(parts.clip, target)
        return TransformersClip.open(parts.clip, found, target)
    if adapter is None:
        return None
    if adapter.encoder is None:
        raise ModelError(
            f"Got an IP-Adapter {adapter.weights.name} for vectors of width {adapter.width} without the image encoder "
            "that makes them, expected image_encoder/ of that width beside it; restore it, or open a pair with its "
            "CLIP.",
            code="incomplete",
        )
    folder = adapter.encoder
    return TransformersClip.open(folder.parent, Towers(folder.name, folder.name), target)
