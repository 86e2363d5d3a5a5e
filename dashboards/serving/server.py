"""The web server: its socket is bound before any slow work, and it serves until it is interrupted."""

from __future__ import annotations

import errno
import os
import signal
import socket as sockets
import sys
import webbrowser
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager
from threading import Thread, current_thread, main_thread
from typing import TYPE_CHECKING, Any, NoReturn

from ..arguments import UsageError
from ..console import Console

if TYPE_CHECKING:
    from .context import Context
    from .settings import Settings

THREADS = 32
"""Requests at once. Most of these wait for the model, so there are many more than decodes that can be waited for."""
CONNECTIONS = 2_000
"""Open at once; a browser has up to six. More are left waiting by the system."""
IDLE = 30
"""Seconds after which a connection that says nothing is closed, so that half-open ones cannot silence the server."""


@contextmanager
def listen(host: str, port: int) -> Iterator[sockets.socket]:
    """Bind a socket to an address for the time of the block.

    Args:
        port: 0 for any free port.

    Raises:
        UsageError: the port is in use or forbidden, or the address is not one of this machine.
    """
    where = f"{host}:{port}"
    try:
        family, kind, protocol, _, address = sockets.getaddrinfo(host, port, type=sockets.SOCK_STREAM)[0]
        bound = sockets.socket(family, kind, protocol)
    except OSError as error:
        message = f"Got address {where} ({error.strerror}), expected one of this machine; use 127.0.0.1."
        raise UsageError(message, code="address") from error
    try:
        if os.name == "posix":  # elsewhere this option would let two servers share a port
            bound.setsockopt(sockets.SOL_SOCKET, sockets.SO_REUSEADDR, 1)
        try:
            bound.bind(address)
            bound.listen()
        except OSError as error:
            raise _not_bound(where, error) from error
        yield bound
    finally:
        bound.close()


def run(
    settings: Settings,
    *,
    socket: sockets.socket,
    console: Console,
    browse: bool,
    more: Mapping[str, Any] | None = None,
) -> None:
    """Serve a collection until interrupted or terminated; the answer of the command is its address.

    Args:
        settings: what to show, and where.
        socket: bound to the host and port of the settings.
        browse: open the address in a browser.
        more: further keys of the JSON answer.
    """
    from waitress.server import create_server

    from .app import context_of, create_app
    from .settings import REQUEST_BYTES, UPLOAD_BYTES

    url, place = settings.address, {"host": settings.host, "port": settings.port}
    document = {"url": url, **place, "collection": str(settings.collection), **(more or {})}
    with ExitStack() as stack:
        stack.enter_context(_exit_on_sigterm())
        app = create_app(settings)
        context = stack.enter_context(closing(context_of(app)))
        server: Any = create_server(
            app.server,
            sockets=[socket],
            threads=THREADS,
            connection_limit=CONNECTIONS,
            channel_timeout=IDLE,
            cleanup_interval=IDLE // 6,
            asyncore_use_poll=True,  # `select` takes no more than 1,024 connections
            max_request_body_size=UPLOAD_BYTES + REQUEST_BYTES,
            ident=None,
        )
        stack.enter_context(closing(server))
        console.answer(document, f"Thoughtspace is at {url} (Ctrl-C stops it)")
        Thread(target=_warm, args=(context,), daemon=True).start()
        if browse and _has_screen():  # the program of $BROWSER may block
            Thread(target=webbrowser.open, args=(url,), daemon=True).start()
        server.run()


def _warm(context: Context) -> None:
    """Prepare the first click, then the first job: one after the other, so that a small machine is not overloaded."""
    context.view.warm()
    context.jobs.start()


@contextmanager
def _exit_on_sigterm() -> Iterator[None]:
    """Turn SIGTERM into an exit of the block, so that all is closed and no files are left."""
    if current_thread() is not main_thread():  # Python allows handlers in the main thread only
        yield
        return
    before = signal.signal(signal.SIGTERM, _end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(*_: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # a second signal must not interrupt the closing
    raise SystemExit(0)


def _has_screen() -> bool:
    """Whether a browser would open in a window and not in the terminal."""
    return sys.platform in ("darwin", "win32") or any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY"))


def _not_bound(where: str, error: OSError) -> UsageError:
    if error.errno == errno.EADDRINUSE:
        message = f"Got {where}, which another program uses; choose a port with --port (`make demo PORT=8051`)."
        return UsageError(message, code="port in use")
    reason = error.strerror or str(error)
    message = f"Got {where}, where this program cannot listen ({reason}); choose an address of this machine."
    return UsageError(message, code="cannot listen")
