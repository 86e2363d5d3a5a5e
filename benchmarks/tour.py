"""Take the README's pictures of the dashboard: a real browser on a real collection.

thoughtspace demo --no-serve --out demo && python benchmarks/tour.py demo/collection docs
"""

from __future__ import annotations

from harness.arguments import Arguments

ARGUMENTS = Arguments(__doc__, quick={"pages": ["map"]})
ARGUMENTS.add_argument("collection", metavar="COLLECTION", help="a collection with a map")
ARGUMENTS.add_argument("out", metavar="FOLDER", help="where to save the pictures")
NAMES = ["map", "walk", "arithmetic"]
ARGUMENTS.add_argument("--pages", nargs="+", choices=NAMES, default=NAMES, help="pages to take pictures of")

if __name__ == "__main__":
    ARGUMENTS.parse_args()  # help and mistakes are answered before the libraries below are loaded

import shutil
from pathlib import Path

from harness.report import print_json
from harness.serving import served
from playwright.sync_api import Page, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-sync"]


AMONG_ITEMS = """() => {
    const { data, div: plot } = window.thoughtspace.map;
    const { xaxis, yaxis } = plot._fullLayout, area = plot.querySelector(".nsewdrag").getBoundingClientRect();
    const row = Math.floor(0.6 * data.x.length);
    return [area.left + xaxis.d2p(data.x[row]) + 7, area.top + yaxis.d2p(data.y[row]) + 7];
}"""
"""A place on the screen beside an item, where the confidence is high."""


def map_page(page: Page) -> None:
    page.wait_for_selector("#map-plot[data-ready=true]")
    page.wait_for_timeout(3000)
    page.mouse.click(*page.evaluate(AMONG_ITEMS))
    page.wait_for_function("document.querySelector('.picture-card .decoded')?.naturalWidth > 0")
    page.wait_for_timeout(1500)


# Quick pictures are shown while the full ones are still made.
NOTHING_RUNS = "![...document.querySelectorAll('button')].some(b => b.innerText === 'Cancel' && b.offsetParent)"


def walk_page(page: Page) -> None:
    page.locator("#link-walk").click()
    for stop in ("a smiling person with a crown", "an angry person with a top hat", "a house by a lake at sunset"):
        page.locator("#walk-text").fill(stop)
        page.locator("#walk-text").press("Enter")
        page.wait_for_timeout(1500)
    page.locator("#walk-frames").fill("24")
    page.wait_for_timeout(1000)
    page.locator("#walk-render").click()
    page.wait_for_function("document.querySelector('video.film')?.readyState >= 2", timeout=600_000)
    page.wait_for_timeout(1500)


def arithmetic_page(page: Page) -> None:
    page.locator("#link-arithmetic").click()
    page.locator("#arithmetic-text").fill('"a person with a top hat" - "a top hat" + "a crown"')
    page.locator("#arithmetic-decode").click()
    page.wait_for_selector("#arithmetic-answer img")
    page.wait_for_function(NOTHING_RUNS, timeout=600_000)
    page.wait_for_timeout(1500)


PAGES = dict(zip(NAMES, (map_page, walk_page, arithmetic_page), strict=True))


def main() -> None:
    chosen = ARGUMENTS.parse_args()
    pictures = {page: Path(chosen.out, f"{page}.png") for page in chosen.pages}
    Path(chosen.out).mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with served(Path(chosen.collection)) as (settings, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 820}, color_scheme="light")
        page.set_default_timeout(120_000)
        page.goto(settings.address)
        for name, picture in pictures.items():
            PAGES[name](page)
            page.screenshot(path=picture)
            if not chosen.json:
                print(picture, flush=True)
        browser.close()
    if chosen.json:
        print_json({"pictures": [str(picture) for picture in pictures.values()]})


if __name__ == "__main__":
    main()
