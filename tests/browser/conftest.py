"""A dashboard over a small collection of rendered pictures, in a thread, and a Chromium to view it."""

from __future__ import annotations

import shutil
import socket
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import numpy as np
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserType, Page

    from thoughtspace.dashboards.serving.context import Context

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
SOFTWARE_WEBGL = ("--use-angle=swiftshader", "--enable-unsafe-swiftshader")
NO_WEBGL = ("--disable-3d-apis",)
ITEMS = 60
PATIENCE = 120_000  # milliseconds: as long as it takes on a busy machine


def make_collection(model: Path, folder: Path, items: int = ITEMS) -> Path:
    """Pictures of the pocket world with their captions and factors, encoded by `model`, with a map."""
    import csv

    from thoughtspace.analysis import CollectionMap
    from thoughtspace.datasets import captions, world
    from thoughtspace.explorer.collection.ingest import ingest
    from thoughtspace.explorer.collection.store import Collection
    from thoughtspace.explorer.explorer import Explorer

    pictures = folder / "pictures"
    pictures.mkdir(parents=True)
    generator = np.random.default_rng(0)
    with (pictures / "captions.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "caption", "world", "background"])
        for index, scene in enumerate(world.sample(items, "demo")):
            world.render(scene, 64).save(pictures / f"{index:04d}.png")
            words = captions.full_caption(scene, generator).text
            table.writerow([f"{index:04d}.png", words, scene.kind, scene.factors.get("background", "")])
    explorer = Explorer.open(model)
    ingest(explorer, pictures, folder / "collection")
    CollectionMap.fit(Collection.open(folder / "collection", explorer))
    return folder / "collection"


@dataclass
class Served:
    """A dashboard that listens.

    Attributes:
        address: with the token.
        context: what it works with.
    """

    address: str
    context: Context


@pytest.fixture(scope="session")
def served(tiny_model: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One dashboard for all browser tests."""
    from waitress import create_server

    from thoughtspace.dashboards.serving.app import Settings, context_of, create_app

    collection = make_collection(tiny_model, tmp_path_factory.mktemp("browser"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    settings = Settings(collection, port=port)
    app = create_app(settings)
    server: Any = create_server(app.server, host=settings.host, port=settings.port, threads=8)
    threading.Thread(target=server.run, daemon=True).start()
    context = context_of(app)
    context.view.warm()
    yield Served(settings.address, context)
    server.close()
    context.close()


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """A headless Chromium with WebGL in software."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = launch(playwright.chromium, SOFTWARE_WEBGL)
        yield browser
        browser.close()


def launch(kind: BrowserType, flags: Sequence[str]) -> Browser:
    """A Chromium of this machine with further flags."""
    found = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    path = found or kind.executable_path
    if not Path(path).exists():
        pytest.fail(
            "Got no Chromium, expected one on PATH or installed by Playwright; run `python -m playwright install "
            "chromium`, or install the package chromium.",
            pytrace=False,
        )
    return kind.launch(executable_path=path, args=[*FLAGS, *flags])


@dataclass
class Watched:
    """A page, the lines of its console, and its requests to other hosts."""

    page: Page
    console: list[str] = field(default_factory=list)
    elsewhere: list[str] = field(default_factory=list)

    def note(self, kind: str, text: str) -> None:
        """Keep a line of the console, unless the graphics driver wrote it, which warns that software WebGL is slow."""
        if "GL Driver Message" not in text:
            self.console.append(f"{kind}: {text}")


@pytest.fixture
def tab(chromium: Browser, served: Served) -> Iterator[Watched]:
    """A fresh page on the dashboard; the test fails when it wrote to the console or asked another machine."""
    with watched_page(chromium, served) as watched:
        yield watched


@pytest.fixture
def tab_without_webgl(chromium: Browser, served: Served) -> Iterator[Watched]:
    """The same in a Chromium that has no WebGL at all."""
    with launch(chromium.browser_type, NO_WEBGL) as browser, watched_page(browser, served) as watched:
        yield watched


@contextmanager
def watched_page(browser: Browser, served: Served) -> Iterator[Watched]:
    """A page on the dashboard; it must end with an empty console and without requests to other hosts."""
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    page = context.new_page()
    watched = Watched(page)
    here = urlsplit(served.address).netloc
    page.set_default_timeout(PATIENCE)
    page.on("console", lambda message: watched.note(message.type, message.text))
    page.on("pageerror", lambda error: watched.console.append(str(error)))
    page.on(
        "request",
        lambda request: None if _local(request.url, here) else watched.elsewhere.append(request.url),
    )
    page.goto(served.address)
    yield watched
    context.close()
    assert watched.console == []
    assert watched.elsewhere == []


def _local(url: str, here: str) -> bool:
    return urlsplit(url).scheme in ("data", "blob") or urlsplit(url).netloc == here
