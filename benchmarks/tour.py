"""Take the README's pictures of the dashboard: a real browser on a real collection.

thoughtspace demo --no-serve --out demo && python benchmarks/tour.py demo/collection docs
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from serving import served

FLAGS = ["--no-sandbox", "--disable-gpu", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-sync"]


AMONG_ITEMS = """() => {
    const { data, div: plot } = window.thoughtspace.map;
    const { xaxis, yaxis } = plot._fullLayout, area = plot.querySelector(".nsewdrag").getBoundingClientRect();
    const row = Math.floor(0.6 * data.x.length);
    return [area.left + xaxis.d2p(data.x[row]) + 7, area.top + yaxis.d2p(data.y[row]) + 7];
}"""
"""A place on the screen beside an item, where the map has something to say."""


def map_page(page: Page) -> None:
    page.wait_for_selector("#map-plot[data-ready=true]")
    page.wait_for_timeout(3000)
    page.mouse.click(*page.evaluate(AMONG_ITEMS))
    page.wait_for_function("document.querySelector('.picture-card .decoded')?.naturalWidth > 0")
    page.wait_for_timeout(1500)


def walk_page(page: Page) -> None:
    page.locator("#link-walk").click()
    for stop in ("a smiling person with a crown", "an angry person with a top hat", "a house by a lake at sunset"):
        page.locator("#walk-text").fill(stop)
        page.locator("#walk-text").press("Enter")
        page.wait_for_timeout(1500)
    page.locator("#walk-frames").fill("24")
    page.wait_for_timeout(1000)
    page.locator("#walk-render").click()
    page.wait_for_function("document.querySelector('video.film')?.readyState >= 2", timeout=240_000)
    page.wait_for_timeout(1500)


def arithmetic_page(page: Page) -> None:
    page.locator("#link-arithmetic").click()
    page.locator("#arithmetic-text").fill('"a person with a top hat" - "a top hat" + "a crown"')
    page.locator("#arithmetic-decode").click()
    page.wait_for_selector("#arithmetic-answer img")
    page.wait_for_timeout(6000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("collection", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    with served(options.collection) as (settings, _), sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=FLAGS)
        page = browser.new_page(viewport={"width": 1280, "height": 820}, color_scheme="light")
        page.set_default_timeout(120_000)
        page.goto(settings.address)
        for name, visit in (("map", map_page), ("walk", walk_page), ("arithmetic", arithmetic_page)):
            visit(page)
            page.screenshot(path=options.out / f"{name}.png")
            print(options.out / f"{name}.png", flush=True)
        browser.close()


if __name__ == "__main__":
    main()
