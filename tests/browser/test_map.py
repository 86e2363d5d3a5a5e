"""The map in a browser: click, find, select and drop; with an empty console and no request to another host."""

from __future__ import annotations

import csv
import io
import re
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

    from .conftest import Served, Watched

pytestmark = pytest.mark.browser

# A pixel of the plot with no point and no thumbnail near it, and the map coordinates it stands for.
EMPTY = """() => {
    const map = window.thoughtspace.map, view = map.view, box = map.host.getBoundingClientRect();
    for (let px = 60; px < view.width - 60; px += 17) for (let py = 80; py < view.height - 80; py += 17) {
        const [x, y] = view.toMap(px, py);
        if (map.overlay.thumbAt(px, py) < 0 && map.data.nearest(x, y, 40 / view.scale, () => true) < 0)
            return { left: box.left + px, top: box.top + py, x, y };
    }
}"""
# Where a row of the map lies on the screen.
PIXEL = """(row) => {
    const map = window.thoughtspace.map, box = map.host.getBoundingClientRect();
    const [px, py] = map.view.toPixel(map.data.x[row], map.data.y[row]);
    return { left: box.left + px, top: box.top + py };
}"""


def ready(watched: Watched) -> Page:
    page = watched.page
    page.wait_for_selector("#map-plot[data-ready=true]")
    page.wait_for_function("window.thoughtspace.map.atlas && window.thoughtspace.map.overlay.shownThumbs.length > 0")
    return page


def title(page: Page, text: str) -> None:
    """Wait for a decoded picture of this title, loaded."""
    page.wait_for_function(
        """(text) => {
            const image = document.querySelector(".picture-card .decoded");
            return document.querySelector(".picture-title strong")?.textContent === text && image.naturalWidth > 0;
        }""",
        arg=text,
    )


def test_click_on_an_empty_place_decodes_it(tab: Watched, served: Served):
    page = ready(tab)
    place = page.evaluate(EMPTY)
    page.mouse.click(place["left"], place["top"])
    title(page, "A place between items")
    mark = page.evaluate("window.thoughtspace.map.marked")
    bounds = np.ptp(served.context.view.coordinates, axis=0).max()
    assert np.hypot(mark["x"] - place["x"], mark["y"] - place["y"]) < 0.01 * bounds
    expected = served.context.view.at((mark["x"], mark["y"]))
    assert page.inner_text(".expression-text") == expected.expression
    assert float(re.search(r"[\d.]+", page.inner_text(".confidence .number")).group()) == pytest.approx(
        expected.confidence, abs=0.011
    )
    assert page.locator(".nearest .tile").count() == 12
    assert page.locator(".nearest .tile img").count() == 8


def test_click_on_a_point_decodes_that_item_and_adds_it_to_the_walk(tab: Watched, served: Served):
    page = ready(tab)
    row = int(np.flatnonzero(served.context.view.kinds == 1)[0])
    page.locator("label", has_text="Thumbnails").click()
    place = page.evaluate(PIXEL, row)
    page.mouse.click(place["left"], place["top"])
    page.wait_for_selector(".picture-card")
    shown = re.fullmatch(r'item\("(\w+)"\)', page.inner_text(".expression-text"))
    assert shown is not None
    hit = served.context.view.saved.ids.index(shown.group(1))
    distance = np.hypot(*(served.context.view.coordinates[hit] - served.context.view.coordinates[row]))
    assert distance < 0.02 * np.ptp(served.context.view.coordinates, axis=0).max()
    page.click("#map-to-walk")
    page.wait_for_function("document.getElementById('map-note').textContent === '1 stop in the walk'")
    page.mouse.move(place["left"] + 1, place["top"])
    page.wait_for_selector(".hover-card:not([hidden]) strong")
    page.click("#link-walk")
    page.locator(".stop").first.wait_for()
    assert page.locator(".stop .card-title").count() == 1
    assert page.locator(".stop .card-title").get_attribute("title") == shown.group()


def test_a_text_lands_on_the_map_and_a_mistake_is_shown_in_one_line(tab: Watched):
    page = ready(tab)
    page.fill("#map-find", "a smiling face")
    page.press("#map-find", "Enter")
    title(page, "Your words")
    page.wait_for_function("window.thoughtspace.map.marked?.rings?.length === 12")
    page.fill("#map-find", '"a face" + ')
    page.click("#map-go")
    alert = page.wait_for_selector("#map-error .error-alert")
    assert alert.inner_text().startswith("Got the end at position")
    assert page.inner_text(".picture-title strong") == "Your words"


def test_the_lasso_selects_the_points_inside(tab: Watched, served: Served):
    page = ready(tab)
    box: Any = page.locator("#map-plot").bounding_box()
    page.click("[data-tool=lasso]")
    corners = [(0.02, 0.12), (0.55, 0.12), (0.55, 0.9), (0.02, 0.9), (0.02, 0.13)]
    pixels = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in corners]
    page.mouse.move(*pixels[0])
    page.mouse.down()
    for pixel in pixels[1:]:
        page.mouse.move(*pixel, steps=4)
    page.mouse.up()
    page.wait_for_selector("#map-gallery .section")
    (x0, y0), (x1, y1) = (
        page.evaluate("([x, y]) => window.thoughtspace.map.view.toMap(x, y)", [px - box["x"], py - box["y"]])
        for px, py in (pixels[0], pixels[2])
    )
    places = served.context.view.coordinates
    # The mouse draws in whole pixels: a point on the edge may be on either side.
    edge = 2 * abs(x1 - x0) / (pixels[2][0] - pixels[0][0])
    surely, perhaps = (
        {served.context.view.saved.ids[row] for row in np.flatnonzero(between)}
        for by in (edge, -edge)
        for between in [((places > [x0 + by, y1 + by]) & (places < [x1 - by, y0 - by])).all(1)]
    )
    assert 0 < len(surely) <= len(perhaps) < len(places)
    with page.expect_download() as download:
        page.click("#map-gallery a[download]")
    rows = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert surely <= {row["id"] for row in rows} <= perhaps
    assert page.inner_text("#map-gallery h2") == f"Selection: {len(rows)}"
    assert page.locator(".picture-card").count() == 0  # drawing is no click
    page.click("[data-clear]")
    page.wait_for_function("document.querySelector('#map-gallery .section') === null")


def test_colours_and_a_dropped_picture(tab: Watched, served: Served):
    page = ready(tab)
    page.click("#map-colour")
    page.get_by_role("option", name="World").click()
    page.wait_for_function("document.querySelectorAll('.legend-entry').length === 3")
    page.click("#map-colour")
    page.get_by_role("option", name="Similarity to a text").click()
    page.fill("#map-similar", "a red fox")
    page.press("#map-similar", "Enter")
    page.wait_for_selector(".legend-ramp")
    view = served.context.view
    source = next(str(path) for path in view.frame["source"] if str(path).endswith(".png"))
    page.set_input_files("input[type=file]", source)
    title(page, "Your picture")
    assert page.inner_text(".confidence .number").startswith("1.00")  # it is an item, so it lands on its own place
    page.click("#color-scheme")
    page.wait_for_function("document.documentElement.dataset.mantineColorScheme === 'dark'")


def test_a_slow_answer_does_not_undo_a_later_choice(tab: Watched):
    page, held = ready(tab), []
    page.route("**/similarity", lambda route: held.append(route))
    page.click("#map-colour")
    page.get_by_role("option", name="Similarity to a text").click()
    page.fill("#map-similar", "a red fox")
    with page.expect_request("**/similarity"):
        page.press("#map-similar", "Enter")
    page.click("#map-colour")
    page.get_by_role("option", name="World").click()
    page.wait_for_function("document.querySelectorAll('.legend-entry').length === 3")
    with page.expect_response("**/similarity") as late:
        held[0].continue_()
    late.value.finished()
    page.wait_for_timeout(300)
    assert page.evaluate("window.thoughtspace.map.column.name") == "world"
    assert page.locator(".legend-ramp").count() == 0


def test_a_card_that_failed_is_fetched_again(tab: Watched, served: Served):
    page = ready(tab)
    page.route("**/item/0", lambda route: route.fulfill(status=200, body="no JSON"), times=1)
    assert page.evaluate("window.thoughtspace.map.data.card(0).catch(() => null)") is None
    card = page.evaluate("window.thoughtspace.map.data.card(0)")
    assert card["id"] == served.context.view.saved.ids[0]


def test_without_webgl_the_map_is_drawn_and_decodes_an_empty_place(tab_without_webgl: Watched, served: Served):
    page = ready(tab_without_webgl)
    assert page.evaluate("document.createElement('canvas').getContext('webgl')") is None
    assert page.inner_text(".map-notice").startswith("No WebGL here")
    assert page.locator("#map-plot .scatterlayer path.point").count() == len(served.context.view)
    place = page.evaluate(EMPTY)
    page.mouse.click(place["left"], place["top"])
    title(page, "A place between items")
    mark = page.evaluate("window.thoughtspace.map.marked")
    bounds = np.ptp(served.context.view.coordinates, axis=0).max()
    assert np.hypot(mark["x"] - place["x"], mark["y"] - place["y"]) < 0.01 * bounds
    # Of a map too large for it an even part is drawn, from the first item to the last.
    rows = page.evaluate(
        "() => { const map = window.thoughtspace.map, n = map.data.n; map.data.n = 80000;"
        " const drawn = [...map.drawn(0)]; map.data.n = n; return [drawn, [...map.rows[0]]]; }"
    )
    assert rows[0] == rows[1][::4]


def test_the_console_is_watched(chromium: Any, served: Served):
    """Negative control: the checks of `tab` fail for a page with an error and a request to another host."""
    page = chromium.new_page()
    lines: list[str] = []
    page.on("console", lambda message: lines.append(message.text))
    path, _, token = served.address.partition("?")
    page.goto(f"{path}data/map/{served.context.view.key}/meta?{token}", timeout=120_000)  # any page of ours will do
    page.evaluate("() => fetch('http://192.0.2.1/beacon').catch(() => null)")
    page.wait_for_timeout(300)
    page.close()
    assert any("Content Security Policy" in text for text in lines)


def test_the_map_is_used_without_a_pointer(tab: Watched, served: Served):
    page = ready(tab)
    page.focus("#map-plot")
    before = page.evaluate("window.thoughtspace.map.view.toMap(0, 0)")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    after = page.evaluate("window.thoughtspace.map.view.toMap(0, 0)")
    assert after[0] > before[0]
    assert page.evaluate("window.thoughtspace.map.crossed")
    middle = page.evaluate("(({ x, y, row }) => ({ x, y, row }))(window.thoughtspace.map.atCross())")
    page.keyboard.press("Enter")
    page.wait_for_selector(".picture-card .decoded")
    mark = page.evaluate("window.thoughtspace.map.marked")
    if middle["row"] is None:
        assert (mark["x"], mark["y"]) == pytest.approx((middle["x"], middle["y"]), rel=1e-3)
    page.wait_for_selector("#map-nearest .tile[data-item]")
    tile = page.locator("#map-nearest .tile[data-item]").first
    tile.focus()
    page.keyboard.press("Space")
    page.wait_for_function(
        "(before) => { const { x, y } = window.thoughtspace.map.marked; return x !== before.x || y !== before.y; }",
        arg=mark,
    )


def test_an_empty_lasso_says_so(tab: Watched):
    page = ready(tab)
    page.evaluate("window.thoughtspace.map.gather({ lassoPoints: { x: [1e6, 1e6 + 1, 1e6], y: [0, 0, 1] } })")
    page.wait_for_selector(".map-notice.mild:not([hidden])")
    assert page.inner_text(".map-notice").startswith("Nothing lies inside")
