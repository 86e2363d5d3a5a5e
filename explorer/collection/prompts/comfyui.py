"""ComfyUI: the graph that made the picture, JSON in the PNG text `prompt`, or after `prompt:` in EXIF's Model.

The settings are those of the samplers that start from an empty or a loaded picture, not of those that refine another
sampler's. If there are several of them, only what they agree on is taken, and the note names the rest.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

from . import comfyui_texts as texts
from .carried import Carried
from .comfyui_graph import Graph, Node
from .settings import Settings, document, integer, joined_note, number, text

MAX_SAMPLERS, MAX_ENCODERS = 32, 256
"""Graphs with more samplers, or more texts where there is none, are not followed."""

_PREFIX = "prompt:"
_PARTS = ("guider", "noise", "sampler", "sigmas")
"""Inputs of SamplerCustom and SamplerCustomAdvanced behind which their settings are."""

_MODELS = ("ckpt_name", "unet_name", "model_name", "base_ckpt_name")


def read(carried: Carried) -> Settings | None:
    """Settings from the graph, or from a `workflow` alone, of which only the raw text can be kept."""
    for raw in (carried.texts.get("prompt", ""), *map(_after_prefix, carried.exif.values()), carried.user_comment):
        values = document(raw)
        graph = Graph.read(values) if values is not None else None
        if graph is not None:
            return _of_graph(graph, raw)
    workflow = document(carried.texts.get("workflow"))
    if workflow is not None and isinstance(workflow.get("nodes"), list):
        note = "only the workflow of the editor is there, without the graph that ran"
        return Settings("comfyui", raw=carried.texts["workflow"], note=note)
    return None


def _after_prefix(value: str) -> str:
    return value[len(_PREFIX) :] if value[: len(_PREFIX)].lower() == _PREFIX else ""


class _Agreed:
    """What several samplers agree on; `differing` names the rest."""

    def __init__(self, graph: Graph, samplers: list[Node]) -> None:
        self._graph, self._samplers = graph, samplers
        self.differing: list[str] = []

    def value(self, name: str, values: Iterable[Any]) -> Any:
        found = set(values)
        if len(found) > 1:
            self.differing.append(name)
        return found.pop() if len(found) == 1 else None

    def setting(self, name: str, keys: tuple[str, ...], convert: Callable[[object], Any]) -> Any:
        return self.value(name, (_setting(self._graph, node, keys, convert) for node in self._samplers))


def _of_graph(graph: Graph, raw: str) -> Settings:
    samplers = [node for node in graph.before_saving() if _is_sampler(node)]
    if len(samplers) > MAX_SAMPLERS:
        return Settings("comfyui", raw=raw, note=f"ambiguous: {len(samplers)} samplers")
    firsts = _firsts(graph, samplers)
    if not firsts:
        return _without_sampler(graph, raw)
    agreed = _Agreed(graph, firsts)
    positives = [texts.conditioning(graph, node, "positive") for node in firsts]
    negatives = [texts.conditioning(graph, node, "negative") for node in firsts]
    prompt = agreed.value("prompt", (each.text for each in positives))
    cfg = agreed.setting("guidance", ("cfg",), number)
    distilled = agreed.value("distilled guidance", (each.guidance for each in positives))
    settings = Settings(
        source="comfyui",
        prompt=prompt or "",
        negative=agreed.value("negative", (each.text for each in negatives)),
        seed=agreed.setting("seed", ("seed", "noise_seed"), integer),
        steps=agreed.setting("steps", ("steps",), integer),
        sampler=agreed.setting("sampler", ("sampler_name",), text),
        guidance=distilled if cfg is None else cfg,
        model=agreed.value("model", (_model(graph, node) for node in firsts)),
        raw=raw,
    )
    more = {
        "scheduler": agreed.setting("scheduler", ("scheduler",), text),
        "distilled guidance": text(distilled),
        "loras": ", ".join(_loras(graph, firsts)),
        "prompts": "\n".join(sorted({each.text or "" for each in positives})) if prompt is None else "",
    }
    notes = [each.note for each in (*positives, *negatives)]
    if agreed.differing:
        notes.append(f"ambiguous: {len(firsts)} samplers that differ in {', '.join(agreed.differing)}")
    if len(samplers) > len(firsts):
        notes.append(f"of {len(samplers)} samplers, these are the settings of those that come first")
    known = MappingProxyType({name: value for name, value in more.items() if value})
    return replace(settings, more=known, note=joined_note(*dict.fromkeys(notes)))


def _is_sampler(node: Node) -> bool:
    """A node that is guided by texts and has, or gets, a number of steps or a seed."""
    guided = "guider" in node.inputs or ("positive" in node.inputs and "negative" in node.inputs)
    return guided and any(name in node.inputs for name in ("steps", "noise", "sigmas", "seed", "noise_seed"))


def _firsts(graph: Graph, samplers: list[Node]) -> list[Node]:
    """The samplers that do not start from what another sampler made."""
    made = {id(node) for node in samplers}
    starts = ("latent_image", "latent", "samples", "image", "pixels")
    before = ((node, graph.upstream(graph.linked(node, starts))) for node in samplers)
    return [node for node, nodes in before if not any(id(each) in made for each in nodes)] or samplers


def _setting(graph: Graph, node: Node, keys: tuple[str, ...], convert: Callable[[object], Any]) -> Any:
    """A setting of a sampler: its own, or that of the parts linked to it."""
    for each in (node, *graph.upstream(graph.linked(node, _PARTS), through=_PARTS)):
        for key in keys:
            value = texts.value(graph, each.inputs.get(key), key)
            if (found := convert(value)) is not None:
                return found
    return None


def _model(graph: Graph, node: Node) -> str | None:
    for each in graph.upstream([node], through=("guider", "model", "sigmas")):
        for key in _MODELS:
            if found := text(texts.value(graph, each.inputs.get(key), key)):
                return found
    return None


def _loras(graph: Graph, samplers: list[Node]) -> list[str]:
    nodes = graph.upstream(samplers, through=("guider", "model"))
    return [name for node in nodes if (name := text(node.inputs.get("lora_name")))]


def _without_sampler(graph: Graph, raw: str) -> Settings:
    """The text of a graph without a known sampler, if it has a single one."""
    loaders = [node for node in graph.nodes if _written(graph, node, "positive")]
    if len(loaders) == 1:
        return _of_loader(graph, loaders[0], raw)
    encoders = [node for node in graph.nodes if node.kind.startswith("CLIPTextEncode")]
    if len(encoders) > MAX_ENCODERS:
        return Settings("comfyui", raw=raw, note=f"ambiguous: no known sampler and {len(encoders)} texts")
    found = sorted(filter(None, {texts.encoded(graph, node) for node in encoders}))
    if len(found) == 1:
        return Settings("comfyui", found[0], raw=raw, note="the only text of a graph without a known sampler")
    return Settings("comfyui", raw=raw, note=f"ambiguous: no known sampler and {len(found)} texts")


def _written(graph: Graph, node: Node, role: str) -> str | None:
    """The text of a role in a node that has it as such, as loaders and encoders with both texts do."""
    names = (f"{role}_prompt", role, f"text_{role}")
    return next((found for name in names if (found := text(texts.value(graph, node.inputs.get(name), role)))), None)


def _of_loader(graph: Graph, loader: Node, raw: str) -> Settings:
    """Settings from the only node with a positive text, and from the only other one with a number of steps."""
    stepped = [node for node in graph.nodes if "steps" in node.inputs and {"seed", "cfg"} & node.inputs.keys()]

    def setting(keys: tuple[str, ...], convert: Callable[[object], Any]) -> Any:
        return _setting(graph, stepped[0], keys, convert) if len(stepped) == 1 else None

    return Settings(
        "comfyui",
        _written(graph, loader, "positive") or "",
        negative=_written(graph, loader, "negative"),
        seed=setting(("seed", "noise_seed"), integer),
        steps=setting(("steps",), integer),
        sampler=setting(("sampler_name",), text),
        guidance=setting(("cfg",), number),
        model=_model(graph, loader),
        raw=raw,
        note=f"the texts of {text(loader.kind)}, in a graph without a known sampler",
    )
