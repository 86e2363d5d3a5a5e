"""Routes: the map as binary columns, pictures by opaque id, uploads, and the rows of a lasso as CSV.

No route takes a path. Columns are little-endian. The browser caches what belongs to a map under the map's key.
"""

from __future__ import annotations

import io
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from flask import Flask, Response, abort, request, send_file
from numpy.typing import NDArray
from werkzeug.exceptions import HTTPException

from thoughtspace.explorer.errors import MapError, ThoughtspaceError

from .security import read_json
from .settings import UPLOAD_BYTES, DashboardError

if TYPE_CHECKING:
    from .context import Context

_NOT_FOUND = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Not found - Thoughtspace</title>
<body style="font-family:system-ui;margin:4rem"><h1>There is no such page</h1><p><a href="/">To the map</a></p></body>
</html>"""
_FOREVER = "private, max-age=31536000, immutable"
_LITTLE = {"f": "<f4", "u": "|u1"}
_TYPES = {
    ".png": "image/png",
    ".gif": "image/gif",
    ".mp4": "video/mp4",
    ".webm": "video/webm",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
}


def register(server: Flask, context: Context, *, pages: Sequence[str]) -> None:
    """Add all routes to the server; what is neither one of them nor one of `pages` is not found."""
    _register_map(server, context)
    _register_pictures(server, context)
    _register_selection(server, context)

    started = secrets.token_urlsafe(8)

    @server.get("/data/alive")
    def alive() -> Response:
        """Pages ask whether the server is there, and whether it is the one that they were loaded from."""
        return _json({"started": started})

    @server.before_request
    def known() -> Response | None:
        # Dash answers any address with its shell.
        if request.endpoint not in ("/", "/<path:path>") or request.path in pages:
            return None
        if request.path.startswith("/data/"):
            abort(404)
        return Response(_NOT_FOUND, status=404, mimetype="text/html")

    @server.errorhandler(ThoughtspaceError)
    def mistake(error: ThoughtspaceError) -> Response:
        return _json({"error": str(error)}, status=400)

    @server.errorhandler(HTTPException)
    def refused(error: HTTPException) -> Response | HTTPException:
        if not request.path.startswith("/data/"):
            return error
        return _json({"error": f"Got {request.method} {error.code}: {error.name}."}, status=error.code or 500)


def _register_map(server: Flask, context: Context) -> None:
    view = context.view

    @server.get("/data/map/<key>/meta")
    def meta(key: str) -> Response:
        _require(key == view.key)
        about = {
            "n": len(view),
            "columns": [column.describe() for column in view.columns],
            "texts": int(view.kinds.sum()),
            "space": view.saved.space,
        }
        return _json(about)

    @server.get("/data/map/<key>/coordinates")
    def coordinates(key: str) -> Response:
        _require(key == view.key)
        return _binary(view.coordinates.T)

    @server.get("/data/map/<key>/kinds")
    def kinds(key: str) -> Response:
        _require(key == view.key)
        return _binary(view.kinds)

    @server.get("/data/map/<key>/column/<int:index>")
    def column(key: str, index: int) -> Response:
        _require(key == view.key and index < len(view.columns))
        return _binary(view.columns[index].values)

    @server.post("/data/map/<key>/similarity")
    def similarity(key: str) -> Response:
        _require(key == view.key)
        body = read_json()
        body = body if isinstance(body, Mapping) else {}
        text = body.get("expression")
        if not isinstance(text, str):
            raise DashboardError('Got no expression, expected {"expression": "…"}.', code="no expression")
        return _binary(view.similarity(text, gap=body.get("gap")), cache=False)

    @server.get("/data/map/<key>/item/<int:row>")
    def item(key: str, row: int) -> Response:
        _require(key == view.key and row < len(view))
        card = view.cards(view.frame.iloc[[row]])[0]
        fields = [[column.label, _shown(column, row)] for column in view.columns if column.name != "kind"]
        return _json(card | {"fields": [field for field in fields if field[1]]}, cache=True)

    @server.get("/data/map/<key>/atlas")
    def atlas(key: str) -> Response:
        _require(key == view.key)
        about = {"cell": view.atlas.cell, "columns": view.atlas.columns, "rows": view.atlas_rows()}
        return _json(about, cache=True)

    @server.get("/data/map/<key>/atlas.jpg")
    def atlas_picture(key: str) -> Response:
        _require(key == view.key)
        return _bytes(view.atlas.jpeg, "image/jpeg", cache=True)


def _register_pictures(server: Flask, context: Context) -> None:
    @server.get("/data/thumbnail/<item>")
    def thumbnail(item: str) -> Response:
        try:
            data = context.workspace.collection.thumbnail(item)
        except ThoughtspaceError:
            abort(404)
        _require(data is not None)
        return _bytes(data or b"", "image/jpeg", cache=True)

    @server.get("/data/picture/<key>")
    def picture(key: str) -> Response:
        kept = context.pictures.get(key)
        if kept is None:
            abort(404)
        data, mimetype, name = kept
        response = _bytes(data, mimetype, cache=True)
        response.headers["Content-Disposition"] = f'inline; filename="{name}"'
        return response

    @server.get("/data/job/<key>/<name>")
    def job_file(key: str, name: str) -> Response:
        path = context.jobs.file(key, name)
        kind = _TYPES.get(PurePosixPath(name).suffix)
        if path is None or kind is None:
            abort(404)
        return send_file(path, mimetype=kind, conditional=True, max_age=3600)

    @server.post("/data/upload")
    def upload() -> Response:
        request.max_content_length = UPLOAD_BYTES
        sent = request.files.get("picture")
        if sent is None:
            message = "Got no picture, expected one in the field 'picture'; drop a file."
            raise DashboardError(message, code="no picture")
        name = (sent.filename or "picture")[:120]
        picture = context.decoder(sent.stream.read(), name)
        key = context.workspace.add_upload(picture)
        return _json({"id": key, "name": name, "width": picture.width, "height": picture.height})


def _register_selection(server: Flask, context: Context) -> None:
    view = context.view

    @server.post("/data/map/<key>/selection")
    def select(key: str) -> Response:
        _require(key == view.key)
        rows = read_rows(request.get_data(cache=False), len(view))
        return _json({"id": context.selections.add(rows), "n": len(rows)})

    @server.get("/data/selection/<key>.csv")
    def table(key: str) -> Response:
        rows = context.selections.get(key)
        if rows is None:
            abort(404)
        chosen = view.frame.iloc[rows].assign(x=view.coordinates[rows, 0], y=view.coordinates[rows, 1])
        # Where a file lies on the server's disk is nobody's business; its name is.
        chosen["source"] = [re.split(r"[/\\]", source)[-1] for source in chosen["source"].fillna("").astype(str)]
        text = chosen.map(_harmless)
        text = text.rename(columns=_harmless)  # the names of a user's columns are as little to be trusted
        response = _bytes(text.to_csv(index=False).encode(), _TYPES[".csv"])
        response.headers["Content-Disposition"] = 'attachment; filename="selection.csv"'
        return response


def read_rows(data: bytes, n: int) -> NDArray[np.int64]:
    """Read row numbers from little-endian uint32, as a browser sends them: sorted, without duplicates.

    Raises:
        MapError: there are no bytes, their number is not a multiple of 4, or the map has no such row.
    """
    if not data or len(data) % 4:
        message = f"Got {len(data)} bytes, expected row numbers of 4 bytes each; draw around some points."
        raise MapError(message, code="rows")
    rows = np.unique(np.frombuffer(data, dtype="<u4").astype(np.int64))
    if rows[-1] >= n:
        raise MapError(f"Got row {rows[-1]}, expected rows below {n}; reload the page.", code="row")
    return rows


def _shown(column: Any, row: int) -> str:
    value = column.values[row]
    if column.kind == "category":
        return column.categories[value] if value < len(column.categories) else ""
    return "" if np.isnan(value) else f"{value:.4g}"


def _harmless(value: Any) -> Any:
    """Put an apostrophe before a text that a spreadsheet would run as a formula, as OWASP advises."""
    return f"'{value}" if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r") else value


def _require(found: bool) -> None:
    if not found:
        abort(404)


def _binary(values: NDArray[Any], *, cache: bool = True) -> Response:
    plain = np.ascontiguousarray(values, dtype=_LITTLE[values.dtype.kind])
    return _bytes(plain.tobytes(), "application/octet-stream", cache=cache)


def _json(value: Any, *, status: int = 200, cache: bool = False) -> Response:
    response = _bytes(json.dumps(value, allow_nan=False).encode(), "application/json", cache=cache)
    response.status_code = status
    return response


def _bytes(data: bytes, mimetype: str, *, cache: bool = False) -> Response:
    response = Response(io.BytesIO(data).getvalue(), mimetype=mimetype)
    response.headers["Cache-Control"] = _FOREVER if cache else "no-store"
    return response
