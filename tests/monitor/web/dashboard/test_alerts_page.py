"""The alerts as people look through them: found, looked at, said something of."""

from __future__ import annotations

import re
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from playwright.sync_api import Browser, Page, expect

from monitor.demo.clip import make_clip
from tests.monitor.service import RunningService
from tests.monitor.store.examples import an_alert, fill, made, opened
from tests.monitor.web.dashboard.browsing import WAIT_MS, a_page, barriers, overflows
from tests.monitor.web.dashboard.people import add_users, log_in, make_viewer, run
from tests.waiting import wait_until

OLD = 30
"""Alerts on `lobby` of which nothing was kept."""
ROWS = ".alerts tbody tr"
OPEN = f"{ROWS}.open .whole"


async def _before(folder: Path) -> None:
    url = await made(folder)
    async with opened(url) as store:
        await fill(store, OLD)
        await store.record(an_alert(100, stream="gate"), [])
    await add_users(
        url,
        {
            "otto": ("operator", None),
            "olga": ("operator", None),
            "vera": ("viewer", None),
            "gustav": ("viewer", frozenset({"gate"})),
        },
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[RunningService]:
    run(_before(folder))
    make_clip(folder / "lobby.mp4", seconds=12, manipulated_from_s=0, names=["astronaut"])
    config = {
        "streams": [
            {"name": "lobby", "url": f"file:{folder / 'lobby.mp4'}", "loop": True},
            {"name": "gate", "url": "whip:"},
        ],
        "mqtt": {"url": "embedded:"},
        "evidence": {"folder": str(folder / "evidence"), "clip_s": 3},
        "web": {"port": 0, "auth": "users"},
    }
    with RunningService(folder, config) as running:
        yield running


def test_pages_and_filters_have_addresses(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, complaints):
        log_in(page, service.web_url, "vera", "/alerts")
        expect(page.locator(ROWS)).to_have_count(25)
        assert barriers(page) == []
        page.get_by_role("link", name="Older").click()
        page.wait_for_url(re.compile(r"/alerts\?cursor="))
        expect(page.locator(ROWS).first).to_contain_text("lobby")
        page.go_back()
        page.get_by_label("Stream", exact=True).select_option("gate")
        page.get_by_label("Raised from").fill("2026-01-31T00:00")
        page.get_by_role("button", name="Show", exact=True).click()
        page.wait_for_url(re.compile(r"/alerts\?stream=gate&since=2026-01-3\dT\d\d%3A\d\d%3A00.000Z$"))
        expect(page.locator(ROWS)).to_have_count(1)
        expect(page.get_by_label("Raised from")).to_have_value("2026-01-31T00:00")
        csv = page.get_by_role("link", name="CSV").get_attribute("href")
        assert csv is not None
        exported = page.request.get(service.web_url + csv)
        assert len(exported.text().splitlines()) == 2
        assert "episode-100" in exported.text()
        page.goto(f"{service.web_url}/alerts?reviewed=true")
        expect(page.get_by_text("No alert is like that.")).to_be_visible()
        page.goto(f"{service.web_url}/alerts?state=lost")
        expect(page.get_by_role("alert")).to_contain_text("state: Input should be 'open' or 'cleared'")
        assert complaints == []


def test_moments_are_those_of_the_browser_and_utc_where_one_points(service: RunningService, browser: Browser) -> None:
    context = browser.new_context(timezone_id="Asia/Tokyo", locale="en-GB")
    page = context.new_page()
    page.set_default_timeout(WAIT_MS)
    log_in(page, service.web_url, "vera", "/alerts?stream=gate")
    expect(page.locator(f"{ROWS} time")).to_have_text(re.compile("31 Jan 2026.*21:00:05"))
    assert page.locator(f"{ROWS} time").get_attribute("title") == "2026-01-31 12:00:05 UTC"
    context.close()


def test_an_alert_is_looked_at_and_reviewed_and_its_stream_snoozed(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, complaints):
        log_in(page, service.web_url, "otto", "/alerts?state=open")
        _open_alert(page)
        expect(page.get_by_text(re.compile("on lobby was judged likely manipulated"))).to_be_visible()
        expect(page.get_by_text("Nobody has measured how often this stream raises")).to_be_visible()
        expect(page.locator(".seal.whole")).to_contain_text("Intact", timeout=WAIT_MS)
        page.wait_for_function("document.querySelector('video').readyState >= 1")
        page.wait_for_function("document.querySelector('.faces img').naturalWidth > 50")
        assert barriers(page) == []
        note = "<img src=x onerror=document.title='taken'> {{ 7 * 7 }}"
        page.get_by_label("Note, if you like").fill(note)
        page.get_by_role("button", name="Right: it was manipulated").click()
        expect(page.get_by_text(note)).to_be_visible()
        page.get_by_role("button", name="Wrong: a real face").click()
        expect(page.get_by_text("Wrong: a real face, says otto")).to_be_visible()
        page.reload()
        expect(page.get_by_text("Right: it was manipulated, says otto")).to_be_visible()
        expect(page.get_by_text(note)).to_be_visible()
        assert "taken" not in page.title()
        page.get_by_role("button", name="2 hours").click()
        expect(page.get_by_text("Alerts call nobody until")).to_be_visible()
        assert _snoozed(page, service) is not None
        page.get_by_role("button", name="End it now").click()
        expect(page.get_by_text("Alerts call people.")).to_be_visible()
        assert _snoozed(page, service) is None
        assert complaints == []


def _open_alert(page: Page) -> None:
    for _ in range(60):  # the first is raised some seconds after the service has begun
        if page.locator(OPEN).count():
            break
        page.wait_for_timeout(1000)
        page.reload()
        page.locator("#filter").wait_for()
    page.locator(OPEN).first.click()
    page.wait_for_url(re.compile("/alerts/[0-9a-f]{32}$"))


def _snoozed(page: Page, service: RunningService) -> object:
    return page.request.get(f"{service.web_url}/api/v1/streams/lobby").json()["status"]["snoozed_until"]


def test_a_viewer_is_offered_nothing_and_may_nothing(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, _):
        log_in(page, service.web_url, "vera", "/alerts/episode-100")
        expect(page.get_by_text("Nobody has said anything yet.")).to_be_visible()
        expect(page.get_by_text("No evidence is kept of this alert")).to_be_visible()
        assert page.get_by_role("button", name=re.compile("Right|Wrong|Unsure|hours|End")).count() == 0


def test_whoever_is_no_operator_any_more_is_refused(service: RunningService, browser: Browser, folder: Path) -> None:
    with a_page(browser) as (page, _):
        log_in(page, service.web_url, "olga", "/alerts/episode-100")
        button = page.get_by_role("button", name="Right: it was manipulated")
        expect(button).to_be_visible()
        expect(page.get_by_text("Alerts call people.")).to_be_visible()
        run(make_viewer(f"sqlite+aiosqlite:///{folder}/alerts.db", "olga"))
        button.click()
        expect(page.get_by_text("your login has ended").first).to_be_visible()
    with a_page(browser) as (page, _):
        log_in(page, service.web_url, "vera", "/alerts/episode-100")
        expect(page.get_by_text("Nobody has said anything yet.")).to_be_visible()


def test_who_may_see_one_stream_sees_its_alerts_only(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, _):
        log_in(page, service.web_url, "gustav", "/alerts")
        expect(page.locator(ROWS)).to_have_count(1)
        expect(page.locator(ROWS)).to_contain_text("gate")
        assert page.locator("#filter option[value=lobby]").count() == 0
        answer = page.goto(f"{service.web_url}/alerts/episode-1")
        assert answer is not None
        assert answer.status == 404
        expect(page.get_by_text("there is no alert episode-1, or you may not see it")).to_be_visible()
        page.goto(f"{service.web_url}/alerts?stream=lobby")
        expect(page.get_by_role("alert")).to_contain_text("there is no stream lobby, or you may not see it")


def test_everybody_can_read_it_also_on_a_phone_at_night(service: RunningService, browser: Browser) -> None:
    with a_page(browser, width=360, colours="dark") as (page, _):
        log_in(page, service.web_url, "otto", "/alerts")
        expect(page.locator(ROWS)).to_have_count(25)
        expect(page.locator("body")).to_have_class(re.compile("body--dark"))
        assert barriers(page) == []
        assert not overflows(page)
        page.goto(f"{service.web_url}/alerts/episode-1")
        expect(page.get_by_text("the service was restarted").first).to_be_visible()
        expect(page.locator("body")).to_have_class(re.compile("body--dark"))
        assert barriers(page) == []
        assert not overflows(page)


def test_keys_are_enough(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, _):
        log_in(page, service.web_url, "otto", "/alerts?stream=gate")
        page.get_by_role("link", name="Clear").focus()
        page.keyboard.press("Tab")
        expect(page.locator(f"{ROWS} .whole")).to_be_focused()
        page.keyboard.press("Enter")
        page.wait_for_url("**/alerts/episode-100")
        page.get_by_label("Note, if you like").focus()
        page.keyboard.type("a poster")
        for _ in range(3):
            page.keyboard.press("Tab")
        expect(page.get_by_role("button", name="Unsure")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.get_by_text("Unsure, says otto")).to_be_visible()
        expect(page.get_by_text("a poster")).to_be_visible()


def test_new_alerts_are_told_and_move_nothing(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, _):
        log_in(page, service.web_url, "vera", "/alerts")
        shown = page.locator(f"{ROWS} .whole").first.get_attribute("href")
        page.wait_for_function("document.querySelector('time').title.endsWith('UTC')")
        _watch_one_more(service)
        expect(page.get_by_role("status")).to_contain_text("1 new alert")
        assert page.locator(f"{ROWS} .whole").first.get_attribute("href") == shown
        page.get_by_role("link", name="Show", exact=True).click()
        expect(page.locator(ROWS).first).to_contain_text("late")


def _watch_one_more(service: RunningService) -> None:
    """A manipulated face on a stream that was not there before."""
    config = yaml.safe_load(service.path.read_text())
    lobby = next(stream for stream in config["streams"] if stream["name"] == "lobby")
    config["streams"].append({**lobby, "name": "late"})
    service.path.write_text(yaml.safe_dump(config))
    assert service.process is not None
    service.process.send_signal(signal.SIGHUP)


def test_nobody_listens_for_pages_that_were_closed(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, _):
        log_in(page, service.web_url, "vera", "/alerts")
        expect(page.locator(ROWS)).to_have_count(25)
        wait_until(lambda: _listeners(page, service))
        page.goto(f"{service.web_url}/password")
        wait_until(lambda: not _listeners(page, service))


def test_who_has_logged_out_elsewhere_listens_no_more(service: RunningService, browser: Browser) -> None:
    with a_page(browser) as (onlooker, _), a_page(browser) as (page, _):
        log_in(onlooker, service.web_url, "otto", "/calibration")
        log_in(page, service.web_url, "vera", "/alerts")
        wait_until(lambda: _listeners(onlooker, service))
        other = page.context.new_page()
        other.goto(f"{service.web_url}/calibration")
        other.get_by_role("button", name="Log out").click()
        other.wait_for_url("**/login**")
        expect(page.locator(".still")).to_contain_text("your login has ended")
        expect(page.get_by_role("link", name="Log in")).to_have_attribute("href", "/login?next=%2Falerts")
        wait_until(lambda: not _listeners(onlooker, service))


def _listeners(page: Page, service: RunningService) -> int:
    count: int = page.request.get(f"{service.web_url}/api/v1/system").json()["listeners"]["subscribers"]
    return count
