"""What every page has around it: the way to the others, whose login it is, light or dark, and how errors are told."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass

from fastapi import Request
from nicegui import ui

from monitor.access import Principal, Role
from monitor.errors import MonitorError
from monitor.web.dashboard.visitor import Visitor
from monitor.web.gate import Gate
from monitor.web.identify import CSRF_FIELD

_HEAD = """
<link rel="stylesheet" href="/assets/dashboard/dashboard.css">
<link rel="icon" href="/assets/dashboard/icon.svg" type="image/svg+xml">
<script type="module" src="/assets/dashboard/theme.js"></script>
"""


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

    @contextlib.contextmanager
    def page(self, visitor: Visitor, who: Principal, title: str, path: str, *, head: str = "") -> Iterator[None]:
        """What is built inside is the page's own part.

        Args:
            visitor: for whom.
            who: as whom they have come.
            title: of the page; its first heading.
            path: of the page in the navigation, or of the one that it belongs to.
            head: HTML for the document's head: scripts of this page.
        """
        ui.page_title(f"{title} - gend-monitor")
        ui.add_head_html(_HEAD + head)
        ui.colors(primary="#0b5cad", secondary="#516070", positive="#1b7a43", negative="#b3261e", warning="#9a5b00")
        with ui.header().classes("bar"):
            ui.link("Skip to content", "#content").classes("skip")
            ui.link("gend-monitor", "/").classes("brand")
            with ui.element("nav").props('aria-label="Pages"').classes("ways"):
                for way in _WAYS:
                    if who.may(way.role):
                        link = ui.link(way.label, way.path)
                        if way.path == path:
                            link.props('aria-current="page"')
            with ui.element("div").classes("who"):
                # `theme.js` does it: light or dark is the browser's business.
                ui.button(icon="contrast").props(
                    'flat round dense id="theme" aria-label="Light, dark or as the system"'
                )
                if visitor.locked:
                    _login(visitor, who)
        with ui.element("main").props('id="content" tabindex="-1"').classes("content"):
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


def every(seconds: float, visitor: Visitor, show: Callable[[Principal], Awaitable[None]]) -> ui.timer:
    """Shows something anew, now and every so often while the page is open; who is logged out meanwhile is told so.

    Args:
        seconds: between two times.
        visitor: for whom.
        show: as whom they have come; the page stands still where it fails, and says why.
    """

    async def shown() -> None:
        try:
            await show(await visitor.principal(note=False))
        except MonitorError as error:
            timer.deactivate()
            ui.notify(f"This page stands still: {error}", type="warning", timeout=0, close_button="Close")

    timer = ui.timer(seconds, shown)
    return timer
