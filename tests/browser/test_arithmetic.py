"""The Arithmetic page in a real browser: an expression's pictures, a bad one's sentence, and the way to a walk."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

PATIENCE = 240_000
"""Milliseconds: a machine that trains a model meanwhile is slow, and slowness is no failure here."""

LOADED = "image => image.complete && image.naturalWidth"


@pytest.fixture
def page(tab: Any) -> Page:
    tab.page.set_default_timeout(PATIENCE)
    tab.page.locator("#link-arithmetic").click()
    tab.page.locator("#arithmetic-decode").wait_for()
    return tab.page


def test_an_expression_is_decoded_under_several_seeds_beside_its_start(page: Page):
    page.locator("#arithmetic-pictures").fill("2")
    page.locator("#arithmetic-text").fill('"a smiling face" - "a face" + 0.5 * "a cat"')
    page.locator("#arithmetic-terms .term").nth(2).wait_for()
    assert page.locator("#arithmetic-terms .term.taken").inner_text() == "a face"
    page.locator("#arithmetic-text").press("Enter")
    pictures = page.locator(".seed-picture img.decoded")
    pictures.nth(3).wait_for()  # two seeds, with and without the arithmetic
    assert pictures.count() == 4
    page.wait_for_function("[...document.querySelectorAll('.seed-picture img')].every(each => each.naturalWidth)")
    assert [pictures.nth(index).evaluate(LOADED) for index in range(4)] == [64] * 4
    assert page.locator(".operand").count() == 3
    assert page.locator(".neighbours .section").first.locator(".tile").count() == 12
    assert page.locator(".stat").count() == 4
    page.locator("#arithmetic-to-walk").click()
    page.locator(".stop").nth(1).wait_for()
    assert page.locator(".stop .card-title").first.inner_text().startswith("a smiling face")


def test_a_neighbour_is_shown_on_the_map(page: Page):
    page.locator("#arithmetic-text").fill('"a face"')
    page.locator("#arithmetic-text").press("Enter")
    tile = page.locator(".neighbours .tile[data-item]").first
    tile.wait_for()
    item = tile.get_attribute("data-item")
    tile.click()
    page.locator("#map-decoded .picture-card").wait_for()
    assert page.locator("#page-arithmetic").is_hidden()
    assert page.locator("#map-decoded .expression-text").inner_text() == f'item("{item}")'
    page.wait_for_function("window.thoughtspace.map?.markNow?.follow === true")


def test_a_bad_expression_is_answered_by_one_line(page: Page):
    page.locator("#arithmetic-text").fill('"a king" - ')
    page.locator("#arithmetic-decode").click()
    alert = page.locator("#arithmetic-error [role=alert]")
    alert.wait_for()
    assert "Got the end at position" in alert.inner_text()
    assert page.locator("#arithmetic-panel").get_attribute("data-state") == ""
    page.locator("#arithmetic-text").fill('"a king" - "a king"')
    page.locator("#arithmetic-text").press("Enter")
    page.locator("#arithmetic-panel[data-state=failed]").wait_for(state="attached")
    assert "without a direction" in page.locator("#arithmetic-state").inner_text()
    assert page.locator("#arithmetic-error [role=alert]").count() == 0


def test_an_example_is_decoded_at_a_click(page: Page):
    page.locator("#arithmetic-pictures").fill("1")
    page.locator(".example").first.click()
    page.locator(".seed-picture img.decoded").first.wait_for()
    assert "red hair" in page.locator("#arithmetic-text").input_value()
    assert page.locator(".seeds .row-head").count() == 2
