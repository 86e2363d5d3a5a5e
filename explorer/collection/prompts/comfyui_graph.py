"""The graph in a picture of ComfyUI: nodes, and the links in their inputs. It may have cycles, and links to nowhere."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_NODES, MAX_CHAIN = 5000, 100
"""Most nodes that are visited at once: people's graphs have at most some hundred."""


@dataclass(frozen=True, eq=False)
class Node:
    """A node: the name of its class, and its inputs, each a value or a link `[id of a node, number of its output]`."""

    kind: str
    inputs: Mapping[str, Any]


class Graph:
    """Nodes by their id."""

    def __init__(self, nodes: Mapping[str, Node]) -> None:
        self._nodes = nodes

    @classmethod
    def read(cls, values: Mapping[str, Any]) -> Graph | None:
        """The graph in `{id: {"class_type": …, "inputs": {…}}}`, or None if no entry is a node."""
        nodes = {
            name: Node(each["class_type"], each["inputs"])
            for name, each in values.items()
            if isinstance(each, dict)
            and isinstance(each.get("class_type"), str)
            and isinstance(each.get("inputs"), dict)
        }
        return cls(nodes) if nodes else None

    @property
    def nodes(self) -> Sequence[Node]:
        """All nodes."""
        return list(self._nodes.values())

    def link(self, value: object) -> Node | None:
        """The node that a link leads to; None if the value is no link, or leads nowhere."""
        if not (isinstance(value, list) and len(value) == 2 and isinstance(value[0], str | int)):
            return None
        return self._nodes.get(str(value[0]))

    def linked(self, node: Node, names: Iterable[str] | None = None) -> list[Node]:
        """The nodes that a node's inputs, or those with some names, lead to."""
        names = node.inputs if names is None else names
        found = (self.link(node.inputs.get(name)) for name in names)
        return [each for each in found if each is not None]

    def upstream(self, starts: Iterable[Node], *, through: Sequence[str] | None = None) -> list[Node]:
        """Some nodes and those that they come from, nearest first, each once; `through` names the inputs to follow.

        At most `MAX_NODES`, or `MAX_CHAIN` where the inputs are named.
        """
        most = MAX_NODES if through is None else MAX_CHAIN
        queue, seen, found = deque(starts), set[int](), list[Node]()
        while queue and len(found) < most:
            node = queue.popleft()
            if id(node) not in seen:
                seen.add(id(node))
                found.append(node)
                queue.extend(self.linked(node, through))
        return found

    def before_saving(self) -> list[Node]:
        """The nodes that lead to a node that saves pictures; all nodes if there is none."""
        saving = [node for node in self.nodes if "save" in node.kind.lower()]
        return self.upstream(saving) if saving else list(self.nodes)
