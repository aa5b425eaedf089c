"""The board, as somebody sees it who has opened the printed address."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.monitor.service import RunningService
from tests.monitor.web.dashboard.browsing import WAIT_MS, a_page, barriers, overflows
from tests.waiting import wait_until


def needy(service: RunningService) -> set[str]:
    """Streams that need attention, by the API; all where the better face detector cannot be had."""
    with urllib.request.urlopen(f"{service.web_url}/api/v1/streams") as answer:
        streams = json.load(answer)["items"]
    status = {each["name"]: each["status"] for each in streams}
    return {
        each["name"]
        for each in streams
        if each["alerting"] or status[each["name"]]["state"] != "live" or len(status[each["name"]]["degraded"]) > 1
    }


def tile(page: Page, stream: str) -> str:
    return f'.tile[href="/streams/{stream}"]'


def test_tiles_show_pictures_faces_and_alerts(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, complaints):
        page.goto(service.web_url)
        lobby = page.locator(tile(page, "lobby"))
        expect(lobby.locator("rect.fake")).to_have_count(1, timeout=WAIT_MS)
        expect(lobby).to_contain_text("likely manipulated")
        expect(lobby.locator("img")).to_have_attribute("src", re.compile("^data:image/jpeg;base64,"))
        assert lobby.locator("img").evaluate("image => image.naturalWidth") > 100
        expect(page.locator(tile(page, "gate"))).to_contain_text(re.compile(r"live, \d+"))
        expect(page.locator(tile(page, "call"))).to_contain_text("no publisher")
        expect(page.get_by_role("status")).to_contain_text("3 streams, 2 live")
        assert complaints == []


def test_the_picture_goes_on(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, _):
        page.goto(service.web_url)
        image = page.locator(tile(page, "gate")).locator("img")
        expect(image).to_have_attribute("src", re.compile("^data:"))
        for _ in range(3):
            shown = image.get_attribute("src")
            assert shown is not None
            expect(image).not_to_have_attribute("src", shown)


def test_streams_are_found_by_name_and_by_need(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, _):
        page.goto(service.web_url)
        expect(page.locator(".tile")).to_have_count(3)
        page.get_by_label("Find a stream").fill("gat")
        expect(page.locator(".tile")).to_have_count(1)
        page.get_by_label("Find a stream").fill("")
        page.get_by_label("Only what needs attention").check()
        wait_until(lambda: set(page.locator(".tile h2").all_inner_texts()) == needy(service))
        expect(page.locator(tile(page, "call"))).to_be_visible()


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_everybody_can_read_it_also_on_a_phone(service: RunningService, browser: Browser, colours: str) -> None:
    with a_page(browser, width=360, colours="dark" if colours == "dark" else "light") as (page, _):
        page.goto(service.web_url)
        expect(page.locator(".tile")).to_have_count(3)
        expect(page.locator("body")).to_have_class(re.compile(f"body--{colours}"))
        assert barriers(page) == []
        assert not overflows(page)


def test_keys_are_enough(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, _):
        page.goto(service.web_url)
        expect(page.locator(".tile")).to_have_count(3)
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to content")).to_be_focused()
        page.locator(tile(page, "gate")).focus()
        page.keyboard.press("Enter")
        page.wait_for_url("**/streams/gate")


def test_light_or_dark_is_chosen_and_kept(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, _):
        page.goto(service.web_url)
        page.get_by_role("button", name="Colours: as the system. Change").click()
        page.get_by_role("button", name="Colours: light. Change").click()
        expect(page.locator("body")).to_have_class(re.compile("body--dark"))
        page.reload()
        expect(page.get_by_role("button", name="Colours: dark. Change")).to_be_visible()
        expect(page.locator("body")).to_have_class(re.compile("body--dark"))
