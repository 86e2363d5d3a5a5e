"""What surrounds the pages: a server that is lost and comes back, and what a page that is loaded again still has."""

from __future__ import annotations

import json

from .conftest import Served, Watched

BANNER = "#shell-offline"


def test_a_lost_server_is_said_and_forgotten_when_it_is_back(tab: Watched):
    page = tab.page
    assert page.locator(BANNER).is_hidden()
    page.route("**/data/alive", lambda route: route.fulfill(status=200, body="no JSON"))
    page.wait_for_selector(BANNER)
    assert "does not answer" in page.inner_text(BANNER)
    page.unroute("**/data/alive")
    page.wait_for_selector(BANNER, state="hidden")


def test_a_server_that_was_started_again_is_said(tab: Watched):
    page = tab.page
    with page.expect_response("**/data/alive"):
        pass
    page.route("**/data/alive", lambda route: route.fulfill(status=200, body=json.dumps({"started": "later"})))
    page.wait_for_selector(BANNER)
    assert "started again" in page.inner_text(BANNER)


def test_stops_are_still_there_when_the_page_is_loaded_again(tab: Watched, served: Served):
    page = tab.page
    page.click("#link-walk")
    page.fill("#walk-text", "a red fox")
    page.press("#walk-text", "Enter")
    page.wait_for_selector("#walk-stops li")
    page.reload()
    page.wait_for_selector("#walk-stops li")
    assert "a red fox" in page.inner_text("#walk-stops")
    assert page.get_attribute("html", "lang") == "en"
    assert "token" not in page.url
