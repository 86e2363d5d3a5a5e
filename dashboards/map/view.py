"""The results on the Map page: a decoded point, a selection, and the quality of the map."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from dash import html
from typing_extensions import TypedDict

from thoughtspace.explorer.collection.report import report_in_words
from thoughtspace.explorer.errors import CollectionError
from thoughtspace.explorer.records.pictures import printable

from ..components import download_link, icon, item_grid, picture_card, section

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from thoughtspace.explorer.collection.items import Kind
    from thoughtspace.explorer.collection.store import Collection

    from ..serving.context import Context
    from .shown import Answer

NEAREST: dict[Kind, int] = {"image": 8, "text": 4}
"""Number of nearest items shown beside a decoded point."""

QUICK_STEPS = 6
"""Most denoising steps of a click. More are slower and, measured by encoding the picture again, come no nearer to the
point."""

_NEAREST_TITLES = {"image": "Nearest pictures", "text": "Nearest prompts"}
GALLERY = 60
"""Most items of a selection that are shown; the CSV has all."""

NOTES = 40
"""Most lines of the report of an ingest; `failed.json` and `report.json` of the collection have all."""

_SCORES = {
    "trustworthiness": ("Trustworthiness", "Neighbours on the map that are near in the space"),
    "continuity": ("Continuity", "Neighbours in the space that are near on the map"),
    "knn_recall": ("Neighbour recall", "Neighbours in the space that are neighbours on the map"),
    "triplet_accuracy": ("Triplet order", "Random triplets whose nearer pair is nearer on the map"),
}


def quality_rows(quality: Mapping[str, Any]) -> list[Component]:
    """A bar for each score of a map, with a tick at the score of a random map."""
    null = quality.get("null") or {}
    rows = [_quality_row(name, quality[name], null.get(name)) for name in _SCORES if quality.get(name) is not None]
    if not rows:
        return [html.P("Not measured for this map.", className="footnote")]
    return [*rows, html.P("The tick marks the score of a random map.", className="footnote")]


def _quality_row(name: str, value: float, null: float | None) -> Component:
    label, hint = _SCORES[name]
    tick = [] if null is None else [html.I(style={"left": f"{100 * null:.1f}%"}, title=f"at random: {null:.3f}")]
    return html.Div(
        [
            html.Div([html.Span(label), html.Span(f"{value:.3f}", className="number")]),
            html.Div([html.B(style={"width": f"{100 * min(1.0, max(0.0, value)):.1f}%"}), *tick], className="bar"),
        ],
        className="quality-row",
        title=f"{hint}; at random {null:.3f}" if null is not None else hint,
    )


def ingest_notes(collection: Collection) -> list[Component]:
    """What the last ingest read, from which tables, and what it did not read; nothing of older collections."""
    try:
        report = collection.report()
    except CollectionError as error:
        return [section("Last ingest", [html.P(str(error), className="footnote")])]
    if report is None:
        return []
    first, *more = map(printable, report_in_words(report))
    missing = len(report["failed"]) + sum(each["count"] for each in report["unread"])
    unused = sum(not each["used"] for each in report["tables"])
    told = [f"{missing} not read"] if missing else []
    told += [f"{unused} tables not used"] if unused else []
    lines = [html.Li(line) for line in more[:NOTES]]
    lines += [html.Li(f"… and {len(more) - NOTES} more")] if len(more) > NOTES else []
    folded = html.Details([html.Summary(", ".join(told) or "How it was read"), html.Ul(lines)], open=bool(told))
    body = [html.P(first, className="footnote"), *([folded] if lines else [])]
    return [section("Last ingest", [html.Div(body, className="ingest-notes")])]


def answer(context: Context, asked: Answer, *, matches: bool) -> tuple[Component, Any, dict[str, Any], Any]:
    """The picture of a point, its nearest items, the marks on the map, and the data of the buttons below the picture.

    Args:
        matches: draw rings around the nearest items on the map.
    """
    images, how = context.workspace.decode_or_find(asked.point, steps=QUICK_STEPS)
    on_map = set(context.view.frame["kind"])
    found = {kind: context.workspace.nearest(asked.point, n, kind) for kind, n in NEAREST.items() if kind in on_map}
    url = context.show(images)[0]
    places = [context.view.place_of(row) for each in found.values() for row in each["row"]]
    mark = {
        "x": asked.place[0],
        "y": asked.place[1],
        "links": [list(link) for link in asked.links],
        "rings": [place for place in places if place is not None] if matches else [],
        "follow": matches,
    }
    card = picture_card(url, title=asked.title, note=how, actions=[download_link(url, "thoughtspace.png", "PNG")])
    panel = html.Div(
        [
            card,
            confidence_bar(asked),
            html.Code(
                asked.expression, className="expression-text", title="The expression that gives this point again"
            ),
        ],
        className="unsure" if sureness(asked.confidence) == "low" else "",
    )
    nearest = [
        section(_NEAREST_TITLES[kind], [item_grid(context.view.cards(each))], aside=each["measure"].iloc[0])
        for kind, each in found.items()
    ]
    return panel, nearest, mark, {"expression": asked.expression}


def confidence_bar(asked: Answer) -> Component:
    """The confidence of a decoded point as a number, a bar and a word; where it is low, what that means."""
    placed = bool(asked.links)
    label = "Confidence" if placed else "Fit to its place on the map"
    value = asked.confidence
    word = sureness(value)
    hint = (
        "How near the place is to items, times how much these agree; 95% of the items themselves have 1."
        if placed
        else "Cosine between this point and the point that the map has at its place."
    )
    guess = "Few items are near here: the picture is a guess." if placed else "Nothing on this map is like it."
    note = [html.P(guess, className="unsure-note")] if word == "low" else []
    return html.Div(
        [
            html.Div([html.Span(label), html.Span([f"{value:.2f} ", html.Em(word)], className="number")]),
            html.Div(html.B(style={"width": f"{100 * value:.0f}%"}), className=f"bar {word}"),
            *note,
        ],
        className="confidence",
        title=hint,
    )


def sureness(confidence: float) -> str:
    """A confidence in a word."""
    return "high" if confidence >= 0.75 else "fair" if confidence >= 0.4 else "low"


class Selected(TypedDict, total=False):
    """Rows that were drawn around: their id and number; nothing when they were cleared."""

    id: str
    n: int


def gallery(context: Context, selection: Selected | None) -> Component | list[Any]:
    """The selected items: their number, the first of them, and a link to the table of all."""
    key = (selection or {}).get("id", "")
    rows = context.selections.get(key)
    if rows is None:
        return []
    texts = int(context.view.kinds[rows].sum())
    words = f"{len(rows) - texts:,} pictures, {texts:,} prompts"
    order = rows[context.view.kinds[rows].argsort(kind="stable")][:GALLERY]
    cards = context.view.cards(context.view.frame.iloc[order])
    table = download_link(f"/data/selection/{key}.csv", "selection.csv", "CSV")
    clear = html.Button([icon("close"), "Clear"], className="quiet-button", **{"data-clear": "selection"})
    more = [html.P(f"The first {len(cards)} are shown; the CSV has all.", className="footnote")]
    return section(
        f"Selection: {len(rows):,}",
        [
            html.P(words, className="footnote"),
            html.Div([item_grid(cards), *(more if len(rows) > len(cards) else [])], className="gallery"),
        ],
        aside=html.Div([table, clear], className="actions"),
    )
