"""The Walk page in a real browser: a film, a cancelled walk, stops, and the line shown for a mistake."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.browser

PATIENCE = 240_000
"""Milliseconds: long, as a busy machine must not fail these tests."""


@pytest.fixture
def page(tab: Any) -> Page:
    tab.page.set_default_timeout(PATIENCE)
    tab.page.locator("#link-walk").click()
    tab.page.locator("#walk-render").wait_for()
    return tab.page


def add(page: Page, expression: str) -> None:
    """Type a stop and press Enter."""
    before = page.locator(".stop").count()
    page.locator("#walk-text").fill(expression)
    page.locator("#walk-text").press("Enter")
    page.locator(".stop").nth(before).wait_for()


def state(page: Page, wanted: str) -> None:
    page.locator(f"#walk-panel[data-state={wanted}]").wait_for(state="attached")


def test_a_walk_becomes_a_film(page: Page):
    add(page, "a red fox")
    add(page, '"a cat" + 0.5 * "a hat"')
    page.locator("#walk-frames").fill("6")
    page.locator("#walk-length").get_by_text("0.2 s", exact=True).wait_for()  # the form has been read
    page.locator("#walk-spacing").get_by_text("Uniform").click()
    page.locator("#walk-render").click()
    film = page.locator("video.film")
    film.wait_for()
    page.wait_for_function("document.querySelector('video.film').readyState >= 2")
    size = film.evaluate("film => [film.videoWidth, film.videoHeight]")
    assert size == [384, 384]
    assert film.evaluate("film => film.duration") == pytest.approx(6 / 24, abs=0.05)
    assert page.locator("#walk-strip .strip img").count() == 6
    page.locator("#walk-chart .bars path").nth(4).wait_for(state="attached")
    assert page.locator("#walk-chart .bars path").count() == 5
    for kind in ("mp4", "webm", "gif"):
        with page.expect_download() as saved:
            page.locator(f"a[download='walk.{kind}']").click()
        assert saved.value.suggested_filename == f"walk.{kind}"
        assert saved.value.path().stat().st_size > 500


def test_equal_steps_are_charted_beside_uniform_ones(page: Page):
    add(page, "a red fox")
    add(page, "a blue cat")
    page.locator("#walk-frames").fill("6")
    page.locator("#walk-length").get_by_text("0.2 s", exact=True).wait_for()  # the form has been read
    page.locator("#walk-render").click()
    page.locator("video.film").wait_for()
    page.locator("#walk-chart .bars path").nth(4).wait_for(state="attached")
    page.locator("#walk-chart .scatterlayer .js-line").wait_for(state="attached")
    assert page.locator("#walk-chart .bars path").count() == 5
    assert page.locator("#walk-chart .legendtext").all_text_contents() == ["this walk", "uniform spacing"]
    assert "with uniform spacing" in page.locator("#walk-facts").inner_text()


def test_frames_are_shown_as_they_come_and_a_cancelled_walk_leaves_nothing(page: Page):
    page.locator(".chip").first.click()
    page.locator(".stop").nth(2).wait_for()
    page.locator("#walk-frames").fill("1000")
    page.locator("#walk-length").get_by_text("41.7 s", exact=True).wait_for()
    page.locator("#walk-render").click()
    page.locator("#walk-preview .strip img").first.wait_for()
    assert page.locator("#walk-preview .tile-to-come").count() > 0
    page.locator("#walk-cancel").click()
    state(page, "cancelled")
    page.locator("#walk-state").get_by_text("Cancelled").wait_for()
    page.locator("#walk-preview").wait_for(state="hidden")
    page.locator("#walk-empty").wait_for()
    assert page.locator("video.film").count() == 0


def test_stops_are_moved_and_removed(page: Page):
    for words in ("first", "second", "third"):
        add(page, words)
    page.locator(".stop").nth(2).get_by_title("Earlier").click()
    page.locator(".stop").nth(1).get_by_text("third").wait_for()
    page.locator(".stop").nth(0).get_by_title("Remove").click()
    page.locator(".stop").nth(2).wait_for(state="detached")
    assert page.locator(".stop .card-title > span").all_inner_texts() == ["third", "second"]


def test_a_mistake_is_answered_by_one_line_and_nothing_is_started(page: Page):
    page.locator("#walk-text").fill("king - man")
    page.locator("#walk-text").press("Enter")
    alert = page.locator("#walk-stop-error [role=alert]")
    alert.wait_for()
    assert "between unquoted words" in alert.inner_text()
    page.locator("#walk-render").click()
    alert = page.locator("#walk-error [role=alert]")
    alert.wait_for()
    assert "Got 0 stops, expected 2 to 24" in alert.inner_text()
    assert page.locator("#walk-panel").get_attribute("data-state") == ""
