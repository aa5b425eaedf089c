"""The forms in a real browser: what it sends as Origin, Referer and cookies, and what our policies let it do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.monitor.access.cheap import PASSWORD
from tests.monitor.web.gated import served

playwright = pytest.importorskip("playwright.async_api")

pytestmark = pytest.mark.anyio

EVIL = "http://127.0.0.2/"


async def test_chromium_logs_in_changes_the_password_and_cannot_be_made_to_log_out(tmp_path: Path) -> None:
    chromium = shutil.which("chromium")
    if chromium is None:
        pytest.skip("chromium is not installed")
    async with (
        served(tmp_path) as site,
        playwright.async_playwright() as tool,
        await tool.chromium.launch(executable_path=chromium, args=["--no-sandbox"]) as browser,
    ):
        await site.add_user("anna")
        context = await browser.new_context()
        page = await context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text))
        await page.goto(f"{site.url}/password")  # sent to log in, and back
        await page.get_by_label("User name").fill("anna")
        await page.get_by_label("Password").fill("wrong password")
        await page.keyboard.press("Enter")
        await page.get_by_role("alert").wait_for()
        assert await page.get_by_label("User name").input_value() == "anna"
        await page.get_by_label("Password").fill(PASSWORD)
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{site.url}/password")
        assert await page.evaluate("document.cookie") == ""

        # A page of another site sends our forms; by its own script, without anybody's doing.
        evil = await context.new_page()
        forms = iter([f'<form method="post" action="{site.url}/{path}"></form>' for path in ("logout", "password")])
        script = "<script>document.forms[0].submit()</script>"
        await evil.route(EVIL, lambda route: route.fulfill(body=next(forms) + script, content_type="text/html"))
        for path in ("logout", "password"):
            await evil.goto(EVIL)
            await evil.wait_for_url(f"{site.url}/{path}")
            assert "requests from other sites are refused" in await evil.content()
        await page.reload()
        assert "You are logged in as anna" in await page.content()

        await page.get_by_label("Current password").fill(PASSWORD)
        for label in ("New password, at least 12 characters", "The same again"):
            await page.get_by_label(label).fill("another good password")
        await page.keyboard.press("Enter")
        await page.wait_for_url(f"{site.url}/login")
        # The browser tells of the answer 403 to the wrong password, and of nothing that a policy has forbidden.
        assert all("403" in complaint for complaint in complaints), complaints
