"""Users, tokens and the audit log over HTTP, and listeners who may not listen any more."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from monitor.access.fingerprints import csrf_token
from tests.monitor.access.cheap import PASSWORD
from tests.monitor.actions.acting import acting
from tests.monitor.web.gated import Site, log_in, served

pytestmark = pytest.mark.anyio

API = "/api/v1"
OTHER = "another good password"


async def with_csrf(site: Site, name: str) -> httpx.AsyncClient:
    """A browser that is logged in, and sends the token of its session."""
    return marked(await site.logged_in(name))


def marked(browser: httpx.AsyncClient) -> httpx.AsyncClient:
    (session,) = browser.cookies.values()
    browser.headers["X-CSRF-Token"] = csrf_token(session)
    return browser


async def test_an_admin_adds_changes_and_removes_users(tmp_path: Path) -> None:
    async with acting(tmp_path) as parts, served(tmp_path, actions=parts.actions) as site:
        await site.add_user("root", "admin")
        root = await with_csrf(site, "root")
        assert (await root.get(f"{API}/account")).json() == {"name": "root", "role": "admin", "streams": None}
        ben = {"name": "ben", "role": "viewer", "streams": ["gate"], "password": PASSWORD}
        made = await root.post(f"{API}/users", json=ben)
        assert (made.status_code, made.json()) == (201, {"name": "ben", "role": "viewer", "streams": ["gate"]})
        assert (await root.post(f"{API}/users", json=ben)).status_code == 409
        short = await root.post(f"{API}/users", json={**ben, "name": "carl", "password": "short"})
        assert (short.status_code, short.json()["detail"]) == (422, "a password has at least 12 characters")
        listed = (await root.get(f"{API}/users")).json()["items"]
        assert [(each["name"], each["role"], each["streams"]) for each in listed] == [
            ("ben", "viewer", ["gate"]), ("root", "admin", None),
        ]  # fmt: skip
        browser = await site.logged_in("ben")
        assert (await root.put(f"{API}/users/ben", json={"role": "operator"})).status_code == 204
        assert (await browser.get(f"{API}/account")).status_code == 401
        browser = await site.logged_in("ben")
        assert (await browser.get(f"{API}/account")).json() == {"name": "ben", "role": "operator", "streams": None}
        assert (await root.put(f"{API}/users/ben/password", json={"password": OTHER})).status_code == 204
        assert (await browser.get(f"{API}/account")).status_code == 401
        assert (await log_in(await site.client(), "ben", OTHER)).status_code == 303
        for last in (
            await root.delete(f"{API}/users/root"),
            await root.put(f"{API}/users/root", json={"role": "viewer"}),
        ):
            assert (last.status_code, "is the only admin" in last.json()["detail"]) == (409, True)
        assert (await root.delete(f"{API}/users/ben")).status_code == 204
        assert (await root.delete(f"{API}/users/ben")).status_code == 404
        del root.headers["X-CSRF-Token"]
        assert (await root.post(f"{API}/users", json=ben)).status_code == 403


async def test_everybody_changes_their_own_password_and_guesses_are_slowed_down(tmp_path: Path) -> None:
    async with acting(tmp_path) as parts, served(tmp_path, actions=parts.actions) as site:
        await site.add_user("ben", "viewer")
        browser, address = await with_csrf(site, "ben"), f"{API}/account/password"
        right = {"current": PASSWORD, "password": OTHER}
        assert (await browser.put(address, json={**right, "password": "short"})).status_code == 422
        assert (await browser.put(address, json=right)).status_code == 204
        assert (await browser.get(f"{API}/account")).status_code == 401
        browser = await site.client()
        assert (await log_in(browser, "ben", OTHER)).status_code == 303
        browser = marked(browser)
        answers = [(await browser.put(address, json={**right, "current": "wrong guess"})) for _ in range(8)]
        assert answers[0].status_code == 403
        assert answers[-1].status_code == 429
        assert int(answers[-1].headers["Retry-After"]) > 0


async def test_tokens_are_shown_once_and_are_their_owners(tmp_path: Path) -> None:
    async with acting(tmp_path) as parts, served(tmp_path, actions=parts.actions) as site:
        await site.add_user("root", "admin")
        await site.add_user("ben", "operator", frozenset({"gate"}))
        root, ben, program = await with_csrf(site, "root"), await with_csrf(site, "ben"), await site.client()
        made = await ben.post(f"{API}/tokens", json={"name": "bens", "role": "viewer", "for_s": 3600})
        assert made.status_code == 201
        header = {"Authorization": f"Bearer {made.json()['token']}"}
        assert (await program.get(f"{API}/account", headers=header)).json() == {
            "name": "token:bens", "role": "viewer", "streams": ["gate"],
        }  # fmt: skip
        assert (await ben.post(f"{API}/tokens", json={"name": "strong", "role": "admin"})).status_code == 403
        await root.post(f"{API}/tokens", json={"name": "roots", "role": "viewer"})
        (shown,) = (await ben.get(f"{API}/tokens")).json()["items"]
        assert (shown["name"], shown["owner"], "token" in shown) == ("bens", "ben", False)
        every = (await root.get(f"{API}/tokens")).json()["items"]
        assert [each["name"] for each in every] == ["bens", "roots"]
        assert (await ben.delete(f"{API}/tokens/roots")).status_code == 403
        assert (await ben.delete(f"{API}/tokens/bens")).status_code == 204
        assert (await program.get(f"{API}/account", headers=header)).status_code == 401


async def test_the_audit_log_comes_in_pages(tmp_path: Path) -> None:
    async with acting(tmp_path) as parts, served(tmp_path, actions=parts.actions) as site:
        await site.add_user("root", "admin")
        for number in range(4):
            await site.token(f"t{number}")
        root = await with_csrf(site, "root")
        pages, address = [], f"{API}/audit?limit=4"
        while address:
            answer = await root.get(address)
            pages.append([(each["action"], each["about"]) for each in answer.json()["items"]])
            address = answer.links.get("next", {}).get("url", "")
        assert pages == [
            [("login", None), *(("token.add", f"token:t{number}") for number in (3, 2, 1))],
            [("token.add", "token:t0"), ("user.add", "root")],
        ]
        assert (await root.get(f"{API}/audit?cursor=x")).status_code == 422


async def test_a_service_without_users_says_so(tmp_path: Path) -> None:
    async with acting(tmp_path) as parts, served(tmp_path, actions=parts.actions, auth=None) as site:
        browser = await site.client()
        assert (await browser.get(f"{API}/account")).json() == {"name": "local", "role": "admin", "streams": None}
        for path in ("users", "tokens", "audit"):
            answer = await browser.get(f"{API}/{path}")
            assert (answer.status_code, "no users" in answer.json()["detail"]) == (409, True)


async def test_who_may_listen_no_more_is_let_go(tmp_path: Path) -> None:
    async with acting(tmp_path) as parts, served(tmp_path, actions=parts.actions) as site:
        await site.add_user("root", "admin")
        for name in ("ben", "carl", "dora", "emma"):
            await site.add_user(name, "viewer")
        header = await site.token("program")
        people = {name: await site.logged_in(name) for name in ("ben", "carl", "dora", "emma")}
        program, root = await site.client(), await with_csrf(site, "root")
        listening = {name: asyncio.create_task(_listen(browser, "/events")) for name, browser in people.items()}
        listening["faces"] = asyncio.create_task(_listen(people["ben"], "/streams/lobby/faces"))
        listening["program"] = asyncio.create_task(_listen(program, "/events", header))
        while parts.live.broadcast.statistics().subscribers < 5:
            await asyncio.sleep(0.02)
        await root.put(f"{API}/users/ben/password", json={"password": OTHER})
        await root.put(f"{API}/users/carl", json={"role": "operator"})
        await root.delete(f"{API}/users/dora")
        await root.delete(f"{API}/tokens/program")
        stays = listening.pop("emma")
        async with asyncio.timeout(60):
            await asyncio.gather(*listening.values())
        assert not stays.done()
        stays.cancel()


async def _listen(browser: httpx.AsyncClient, path: str, header: dict[str, str] | None = None) -> None:
    """Until the service ends it, in good form."""
    async with browser.stream("GET", f"{API}{path}", headers=header, timeout=90) as answer:
        assert answer.status_code == 200
        async for _ in answer.aiter_bytes():
            pass
