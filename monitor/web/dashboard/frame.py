"""What every page has around it: the way to the others, whose login it is, light or dark, and how errors are told."""

from __future__ import annotations

import contextlib
import functools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass
from typing import ParamSpec

from fastapi import Request
from fastapi.responses import Response
from nicegui import Client, ui

from monitor.access import LOCAL, ForbiddenError, Principal, Role
from monitor.actions import BusyError, ConflictError, NotFoundError
from monitor.errors import MonitorError, StoreError
from monitor.web.dashboard.texts import link, part, text
from monitor.web.dashboard.visitor import Visitor
from monitor.web.gate import Gate
from monitor.web.identify import CSRF_FIELD

_log = logging.getLogger("monitor.web")

_ASSETS = "/assets/dashboard"
_HEAD = f'<link rel="icon" href="{_ASSETS}/icon.svg" type="image/svg+xml">\n'
_EVERYWHERE = ("dashboard.css", "theme.js", "times.js")
_STATUSES: dict[type[MonitorError], tuple[int, str]] = {
    ForbiddenError: (403, "Not allowed"),
    NotFoundError: (404, "No such {what}"),
    ConflictError: (409, "Not possible"),
    BusyError: (503, "Too busy"),
    StoreError: (503, "Not available"),
}
_FAILED = (500, "Failed")

_P = ParamSpec("_P")
_Page = Callable[_P, Awaitable[None]]
_Explained = Callable[_P, Awaitable[Response | None]]


@dataclass(frozen=True, slots=True)
class _Way:
    label: str
    path: str
    role: Role = "viewer"


_WAYS = (
    _Way("Board", "/"),
    _Way("Alerts", "/alerts"),
    _Way("Calibration", "/calibration"),
    _Way("Score files", "/score", "operator"),
    _Way("Streams", "/streams", "admin"),
    _Way("System", "/system"),
)


class Framing:
    """Frames pages.

    Args:
        gate: knows users; None where there are none.
    """

    def __init__(self, gate: Gate | None) -> None:
        self._gate = gate

    async def visitor(self, request: Request) -> tuple[Visitor, Principal]:
        """Who asks for a page, and as whom.

        Raises:
            ForbiddenError: their login has ended this moment.
        """
        visitor = Visitor(request, self._gate)
        return visitor, await visitor.principal()

    def explains(self, path: str, back: str, what: str = "page") -> Callable[[_Page[_P]], _Explained[_P]]:
        """Wraps the function that builds a page: where it fails, a page says why, in the words of the error.

        What is no error of ours is logged, and nobody outside is to read it. The function takes a `request`.

        Args:
            path: of the page in the navigation, or of the one that it belongs to.
            back: what that one is called.
            what: the page is of, which there may not be.
        """

        def wrapped(build: _Page[_P]) -> _Explained[_P]:
            @functools.wraps(build)
            async def built(*args: _P.args, **kwargs: _P.kwargs) -> Response | None:
                request = kwargs["request"]  # so named by every page
                assert isinstance(request, Request)
                try:
                    await build(*args, **kwargs)
                except MonitorError as error:
                    status, title = next((_STATUSES[kind] for kind in _STATUSES if isinstance(error, kind)), _FAILED)
                    if status >= 500:
                        _log.warning("%s cannot be shown: %s", request.url.path, error)
                    said = str(error)
                except Exception:  # noqa: BLE001 - NiceGUI would show it to whoever asked, class and text
                    status, title = _FAILED
                    _log.exception("%s cannot be shown", request.url.path)
                    said = "an error of the service; its log says more"
                else:
                    return None
                return self._failed(request, status, title.format(what=what), said, (path, back))

            return built

        return wrapped

    def _failed(self, request: Request, status: int, title: str, said: str, way: tuple[str, str]) -> Response:
        # A page of its own: of the one that failed, a part may have been built.
        with Client(ui.page(""), request=request) as client:
            visitor, who = Visitor(request, self._gate), request.scope.get("principal")
            path, back = way
            with self.page(visitor, who if isinstance(who, Principal) else LOCAL, title, path):
                text("p", said, "notice").props('role="alert"')
                with part("p"):
                    link(f"Back to {back}", path)
            return client.build_response(request, status)

    @contextlib.contextmanager
    def page(self, visitor: Visitor, who: Principal, title: str, path: str, *assets: str) -> Iterator[None]:
        """What is built inside is the page's own part.

        Args:
            visitor: for whom.
            who: as whom they have come.
            title: of the page; its first heading.
            path: of the page in the navigation, or of the one that it belongs to.
            assets: names of this page's own styles and scripts.
        """
        ui.page_title(f"{title} - gend-monitor")
        ui.add_head_html(_HEAD + "".join(_loaded(name) for name in (*_EVERYWHERE, *assets)))
        ui.colors(primary="#0b5cad", secondary="#516070", positive="#1b7a43", negative="#b3261e", warning="#9a5b00")
        with ui.header().classes("bar"):
            ui.link("Skip to content", "#content").classes("skip")
            ui.link("gend-monitor", "/").classes("brand")
            with ui.element("nav").props('aria-label="Pages"').classes("ways"):
                for way in _WAYS:
                    if who.may(way.role):
                        to = ui.link(way.label, way.path)
                        if way.path == path:
                            to.props('aria-current="page"')
            with ui.element("div").classes("who"):
                # `theme.js` does it: light or dark is the browser's business.
                ui.button(icon="contrast").props(
                    'flat round dense id="theme" aria-label="Light, dark or as the system"'
                )
                if visitor.locked:
                    _login(visitor, who)
        with ui.element("div").props('id="content" tabindex="-1"').classes("content"):
            with ui.element("h1"):
                ui.label(title)
            yield


def _login(visitor: Visitor, who: Principal) -> None:
    ui.link(f"{visitor.name} ({who.role})", "/password").props('title="Change your password"')
    with ui.element("form").props('method="post" action="/logout"'):
        ui.element("input").props(f'type="hidden" name="{CSRF_FIELD}" value="{visitor.csrf}"')
        ui.button("Log out").props("flat dense no-caps type=submit")


@contextlib.asynccontextmanager
async def telling() -> AsyncIterator[None]:
    """What goes wrong inside is told to who has clicked, in the words of the error."""
    try:
        yield
    except MonitorError as error:
        ui.notify(str(error), type="negative", multi_line=True, timeout=10_000, close_button="Close")


def on_click(visitor: Visitor, act: Callable[[Principal], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
    """What a button does: looks up who clicks, acts as them, and tells what goes wrong."""

    async def clicked() -> None:
        async with telling():
            await act(await visitor.principal())

    return clicked


def every(
    seconds: float,
    visitor: Visitor,
    show: Callable[[Principal], Awaitable[None]],
    ended: Callable[[], None] = lambda: None,
) -> ui.timer:
    """Shows something anew, now and every so often while the page is open. To look on is no use of a login.

    Where it fails, the page says once why it stands still, and tries again; whoever may not look any more, as their
    login has ended, is told so, and that is the end of it.

    Args:
        seconds: between two times.
        visitor: for whom.
        show: as whom they have come.
        ended: called when it is tried no more.
    """
    with part("p", "notice still", role="alert") as line:
        said = text("span")
        again = link("Log in", visitor.login)
    line.set_visibility(False)
    again.set_visibility(False)

    async def shown() -> None:
        try:
            await show(await visitor.principal(note=False))
        except ForbiddenError as error:
            said.set_text(f"This page stands still: {error}. ")
            again.set_visibility(visitor.locked)
            line.set_visibility(True)
            timer.cancel()
            ended()
        except MonitorError as error:
            said.set_text(f"This page stands still, and tries again: {error}")
            line.set_visibility(True)
        else:
            line.set_visibility(False)

    timer = ui.timer(seconds, shown)
    return timer


def _loaded(name: str) -> str:
    address = f"{_ASSETS}/{name}"
    if name.endswith(".css"):
        return f'<link rel="stylesheet" href="{address}">\n'
    return f'<script type="module" src="{address}"></script>\n'
