"""Streams added, edited, tried and removed on their page."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from tests.monitor.service import RunningService
from tests.monitor.web.dashboard.browsing import a_page, barriers, overflows


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    config = {"streams": [{"name": "call", "url": "whip:"}], "mqtt": {"url": "embedded:"}}
    with RunningService(tmp_path_factory.mktemp("service"), config) as running:
        yield running


def configured(service: RunningService) -> dict[str, Any]:
    with urllib.request.urlopen(f"{service.web_url}/api/v1/configuration/streams") as answer:
        return {each["name"]: each for each in json.load(answer)["items"]}


def test_a_stream_is_added_tried_edited_and_removed(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, complaints):
        page.goto(f"{service.web_url}/streams")
        expect(page.get_by_text("from the configuration file")).to_be_visible()
        expect(page.get_by_role("button", name="Edit call")).to_have_count(0)
        page.get_by_role("button", name="Add a stream").click()
        form = page.get_by_role("dialog", name="Add a stream")
        form.get_by_label("Name").fill("Door!")
        form.get_by_label("Address").fill("whip:")
        form.get_by_role("button", name="Save").click()
        expect(form.get_by_text("String should match pattern")).to_be_visible()
        form.get_by_label("Name").fill("door")
        form.get_by_label("Address").fill("rtsp://127.0.0.1/live")
        form.get_by_role("button", name="Save").click()
        expect(form.get_by_text("127.0.0.1")).to_be_visible()
        assert "door" not in configured(service)
        form.get_by_label("Address").fill("whip:")
        form.get_by_label("Smaller stream of the camera").fill("rtsp://camera.example/small")
        form.get_by_role("button", name="Save").click()
        expect(form.get_by_text("detect_url is not for streams over WebRTC")).to_be_visible()
        form.get_by_label("Smaller stream of the camera").fill("")
        form.get_by_label("Token").fill("a secret for the door")
        form.get_by_role("button", name="Try it").click()
        expect(form.get_by_text("waits for a publisher at /whip/door")).to_be_visible()
        assert barriers(page, but="color-contrast") == []  # axe takes the backdrop for what a dialog stands on
        form.get_by_role("button", name="Save").click()
        expect(page.get_by_role("link", name="door")).to_be_visible()
        expect(page.get_by_text("added by local on")).to_be_visible()
        assert configured(service)["door"]["from"] == "added"

        page.get_by_role("button", name="Edit door").click()
        form = page.get_by_role("dialog", name="Edit door")
        expect(form.get_by_label("Token")).to_have_value("***")
        form.get_by_label("Stalled after, seconds").fill("7")
        form.get_by_role("button", name="Save").click()
        expect(form).to_have_count(0)
        assert configured(service)["door"]["settings"]["stall_s"] == 7
        assert configured(service)["door"]["settings"]["token"] == "***"

        page.get_by_role("button", name="Edit door").click()
        form.get_by_role("button", name="Try it").click()
        expect(form.get_by_text("waits for a publisher at /whip/door")).to_be_visible()  # by the token that is kept
        form.get_by_label("Token").fill("")
        form.get_by_role("button", name="Save").click()
        expect(form).to_have_count(0)
        assert configured(service)["door"]["settings"]["token"] is None

        page.get_by_role("button", name="Remove door").click()
        page.get_by_role("dialog", name="Remove door").get_by_role("button", name="Remove").click()
        expect(page.get_by_text("door is removed")).to_be_visible()
        expect(page.get_by_role("link", name="door")).to_have_count(0)
        assert "door" not in configured(service)
        assert complaints == []
    assert "a secret for the door" not in service.log_text()


def test_everybody_can_read_it_also_on_a_phone(service: RunningService, browser: Browser) -> None:
    with a_page(browser, width=360, colours="dark") as (page, _):
        page.goto(f"{service.web_url}/streams")
        page.get_by_role("button", name="Add a stream").click()
        expect(page.get_by_role("dialog", name="Add a stream")).to_be_visible()
        assert barriers(page, but="color-contrast") == []  # axe takes the backdrop for what a dialog stands on
        assert not overflows(page)
