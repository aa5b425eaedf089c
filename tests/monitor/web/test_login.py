"""Logging in and out of a real server, as browsers do, and as those do who should not be let in."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated

import hypothesis
import hypothesis.strategies as st
import pytest
from fastapi import Depends, FastAPI, Request

from monitor.access import LOCAL, AccountError, ForbiddenError, Principal
from monitor.access.login import LoginError
from monitor.web.asking import asking, asking_at_page
from monitor.web.login import local_path
from tests.monitor.access.cheap import PASSWORD
from tests.monitor.web.gated import ADMIN, cookie_of, field_of, log_in, served

pytestmark = pytest.mark.anyio

Who = Annotated[Principal, Depends(asking)]


def routes(app: FastAPI) -> None:
    """What other parts of the service will have: something to read, something that changes, a page."""

    @app.get("/me")
    async def me(who: Who, request: Request) -> dict[str, object]:
        return {"name": who.name, "role": who.role, "csrf": request.scope.get("csrf")}

    @app.post("/change")
    async def change(who: Who, request: Request) -> dict[str, str]:
        return {"by": who.name, "body": (await request.body()).decode()}

    @app.get("/board")
    async def board(who: Annotated[Principal, Depends(asking_at_page)]) -> str:
        return who.name


async def test_login_and_logout(tmp_path: Path) -> None:
    async with served(tmp_path, add=routes) as site:
        await site.add_user("anna", "operator")
        browser = await site.client()
        unknown = await browser.get("/me")
        assert (unknown.status_code, unknown.headers["www-authenticate"]) == (401, 'Bearer realm="gend-monitor"')
        sent_away = await browser.get("/board?stream=lobby&x=1")
        assert (sent_away.status_code, sent_away.headers["location"]) == (
            303,
            "/login?next=%2Fboard%3Fstream%3Dlobby%26x%3D1",
        )
        page = await browser.get(sent_away.headers["location"])
        assert page.status_code == 200
        next_path = field_of(page.text, "next").replace("&amp;", "&")
        answer = await log_in(browser, " Anna ", next_path=next_path)
        assert (answer.status_code, answer.headers["location"]) == (303, "/board?stream=lobby&x=1")
        assert (await browser.get("/board?stream=lobby&x=1")).json() == "anna"
        me = (await browser.get("/me")).json()
        assert (me["name"], me["role"]) == ("anna", "operator")
        assert (await browser.get("/login?next=/board")).headers["location"] == "/board"

        assert (await browser.get("/logout")).status_code == 405
        assert (await browser.post("/logout")).status_code == 403  # without the CSRF token
        kept = dict(browser.cookies)
        out = await browser.post("/logout", data={"csrf_token": me["csrf"]})
        assert (out.status_code, out.headers["location"]) == (303, "/login")
        assert (await browser.get("/me")).status_code == 401
        assert (await (await site.client(cookies=kept)).get("/me")).status_code == 401
        assert site.accounts is not None
        log = [(entry.who, entry.action, entry.outcome) for entry in await site.accounts.audit(ADMIN, "cli", 9)]
        assert log == [("cli:tests", "user.add", "done"), ("anna", "login", "done"), ("anna", "logout", "done")]


async def test_the_cookie_is_for_us_alone(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.add_user("anna")
        line = cookie_of(await log_in(await site.client(), "anna"))
    name, _, rest = line.partition("=")
    assert name == "gend-session"
    value, *attributes = rest.split("; ")
    assert len(value) == 43
    assert sorted(attributes) == ["HttpOnly", "Path=/", "SameSite=lax"]


async def test_an_id_from_before_the_login_is_worth_nothing_after_it(tmp_path: Path) -> None:
    async with served(tmp_path, add=routes) as site:
        await site.add_user("anna")
        await site.add_user("mallory")
        planted = "A" * 43
        browser = await site.client(cookies={"gend-session": planted})
        answer = await log_in(browser, "anna")
        assert planted not in cookie_of(answer)
        assert (await (await site.client(cookies={"gend-session": planted})).get("/me")).status_code == 401
        # Somebody else's session in the same browser ends with the login.
        mallorys = dict((other := await site.logged_in("mallory")).cookies)
        await log_in(other, "anna")
        assert (await other.get("/me")).json()["name"] == "anna"
        assert (await (await site.client(cookies=mallorys)).get("/me")).status_code == 401


async def test_wrong_passwords_and_unknown_users_look_alike(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.add_user("anna")
        browser = await site.client()
        wrong = await log_in(browser, "anna", "wrong password")
        unknown = await log_in(browser, "nobody", "wrong password")
        assert wrong.status_code == unknown.status_code == 403
        assert wrong.text.replace("anna", "nobody") == unknown.text
        assert "Name or password are wrong." in wrong.text
        assert "set-cookie" not in wrong.headers
        assert site.accounts is not None
        failed = [entry for entry in await site.accounts.audit(ADMIN, "cli", 9) if entry.outcome == "failed"]
        assert [(each.who, each.about, each.source, each.detail) for each in failed] == [
            ("nobody", "anna", "127.0.0.1", "wrong password"),
            ("nobody", None, "127.0.0.1", "no such user"),
        ]


async def test_guessing_is_slowed_down_and_the_right_password_too_until_then(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.add_user("anna")
        browser = await site.client()
        for _ in range(6):
            await log_in(browser, "anna", "wrong password")
        slowed = await log_in(browser, "anna")
        assert slowed.status_code == 429
        assert int(slowed.headers["retry-after"]) >= 1
        site.clock.ahead += timedelta(seconds=int(slowed.headers["retry-after"]) + 1)
        assert (await log_in(browser, "anna")).status_code == 303


async def test_tries_are_counted_by_what_came_of_them(tmp_path: Path) -> None:
    async with served(tmp_path, metrics="open") as site:
        await site.add_user("anna")
        browser = await site.client()
        await log_in(browser, "anna")
        await log_in(browser, "nobody")
        for _ in range(6):
            await log_in(browser, "anna", "wrong password")
        counted = (await browser.get("/metrics")).text
    found = dict(re.findall(r'^gend_login_tries_total\{outcome="(\w+)"\} (\d+)', counted, re.MULTILINE))
    assert sum(map(int, found.values())) == 8
    assert (found["done"], int(found["wrong"]) > 1, int(found["throttled"]) > 0) == ("1", True, True)
    assert "anna" not in counted


async def test_a_session_lasts_as_long_as_it_is_used_and_not_for_ever(tmp_path: Path) -> None:
    async with served(tmp_path, add=routes, session_hours=1) as site:
        await site.add_user("anna")
        used, left = await site.logged_in("anna"), await site.logged_in("anna")
        for _ in range(8):
            site.clock.ahead += timedelta(minutes=50)
            assert (await used.get("/me")).status_code == 200
        assert (await left.get("/me")).status_code == 401
        site.clock.ahead += timedelta(minutes=30)  # more than seven times an hour since the login
        assert (await used.get("/me")).status_code == 401


async def test_sessions_end_with_a_new_password_and_with_another_role(tmp_path: Path) -> None:
    async with served(tmp_path, add=routes) as site:
        accounts = site.accounts
        assert accounts is not None
        await site.add_user("anna", "operator")
        await site.add_user("root", "admin")
        browser, other = await site.logged_in("anna"), await site.logged_in("anna")
        await accounts.set_role(ADMIN, "cli", "anna", role="viewer")
        assert [(await each.get("/me")).status_code for each in (browser, other)] == [401, 401]
        browser, other = await site.logged_in("anna"), await site.logged_in("anna")
        assert (await browser.get("/me")).json()["role"] == "viewer"
        anna = Principal("anna", "viewer")
        with pytest.raises(LoginError):
            await accounts.change_password(anna, "127.0.0.1", "not the current one", "another good password")
        assert (await browser.get("/me")).status_code == 200
        await accounts.change_password(anna, "127.0.0.1", PASSWORD, "another good password")
        assert [(await each.get("/me")).status_code for each in (browser, other)] == [401, 401]
        assert (await log_in(browser, "anna")).status_code == 403
        assert (await log_in(browser, "anna", "another good password")).status_code == 303
        await accounts.delete_user(ADMIN, "cli", "anna")
        assert (await browser.get("/me")).status_code == 401
        with pytest.raises(AccountError, match="only admin"):
            await accounts.delete_user(ADMIN, "cli", "root")
        with pytest.raises(ForbiddenError):
            await accounts.delete_user(anna, "127.0.0.1", "root")


async def test_ones_own_password_is_changed_by_who_knows_it(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.add_user("anna")
        browser, other = await site.logged_in("anna"), await site.logged_in("anna")
        page = await browser.get("/password")
        assert page.headers["content-security-policy"].startswith("default-src 'none'")
        csrf = field_of(page.text, "csrf_token")
        new = "another good password"
        right = {"current": PASSWORD, "password": new, "again": new, "csrf_token": csrf}
        for change, status, said in (
            ({"csrf_token": ""}, 403, "CSRF token"),
            ({"current": "not the password"}, 403, "That is not your current password."),
            ({"again": "something else"}, 422, "The two new passwords differ."),
            ({"password": "short", "again": "short"}, 422, "A password has at least 12 characters."),
        ):
            refused = await browser.post("/password", data={**right, **change})
            assert (refused.status_code, said in refused.text) == (status, True), refused.text
            assert PASSWORD not in refused.text
        changed = await browser.post("/password", data=right)
        assert (changed.status_code, changed.headers["location"]) == (303, "/login")
        assert [(await each.get("/metrics")).status_code for each in (browser, other)] == [401, 401]
        assert (await log_in(browser, "anna", new)).status_code == 303


async def test_a_browser_that_was_made_to_ask_changes_nothing(tmp_path: Path) -> None:
    async with served(tmp_path, add=routes) as site:
        await site.add_user("anna")
        await site.add_user("ben")
        browser = await site.logged_in("anna")
        csrf = (await browser.get("/me")).json()["csrf"]
        bens = (await (await site.logged_in("ben")).get("/me")).json()["csrf"]
        refused = [
            await browser.post("/change"),
            await browser.post("/change", headers={"X-CSRF-Token": ""}),
            await browser.post("/change", headers={"X-CSRF-Token": bens}),
            await browser.post("/change", data={"csrf_token": bens}),
            await browser.post("/change", json={"csrf_token": csrf}),
            await browser.post("/change", params={"csrf_token": csrf}),
            await browser.post("/change", headers={"X-CSRF-Token": csrf, "Origin": "http://evil.example"}),
            await browser.post("/change", headers={"X-CSRF-Token": csrf, "Origin": "null"}),
        ]
        assert [answer.status_code for answer in refused] == [403] * len(refused)
        header = await browser.post("/change", json={"x": 1}, headers={"X-CSRF-Token": csrf})
        assert header.json() == {"by": "anna", "body": '{"x":1}'}
        form = await browser.post("/change", data={"csrf_token": csrf, "x": "y" * 200_000})
        assert form.json()["body"] == f"csrf_token={csrf}&x=" + "y" * 200_000


async def test_nobody_is_logged_in_by_another_site(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.add_user("mallory")
        browser = await site.client()
        form = {"name": "mallory", "password": PASSWORD}
        foreign = await browser.post("/login", data=form, headers={"Origin": "http://evil.example"})
        without = await browser.post("/login", data=form)
        assert (foreign.status_code, without.status_code) == (403, 403)
        assert not browser.cookies
        by_browsers_word = await browser.post("/login", data=form, headers={"Sec-Fetch-Site": "same-origin"})
        assert by_browsers_word.status_code == 303


@pytest.mark.parametrize(
    "path",
    [
        "https://evil.example/",
        "//evil.example",
        "/\\evil.example",
        "\\\\evil.example",
        "/\t/evil.example",
        "/\n/evil.example",
        " //evil.example",
        "javascript:alert(1)",
        "evil.example",
        "",
        "/board\r\nSet-Cookie: a=b",
        "/" + "a" * 3000,
        "///evil.example",
        "http:/evil.example",
    ],
)
async def test_after_the_login_one_is_here(tmp_path: Path, path: str) -> None:
    assert local_path(path) == "/"


@hypothesis.given(st.text(st.sampled_from("/\\:@?#%.\t\n\r \x00aé2fF5cC"), max_size=12))
def test_no_text_leads_away(text: str) -> None:
    path = local_path(text)
    # As browsers read it: tabs and line ends do not count, and a backslash is a slash.
    read = "".join(character for character in path if character not in "\t\r\n").replace("\\", "/")
    assert read.startswith("/")
    assert not read.startswith("//")
    assert path.isascii()
    assert path.isprintable()


async def test_paths_of_ours_come_back_as_they_were() -> None:
    for path in ("/", "/streams/lobby?tab=alerts&x=%20#top", "/?next=https://evil.example", "/a/../b"):
        assert local_path(path) == path
    assert local_path("/schöne") == "/sch%C3%B6ne"


async def test_redirect_and_page_repeat_nothing_that_was_not_escaped(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.add_user("anna")
        browser = await site.client()
        hostile = '"><script>alert(1)</script>'
        page = await browser.get("/login", params={"next": f"/{hostile}"})
        assert "<script" not in page.text
        again = await log_in(browser, hostile, next_path=f"/x?{hostile}")
        assert again.status_code == 403
        assert "<script" not in again.text
        answer = await log_in(browser, "anna", next_path="/x\r\nX-Evil: 1")
        assert answer.headers["location"] == "/"
        assert "x-evil" not in answer.headers


async def test_the_page_needs_nothing_but_itself(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        page = await (await site.client()).get("/login")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; style-src 'sha256-")
    assert "unsafe" not in policy
    assert "http" not in page.text.partition("<body>")[2]
    for needed in (
        'lang="en"',
        'name="viewport"',
        '<label for="name">',
        '<label for="password">',
        "prefers-color-scheme",
    ):
        assert needed in page.text
    assert page.headers["cache-control"] == "no-store"


async def test_forms_that_are_none_are_wrong_passwords(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        browser = await site.client()
        for body in (b"\xff\xfe", b"a=1&" * 50, b"name=%00&password=%ff", b"name=" + b"x" * 900_000, b""):
            answer = await browser.post("/login", content=body, headers={"Origin": site.url})
            assert answer.status_code in {403, 429}, (body[:20], answer.status_code)


async def test_logins_at_once_do_not_hold_up_the_rest(tmp_path: Path) -> None:
    async with served(tmp_path) as site:
        await site.add_user("anna")
        browser = await site.client()
        answers, alive = await asyncio.gather(
            asyncio.gather(*(log_in(browser, f"user{number}", "wrong password") for number in range(60))),
            browser.get("/healthz"),
        )
        assert alive.status_code == 200
        assert {answer.status_code for answer in answers} <= {403, 429, 503}
        assert [answer.status_code for answer in answers].count(403) <= 6


async def test_without_users_whoever_is_here_may_everything(tmp_path: Path) -> None:
    async with served(tmp_path, add=routes, auth=None) as site:
        browser = await site.client()
        assert (await browser.get("/me")).json() == {"name": LOCAL.name, "role": "admin", "csrf": None}
        assert (await browser.post("/change")).status_code == 200
        assert (await browser.get("/login")).status_code == 404
