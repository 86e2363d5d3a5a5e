"""The results on the Arithmetic page: the terms of an expression, its pictures, numbers and nearest items."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import TYPE_CHECKING, Any

from dash import html

from thoughtspace.explorer.errors import ThoughtspaceError
from thoughtspace.explorer.language.evaluate import parse
from thoughtspace.explorer.language.nodes import Call
from thoughtspace.explorer.language.terms import operands

from ..components import icon, item_grid, section, statistic
from ..expression_card import ExpressionCard, expression_card, pictures_of, title_of, weight_sign

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from ..serving.workspace import Workspace

TO_WALK = "arithmetic-to-walk"
"""Id of the button that walks from the start of the arithmetic to its result."""


def terms_line(workspace: Workspace, text: str | None) -> list[Component]:
    """The operands of the text in the field, as chips; nothing while it does not parse."""
    try:
        node = parse(text or "")
    except ThoughtspaceError:
        return []
    called = isinstance(node, Call)
    chips = [html.Span(f"{node.name} of", className="term-sign")] if isinstance(node, Call) else []
    for index, term in enumerate(operands(node)):
        sign = "" if called else weight_sign(term.weight, first=index == 0)
        chips.append(_chip(sign, expression_card(workspace, term.node), term.weight))
    return chips


def _chip(sign: str, card: ExpressionCard, weight: float) -> Component:
    pictures = [html.Img(src=url, alt="") for url in card.thumbnails]
    title = html.Span(card.title, className="" if card.prose else "code")
    tone = "term taken" if weight < 0 else "term"
    return html.Span(
        [*([html.Span(sign, className="term-sign")] if sign else []), html.Span([*pictures, title], className=tone)],
        className="term-pair",
        title=card.source,
    )


def answer(workspace: Workspace, result: Mapping[str, Any], urls: Mapping[str, str] | None) -> Component:
    """The answer; without `urls`, the part that is known before the pictures are decoded."""
    parts = [_pictures(workspace, result, urls)]
    if urls is not None:
        parts.append(html.Div(numbers(result), className="stats"))
    cards = [_operand_card(workspace, operand) for operand in result["operands"]]
    parts += [
        section("Operands", [html.Div(cards, className="operand-cards")]),
        html.Div(
            [
                section(f"Nearest {kind} to the result", [item_grid(_cards(workspace, result[kind]))])
                for kind in ("pictures", "prompts")
                if result[kind]
            ],
            className="neighbours",
        ),
    ]
    return html.Div(parts)


def _pictures(workspace: Workspace, result: Mapping[str, Any], urls: Mapping[str, str] | None) -> Component:
    seeds = result["seeds"]
    heads = [html.Div(), *(html.Div(f"seed {seed}", className="seed") for seed in seeds)]
    rows = _row("The expression", "", result.get("files"), result.get("agreement"), urls, len(seeds))
    if urls is None and "previews" in result:
        rows = [rows[0], *map(_quick, result["previews"])]
    start = result.get("baseline")
    if start:
        title = expression_card(workspace, start["source"]).title
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


def _quick(address: str) -> Component:
    """A picture of few steps, until the measured one takes its place."""
    title = "A quick picture of few steps; the measured one comes"
    return html.Div(html.Img(src=address, alt="", className="decoded quick", title=title), className="seed-picture")


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


def numbers(result: Mapping[str, Any]) -> list[Component]:
    """The measurements, each beside a number to compare it with."""
    null, start = result["null"], result["baseline"]
    compared = [f"without the arithmetic {fmean(start['agreement']):.2f}"] if start else []
    compared += [f"95% of pictures here are below {null['high']:.2f}"] if null else []
    rows = [
        (
            "Agreement",
            f"{fmean(result['agreement']):.2f}",
            "; ".join(compared),
            "Mean cosine between the decoded pictures, encoded again, and the expression",
        )
    ]
    if start:
        rows.append(
            (
                "Moved by",
                f"{1 - start['cosine']:.2f}",
                f"cosine with the start {start['cosine']:.2f}",
                "1 - cosine between the expression and the operand it starts from",
            )
        )
    rows.append(
        (
            "Length of the sum",
            f"{result['norm']:.2f}",
            "operands have length 1; it is decoded at length 1",
            "Length of the sum before it is scaled to length 1; near 0, the operands cancel",
        )
    )
    if result["pictures"]:
        best, middle = result["pictures"][0]["score"], f"the middle picture has {null['median']:z.2f}"
        rows.append(("Nearest picture", f"{best:z.2f}", middle, "Its cosine with the expression"))
    return [statistic(*row) for row in rows]


def _operand_card(workspace: Workspace, operand: Mapping[str, Any]) -> Component:
    card = expression_card(workspace, operand["source"])
    sign = weight_sign(operand["weight"]) or "+"
    warning = [html.Small("longer than the model can read", className="warning")] if operand["truncated"] else []
    return html.Div(
        [
            html.Div(
                [
                    html.Span(sign, className="operand-sign taken" if operand["weight"] < 0 else "operand-sign"),
                    pictures_of(card) if card.thumbnails else None,
                    title_of(card, *warning),
                ],
                className="operand-head",
            ),
            html.Div(
                [html.Span("cosine with the result"), html.Span(f"{operand['cosine']:.2f}", className="number")],
                className="fact",
            ),
            item_grid(_cards(workspace, operand["nearest"])),
        ],
        className="operand",
    )


def _cards(workspace: Workspace, found: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
    return [{**item, "thumbnail": workspace.thumbnail_url(item["id"])} for item in found]
