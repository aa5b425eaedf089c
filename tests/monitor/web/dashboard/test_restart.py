"""Pages that stay open while the service is away: they say so, and go on by themselves once it is back."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import Browser, expect

from tests.monitor.service import RunningService
from tests.monitor.web.dashboard.browsing import a_page
from tests.ports import free_port
from tests.waiting import PATIENCE_S


@pytest.mark.long
def test_pages_come_back_with_the_service(tmp_path: Path, browser: Browser) -> None:
    config = {
        "streams": [{"name": "call", "url": "whip:"}],
        "mqtt": {"url": "embedded:"},
        "web": {"port": free_port()},
    }
    with RunningService(tmp_path, config) as service, a_page(browser) as (board, _):
        board.goto(service.web_url)
        expect(board.locator(".tile")).to_have_count(1)
        system = board.context.new_page()
        system.goto(f"{service.web_url}/system")
        system.evaluate("window.before = true")
        service.terminate()
        expect(board.get_by_role("status")).to_contain_text("does not answer")
        service.start()
        expect(board.get_by_role("status")).to_contain_text("1 stream", timeout=PATIENCE_S * 1000)
        expect(board.locator(".grid.lost")).to_have_count(0)
        system.wait_for_function("window.before === undefined", timeout=PATIENCE_S * 1000)
        expect(system.get_by_role("heading", name="System")).to_be_visible()
