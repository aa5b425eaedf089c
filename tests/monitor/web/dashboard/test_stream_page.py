"""The page of one stream."""

from __future__ import annotations

import json
import re
import urllib.request

from playwright.sync_api import Browser, expect

from tests.monitor.service import RunningService
from tests.monitor.web.dashboard.browsing import WAIT_MS, a_page, barriers, overflows


def test_faces_evidence_and_crops_are_shown(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, complaints):
        page.goto(f"{service.web_url}/streams/lobby")
        expect(page.locator("#stream rect.fake")).to_have_count(1, timeout=WAIT_MS)
        expect(page.locator("#faces")).to_contain_text("Likely manipulated")
        chart = page.get_by_role("img", name=re.compile(r"Evidence now: Face [\d-]+ \d.*an alert is raised at 6\.0"))
        expect(chart.locator("svg path").first).to_be_attached()
        crop = page.get_by_role("img", name=re.compile("Crop of face")).first
        expect(crop).to_be_visible()
        assert crop.evaluate("image => image.naturalWidth") == 112
        expect(page.locator("figcaption").first).to_contain_text(re.compile(r"p\(fake\) [01]\.\d\d"))
        expect(page.locator("dl").first).to_contain_text("lobby.mp4")
        assert barriers(page) == []
        assert complaints == []


def test_what_was_remembered_is_there_for_who_comes_later(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (first, _):
        first.goto(f"{service.web_url}/streams/gate")
        expect(first.locator("figure")).to_have_count(6, timeout=WAIT_MS)
    with a_page(browser) as (second, _):
        second.goto(f"{service.web_url}/streams/gate")
        expect(second.locator("figure").first).to_be_visible()
        assert second.locator("figure").count() == 6  # at once


def test_alerts_are_snoozed_and_called_for_again(service: RunningService, browser: Browser) -> None:
    def snoozed_until() -> str | None:
        with urllib.request.urlopen(f"{service.web_url}/api/v1/streams/gate") as answer:
            until: str | None = json.load(answer)["status"]["snoozed_until"]
        return until

    with a_page(browser) as (page, _):
        page.goto(f"{service.web_url}/streams/gate")
        page.get_by_role("button", name="2 hours").click()
        expect(page.get_by_text("Alerts call nobody until")).to_be_visible()
        assert snoozed_until() is not None
        page.get_by_role("button", name="End it now").click()
        expect(page.get_by_text("Alerts call people.")).to_be_visible()
        assert snoozed_until() is None


def test_a_stream_that_is_not_there_is_said_to_be_so(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, complaints):
        page.goto(f"{service.web_url}/streams/attic")
        expect(page.get_by_text("there is no stream attic")).to_be_visible()
        page.get_by_role("link", name="Back to the board").click()
        expect(page.get_by_role("heading", name="Board")).to_be_visible()
        assert [each for each in complaints if "404" not in each] == []


def test_a_phone_shows_it_too(service: RunningService, browser: Browser) -> None:
    with a_page(browser, width=360, colours="dark") as (page, _):
        page.goto(f"{service.web_url}/streams/lobby")
        expect(page.locator("#faces .face").first).to_be_visible(timeout=WAIT_MS)
        expect(page.locator("figure").first).to_be_visible()
        assert barriers(page) == []
        assert not overflows(page)
