"""How pages show an expression: a title and the pictures of the items of the collection in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from dash import html

from thoughtspace.explorer.errors import ExpressionError
from thoughtspace.explorer.language.evaluate import parse
from thoughtspace.explorer.language.nodes import Call, Direction, Image, Item, Node, Number, Text, number

from .components import icon

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from .serving.workspace import Workspace

DROPPED = "dropped onto the map"

SHOWN = 3
"""Most pictures of one expression."""


@dataclass(frozen=True)
class ExpressionCard:
    """What a page shows of an expression.

    Attributes:
        title: the text, the caption of the item, or the source.
        note: its kind, in a word or two.
        source: its source text.
        thumbnails: addresses of pictures of the items in it.
        prose: whether `title` is prose; else it is source text.
    """

    title: str
    note: str
    source: str
    thumbnails: tuple[str, ...] = ()
    prose: bool = True


def expression_card(workspace: Workspace, source: str | Node) -> ExpressionCard:
    """The card of an expression; source text that does not parse is its own title."""
    try:
        node = parse(source) if isinstance(source, str) else source
    except ExpressionError:
        return ExpressionCard(str(source), "", str(source), prose=False)
    text, frame = str(node), workspace.collection.items()
    known = frame.set_index("id")[["kind", "caption"]]
    ids = [leaf.id for leaf in node.leaves() if isinstance(leaf, Item) and leaf.id in known.index]
    thumbnails = tuple(filter(None, map(workspace.thumbnail_url, ids)))[:SHOWN]
    match node:
        case Text(words):
            return ExpressionCard(words, "text", text)
        case Item(id) if id in known.index:
            caption = known.at[id, "caption"]
            kind = "picture" if known.at[id, "kind"] == "image" else "prompt"
            title = caption if isinstance(caption, str) and caption else f"a {kind}"
            return ExpressionCard(title, kind, text, thumbnails)
        case Direction(label):
            return ExpressionCard(label, "direction", text)
        case Image():
            return ExpressionCard("Your picture", DROPPED, text)
        case Call("mean", arguments) if all(isinstance(each, Item | Number) for each in arguments):
            return ExpressionCard("A place on the map", f"between {len(ids)} items", text, thumbnails)
    return ExpressionCard(text, "expression", text, thumbnails, prose=False)


def check_operands(workspace: Workspace, node: Node) -> None:
    """Raise unless every item, picture and direction of an expression exists.

    Raises:
        CollectionError: the collection has no such item or direction.
        PictureError: no such picture was dropped onto the map.
    """
    for leaf in node.leaves():
        if isinstance(leaf, Item):
            workspace.collection.row(leaf.id)
        elif isinstance(leaf, Image):
            workspace.upload(leaf.path)
        elif isinstance(leaf, Direction):
            workspace.collection.directions.load(leaf.label)


def pictures_of(card: ExpressionCard) -> Component:
    """The pictures of a card side by side, or an icon where it has none."""
    if not card.thumbnails:
        kind = "image" if card.note == DROPPED else "text" if card.prose else "arithmetic"
        return html.Div(icon(kind), className="card-picture empty")
    pictures = [html.Img(src=url, alt="") for url in card.thumbnails]
    return html.Div(pictures, className=f"card-picture of-{len(pictures)}")


def title_of(card: ExpressionCard, *more: Component) -> Component:
    """The title of a card above its kind."""
    title = html.Span(card.title, className="" if card.prose else "code")
    return html.Div([title, html.Small(card.note), *more], className="card-title", title=card.source)


def weight_sign(weight: float, *, first: bool = False) -> str:
    """The sign and weight in front of a term: `+`, `−`, or with a number `+ 0.7 ×`.

    >>> weight_sign(1.0, first=True), weight_sign(-1.0), weight_sign(0.7), weight_sign(-0.5, first=True)
    ('', '−', '+ 0.7 ×', '− 0.5 ×')
    """
    sign = "−" if weight < 0 else "" if first else "+"
    size = "" if abs(weight) == 1 else f"{number(round(abs(weight), 4))} ×"
    return f"{sign} {size}".strip()


def route(cards: Sequence[ExpressionCard]) -> str:
    """The titles in one line: `a fox → a cat`."""
    return " → ".join(card.title for card in cards)
