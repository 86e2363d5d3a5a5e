"""Writes `docs/models.md`: which models can be opened and what each family can do."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from textwrap import wrap

from thoughtspace.explorer.models.abilities import abilities_of
from thoughtspace.explorer.models.autoencoder_kinds import KINDS
from thoughtspace.explorer.models.find.presets import Preset, presets
from thoughtspace.explorer.models.memory import GIB
from thoughtspace.explorer.models.opening import FAMILIES

NAMES = {
    "StableUnCLIPImg2ImgPipeline": "Stable UnCLIP 2.1, pocket",
    "StableUnCLIPPipeline": "Stable UnCLIP 2.1 with a prior (its decoder)",
    "KandinskyV22Pipeline": "Kandinsky 2.2",
    "KandinskyV22CombinedPipeline": "Kandinsky 2.2, combined",
    "StableDiffusionPipeline": "Stable Diffusion 1.x, 2.x",
    "StableDiffusionXLPipeline": "SDXL, Turbo, Lightning, Playground",
    "StableDiffusion3Pipeline": "Stable Diffusion 3, 3.5",
    "FluxPipeline": "Flux dev, schnell",
    "open_clip": "CLIP, SigLIP of open_clip",
}

BY_THEIR_OWN_CALL = (
    *("PixArtSigmaPipeline", "SanaPipeline", "QwenImagePipeline", "ZImagePipeline", "Flux2KleinPipeline"),
    *("AuraFlowPipeline", "Lumina2Pipeline", "ChromaPipeline", "CogView4Pipeline"),
)
"""Pipelines without an adapter of their own that are tested; others of their kind open the same way."""

MEASURED = (
    ("Stable Diffusion 1.5, UNet", 512, 859_520_964, 0.13),
    ("Stable UnCLIP 2.1, UNet", 768, 870_173_124, 0.29),
    ("SDXL, UNet", 1024, 2_567_463_684, 0.31),
    ("Stable Diffusion 3 medium, transformer", 1024, 2_028_328_000, 0.53),
    ("Flux, transformer", 1024, 11_901_408_320, 0.46),
    ("autoencoder of 4 channels", 512, 83_653_863, 0.38),
    ("autoencoder of 4 channels", 1024, 83_653_863, 1.50),
)
"""Name, side, parameters and GiB at work for one picture in half precision, of `benchmarks/memory.py`."""


def models_page() -> str:
    """The whole page, in Markdown."""
    return "\n".join([*_head(), *_families(), *_other_pipelines(), *_autoencoders(), *_presets(), *_tested()]).strip()


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Markdown lines.

    >>> table(["a", "b"], [["1", "2"]])
    ['| a | b |', '|---|---|', '| 1 | 2 |']
    """
    lines = [header, ["---"] * len(header), *rows]
    return ["| " + " | ".join(row) + " |" if row[0] != "---" else "|" + "|".join(row) + "|" for row in lines]


def _head() -> list[str]:
    return [
        "# Models",
        "",
        "Written by `thoughtspace models --markdown`; a test keeps it true.",
        "",
        "`Explorer.open(name)` and `--model name` take a preset, a folder, a hub id `org/name[@revision]`, one part",
        "alone (`clip:ViT-B-32/laion2b_s34b_b79k`, `vae:stabilityai/sd-vae-ft-mse`), or a generator with parts added:",
        "`sd15+ip:h94/IP-Adapter`, `sd15+preview:madebyollin/taesd`, `sdxl+vae:NAME`, `sdxl+unet:ORG/NAME/FILE`,",
        "`sd21-unclip+clip:NAME`. Weights are safetensors; nothing pickled and no code from a repository is ever read.",
        "",
    ]


def _families() -> list[str]:
    rows = [[NAMES[family], *_row(family)] for family in [*FAMILIES, "open_clip"]]
    header = ["family", "spaces", "joint vectors are decoded", "inversion", "heat maps", "attention walks"]
    return ["## Families", "", *table(header, rows), ""]


def _row(family: str) -> list[str]:
    can = abilities_of(family)
    if can is None:
        return [""] * 5
    joint = {
        "decoder": "by its own denoiser",
        "adapter": "with an IP-Adapter added",
        "retrieval": "by the nearest item of a collection, and said so",
        "": "not",
    }[can.joint]
    inside = ("yes" if can[name].there else "–" for name in ("inversion", "heat maps", "attention walks"))
    return [", ".join(can.spaces), joint, *inside]


def _other_pipelines() -> list[str]:
    return [
        "## Any other text-to-image pipeline of diffusers",
        "",
        "It opens by its own call: prompt and noise space, walks, replays and trajectories, and the latent space where",
        "its autoencoder is one of those below. Its loop is its own, so there is no inversion, no bottleneck, no heat",
        "map and no joint space; `thoughtspace models NAME` says for each thing why not. Tested:",
        *_wrapped(BY_THEIR_OWN_CALL),
        "",
    ]


def _autoencoders() -> list[str]:
    return ["## Autoencoders", "", *_wrapped(KINDS), ""]


def _wrapped(names: Iterable[str]) -> list[str]:
    return wrap(", ".join(f"`{name}`" for name in names) + ".", 110)


def _presets() -> list[str]:
    header = ["name", "what it is", "px", "weights in 16 bits", "licence", "source"]
    rows = [
        [
            f"`{each.name}`",
            each.note,
            str(each.side),
            f"{each.parameters * 2e6 / GIB:.1f} GiB",
            each.licence + (", gated" if each.gated else ""),
            "comes with the package" if each.folder else f"`{each.source}`",
        ]
        for each in presets().values()
    ]
    return ["## Presets", "", *table(header, rows), ""]


def _tested() -> list[str]:
    rows = [
        [name, str(side), f"{count / 1e6:,.0f} M", f"{count * 2 / GIB:.2f} GiB", f"{working:.2f} GiB"]
        for name, side, count, working in MEASURED
    ]
    header = ["network", "px", "parameters", "weights", "at work, one picture"]
    pocket: Preset = presets()["pocket"]
    return [
        "## What was tested, and on what",
        "",
        f"- **Full-size weights: none yet**, but for `{pocket.name}`, which was trained here.",
        "- **Random weights, full size, shapes alone** (no computation, `benchmarks/memory.py`): the table below.",
        "- **Random weights, small networks of the real classes**, saved in their true formats and compared with the",
        "  unmodified libraries (`tests/oracles/`): every family, pipeline and autoencoder of this page.",
        "- **Graphics cards: none yet.** Half precision was tried on the CPU; placement on CUDA and MPS and offloading",
        "  are covered as far as they go without a card.",
        "",
        *table(header, rows),
        "",
    ]
