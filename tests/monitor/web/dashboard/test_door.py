"""Who may look at pages and act by them, where there are users: by HTTP, by the socket, and in a browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import httpx
import pytest
from nicegui import Client
from playwright.sync_api import Browser, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import connect

from monitor.access import ROLES, Role
from monitor.web.dashboard.frame import Framing
from monitor.web.dashboard.opening import BUILDERS
from tests.monitor.access.cheap import PASSWORD
from tests.monitor.service import RunningService
from tests.monitor.web.dashboard.browsing import a_page, a_service
from tests.monitor.web.dashboard.people import add_users, log_in, run

USERS: dict[str, tuple[Role, frozenset[str] | None]] = {
    "vera": ("viewer", None),
    "otto": ("operator", None),
    "anna": ("admin", None),
    "gabi": ("viewer", frozenset({"gate"})),
}

# Pages whose contents take more than to look, and who may not.
TAKES: dict[str, Role] = {"/score": "operator", "/streams": "admin"}
LESS = {"operator": {"vera", "gabi"}, "admin": {"vera", "gabi", "otto"}}

# Path of each page, one to ask for, and words that stand on it for viewer, operator, admin and who may see `gate` only.
PAGES: dict[str, tuple[str, tuple[str, str, str, str]]] = {
    "/": ("/", ("Board", "Board", "Board", "Board")),
    "/streams/{stream}": ("/streams/lobby", ("lobby", "lobby", "lobby", "No such stream")),
    "/streams": ("/streams", ("Not allowed", "Not allowed", "Streams", "Not allowed")),
    "/alerts": ("/alerts", ("Alerts", "Alerts", "Alerts", "Alerts")),
    "/alerts/{alert_id}": ("/alerts/nothing", ("No such alert", "No such alert", "No such alert", "No such alert")),
    "/calibration": ("/calibration", ("Calibration", "Calibration", "Calibration", "Calibration")),
    "/score": ("/score", ("Score files", "Score files", "Score files", "Score files")),
    "/system": ("/system", ("System", "System", "System", "System")),
}


@pytest.fixture(scope="module")
def locked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    folder = tmp_path_factory.mktemp("locked")
    with a_service(folder, web={"port": 0, "auth": "users"}) as running:
        run(add_users(f"sqlite+aiosqlite:///{folder / 'alerts.db'}", USERS))
        yield running


@contextmanager
def logged_in(service: RunningService, name: str) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=service.web_url, timeout=30) as client:
        typed = {"name": name, "password": PASSWORD, "next": "/"}
        answer = client.post("/login", data=typed, headers={"Origin": service.web_url})
        assert (answer.status_code, answer.headers["location"]) == (303, "/")
        yield client


def page_id(client: httpx.Client, path: str = "/") -> str:
    found = re.search(r'"client_id": ?"([0-9a-f-]{36})"|\'client_id\': ?\'([0-9a-f-]{36})\'', client.get(path).text)
    assert found is not None
    return found.group(1) or found.group(2)


def join(service: RunningService, client_id: str, client: httpx.Client | None, **headers: str) -> str:
    """Opens the socket of a page as a browser does; the first word from the other side."""
    cookies = "" if client is None else "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    url = f"{service.web_url.replace('http', 'ws')}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    with connect(f"{url}&client_id={client_id}", additional_headers={"Cookie": cookies, **headers}) as socket:
        return str(socket.recv(timeout=30))


def test_every_page_is_in_the_table() -> None:
    for build in BUILDERS:
        build(Framing(None), cast("Any", None))
    assert set(Client.page_routes.values()) == set(PAGES)


def test_who_is_not_known_is_sent_to_log_in_and_back(locked: RunningService) -> None:
    with httpx.Client(base_url=locked.web_url, timeout=30) as nobody:
        for path, _ in PAGES.values():
            answer = nobody.get(f"{path}?from=a%20mail")
            assert answer.status_code == 303
            assert answer.headers["location"].startswith("/login?next=%2F")
            assert answer.headers["location"].endswith("from%3Da%2520mail")
        for path in ("/no/such/page", "/_nicegui/3.18.0/static/nicegui.js", "/_nicegui_ws/socket.io/?EIO=4"):
            assert nobody.get(path).status_code in {303, 401}
        assert nobody.post("/streams/lobby").status_code == 401


def test_pages_are_as_the_table_says(locked: RunningService) -> None:
    for number, name in enumerate(USERS):
        with logged_in(locked, name) as client:
            for path, words in PAGES.values():
                answer = client.get(path)
                refused = [role for role in ROLES if f"his takes the role {role}" in answer.text]
                assert refused == ([TAKES[path]] if path in TAKES and name in LESS[TAKES[path]] else [])
                status = {"No": 404, "Not": 403}.get(words[number].partition(" ")[0], 200)
                assert (answer.status_code, path) == (status, path)
                assert f"{words[number]} - gend-monitor" in answer.text, (name, path)


def test_scripts_of_a_page_are_ours_alone(locked: RunningService) -> None:
    with logged_in(locked, "vera") as client:
        first, second = client.get("/"), client.get("/")
        policy = first.headers["content-security-policy"]
        (nonce,) = re.findall("'nonce-([^']+)'", policy)
        assert policy.startswith("default-src 'none'; script-src 'self' 'nonce-")
        assert "'unsafe-inline'" not in policy.partition("style-src")[0]
        scripts = re.findall("<script[^>]*>", first.text)
        assert len(scripts) > 3
        assert all(f'nonce="{nonce}"' in script for script in scripts)
        assert nonce not in second.text
        assert "set-cookie" not in first.headers


def test_a_socket_is_for_who_has_asked_for_the_page(locked: RunningService) -> None:
    with logged_in(locked, "anna") as anna, logged_in(locked, "vera") as vera:
        page = page_id(anna)
        assert join(locked, page, anna).startswith("0{")  # engine.io's "open"
        refusals: list[tuple[str, httpx.Client | None, dict[str, str]]] = [
            (page, vera, {}),
            (page, None, {}),
            ("", anna, {}),
            ("00000000-0000-4000-8000-000000000000", anna, {}),
            (page, anna, {"Origin": "http://evil.example"}),
        ]
        for client_id, client, headers in refusals:
            with pytest.raises(InvalidStatus, match="403"):
                join(locked, client_id, client, **headers)
        polled = anna.get(f"/_nicegui_ws/socket.io/?EIO=4&transport=polling&client_id={page}")
        assert (polled.status_code, polled.text) == (400, "connect by WebSocket\n")


def test_what_is_clicked_is_done_as_who_one_is_then(locked: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, _):
        log_in(page, locked.web_url, "otto", "/streams/gate")
        expect(page.get_by_role("link", name="otto (operator)")).to_be_visible()
        page.get_by_role("button", name="15 minutes").click()
        expect(page.get_by_text("Alerts call nobody until")).to_be_visible()
        other = page.context.new_page()
        other.goto(locked.web_url)
        other.get_by_role("button", name="Log out").click()
        other.wait_for_url("**/login")
        page.get_by_role("button", name="1 day").click()
        expect(page.get_by_text("your login has ended").first).to_be_visible()


def test_viewers_are_shown_no_buttons_of_operators(locked: RunningService, browser: Browser) -> None:
    with a_page(browser) as (page, _):
        log_in(page, locked.web_url, "gabi", "/streams/gate")
        expect(page.get_by_role("heading", name="gate")).to_be_visible()
        expect(page.get_by_role("button", name="15 minutes")).to_have_count(0)
        expect(page.get_by_role("link", name="Streams", exact=True)).to_have_count(0)
        page.get_by_role("link", name="Board").click()
        expect(page.locator(".tile")).to_have_count(1)
        expect(page.locator(".tile")).to_contain_text("gate")
