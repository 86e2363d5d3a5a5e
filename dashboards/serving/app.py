"""The dashboard: one Dash application with its shell, pages and routes.

A page is a folder whose module `page` has these names:

    class Ids(StrEnum): …                                   # ids of its components, all with the page's prefix
    TITLE, PATH, ICON = "Walk", "/walk", "walk"             # for the header
    def layout(context: Context) -> Component: …            # called once per page load
    def register(app: Dash, context: Context) -> None: …    # wires plain functions: app.callback(…)(function)

All pages are in the document at once and the shell shows one of them, so that forms, maps and running jobs stay as they
are. Use `context.workspace` for quick work (`points`, `decode`, `nearest`), `context.jobs` with `components.JobPanel`
for long work, and `context.show(images)` for the addresses of decoded pictures. A page sends data to another through
the stores of `Shared`, and opens it by `Output(Shared.LOCATION, "pathname")`; it never uses ids of other pages.
`Input(Shared.SCHEME, "data")` is `"light"` or `"dark"`, for `figures.styled`.
"""

from __future__ import annotations

import logging
import re
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import dash_mantine_components as dmc
from dash import ClientsideFunction, Dash, Input, Output, dcc, html, set_props
from werkzeug.exceptions import HTTPException

from ..components import error_alert, icon
from ..figures import CONFIG
from . import routes
from .callbacks import CheckedDash, refuse_forged
from .context import Context, Shared, open_context
from .security import content_policy, protect
from .settings import Settings

if TYPE_CHECKING:
    from dash.development.base_component import Component

__all__ = ["Settings", "context_of", "create_app"]

_THEME = {
    "primaryColor": "iris",
    "primaryShade": {"light": 6, "dark": 5},
    "defaultRadius": "md",
    "fontFamily": 'Inter, "Segoe UI", "Helvetica Neue", Arial, sans-serif',
    "fontFamilyMonospace": '"JetBrains Mono", "SF Mono", Menlo, Consolas, "Liberation Mono", monospace',
    "colors": {
        "iris": [
            *("#eef0ff", "#dadefc", "#b6bef8", "#929df4", "#7583f2"),
            *("#6676f1", "#5b6cf0", "#4a59d4", "#404ebe", "#3442a7"),
        ],
        "dark": [
            *("#e6e8ee", "#c3c7d1", "#9aa0ad", "#747b89", "#3a3e48"),
            *("#2e323b", "#23262d", "#1b1e24", "#15171c", "#101216"),
        ],
    },
}


def pages() -> tuple[ModuleType, ...]:
    """The pages in the order of the header."""
    from ..arithmetic import page as arithmetic
    from ..map import page as map
    from ..walk import page as walk

    return map, walk, arithmetic


def create_app(settings: Settings) -> Dash:
    """Build the dashboard of one collection. It is not served yet; one process may have several.

    Raises:
        CollectionError: the folder has no collection.
        MapError: the collection has no map, or no map of that name.
    """
    context = open_context(settings)
    app = CheckedDash(
        __name__,
        assets_folder=str(Path(__file__).parents[1] / "assets"),
        assets_ignore=r"^(?!map\.mjs$).*\.mjs$",  # map.mjs imports the other modules
        pages_folder="",
        use_pages=False,
        enable_mcp=False,
        title="Thoughtspace",
        update_title="",
        add_log_handler=False,
        suppress_callback_exceptions=True,  # some buttons are made with the results
        on_error=_report_callback_error,
    )
    app.index_string = app.index_string.replace("<html>", '<html lang="en">')
    protect(app.server, settings)
    refuse_forged(app)
    modules = pages()
    routes.register(app.server, context, pages=[module.PATH for module in modules])
    app.layout = lambda: _shell(modules, context)
    _register_shell(app, modules)
    for module in modules:
        module.register(app, context)
    app.server.extensions["thoughtspace"] = context
    app.server.config["CONTENT_SECURITY_POLICY"] = content_policy(app.csp_hashes())
    return app


def context_of(app: Dash) -> Context:
    """The context of a dashboard made by `create_app`; `close()` it at the end."""
    context: Context = app.server.extensions["thoughtspace"]
    return context


def _report_callback_error(error: Exception) -> None:
    """Log the traceback of a bug in a callback, and show one line on the page; an answer of HTTP is given as it is."""
    if isinstance(error, HTTPException):
        raise error
    logging.getLogger(__name__).error("a callback failed", exc_info=error)
    set_props("shell-error", {"children": error_alert(f"Got an internal {type(error).__name__}; see the log.")})


def _shell(modules: tuple[ModuleType, ...], context: Context) -> Component:
    collection = context.workspace.collection
    links = [
        dcc.Link([icon(module.ICON), module.TITLE], href=module.PATH, id=_link(module), className="nav-link")
        for module in modules
    ]
    header = html.Header(
        [
            html.Div([html.Span(className="brand-mark"), html.Span("Thoughtspace")], className="brand"),
            html.Nav(links, className="nav"),
            html.Div(
                [
                    html.Span(collection.path.name, className="header-name"),
                    html.Span(f"{len(collection):,} items", className="header-count"),
                    html.Span(Path(context.workspace.model_name).name, className="header-model", title="model"),
                    dmc.ColorSchemeToggle(
                        id="color-scheme",
                        lightIcon=icon("sun"),
                        darkIcon=icon("moon"),
                        variant="subtle",
                        color="gray",
                        size="md",
                        **{"aria-label": "Dark or light"},
                    ),
                ],
                className="header-side",
            ),
        ],
        className="header",
    )
    bodies = [html.Main(module.layout(context), id=_body(module), className="page", hidden=True) for module in modules]
    return dmc.MantineProvider(
        [
            dcc.Location(id=Shared.LOCATION, refresh="callback-nav"),
            dcc.Store(id=Shared.STOPS, data=[], storage_type="session"),
            dcc.Store(id=Shared.EXPRESSION),
            dcc.Store(id=Shared.SCHEME, data="light"),
            html.Div(id="shell-error", className="shell-error", role="alert"),
            html.Div(id="shell-offline", className="shell-offline", role="status", hidden=True),
            dcc.Graph(id="plotly-loader", config=CONFIG, style={"display": "none"}),  # loads window.Plotly
            dmc.AppShell([dmc.AppShellHeader(header), dmc.AppShellMain(bodies)], header={"height": 52}, padding=0),
        ],
        theme=_THEME,
        defaultColorScheme="auto",
    )


def _register_shell(app: Dash, modules: tuple[ModuleType, ...]) -> None:
    app.clientside_callback(
        ClientsideFunction("thoughtspace", "route"),
        [Output(_body(module), "hidden") for module in modules],
        [Output(_link(module), "className") for module in modules],
        Input(Shared.LOCATION, "pathname"),
    )
    app.clientside_callback(
        ClientsideFunction("thoughtspace", "scheme"),
        Output(Shared.SCHEME, "data"),
        Input("color-scheme", "computedColorScheme"),
    )


def _body(module: ModuleType) -> str:
    return f"page-{_slug(module)}"


def _link(module: ModuleType) -> str:
    return f"link-{_slug(module)}"


def _slug(module: ModuleType) -> str:
    return re.sub(r"[^a-z]+", "-", module.TITLE.lower())
