"""What can be done with a model, and for each thing that cannot, why: all of it read from the facts of its family."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from ..errors import ModelError
from .autoencoder_kinds import KINDS
from .facts import Facts
from .find.folder import is_pipeline
from .find.presets import preset_of, presets
from .generator import Generator
from .opening import FAMILIES, family
from .pipelines.signatures import diffusers_class, facts_of, prompt_names

SPACES = ("joint", "latent", "prompt", "noise", "bottleneck")

_JOINT = {
    "decoder": "decoded by its own denoiser",
    "adapter": "decoded with an IP-Adapter added",
    "retrieval": "decoded by the nearest item of a collection",
    "": "is guided by prompts alone",
}
_OWN_LOOP = "runs its own loop, which shows its latents and nothing of the network"
_NO_DENOISER, _NO_TEXT, _NO_UNET = "has no denoiser", "reads no prompt", "its network is a transformer, not a UNet"
_ONE_SIDE = "guidance is an input of the network, which has no negative side"
_NO_NEGATIVE = "its call takes no negative_prompt_embeds="


@dataclass(frozen=True)
class Ability:
    """One thing that a model can do or not, as `"prompt space"`; and why not, or what to know, in one line."""

    name: str
    there: bool
    reason: str = ""


@dataclass(frozen=True)
class Abilities:
    """All that can be done with a model.

    Attributes:
        joint: how its joint vectors are decoded: `"decoder"`, `"adapter"` (with an IP-Adapter), `"retrieval"` (the
            nearest items of a collection are shown), or `""` where it has none.
        each: one for each name.
    """

    joint: Literal["decoder", "adapter", "retrieval", ""]
    each: tuple[Ability, ...]

    @property
    def spaces(self) -> tuple[str, ...]:
        """The spaces that it has with nothing added to it."""
        there = [name for name in SPACES if self[f"{name} space"].there]
        return tuple(name for name in there if not (name == "joint" and self.joint == "adapter"))

    def __getitem__(self, name: str) -> Ability:
        return next(each for each in self.each if each.name == name)

    def __iter__(self) -> Iterator[Ability]:
        return iter(self.each)

    def lacks(self, name: str) -> str:
        """Why there is no ability of that name; empty where there is one, and for names that are none."""
        return next((each.reason for each in self if each.name == name and not each.there), "")


def abilities(facts: Facts) -> Abilities:
    """Of a family, or of a pipeline that runs its own loop.

    >>> from .families.flux import Flux
    >>> abilities(Flux.facts).spaces
    ('latent', 'prompt', 'noise')
    """
    own = facts.own_loop
    if own is not None and own.refusal:
        return _nothing_but({}, own.refusal)
    unasked = "" if own is None else _OWN_LOOP
    inside = unasked or ("" if facts.network == "unet" else _NO_UNET)
    text = "" if facts.reads_text else _NO_TEXT
    one_sided = _ONE_SIDE if facts.distilled else "" if own is None or own.negative else _NO_NEGATIVE
    found = [
        Ability("joint space", bool(facts.joint), _JOINT[facts.joint]),
        _unless("latent space", "", "where its autoencoder opens by itself" if own else ""),
        _unless("prompt space", text),
        _unless("noise space", ""),
        _unless("bottleneck space", inside),
        _unless("trajectories", "", "") if own is None else _named("trajectories", own.callback, "its steps"),
        _unless("guidance", "", "") if own is None else _named("guidance", own.guidance, "a scale of guidance"),
        _unless("negative prompts", one_sided),
        _unless("inversion", unasked),
        _unless("heat maps", text if facts.joint_attention else inside or text),
        _unless("attention walks", inside or text),
    ]
    return Abilities(facts.joint, tuple(found))


def abilities_of(kind: str) -> Abilities | None:
    """By the class of a pipeline, of an autoencoder, or `"open_clip"`; None for what is not known.

    >>> abilities_of("StableDiffusionXLPipeline").spaces
    ('latent', 'prompt', 'noise', 'bottleneck')
    >>> abilities_of("open_clip").joint
    'retrieval'
    """
    if kind == "open_clip":
        return replace(_nothing_but({"joint space": _JOINT["retrieval"]}, _NO_DENOISER), joint="retrieval")
    if kind in KINDS:
        return _nothing_but({"latent space": ""}, _NO_DENOISER)
    if kind in FAMILIES:
        return abilities(FAMILIES[kind].facts)
    pipeline = diffusers_class(kind)
    if pipeline is None:
        return None
    found, parts = abilities(facts_of(pipeline)), f"a point is {', '.join(prompt_names(pipeline))}"
    each = (replace(one, reason=parts) if one.name == "prompt space" and one.there else one for one in found)
    return replace(found, each=tuple(each))


def abilities_by_name(name: str) -> tuple[str, Abilities]:
    """The class of the pipeline of a preset, a folder or a class of diffusers, and what it can do; nothing is opened.

    Raises:
        ModelError: none of these.
    """
    known = preset_of(name)
    place = Path(os.path.expanduser(name))
    folder = next((each for each in (place, place / "diffusion") if is_pipeline(each)), None)
    kind = known.family if known else family(folder) if folder else name
    found = abilities_of(kind)
    if found is None:
        raise ModelError(
            f"Got {name!r}, expected a preset ({', '.join(presets())}), the folder of a pipeline, or a pipeline class "
            "of diffusers; name one.",
            code="no such model",
        )
    return kind, found


def abilities_of_generator(generator: Generator) -> Abilities:
    """Of a model that was opened, which may lack what others of its family have."""
    found = abilities(generator.facts)
    lacks = {}
    if generator.joint_dim is None and found.joint:
        lacks["joint space"] = "is guided by prompts alone; add an IP-Adapter (+ip:h94/IP-Adapter)"
    if generator.autoencoder is None:
        lacks["latent space"] = "its autoencoder is not one of those that open by themselves"
    if generator.unet is not None and generator.unet.mid_block is None:
        lacks["bottleneck space"] = "its UNet has no middle block"
    if generator.distilled:
        lacks["negative prompts"] = _ONE_SIDE
    each = (Ability(one.name, False, lacks[one.name]) if one.name in lacks else one for one in found)
    return replace(found, each=tuple(each))


def _unless(name: str, why: str, note: str = "") -> Ability:
    return Ability(name, not why, why or note)


def _named(name: str, argument: str, what: str) -> Ability:
    return Ability(name, bool(argument), f"by {argument}=" if argument else f"its call has no argument for {what}")


def _nothing_but(there: dict[str, str], why: str) -> Abilities:
    """What has the abilities in `there`, with their notes, and no other."""
    names = [each.name for each in abilities(Facts("")).each]
    return Abilities("", tuple(Ability(name, name in there, there.get(name, why)) for name in names))
