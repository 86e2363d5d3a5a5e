"""Settings of one dashboard: what it shows, where it listens, and who may use it."""

from __future__ import annotations

import ipaddress
import re
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from thoughtspace.explorer.errors import ThoughtspaceError

UPLOAD_BYTES = 64 * 2**20
"""Largest picture that can be dropped onto the map, in bytes."""

REQUEST_BYTES = 8 * 2**20
"""Largest body of any other request in bytes: a selection of two million rows."""


class DashboardError(ThoughtspaceError):
    """Settings of a dashboard that are invalid, or a request of a page that cannot be answered."""


@dataclass(frozen=True)
class Settings:
    """What a dashboard shows and where; fixed at the start.

    Attributes:
        collection: the folder of the collection.
        model: name or folder of the model that encoded it; by default the one recorded in the collection.
        map: name of the saved map to show; by default `joint-umap`, else the first.
        host: address to listen on; anything but loopback needs a token.
        port: to listen on.
        token: secret in the address that opens the page; `None` opens it for everyone on this machine.
        names: further host names that browsers may use, `example.org` or `example.org:8050`.

    Raises:
        DashboardError: the port is out of range, or an address other than loopback has no token.

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
            raise DashboardError(f"Got port {self.port}, expected 1 to 65535; 8050 is usual.", code="port")
        if not self.token and not is_loopback(self.host):
            raise DashboardError(
                f"Got host {self.host} without a token; leave the token as it is, or listen on 127.0.0.1.",
                code="no token",
            )

    @property
    def address(self) -> str:
        """The address to open in a browser, with the token."""
        host = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(self.host, self.host)
        host = f"[{host}]" if ":" in host and not host.startswith("[") else host
        return f"http://{host}:{self.port}/" + (f"?token={self.token}" if self.token else "")

    def knows(self, host: str) -> bool:
        """Whether a Host header names this server: the defence against DNS rebinding.

        A host name must be one of `names`. Rebinding cannot fake a numeric address, so a server that listens on more
        than loopback accepts all of them.

        >>> settings = Settings(Path("pictures"))
        >>> [settings.knows(host) for host in ("127.0.0.1:8050", "localhost:8050", "evil.example:8050", "127.0.0.1")]
        [True, True, False, False]
        """
        if self.is_named(host):
            return True
        name, port = _split(host.strip().lower())
        if port != self.port:
            return False
        if name in {"localhost", "127.0.0.1", "::1", self.host.lower().strip("[]")}:
            return True
        return not is_loopback(self.host) and _number(name) is not None

    def is_named(self, host: str) -> bool:
        """Whether a Host header has one of `names`, with their port or with the server's own."""
        host = host.strip().lower()
        names = {name.lower() for name in self.names}
        return host in names or host.removesuffix(f":{self.port}") in names


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
    """Split `name:port` or `[::1]:port`; the port is 80 when it is missing, -1 when it is invalid."""
    name, colon, port = host.rpartition(":")
    if not colon or host.endswith("]"):
        return host.strip("[]"), 80
    return name.strip("[]"), int(port) if re.fullmatch("[0-9]{1,5}", port) else -1
