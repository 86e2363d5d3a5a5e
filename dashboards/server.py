"""The web server: one socket, bound before anything slow, that answers until it is interrupted."""

from __future__ import annotations

import errno
import os
import socket as sockets
import sys
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any

from .arguments import UsageError
from .console import Console

THREADS = 8


@contextmanager
def listen(host: str, port: int) -> Iterator[sockets.socket]:
    """A socket bound to an address; nobody else can take it while the block runs.

    Args:
        port: 0 for any that is free.

    Raises:
        UsageError: the port is in use or forbidden, or the address is none of this machine's.
    """
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = sockets.getaddrinfo(host, port, type=sockets.SOCK_STREAM)[0]
        bound = sockets.socket(family, kind, protocol)
    except OSError as error:
        raise UsageError(
            f"Got address {where} ({error.strerror}), expected one of this machine; use 127.0.0.1."
        ) from error
    try:
        if os.name == "posix":  # elsewhere this option would let two servers share a port
            bound.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        try:
            bound.bind(address)
            bound.listen()
        except OSError as error:
            raise UsageError(_not_bound(where, error)) from error
        yield bound
    finally:
        bound.close()


def run(
    collection: Path,
    *,
    model: str,
    host: str,
    socket: sockets.socket,
    console: Console,
    browse: bool,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Serve a collection until interrupted; the answer of the command is its address.

    Args:
        model: name of the model that the collection was made with.
        socket: bound to `host`.
        browse: open the address in the person's browser.
        more: further keys of the JSON answer.
    """
    from waitress.server import create_server

    from .app import Settings, context_of, create_app

    port = int(socket.getsockname()[1])
    settings = Settings(collection=collection, model=model, host=host, port=port)
    app = create_app(settings)
    context = context_of(app)
    server: Any = create_server(app.server, sockets=[socket], threads=THREADS, ident=None)
    url = settings.address
    document = {"url": url, "host": host, "port": port, "collection": str(collection), **(more or {})}
    console.answer(document, f"Thoughtspace is at {url} (Ctrl-C stops it)")
    if browse and _has_screen():
        webbrowser.open(url)
    Thread(target=context.view.warm, daemon=True).start()  # so that the first click is as fast as the others
    try:
        server.run()
    finally:
        server.close()
        context.close()


def _has_screen() -> bool:
    """Whether a browser would open in a window, not take over the terminal."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _not_bound(where: str, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"Got {where}, where another program listens already, expected a free port; choose one with --port."
    reason = error.strerror or str(error)
    return f"Got {where}, where this program cannot listen ({reason}), expected an address of its own; choose another."
