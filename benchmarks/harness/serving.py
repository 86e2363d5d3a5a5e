"""A running dashboard for measurements and screenshots, on a free local port."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thoughtspace.dashboards.serving.app import Settings, context_of, create_app


@contextmanager
def served(collection: Path, **options: Any) -> Iterator[tuple[Settings, Any]]:
    """Serve the collection inside the block; gives the settings and the context of the warm dashboard."""
    from waitress import create_server

    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(collection, port=port, **options)
    app = create_app(settings)
    context = context_of(app)
    server: Any = create_server(app.server, host=settings.host, port=port, threads=8)
    threading.Thread(target=server.run, daemon=True).start()
    context.view.warm()
    try:
        yield settings, context  # the server's thread ends with the program
    finally:
        context.close()
