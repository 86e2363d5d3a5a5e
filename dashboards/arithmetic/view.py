"""What the Arithmetic page shows: the terms of an expression, its pictures, its numbers and its neighbours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from dash import html

from thoughtspace.explorer.errors import ThoughtspaceError
from thoughtspace.explorer.language.evaluate import parse
from thoughtspace.explorer.language.nodes import Call
from thoughtspace.explorer.language.terms import operands

from ..components import icon, item_grid, section
from ..expression_card import Face, face, stat, thumbnails, weight_sign, words

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from ..serving.workspace import Workspace

TO_WALK = "arithmetic-to-walk"
"""Id of the button that walks from the start of the arithmetic to its result."""


def terms_line(workspace: Workspace, text: str | None) -> list[Component]:
    """The operands of what is being typed, as chips; nothing while it does not parse."""
    try:
        node = parse(text or "")
    except ThoughtspaceError:
        return []
    listed = operands(node)
    called = isinstance(node, Call)
    lead = [html.Span(f"{node.name} of", className="term-sign")] if isinstance(node, Call) else []
    return [
        *lead,
        *(
            _chip("" if called else weight_sign(term.weight, first=index == 0), face(workspace, term.node), term.weight)
            for index, term in enumerate(listed)
        ),
    ]


def _chip(sign: str, shown: Face, weight: float) -> Component:
    pictures = [html.Img(src=url, alt="") for url in shown.thumbnails]
    title = html.Span(shown.title, className="" if shown.words else "code")
    tone = "term taken" if weight < 0 else "term"
    return html.Span(
        [*([html.Span(sign, className="term-sign")] if sign else []), html.Span([*pictures, title], className=tone)],
        className="term-pair",
        title=shown.source,
    )


def answer(workspace: Workspace, made: Mapping[str, Any], urls: Mapping[str, str] | None) -> Component:
    """The whole answer; without `urls` what is known before the pictures are."""
    parts = [_pictures(workspace, made, urls)]
    if urls is not None:
        parts.append(html.Div(numbers(made), className="stats"))
    cards = [_operand_card(workspace, operand) for operand in made["operands"]]
    parts += [
        section("Operands", [html.Div(cards, className="operand-cards")]),
        html.Div(
            [
                section(f"Nearest {kind} to the result", [item_grid(_cards(made[kind]))])
                for kind in ("pictures", "prompts")
                if made[kind]
            ],
            className="neighbours",
        ),
    ]
    return html.Div(parts)


def _pictures(workspace: Workspace, made: Mapping[str, Any], urls: Mapping[str, str] | None) -> Component:
    seeds = made["seeds"]
    heads = [html.Div(), *(html.Div(f"seed {seed}", className="seed") for seed in seeds)]
    rows = [*_row("The expression", "", made.get("files"), made.get("agreement"), urls, len(seeds))]
    start = made.get("baseline")
    if start:
        title = face(workspace, start["source"]).title
        rows += _row("Without the arithmetic", title, start["files"], start["agreement"], urls, len(seeds))
    actions = []
    if start:
        actions = [html.Button([icon("walk"), "Walk there"], id=TO_WALK, className="quiet-button", n_clicks=0)]
    style = {"gridTemplateColumns": f"132px repeat({len(seeds)}, minmax(0, 168px))"}
    return section("Decoded", [html.Div([*heads, *rows], className="seeds", style=style)], aside=html.Div(actions))


def _row(
    title: str,
    note: str,
    files: Sequence[str] | None,
    agreement: Sequence[float] | None,
    urls: Mapping[str, str] | None,
    n: int,
) -> list[Component]:
    head = html.Div([html.Strong(title), html.Span(note, className="footnote")], className="row-head")
    if not files or not agreement or urls is None:
        return [head, *(html.Div(html.Span(className="picture-to-come"), className="seed-picture") for _ in range(n))]
    return [head, *(_picture(urls[name], name, value) for name, value in zip(files, agreement, strict=True))]


def _picture(url: str, name: str, agreement: float) -> Component:
    return html.Div(
        [
            html.Img(src=url, alt=name, className="decoded"),
            html.Div(
                [
                    html.Span(
                        f"{agreement:.2f}", className="number", title="Cosine of the picture with the expression"
                    ),
                    html.A(icon("download"), href=url, download=name, title="Download PNG", className="tool"),
                ],
                className="seed-foot",
            ),
        ],
        className="seed-picture",
    )


def numbers(made: Mapping[str, Any]) -> list[Component]:
    """What was measured, each number beside what it is to be compared with."""
    null, start = made["null"], made["baseline"]
    compared = [f"without the arithmetic {fmean(start['agreement']):.2f}"] if start else []
    compared += [f"95% of pictures here are below {null['high']:.2f}"] if null else []
    listed = [
        (
            "Agreement",
            f"{fmean(made['agreement']):.2f}",
            "; ".join(compared),
            "Mean cosine between what the decoded pictures show, encoded again, and the expression",
        )
    ]
    if start:
        listed.append(
            (
                "Moved by",
                f"{1 - start['cosine']:.2f}",
                f"cosine with the start {start['cosine']:.2f}",
                "1 - cosine between the expression and the operand it starts from",
            )
        )
    listed.append(
        (
            "Length of the sum",
            f"{made['norm']:.2f}",
            "operands have length 1; it is decoded at length 1",
            "How long the sum is before it is brought back to the sphere: near 0, the operands cancel",
        )
    )
    if made["pictures"]:
        best, middle = made["pictures"][0]["score"], f"the middle picture has {null['median']:.2f}"
        listed.append(("Nearest picture", f"{best:.2f}", middle, "Its cosine with the expression"))
    return [stat(*row) for row in listed]


def _operand_card(workspace: Workspace, operand: Mapping[str, Any]) -> Component:
    shown = face(workspace, operand["source"])
    sign = weight_sign(operand["weight"]) or "+"
    warning = [html.Small("longer than the model reads", className="warning")] if operand["truncated"] else []
    return html.Div(
        [
            html.Div(
                [
                    html.Span(sign, className="operand-sign taken" if operand["weight"] < 0 else "operand-sign"),
                    thumbnails(shown) if shown.thumbnails else None,
                    words(shown, *warning),
                ],
                className="operand-head",
            ),
            html.Div(
                [html.Span("cosine with the result"), html.Span(f"{operand['cosine']:.2f}", className="number")],
                className="fact",
            ),
            item_grid(_cards(operand["nearest"])),
        ],
        className="operand",
    )


def _cards(found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [
        {**item, "thumbnail": f"/data/thumbnail/{item['id']}" if item["kind"] == "image" else None} for item in found
    ]
