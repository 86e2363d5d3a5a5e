"""How an expression looks on a page: a few words and, where items of the collection are in it, their pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dash import html

from thoughtspace.explorer.errors import ExpressionError
from thoughtspace.explorer.language.evaluate import parse
from thoughtspace.explorer.language.nodes import Call, Image, Item, Node, Number, Text, number

from .components import icon

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from .serving.workspace import Workspace

SHOWN = 3
"""Pictures of one expression at most."""


@dataclass(frozen=True)
class Face:
    """An expression in a form to look at.

    Attributes:
        title: words for it.
        note: what kind of thing it is.
        source: its source text.
        thumbnails: addresses of pictures of the items in it.
        words: whether `title` is prose, not source text.
    """

    title: str
    note: str
    source: str
    thumbnails: tuple[str, ...] = ()
    words: bool = True


def face(workspace: Workspace, source: str | Node) -> Face:
    """The face of an expression; source text that does not parse is shown as it is."""
    try:
        node = parse(source) if isinstance(source, str) else source
    except ExpressionError:
        return Face(str(source), "", str(source), words=False)
    text, frame = str(node), workspace.collection.items()
    known = frame.set_index("id")[["kind", "caption"]]
    ids = [leaf.id for leaf in node.leaves() if isinstance(leaf, Item) and leaf.id in known.index]
    thumbnails = tuple(f"/data/thumbnail/{id}" for id in ids if known.at[id, "kind"] == "image")[:SHOWN]
    match node:
        case Text(words):
            return Face(words, "text", text)
        case Item(id) if id in known.index:
            caption = known.at[id, "caption"]
            kind = "picture" if thumbnails else "prompt"
            return Face(caption if isinstance(caption, str) and caption else f"a {kind}", kind, text, thumbnails)
        case Image():
            return Face("Your picture", "dropped onto the map", text)
        case Call("mean", arguments) if all(isinstance(each, Item | Number) for each in arguments):
            return Face("A place on the map", f"between {len(ids)} items", text, thumbnails)
    return Face(text, "expression", text, thumbnails, words=False)


def check_operands(workspace: Workspace, node: Node) -> None:
    """Nothing, when every item and picture of an expression is there; texts always are.

    Raises:
        CollectionError: an item that the collection does not have.
        PictureError: a picture that was not dropped onto the map.
    """
    for leaf in node.leaves():
        if isinstance(leaf, Item):
            workspace.collection.row(leaf.id)
        elif isinstance(leaf, Image):
            workspace.upload(leaf.path)


def thumbnails(shown: Face) -> Component:
    """The pictures of a face side by side; an icon where there are none."""
    if not shown.thumbnails:
        kind = "image" if shown.note == "dropped onto the map" else "text" if shown.words else "arithmetic"
        return html.Div(icon(kind), className="face-picture empty")
    pictures = [html.Img(src=url, alt="") for url in shown.thumbnails]
    return html.Div(pictures, className=f"face-picture of-{len(pictures)}")


def words(shown: Face, *more: Component) -> Component:
    """The title of a face above what kind of thing it is."""
    title = html.Span(shown.title, className="" if shown.words else "code")
    return html.Div([title, html.Small(shown.note), *more], className="face-words", title=shown.source)


def stat(name: str, value: str, note: str, hint: str) -> Component:
    """A number with its name, what it is to be compared with, and what it means."""
    parts = [html.Span(name), html.Strong(value, className="number"), html.Small(note)]
    return html.Div(parts, className="stat", title=hint)


def weight_sign(weight: float, *, first: bool = False) -> str:
    """What stands in front of a summand: `+`, `−`, or with its number `+ 0.7 ×`.

    >>> weight_sign(1.0, first=True), weight_sign(-1.0), weight_sign(0.7), weight_sign(-0.5, first=True)
    ('', '−', '+ 0.7 ×', '− 0.5 ×')
    """
    sign = "−" if weight < 0 else "" if first else "+"
    size = "" if abs(weight) == 1 else f"{number(round(abs(weight), 4))} ×"
    return f"{sign} {size}".strip()


def listed(faces: Sequence[Face]) -> str:
    """The titles in a line: `a fox → a cat`."""
    return " → ".join(each.title for each in faces)
