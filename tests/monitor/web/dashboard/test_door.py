"""Who may look at pages and act by them, where there are users: by HTTP, by the socket, and in a browser."""

from __future__ import annotations

import html
import json
import re
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, cast

import httpx
import pytest
from nicegui import Client
from playwright.sync_api import Browser, expect
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.sync.connection import Connection

from monitor.access import ROLES, Role
from monitor.web.dashboard.frame import Framing
from monitor.web.dashboard.opening import BUILDERS
from tests.monitor.access.cheap import PASSWORD
from tests.monitor.service import RunningService
from tests.monitor.web.dashboard.browsing import a_page, a_service
from tests.monitor.web.dashboard.people import add_users, log_in, run
from tests.waiting import wait_until

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
    return id_in(client.get(path).text)


def id_in(page_html: str) -> str:
    found = re.search(r"""["']client_id["']: ?["']([0-9a-f-]{36})["']""", page_html)
    assert found is not None
    return found.group(1)


def dialled(service: RunningService, client_id: str, client: httpx.Client | None, **headers: str) -> ClientConnection:
    """The socket of a page, as a browser opens it."""
    cookies = "" if client is None else "; ".join(f"{name}={value}" for name, value in client.cookies.items())
    url = f"{service.web_url.replace('http', 'ws')}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    asked = f"&client_id={client_id}&implicit_handshake=true&tab_id=tab-{client_id}&document_id=document-{client_id}"
    return connect(url + asked, additional_headers={"Cookie": cookies, **headers})


def join(service: RunningService, client_id: str, client: httpx.Client | None, **headers: str) -> str:
    """The first word from the other side."""
    with dialled(service, client_id, client, **headers) as socket:
        return str(socket.recv(timeout=30))


@contextmanager
def opened(service: RunningService, client_id: str, client: httpx.Client) -> Iterator[Connection]:
    """A socket that NiceGUI has taken for the page's."""
    with dialled(service, client_id, client) as socket:
        assert str(socket.recv(timeout=30)).startswith("0{")
        socket.send("40")
        assert str(socket.recv(timeout=30)).startswith("40{")
        yield socket


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
            (page, anna, {"Origin": "http://evil.example"}),
        ]
        for client_id, client, headers in refusals:
            with pytest.raises(InvalidStatus, match="403"):
                join(locked, client_id, client, **headers)
        assert join(locked, "00000000-0000-4000-8000-000000000000", anna).startswith("0{")  # and is told to load anew
        polled = anna.get(f"/_nicegui_ws/socket.io/?EIO=4&transport=polling&client_id={page}")
        assert (polled.status_code, polled.text) == (400, "connect by WebSocket\n")


def speak(socket: Connection, name: str, message: object) -> None:
    socket.send("42" + json.dumps([name, message]))


def press(page_html: str, label: str) -> dict[str, Any]:
    """What a browser sends where the button is pressed, but whose page it is."""
    found = re.search(r"String\.raw`(.*?)`\), \{", page_html, re.DOTALL)
    assert found is not None
    elements = json.loads(html.unescape(found.group(1)))
    number, button = next((n, each) for n, each in elements.items() if each.get("props", {}).get("label") == label)
    listener = next(each for each in button["events"] if each["type"] == "click")["listener_id"]
    return {"id": int(number), "listener_id": listener, "args": []}


def test_a_socket_speaks_for_its_own_page_alone(locked: RunningService) -> None:
    def snoozed(client: httpx.Client) -> bool:
        return client.get("/api/v1/streams/gate").json()["status"]["snoozed_until"] is not None

    with logged_in(locked, "otto") as otto, logged_in(locked, "vera") as vera:
        page = otto.get("/streams/gate").text
        otto_id, vera_id, pressed = id_in(page), page_id(vera), press(page, "2 hours")
        with opened(locked, otto_id, otto) as his, opened(locked, vera_id, vera) as hers:
            speak(hers, "event", {**pressed, "client_id": otto_id})
            speak(hers, "log", {"client_id": vera_id, "level": "error", "message": "written by a browser"})
            speak(hers, "event", {"client_id": vera_id, "id": 999999, "args": []})
            speak(hers, "event", [])
            time.sleep(1)
            assert not snoozed(otto)
            speak(his, "event", {**pressed, "client_id": otto_id})
            wait_until(lambda: snoozed(otto))
        otto.delete("/api/v1/streams/gate/snooze")
    assert "written by a browser" not in locked.log_text()


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


def changed_by_people(database: Path) -> dict[str, list[Any]]:
    """All that people have ever said or set by pages."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as store:
        return {
            table: store.execute(f"SELECT * FROM {table}").fetchall()
            for table in ("reviews", "snoozes", "added_streams")
        }


def test_no_button_does_anything_once_the_login_has_ended(locked: RunningService, browser: Browser) -> None:
    database = locked.path.parent / "alerts.db"
    with a_page(browser) as (page, _), logged_in(locked, "otto") as otto:
        log_in(page, locked.web_url, "anna", "/")
        tabs = []
        for path in ("/streams/gate", "/streams", "/system", "/score"):
            tabs.append(page.context.new_page())
            tabs[-1].goto(locked.web_url + path)
            expect(tabs[-1].locator("main button").first).to_be_visible()
        stream, streams, system, score = tabs
        streams.bring_to_front()
        streams.get_by_role("button", name="Add a stream").click()
        form = streams.get_by_role("dialog", name="Add a stream")
        form.get_by_label("Name").fill("door")
        form.get_by_label("Address").fill("whip:")
        before, jobs = changed_by_people(database), otto.get("/api/v1/scores").json()
        page.bring_to_front()
        page.get_by_role("button", name="Log out").click()
        page.wait_for_url("**/login")

        for tab in (stream, system):
            tab.bring_to_front()
            buttons = tab.locator("main button:visible")
            for number in range(buttons.count()):
                buttons.nth(number).click()
            expect(tab.get_by_text("your login has ended").first).to_be_visible()
        streams.bring_to_front()
        for name in ("Try it", "Save"):
            form.get_by_role("button", name=name).click()
        expect(streams.get_by_text("your login has ended").first).to_be_visible()
        score.bring_to_front()
        score.locator("input[type=file]").set_input_files({"name": "a.png", "mimeType": "image/png", "buffer": b"no"})
        score.get_by_role("button", name="Score").click()
        expect(score.locator("main")).to_contain_text(re.compile("[Ll]og in"))

        assert changed_by_people(database) == before
        assert otto.get("/api/v1/scores").json() == jobs
        assert "reloaded" not in locked.log_text()
