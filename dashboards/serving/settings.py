"""Settings of one dashboard: what it shows, where it listens, and who may talk to it."""

from __future__ import annotations

import ipaddress
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from thoughtspace.explorer.errors import ThoughtspaceError

UPLOAD_BYTES = 64 * 2**20
"""Largest picture that may be dropped onto the map."""

REQUEST_BYTES = 8 * 2**20
"""Largest body of any other request: the rows of a lasso over two million items."""


class DashboardError(ThoughtspaceError):
    """Settings with which no dashboard can be served, or a request of a page that cannot be met."""


@dataclass(frozen=True)
class Settings:
    """What `create_app` needs to know; everything is fixed at start.

    Attributes:
        collection: the folder of the collection.
        model: name or folder of the model that encoded it; by default the one that the collection names.
        map: name of the saved map to show; by default that of the joint space by UMAP, else the first.
        host: address to listen on; anything but loopback needs a token.
        port: to listen on.
        token: who opens the page must know it once; `None` lets everybody on this machine in.
        names: further host names under which browsers may ask, `example.org` or `example.org:8050`.

    Raises:
        DashboardError: a port out of range, or a wide address without a token.

    >>> Settings(Path("pictures"), token="abc").address
    'http://127.0.0.1:8050/?token=abc'
    """

    collection: Path
    model: str | None = None
    map: str | None = None
    host: str = "127.0.0.1"
    port: int = 8050
    token: str | None = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    names: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.port < 65536:
            raise DashboardError(f"Got port {self.port}, expected 1 to 65535; 8050 is usual.")
        if not self.token and not is_loopback(self.host):
            raise DashboardError(
                f"Got host {self.host} without a token, expected a token on any address but this machine's own; "
                "leave the token as it is, or listen on 127.0.0.1."
            )

    @property
    def address(self) -> str:
        """What to open in a browser, the token included."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"http://{host}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def knows(self, host: str) -> bool:
        """Whether a Host header names this server: the defence against a foreign page that rebinds its own name.

        A name must be on the list; a number is what rebinding cannot fake, so a wide server takes any.

        >>> settings = Settings(Path("pictures"))
        >>> [settings.knows(host) for host in ("127.0.0.1:8050", "localhost:8050", "evil.example:8050", "127.0.0.1")]
        [True, True, False, False]
        """
        host = host.strip().lower()
        if host in {name.lower() for name in self.names}:
            return True
        name, port = _split(host)
        if port != self.port:
            return False
        if name in {"localhost", "127.0.0.1", "::1", self.host.lower().strip("[]")} | {n.lower() for n in self.names}:
            return True
        return not is_loopback(self.host) and _number(name) is not None


def is_loopback(host: str) -> bool:
    """Whether an address reaches this machine only.

    >>> [is_loopback(host) for host in ("127.0.0.1", "localhost", "::1", "0.0.0.0", "192.168.0.7")]
    [True, True, True, False, False]
    """
    number = _number(host.strip("[]"))
    return host.lower() == "localhost" if number is None else number.is_loopback


def _number(name: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None


def _split(host: str) -> tuple[str, int]:
    """`name:port` or `[::1]:port`; without a port, that of plain HTTP."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host.strip("[]"), 80
    return name.strip("[]"), int(port) if port.isascii() and port.isdigit() else -1
