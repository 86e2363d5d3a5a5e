"""The stops of a walk: edit them, read them as a request, and list them on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from dash import html

from thoughtspace.explorer.language.evaluate import parse

from ..components import icon
from ..expression_card import check_operands, expression_card, pictures_of, title_of
from .form import WalkRequest

if TYPE_CHECKING:
    from dash.development.base_component import Component

    from ..serving.workspace import Workspace

EXAMPLES = {
    "Faces": ["a person with long red hair", "a person with blue hair and a crown", "a bald person with sunglasses"],
    "A day": [
        "mountains at dawn",
        "mountains by day with the sun",
        "mountains at sunset",
        "mountains at night, a moon",
    ],
    "Across kinds": ["a landscape with a house", "a sailing boat on a lake at sunset", "a person in a top hat"],
}
"""Example walks, in words that the pocket model knows."""


class Parts(StrEnum):
    """Types of the ids of buttons that are repeated for each stop or example."""

    MOVE = "walk-move"
    EXAMPLE = "walk-example"


def edited(stops: Sequence[str] | None, trigger: Any, text: str | None) -> tuple[list[str], str]:
    """The stops after a button was pressed, and the new text of the field.

    Args:
        trigger: the id of the button: the field or its button, a move (`index` of the stop and `by`: -1, 1, or 0 to
            remove it), or an example.

    Raises:
        ExpressionError: the field's text does not parse.
    """
    changed = list(stops or [])
    if isinstance(trigger, Mapping) and trigger.get("type") == Parts.EXAMPLE:
        return list(EXAMPLES[trigger["index"]]), text or ""
    if isinstance(trigger, Mapping) and trigger.get("type") == Parts.MOVE:
        index, by = int(trigger["index"]), int(trigger["by"])
        if 0 <= index < len(changed):
            stop = changed.pop(index)
            if by:
                changed.insert(max(0, index + by), stop)
        return changed, text or ""
    source = (text or "").strip()
    parse(source)
    return [*changed, source], ""


def length_of(frames: Any, fps: Any) -> str:
    """The length of the film in seconds, as text; empty while the fields hold no numbers."""
    try:
        return f"{float(frames) / float(fps):.1f} s"
    except (TypeError, ValueError, ZeroDivisionError):
        return ""


def read_form(
    workspace: Workspace,
    stops: Sequence[str] | None,
    loop: bool | None,
    form: Mapping[str, Any],
) -> WalkRequest:
    """Read the form as a request, and check that the items and pictures of its stops exist.

    Args:
        loop: whether the walk returns to its first stop.
        form: the other fields of a `WalkRequest`, as the page has them.

    Raises:
        ThoughtspaceError: a field is wrong; the message is shown beside the form.
    """
    walked = list(stops or [])
    if loop and len(walked) > 1:
        walked.append(walked[0])
    request = WalkRequest.from_json({**form, "stops": walked})
    for stop in request.stops:
        check_operands(workspace, parse(stop))
    return request


def stop_rows(workspace: Workspace, stops: Sequence[str]) -> list[Component]:
    """One row per stop: its number, its expression, and buttons to move and remove it."""
    return [_stop_row(workspace, index, stop, last=index == len(stops) - 1) for index, stop in enumerate(stops)]


def _stop_row(workspace: Workspace, index: int, stop: str, *, last: bool) -> Component:
    card = expression_card(workspace, stop)

    def button(name: str, by: int, hint: str, *, disabled: bool = False) -> Component:
        key = {"type": Parts.MOVE, "index": index, "by": by}
        return html.Button(icon(name), id=key, title=hint, className="tool", n_clicks=0, disabled=disabled)

    return html.Li(
        [
            html.Span(str(index + 1), className="stop-number"),
            pictures_of(card),
            title_of(card),
            html.Div(
                [
                    button("up", -1, "Earlier", disabled=index == 0),
                    button("down", 1, "Later", disabled=last),
                    button("close", 0, "Remove"),
                ],
                className="stop-tools",
            ),
        ],
        className="stop",
    )
