"""The page of the service itself, for admins and for those who see one stream only."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from monitor.access import Role
from tests.monitor.service import RunningService
from tests.monitor.web.dashboard.browsing import a_page, barriers, overflows
from tests.monitor.web.dashboard.people import add_users, log_in, run

USERS: dict[str, tuple[Role, frozenset[str] | None]] = {
    "anna": ("admin", None),
    "vera": ("viewer", frozenset({"call"})),
}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("service")


@pytest.fixture(scope="module")
def service(folder: Path) -> Iterator[RunningService]:
    config = {
        "streams": [{"name": name, "url": "whip:"} for name in ("call", "other")],
        "mqtt": {"url": "embedded:"},
        "web": {"port": 0, "auth": "users"},
    }
    with RunningService(folder, config) as running:
        run(add_users(f"sqlite+aiosqlite:///{folder}/alerts.db", USERS))
        yield running


@contextmanager
def logged_in(
    browser: Browser, service: RunningService, name: str = "anna", path: str = "/system", *, phone: str | None = None
) -> Iterator[tuple[Page, list[str]]]:
    """The page, as a user sees it."""
    width, colours = (1280, "light") if phone is None else (360, phone)
    with a_page(browser, width=width, colours="dark" if colours == "dark" else "light") as (page, complaints):
        log_in(page, service.web_url, name, path)
        yield page, complaints


def card(page: Page, title: str) -> str:
    return f"section.card:has(h2:text-is('{title}'))"


def test_says_whether_all_is_well_and_what_runs(service: RunningService, browser: Browser) -> None:
    with logged_in(browser, service) as (page, complaints):
        expect(page.locator(".judged.clear")).to_contain_text("All is well")
        expect(page.get_by_role("note")).to_have_text("demo encoder: not for real use")
        parts = page.locator(card(page, "Parts"))
        for words in ("scores faces", "keeps alerts", "connected"):
            expect(parts).to_contain_text(words)
        expect(page.locator(card(page, "Streams")).locator("li")).to_have_count(2)
        judge = page.locator(card(page, "What judges"))
        expect(judge).to_contain_text("demo")
        digest = judge.locator(".digest")
        expect(digest).to_have_attribute("title", re.compile("^[0-9a-f]{64}$"))
        whole = digest.get_attribute("title")
        assert whole is not None
        expect(digest).to_have_text(f"{whole[:12]}…")
        expect(page.locator(card(page, "Queues"))).to_contain_text("0 waiting")
        up = page.locator(card(page, "What runs")).locator("dd").first
        shown = up.inner_text()
        expect(up).not_to_have_text(shown)  # it goes on by itself
        for path in ("/metrics", "/api/v1/openapi.json"):
            assert page.request.get(f"{service.web_url}{path}").ok
            expect(page.locator(f'a[href="{path}"]')).to_be_visible()
        assert complaints == []


def test_configuration_is_read_again_and_what_came_of_it_is_told(service: RunningService, browser: Browser) -> None:
    content = service.path.read_text()
    try:
        with logged_in(browser, service) as (page, _):
            button = page.get_by_role("button", name="Read the configuration again")
            button.click()
            expect(page.locator(".outcome.clear")).to_have_text("Read; no stream begins anew.")
            service.path.write_text(content + "\nnonsense: true\n")
            button.click()
            expect(page.locator(".outcome.fake").first).to_contain_text("nothing is taken over")
            expect(page.locator(".outcome.fake").first).to_contain_text("nonsense")
            service.path.write_text(content.replace("demo", "yermandy/GenD_CLIP_L_14"))
            button.click()
            expect(page.locator(".outcome.suspect")).to_have_text("Waits for a restart: encoder.weights.")
    finally:
        service.path.write_text(content)


@pytest.mark.parametrize("colours", ["light", "dark"])
def test_everybody_can_read_it_also_on_a_phone(service: RunningService, browser: Browser, colours: str) -> None:
    with logged_in(browser, service, phone=colours) as (page, _):
        expect(page.locator("body")).to_have_class(re.compile(f"body--{colours}"))
        expect(page.locator(".judged")).to_be_visible()
        assert barriers(page) == []
        assert not overflows(page)


def test_a_viewer_sees_their_streams_and_changes_nothing(service: RunningService, browser: Browser) -> None:
    with logged_in(browser, service, "vera") as (page, complaints):
        streams = page.locator(card(page, "Streams")).locator("li")
        expect(streams).to_have_count(1)
        expect(streams).to_contain_text("call")
        expect(page.get_by_role("button", name="Read the configuration again")).to_have_count(0)
        expect(page.get_by_role("link", name="Score files")).to_have_count(0)
        page.goto(f"{service.web_url}/score")
        expect(page.locator(".notice")).to_have_text("This takes the role operator; yours is viewer.")
        expect(page.locator("form#score")).to_have_count(0)
        assert complaints == []


def test_a_login_that_has_ended_is_told_and_nothing_is_done(service: RunningService, browser: Browser) -> None:
    with logged_in(browser, service) as (page, _):
        other = page.context.new_page()
        other.goto(f"{service.web_url}/score")
        other.get_by_role("button", name="Log out").click()
        other.wait_for_url("**/login**")
        button = page.get_by_role("button", name="Read the configuration again")
        button.click()
        expect(page.locator(".q-notification")).to_contain_text("your login has ended: log in again")
        expect(button).to_be_enabled()
        expect(page.locator(".still")).to_contain_text("your login has ended")
        expect(page.get_by_role("link", name="Log in")).to_have_attribute("href", "/login?next=%2Fsystem")


@pytest.mark.long
def test_to_look_on_is_no_use_of_a_login_and_outlasts_a_database_that_is_away(
    folder: Path, service: RunningService, browser: Browser
) -> None:
    def ask(statement: str) -> list[tuple[str]]:
        with closing(sqlite3.connect(folder / "alerts.db", timeout=30, isolation_level=None)) as database:
            return database.execute(statement).fetchall()

    def goes_on(page: Page) -> None:
        up = page.locator(card(page, "What runs")).locator("dd").first
        for _ in range(2):
            expect(up).not_to_have_text(up.inner_text())

    with logged_in(browser, service) as (page, _):
        goes_on(page)
        ask("UPDATE sessions SET seen_at = strftime('%Y-%m-%d %H:%M:%f000', seen_at, '-1 hour')")
        before = ask("SELECT seen_at FROM sessions ORDER BY fingerprint")
        goes_on(page)
        assert ask("SELECT seen_at FROM sessions ORDER BY fingerprint") == before
        ask("ALTER TABLE sessions RENAME TO sessions_away")
        expect(page.locator(".still")).to_contain_text("tries again")
        ask("ALTER TABLE sessions_away RENAME TO sessions")
        expect(page.locator(".still")).to_be_hidden()
        goes_on(page)


def test_a_page_that_cannot_be_shown_says_why_in_words(folder: Path, service: RunningService, browser: Browser) -> None:
    with (
        logged_in(browser, service) as (page, _),
        closing(sqlite3.connect(folder / "alerts.db", timeout=30)) as database,
    ):
        for table, path in (("alerts", "/alerts/one"), ("alerts", "/alerts"), ("added_streams", "/streams")):
            database.execute(f"ALTER TABLE {table} RENAME TO away")
            try:
                answer = page.goto(service.web_url + path)
                assert answer is not None
                assert answer.status == 503
                expect(page.get_by_role("heading", name="Not available")).to_be_visible()
                expect(page.get_by_role("alert").first).to_contain_text("no such table")
                expect(page.get_by_role("navigation")).to_be_visible()
                assert "Error" not in page.inner_text("body")
            finally:
                database.execute(f"ALTER TABLE away RENAME TO {table}")
            answer = page.goto(service.web_url + path)
            assert answer is not None
            assert answer.status in {200, 404}
