"""Pages as somebody looks at them: a service with two recordings as live streams, and a real Chromium."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, expect, sync_playwright

from monitor.demo.clip import make_clip
from tests.monitor.service import RunningService
from tests.waiting import PATIENCE_S

WAIT_MS = PATIENCE_S * 1000
_SCREENSHOTS = Path(__file__).parents[4] / "build" / "screenshots"
"""What each page looked like at the end of each test is kept there."""
_WCAG_AA = {"runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}}


def recordings(folder: Path) -> list[dict[str, Any]]:
    """Two streams: `gate` with a face that is real, `lobby` with one that is not."""
    make_clip(folder / "gate.mp4", seconds=12, manipulated_from_s=99, names=["astronaut"])
    make_clip(folder / "lobby.mp4", seconds=12, manipulated_from_s=0, names=["astronaut"])
    return [{"name": name, "url": f"file:{folder / name}.mp4", "loop": True} for name in ("gate", "lobby")]


@contextmanager
def a_service(folder: Path, **sections: Any) -> Iterator[RunningService]:
    """The service on both, and on a stream that nobody publishes to."""
    streams = [*recordings(folder), {"name": "call", "url": "whip:"}]
    with RunningService(folder, {"streams": streams, "mqtt": {"url": "embedded:"}, **sections}) as running:
        yield running


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Chromium, without a window."""
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    expect.set_options(timeout=WAIT_MS)  # else 5 s, whatever pages are told
    with sync_playwright() as tool, tool.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser:
        yield browser


@contextmanager
def a_page(
    browser: Browser, *, width: int = 1280, colours: Literal["light", "dark"] = "light"
) -> Iterator[tuple[Page, list[str]]]:
    """A page of a browser of its own, and what its console complains of."""
    context = browser.new_context(viewport={"width": width, "height": 860}, color_scheme=colours)
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    try:
        yield page, complaints
        page.screenshot(path=_SCREENSHOTS / f"{_name_of_test()}-{width}-{colours}.png", full_page=True)
    finally:
        context.close()


def _name_of_test() -> str:
    """File and name of the test that runs, as a file may be called."""
    test = os.environ["PYTEST_CURRENT_TEST"].rpartition(" ")[0].rpartition("/")[2]
    return re.sub("[^a-z0-9_]+", "-", test.replace(".py::", "-").lower()).strip("-")


def barriers(page: Page, *, but: str | None = None) -> list[str]:
    """What WCAG 2.2 AA forbids and axe finds on the page as it is now, but one rule: rule, and the elements."""
    found = [each for each in Axe().run(page, options=_WCAG_AA).response["violations"] if each["id"] != but]
    return [f"{each['id']}: {[node['html'][:120] for node in each['nodes']]}" for each in found]


def overflows(page: Page) -> bool:
    """Whether the page must be moved sideways to be read."""
    wide: bool = page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth")
    return wide
