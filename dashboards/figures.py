"""Figures in the style of the dashboard, in both colour schemes, without buttons that send data to a server."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import plotly.graph_objects as go

CONFIG: dict[str, Any] = {
    "displaylogo": False,
    "displayModeBar": False,
    "responsive": True,
    "showSendToCloud": False,  # on by default since plotly.js 4
    "plotlyServerURL": "",
}
"""For every `dcc.Graph(config=CONFIG)`: without it a chart has a button that uploads its data."""

ACCENT = "#5b6cf0"
CONTRAST = "#e8893a"
MUTED = {"light": "#8a8f9c", "dark": "#8b909c"}
GRID = {"light": "#eceef2", "dark": "#2a2d34"}
INK = {"light": "#1f2430", "dark": "#e6e8ee"}
FONT = 'Inter, "Segoe UI", "Helvetica Neue", Arial, sans-serif'


def styled(figure: go.Figure, scheme: str = "light", *, height: int = 220) -> go.Figure:
    """The figure with the dashboard's type, colours and margins; `scheme` is `"light"` or `"dark"`."""
    scheme = scheme if scheme in INK else "light"
    axis = {"gridcolor": GRID[scheme], "zeroline": False, "linecolor": GRID[scheme], "tickcolor": GRID[scheme]}
    figure.update_layout(
        template="none",
        height=height,
        margin={"l": 48, "r": 12, "t": 12, "b": 40},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"family": FONT, "size": 12, "color": MUTED[scheme]},
        hoverlabel={"font": {"family": FONT}},
        showlegend=False,
    )
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure


def steps_chart(
    distances: Sequence[float],
    scheme: str = "light",
    *,
    uniform: Sequence[float] | None = None,
    stops: Sequence[int] = (),
) -> go.Figure:
    """Bars of the `n - 1` step lengths of a walk of `n` frames, and their mean as a line.

    Args:
        uniform: step lengths of the same walk with uniform spacing, drawn as a line.
        stops: the frame of each stop, from 0; those between the ends are marked.
    """
    ink = INK.get(scheme, INK["light"])
    steps = list(range(1, len(distances) + 1))
    figure = go.Figure(
        go.Bar(
            x=steps,
            y=list(distances),
            name="this walk",
            marker={"color": ACCENT, "line": {"width": 0}},
            hovertemplate="step %{x}: %{y:.4f} rad<extra></extra>",
        )
    )
    if uniform:
        figure.add_scatter(
            x=steps,
            y=list(uniform),
            name="uniform spacing",
            mode="lines",
            line={"color": CONTRAST, "width": 1.5, "shape": "hvh"},
            hovertemplate="uniform spacing: %{y:.4f} rad<extra></extra>",
        )
    if distances:
        mean = sum(distances) / len(distances)
        figure.add_hline(y=mean, line={"color": ink, "width": 1, "dash": "dot"})
    for frame in stops[1:-1]:
        figure.add_vline(x=frame + 0.5, line={"color": MUTED.get(scheme, MUTED["light"]), "width": 1})
    figure.update_xaxes(title="step")
    figure.update_yaxes(title="radians", rangemode="tozero", automargin=True, title_standoff=8, exponentformat="none")
    styled(figure, scheme)
    figure.update_layout(
        bargap=0.15, margin={"t": 28}, showlegend=bool(uniform), legend={"orientation": "h", "y": 1.2, "x": 0}
    )
    return figure
