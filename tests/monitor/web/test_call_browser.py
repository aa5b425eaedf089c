"""A call that somebody shares by the page of it: in a real Chromium, with a camera that shows a recording."""

from __future__ import annotations

import json
import re
import shutil
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

from monitor.demo.clip import make_clip
from tests.monitor.service import RunningService, Subscriber
from tests.waiting import PATIENCE_S, wait_until

_WAIT_MS = PATIENCE_S * 1000


def camera_of(clip: Path, path: Path) -> Path:
    """The clip as Chromium's fake camera takes it, raw; it plays in a loop."""
    with av.open(str(clip)) as source, path.open("wb") as raw:
        stream = source.streams.video[0]
        rate = stream.average_rate
        assert rate is not None
        size = f"W{stream.width} H{stream.height} F{rate.numerator}:{rate.denominator}"
        raw.write(f"YUV4MPEG2 {size} Ip A1:1 C420jpeg\n".encode())
        for frame in source.decode(stream):
            raw.write(b"FRAME\n")
            raw.write(frame.reformat(format="yuv420p").to_ndarray().tobytes())
    return path


def status_of(service: RunningService) -> dict[str, Any]:
    with urllib.request.urlopen(f"{service.web_url}/api/v1/streams/call") as answer:
        status: dict[str, Any] = json.load(answer)["status"]
    return {"reason": "", **{name: value for name, value in status.items() if value is not None}}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    config = {
        "streams": [{"name": "call", "url": "whip:"}, {"name": "desk", "url": "whip:", "sessions": "many"}],
        "mqtt": {"url": "embedded:"},
        "faces": {"min_face_px": 60},
    }
    with RunningService(tmp_path_factory.mktemp("service"), config) as running:
        yield running


@pytest.fixture(scope="module")
def page(service: RunningService, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Page]:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    folder = tmp_path_factory.mktemp("camera")
    make_clip(folder / "call.mp4", seconds=9, manipulated_from_s=0, names=["astronaut"])
    camera = camera_of(folder / "call.mp4", folder / "call.y4m")
    arguments = [
        "--no-sandbox",
        "--use-fake-ui-for-media-stream",
        "--use-fake-device-for-media-stream",
        f"--use-file-for-fake-video-capture={camera}",
    ]
    with sync_playwright() as tool, tool.chromium.launch(executable_path=chromium, args=arguments) as browser:
        page = browser.new_context(viewport={"width": 1280, "height": 900}).new_page()
        page.set_default_timeout(_WAIT_MS)
        expect.set_options(timeout=_WAIT_MS)
        yield page


def test_verdict_reaches_the_page_and_subscribers(service: RunningService, page: Page) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    with Subscriber(service.mqtt_port, "gend/#") as subscriber:
        page.goto(f"{service.web_url}/call/call")
        camera = page.get_by_role("button", name="Use a camera")
        expect(camera).to_be_disabled()
        page.get_by_label("I may share this call").check()
        camera.click()
        card = page.locator("#faces li").first
        expect(card).to_contain_text("Likely manipulated", timeout=_WAIT_MS)
        assert page.locator("#outlines rect.fake").count() >= 1
        assert subscriber.heard("gend/alerts/call", type="raised")["verdict"] == "fake"
        expect(page.locator("#state")).to_contain_text("Watching")
        expect(page.locator("#state")).to_contain_text("demo encoder")
        page.get_by_role("button", name="Stop").click()
        expect(page.locator("#summary-table tbody tr")).not_to_have_count(0)
        row = page.locator("#summary-table tbody tr").first
        expect(row).to_contain_text(re.compile(r"Face 1.*Likely manipulated"))
        wait_until(lambda: status_of(service)["reason"].startswith("no publisher: "))
    assert complaints == []


def test_a_second_visitor_is_told_that_somebody_else_publishes(service: RunningService, page: Page) -> None:
    def share(visitor: Page) -> None:
        visitor.goto(f"{service.web_url}/call/call")
        visitor.get_by_label("I may share this call").check()
        visitor.get_by_role("button", name="Use a camera").click()

    share(page)
    expect(page.locator("#faces li").first).to_be_visible(timeout=_WAIT_MS)
    second = page.context.new_page()
    share(second)
    expect(second.get_by_role("alert")).to_contain_text("The call cannot be watched", timeout=_WAIT_MS)
    second.close()
    page.get_by_role("button", name="Stop").click()


def test_where_each_caller_gets_a_stream_two_share_at_once(service: RunningService, page: Page) -> None:
    def calls() -> set[str]:
        with urllib.request.urlopen(f"{service.web_url}/api/v1/streams") as answer:
            return {stream["name"] for stream in json.load(answer)["items"] if stream["call_of"] == "desk"}

    def share(visitor: Page) -> None:
        visitor.set_default_timeout(_WAIT_MS)
        visitor.goto(f"{service.web_url}/call")
        visitor.get_by_role("link", name="desk").click()
        visitor.get_by_label("I may share this call").check()
        visitor.get_by_role("button", name="Use a camera").click()

    browser = page.context.browser
    assert browser is not None
    first, second = (browser.new_context().new_page() for _ in range(2))
    with Subscriber(service.mqtt_port, "gend/alerts/#") as subscriber:
        share(first)
        expect(first.locator("#faces li").first).to_contain_text("Likely manipulated", timeout=_WAIT_MS)
        (one,) = calls()
        raised = subscriber.heard(f"gend/alerts/{one}", type="raised")
        assert raised["call_of"] == "desk"
        alert = _look_at_call(browser, service, one, raised["alert_id"])
        share(second)
        expect(second.locator("#faces li").first).to_be_visible(timeout=_WAIT_MS)
        (other,) = calls() - {one}
        first.get_by_role("button", name="Stop").click()
        expect(first.locator("#summary-table tbody tr").first).to_contain_text("Likely manipulated")
        wait_until(lambda: calls() == {other})
        expect(alert.locator(".badge").first).to_have_text("Over")
        expect(second.locator("#state")).to_contain_text("Watching")
    second.context.close()  # and the tab with it: its page says goodbye, or else the call is lost after a while
    first.context.close()


def _look_at_call(browser: Browser, service: RunningService, call: str, alert_id: str) -> Page:
    """As an operator does, while it is on; the page of its alert, which follows it."""
    page = browser.new_context().new_page()
    page.set_default_timeout(_WAIT_MS)
    page.goto(f"{service.web_url}/streams/{call}")
    expect(page.get_by_text("This is a call of desk, which is snoozed with all of its calls.")).to_be_visible()
    expect(page.get_by_role("link", name="Share a call here")).to_have_count(0)
    page.get_by_role("button", name="2 hours").click()
    expect(page.get_by_text("Alerts call nobody until")).to_be_visible()
    page.goto(f"{service.web_url}/alerts/{alert_id}")
    expect(page.get_by_text("Alerts call nobody until")).to_be_visible()
    page.get_by_role("button", name="End it now").click()
    expect(page.get_by_text("Alerts call people.")).to_be_visible()
    expect(page.locator(".badge").first).to_have_text("Open")
    return page


def test_there_is_no_page_for_streams_that_nobody_publishes_to(service: RunningService, page: Page) -> None:
    answer = page.request.get(f"{service.web_url}/call/lobby")
    assert answer.status == 404
    policy = page.request.get(f"{service.web_url}/call/call").headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert page.request.get(f"{service.web_url}/assets/call/..%2Fapp.py").status == 404
