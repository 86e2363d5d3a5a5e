"""From a sampler of ComfyUI back to the texts that guide it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .comfyui_graph import Graph, Node
from .settings import number, text

MAX_NODES, MAX_LINKS = 100, 32
"""Most nodes that are visited for one conditioning, and most links that are followed for one value."""

_ENCODED = ("text", "text_g", "text_l", "clip_l", "clip_g", "t5xxl", "llama", "bert", "mt5xl", "prompt")
"""Inputs of text encoders: those of SDXL and Flux have several."""

_STRINGS = ("populated_text", "text", "string", "value", "prompt", "wildcard_text", "String", "Text", "")
"""Inputs of nodes that hold or pass on a text or a number; the last is that of a Reroute."""

_JOINING = re.compile("concat|join|combine", re.IGNORECASE)
_JOINED = re.compile(r"(?:text|string|str|prompt)_?([a-z]|\d+)", re.IGNORECASE)
"""Nodes that join texts, by their kind, and their inputs: `string_a`, `text1`."""

_PASSED = ("conditioning", "conditioning_1", "conditioning_2", "conditioning_to", "conditioning_from", "cond", "")
"""Inputs of nodes that pass conditioning on: combine, concat, average, areas, ControlNet, guidance."""


@dataclass(frozen=True)
class Conditioning:
    """The text behind a conditioning, None if it is not known; Flux's guidance on the way; what to say about it."""

    text: str | None
    guidance: float | None = None
    note: str = ""


def conditioning(graph: Graph, sampler: Node, role: str) -> Conditioning:
    """The text behind a sampler's input `positive` or `negative`, or behind those of its guider."""
    starts = graph.linked(sampler, (role,))
    for guider in graph.linked(sampler, ("guider",)):
        starts += graph.linked(guider, (role, "conditioning") if role == "positive" else (role,))
    found, unknown, guidance = list[str](), list[str](), None
    waiting, seen = starts[::-1], set[int]()
    while waiting and len(seen) < MAX_NODES:
        node = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if node.kind == "FluxGuidance":
            guidance = guidance or number(value(graph, node.inputs.get("guidance"), "guidance"))
        if node.kind == "ConditioningZeroOut":
            found.append("")  # zeros, whatever the text behind it
            continue
        behind = graph.linked(node, (role, *_PASSED))
        written = encoded(graph, node, role)
        if written is not None:
            found.append(written)
        elif behind:
            waiting += behind[::-1]
        else:
            unknown.append(_end(graph, node, role).kind)
    return Conditioning(_joined(found), guidance, _note(role, found, unknown))


def _joined(found: Sequence[str]) -> str | None:
    return ", ".join(each for each in dict.fromkeys(found) if each) if found else None


def _note(role: str, found: Sequence[str], unknown: Sequence[str]) -> str:
    several = len({each for each in found if each})
    if unknown:
        return f"a text of the {role} prompt comes from {text(unknown[0])}, which is not known"
    if not found and role == "positive":
        return "the positive prompt is linked to no text"
    return f"the {role} prompt joins {several} texts that are combined" if several > 1 else ""


def encoded(graph: Graph, node: Node, role: str = "") -> str | None:
    """The text that a node encodes; None if it encodes none, or one that the graph does not have.

    Different texts for the encoders of SDXL or Flux are joined by a comma. Loaders and stylers with a text for each
    role have an input `positive` or `text_positive`.
    """
    names = (*_ENCODED, *((role, f"text_{role}") if role else ()))
    values = (value(graph, node.inputs.get(name), role) for name in names if name in node.inputs)
    found = [each for each in values if isinstance(each, str)]
    return None if not found else ", ".join(dict.fromkeys(map(_plain, filter(str.strip, found))))


def value(graph: Graph, linked: object, key: str = "") -> object:
    """A value, or the one behind a chain of links to nodes that hold it, by the name `key` or a usual one."""
    for _ in range(MAX_LINKS):
        node = graph.link(linked)
        if node is None:
            return None if isinstance(linked, list) else linked
        if _parts(node):
            return _concatenated(graph, node)
        names = (key, f"text_{key}", *_STRINGS) if key else _STRINGS
        linked = next((node.inputs[name] for name in names if name in node.inputs), None)
    return None


def _concatenated(graph: Graph, node: Node) -> str | None:
    """The text of a node that joins two, which may come from such nodes again; a stack in place of recursion."""
    parts, waiting = list[str](), list[object]([node])
    for _ in range(MAX_NODES):
        if not waiting:
            return "".join(parts)
        piece = waiting.pop()
        inner = piece if isinstance(piece, Node) else graph.link(piece)
        if inner is None:
            parts += [piece] if isinstance(piece, str) else []
        elif pieces := _parts(inner):
            waiting += pieces[::-1]
        else:
            waiting.append(next((inner.inputs[name] for name in _STRINGS if name in inner.inputs), None))
    return None


def _parts(node: Node) -> list[object]:
    """The pieces that a node joins, with what stands between them; none of a node that joins no texts."""
    names = sorted((found[1], name) for name in node.inputs if (found := _JOINED.fullmatch(name)) is not None)
    if len(names) < 2 or not _JOINING.search(node.kind):
        return []
    between = next((node.inputs[name] for name in ("delimiter", "separator") if name in node.inputs), "")
    told = [node.inputs[name] for _, name in names if node.inputs[name] not in ("", None)]
    return [piece for at, each in enumerate(told) for piece in ((between, each) if at else (each,))]


def _end(graph: Graph, node: Node, role: str) -> Node:
    """The node at which the chain of texts behind a node ends."""
    for _ in range(MAX_LINKS):
        names = (*_ENCODED, role, f"text_{role}", *_STRINGS, *(name for name in node.inputs if _JOINED.fullmatch(name)))
        behind = next((found for name in names if (found := graph.link(node.inputs.get(name))) is not None), None)
        if behind is None:
            return node
        node = behind
    return node


def _plain(written: str) -> str:
    return (text(written) or "").strip()
