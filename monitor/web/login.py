"""Routes to log in and out by a form, and to change one's own password."""

from __future__ import annotations

import logging
from typing import Annotated
from urllib.parse import parse_qs, quote, urlsplit

from fastapi import APIRouter, Depends, Request
from fastapi.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from monitor.access import AccountError, Principal
from monitor.access.login import LoginError, TooManyTriesError
from monitor.access.passwords import BusyError
from monitor.errors import StoreError
from monitor.web.asking import asking_at_page
from monitor.web.form_pages import POLICY, login_page, password_page
from monitor.web.gate import Gate
from monitor.web.identify import LOGIN_PATH, cookie_name, is_private, session_id
from monitor.web.proxies import client_address

_log = logging.getLogger("monitor.web")

Known = Annotated[Principal, Depends(asking_at_page)]

_LONGEST_PATH = 2000
_MOST_FIELDS = 10
_IN_CLEAR = (
    "Nobody logs in here without HTTPS, as passwords could be read on the way. Behind a proxy: it must send "
    "X-Forwarded-Proto, and its address must be in web.trusted_proxies."
)


def login_routes(gate: Gate) -> APIRouter:
    """`/login`, `/logout` and `/password`."""
    router = APIRouter(include_in_schema=False)

    @router.get(LOGIN_PATH)
    async def ask(request: Request, next: str = "/") -> Response:  # noqa: A002 - what such a parameter is called
        if not is_private(request.scope):
            return PlainTextResponse(_IN_CLEAR + "\n", 403)
        if "principal" in request.scope:
            return RedirectResponse(local_path(next), 303)
        return _page(200, local_path(next))

    @router.post(LOGIN_PATH)
    async def log_in(request: Request) -> Response:
        if not is_private(request.scope):
            return PlainTextResponse(_IN_CLEAR + "\n", 403)
        if not _from_our_page(request):
            return PlainTextResponse("log in by our own page; programs use tokens\n", 403)
        return await _log_in(gate, request)

    @router.post("/logout")
    async def log_out(request: Request) -> Response:
        await _end_session(gate, request)
        answer = RedirectResponse(LOGIN_PATH, 303)
        _set_cookie(answer, request, "", max_age=0)
        return answer

    @router.get("/password")
    async def ask_password(request: Request, who: Known) -> Response:
        return _answer(200, password_page(who.name, request.scope.get("csrf", "")))

    @router.post("/password")
    async def change_password(request: Request, who: Known) -> Response:
        return await _change_password(gate, request, who)

    return router


async def _log_in(gate: Gate, request: Request) -> Response:
    form = await _form(request)
    name, next_path = form.get("name", ""), local_path(form.get("next", "/"))
    try:
        new_id = await gate.login.login(name, form.get("password", ""), client_address(request.scope))
        await _end_session(gate, request)  # of whoever was logged in here before
    except LoginError as error:
        return _page(403, next_path, name, _sentence(error))
    except TooManyTriesError as error:
        return _page(429, next_path, name, _sentence(error), {"Retry-After": str(error.wait_s)})
    except BusyError as error:
        return _page(503, next_path, name, _sentence(error), {"Retry-After": "1"})
    except StoreError as error:
        _log.warning("a login failed: %s", error)
        return _page(503, next_path, name, "Accounts cannot be looked up now.")
    answer = RedirectResponse(next_path, 303)
    _set_cookie(answer, request, new_id)
    return answer


async def _change_password(gate: Gate, request: Request, who: Principal) -> Response:
    form = await _form(request)
    password, source = form.get("password", ""), client_address(request.scope)
    if form.get("again", "") != password:
        differ = "The two new passwords differ."
        return _answer(422, password_page(who.name, request.scope.get("csrf", ""), differ))
    try:
        await gate.accounts.change_password(who, source, form.get("current", ""), password)
    except LoginError:
        status, wrong = 403, "That is not your current password."
    except (AccountError, TooManyTriesError, BusyError) as error:
        status = 422 if isinstance(error, AccountError) else 429
        wrong = _sentence(error)
    else:
        return RedirectResponse(LOGIN_PATH, 303)
    return _answer(status, password_page(who.name, request.scope.get("csrf", ""), wrong))


def local_path(text: str) -> str:
    """The path of one of our own pages; `/` for whatever could lead elsewhere.

    Browsers take a backslash for a slash and leave out tabs and line ends: a tab between two slashes, and it is a host.
    """
    strange = any(character <= " " or character in '\\\x7f"<>' for character in text)
    if strange or len(text) > _LONGEST_PATH or not text.startswith("/") or text.startswith("//"):
        return "/"
    try:
        parts = urlsplit(text)
    except ValueError:
        return "/"
    return "/" if parts.scheme or parts.netloc else quote(text, safe="/?#[]@!$&'()*+,;=:%~")


def _from_our_page(request: Request) -> bool:
    """Whether a page of ours has sent the form: nobody shall be logged in as somebody else without knowing.

    The guard has refused every Origin but ours. Here one must be there, or the browser's word for it: all browsers
    send one with a POST.
    """
    return "origin" in request.headers or request.headers.get("sec-fetch-site") == "same-origin"


async def _form(request: Request) -> dict[str, str]:
    """The fields of a form, the last of each name; none of what is no form."""
    try:
        fields = parse_qs((await request.body()).decode(), keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        return {}
    return {name: values[-1] for name, values in fields.items()}


async def _end_session(gate: Gate, request: Request) -> None:
    claimed = session_id(request.scope)
    session = await gate.sessions.find(claimed) if claimed else None
    if claimed and session is not None:
        await gate.sessions.end(claimed, session.principal, client_address(request.scope))


def _set_cookie(answer: Response, request: Request, value: str, max_age: int | None = None) -> None:
    # Lax, not Strict: who follows a link from a notification to an alert shall not have to log in again. What changes
    # something takes a CSRF token and an Origin of ours anyway.
    answer.set_cookie(
        cookie_name(request.scope),
        value,
        max_age=max_age,
        path="/",
        secure=request.scope["scheme"] == "https",
        httponly=True,
        samesite="lax",
    )


def _page(
    status: int, next_path: str, name: str = "", wrong: str | None = None, headers: dict[str, str] | None = None
) -> HTMLResponse:
    return _answer(status, login_page(next_path, name[:63], wrong), headers)


def _answer(status: int, page: str, headers: dict[str, str] | None = None) -> HTMLResponse:
    return HTMLResponse(page, status, {"Content-Security-Policy": POLICY, **(headers or {})})


def _sentence(error: Exception) -> str:
    said = str(error)
    return f"{said[:1].upper()}{said[1:]}."
