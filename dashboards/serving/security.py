"""Which requests are answered, and what a page may load: one guard before all routes, one set of headers after."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from flask import Flask, Response, g, has_request_context, redirect, request

from .settings import REQUEST_BYTES, Settings

_SAFE = ("GET", "HEAD", "OPTIONS")
_PAGE = re.compile(r"/[A-Za-z0-9_-]*")
"""Addresses that the token's redirect leads to: of pages. Others, such as `//host`, lead off this server."""
_SESSION = re.compile(r"[A-Za-z0-9_-]{22}")
_COOKIE_SECONDS = 30 * 86_400
_ORIGIN = re.compile(r"(https?)://([^/?#@\s]+)")
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def protect(server: Flask, settings: Settings) -> None:
    """Guard all routes of `server`: Host, Origin and token, as Jupyter Server does, and a limit on bodies."""
    server.config["MAX_CONTENT_LENGTH"] = REQUEST_BYTES
    server.config["MAX_FORM_MEMORY_SIZE"] = REQUEST_BYTES

    session = f"thoughtspace-session-{settings.port}"

    @server.before_request
    def guard() -> Response | None:
        refusal = _wrong_host(settings) or _wrong_origin(settings) or _wrong_token(settings)
        if refusal is None or refusal.status_code == 303:
            known = request.cookies.get(session, "")
            g.session = known if _SESSION.fullmatch(known) else secrets.token_urlsafe(16)
            g.new_session = g.session != known
        return refusal

    @server.after_request
    def headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        policy = server.config.get("CONTENT_SECURITY_POLICY")
        if policy:
            response.headers.setdefault("Content-Security-Policy", policy)
        given = [g.cookie] if "cookie" in g else []
        given += [(session, g.session)] if g.get("new_session") else []
        for name, value in given:
            response.set_cookie(name, value, httponly=True, samesite="Strict", max_age=_COOKIE_SECONDS)
        return response


def present_session() -> str:
    """Who asks: one browser's secret, for the time of a request; `""` outside of one."""
    return str(g.get("session", "")) if has_request_context() else ""


def content_policy(scripts: Sequence[str]) -> str:
    """The Content-Security-Policy: nothing from other hosts, and only the inline scripts with these hashes.

    Mantine and plotly write styles at run time; plotly compiles its WebGL draw calls with `Function`.
    """
    return "; ".join(
        (
            "default-src 'self'",
            f"script-src 'self' 'unsafe-eval' {' '.join(scripts)}",
            "style-src 'self' 'unsafe-inline'",
            "img-src 'self' data: blob:",
            "media-src 'self' blob:",
            "font-src 'self' data:",
            "connect-src 'self'",
            "object-src 'none'",
            "base-uri 'none'",
            "form-action 'self'",
            "frame-ancestors 'none'",
        )
    )


def read_json() -> Any:
    """The JSON of the present request's body; `None` where it is none, or is nested too deeply to be read."""
    try:
        return request.get_json(silent=True)
    except RecursionError:
        return None


def cookie_for(settings: Settings) -> tuple[str, str]:
    """Name and value of the cookie that replaces the token. Its name has the port, as ports share their cookies."""
    return f"thoughtspace-{settings.port}", hashlib.sha256(f"cookie {settings.token}".encode()).hexdigest()


def _wrong_host(settings: Settings) -> Response | None:
    if settings.knows(request.headers.get("Host", "")):
        return None
    return _refusal("Got the Host header of another server; open the address that `thoughtspace serve` printed.")


def _wrong_origin(settings: Settings) -> Response | None:
    if request.method in _SAFE:
        return None
    origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site", "same-origin")
    # Browsers send the origin with every POST; a program without one has the token or runs on this machine.
    if site in ("same-origin", "none") if origin is None else _is_own(origin, settings):
        return None
    return _refusal("Got a request from another site, expected one from the pages of this server; open its address.")


def _is_own(origin: str, settings: Settings) -> bool:
    """Whether an origin is that of this server's pages: `http`, or `https` of a proxy that has one of its names."""
    parts = _ORIGIN.fullmatch(origin.strip().lower())
    if parts is None:
        return False
    scheme, host = parts.groups()
    return settings.is_named(host) if scheme == "https" else settings.knows(host)


def _wrong_token(settings: Settings) -> Response | None:
    if not settings.token:
        return None
    name, value = cookie_for(settings)
    if hmac.compare_digest(request.cookies.get(name, "").encode(), value.encode()):
        return None
    token = request.args.get("token", "")
    if token and hmac.compare_digest(token.encode(), settings.token.encode()):
        g.cookie = (name, value)
        # Without the token in its address the page can be bookmarked and shown to others.
        return redirect(_without_token(), 303) if request.method == "GET" else None  # type: ignore[return-value]
    message = "Got a missing or wrong token; open the address with ?token=… that `thoughtspace serve` printed."
    refusal = _refusal(message, status=401)
    refusal.headers["WWW-Authenticate"] = 'Token realm="thoughtspace"'
    return refusal


def _without_token() -> str:
    """The address that was asked for, without its token; the first page for anything but a page."""
    if not _PAGE.fullmatch(request.path):
        return "/"
    rest = urlencode([(name, value) for name, value in request.args.items(multi=True) if name != "token"])
    return f"{request.path}?{rest}" if rest else request.path


def _refusal(sentence: str, *, status: int = 403) -> Response:
    return Response(sentence + "\n", status=status, mimetype="text/plain")
