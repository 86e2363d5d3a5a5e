"""Pictures of plotly figures, as a browser shows them."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

if TYPE_CHECKING:
    import plotly.graph_objects as go
    from playwright.sync_api import Browser

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-sync"]
WIDTH, HEIGHT = 820, 400
_COLOURS = 128  # of a picture: few figures have more, and files become a third as large


@contextmanager
def browser() -> Iterator[Browser]:
    """A Chromium without a window."""
    from playwright.sync_api import sync_playwright

    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        yield started
        started.close()


def save_page(browser: Browser, page: Path, picture: Path, *, height: int = HEIGHT) -> None:
    """Save what a browser shows of a page with one figure."""
    size = {"width": WIDTH, "height": height}
    tab = browser.new_page(viewport=size, color_scheme="light", device_scale_factor=1.5)  # type: ignore[arg-type]
    tab.goto(page.as_uri())
    tab.wait_for_selector(".plotly .main-svg")
    tab.add_style_tag(content=".modebar { display: none !important }")
    tab.wait_for_timeout(800)
    tab.screenshot(path=picture)
    tab.close()
    with Image.open(picture) as shown:
        saved_small(shown, picture)


def saved_small(shown: Image.Image, picture: Path) -> None:
    """Save a picture with a palette of its own, which takes a third of the bytes."""
    shown.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE).save(picture, optimize=True)


def save_figures(figures: dict[str, go.Figure], folder: Path) -> list[Path]:
    """Save each figure as `<its name>.png`."""
    folder.mkdir(parents=True, exist_ok=True)
    made = []
    with tempfile.TemporaryDirectory() as place, browser() as shown:
        for name, figure in figures.items():
            page, picture = Path(place, f"{name}.html"), folder / f"{name}.png"
            figure.write_html(page, include_plotlyjs=True)
            save_page(shown, page, picture, height=int(figure.layout.height or HEIGHT))
            made.append(picture)
    return made
