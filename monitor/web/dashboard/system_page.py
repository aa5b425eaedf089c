"""`/system`: whether all of the service works, what judges, what waits; and the configuration is read again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fastapi import Request
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from monitor.access import Principal
from monitor.actions import Actions
from monitor.actions.system import System
from monitor.errors import MonitorError
from monitor.web.dashboard.frame import Framing
from monitor.web.dashboard.system_words import Check, checks, queues, stream_tone, summary, taken_over, uptime
from monitor.web.dashboard.texts import text
from monitor.web.dashboard.visitor import Visitor

_EVERY_S = 3.0
_SHORT = 12


def system_page(framing: Framing, actions: Actions) -> None:
    """Registers the page."""

    @ui.page("/system")
    async def system(request: Request) -> None:
        visitor, who = await framing.visitor(request)
        with framing.page(visitor, who, "System", "/system"):
            page = _System(visitor, actions)
            page.show(who)
            if who.may("admin") and who.streams is None:
                _for_admins(visitor, actions)
            ui.timer(_EVERY_S, page.refresh, immediate=False)


class _System:
    """The part of the page that follows the service.

    Args:
        visitor: who looks.
        actions: tells how it is.
    """

    def __init__(self, visitor: Visitor, actions: Actions) -> None:
        self._visitor = visitor
        self._actions = actions
        self._shown: System | None = None
        self._lost = text("p").classes("notice").props('role="alert"')
        self._lost.set_visibility(False)
        self._root = ui.element("div")
        self._uptime: TextElement | None = None

    async def refresh(self) -> None:
        """Shows how it is now."""
        try:
            self.show(await self._visitor.principal())
        except MonitorError as error:
            self._lost.set_text(f"This is how it was: {error}")
            self._lost.set_visibility(True)
        else:
            self._lost.set_visibility(False)

    def show(self, who: Principal) -> None:
        """The same, for somebody who is known."""
        now = self._actions.system.show(who)
        # Built anew only where something has changed: whoever reads it is not thrown out of it.
        still = replace(now, uptime_s=0.0)
        if still != self._shown:
            self._shown = still
            self._root.clear()
            with self._root:
                self._build(now)
        if self._uptime is not None:
            self._uptime.set_text(uptime(now.uptime_s))

    def _build(self, now: System) -> None:
        said = summary(now)
        with ui.element("div").props('role="status"').classes(f"judged {said.tone}"):
            text("p", said.name).classes("title")
            text("p", said.words)
        for notice in now.notices:
            text("p", notice).classes("notice").props('role="note"')
        with ui.element("div").classes("sheets"):
            with _card("Parts"):
                _checks(checks(now))
            with _card("Streams"):
                _streams(now)
            with _card("What judges"):
                _judge(now)
            with _card("Queues"):
                _pairs(queues(now))
            with _card("What runs"), ui.element("dl").classes("pairs"):
                with ui.element("div"):
                    text("dt", "Up for")
                    self._uptime = text("dd")
                _rows(_versions(now))


def _card(title: str) -> ui.element:
    card = ui.element("section").classes("card")
    with card:
        text("h2", title)
    return card


def _checks(found: Iterable[Check]) -> None:
    with ui.element("ul").classes("checks"):
        for check in found:
            with ui.element("li").classes(check.tone):
                text("strong", check.name)
                text("span", check.words)


def _streams(now: System) -> None:
    if not now.health.streams:
        text("p", "None that you may see.").classes("quiet")
        return
    found = []
    for name, state in now.health.streams.items():
        restarts = now.workers.restarts.get(name, 0)
        times = "once" if restarts == 1 else f"{restarts} times"
        more = f", its process was replaced {times}" if restarts else ""
        found.append(Check(name, f"{state}{more}", "suspect" if restarts and state == "live" else stream_tone(state)))
    _checks(found)
    kind = "a process of its own" if now.workers.isolation == "process" else "a thread"
    text("p", f"Each is read and analysed in {kind}.").classes("quiet small")


def _judge(now: System) -> None:
    model = now.model
    with ui.element("dl").classes("pairs"):
        _rows([("Encoder", model.weights)])
        with ui.element("div"):
            text("dt", "SHA-256 of the weights")
            digest = text("dd", f"{model.sha256[:_SHORT]}…").classes("digest")
            digest.props["title"] = model.sha256
        _rows(
            [
                ("Engine", model.engine),
                ("Precision", model.precision),
                ("Face detector", now.face_detector),
            ]
        )


def _versions(now: System) -> list[tuple[str, str]]:
    versions = now.versions
    found = [("gend-monitor", versions.software), ("Python", f"{versions.python} on {versions.platform}")]
    return [*found, *versions.libraries.items()]


def _pairs(rows: Iterable[tuple[str, str]]) -> None:
    with ui.element("dl").classes("pairs"):
        _rows(rows)


def _rows(rows: Iterable[tuple[str, str]]) -> None:
    for name, value in rows:
        with ui.element("div"):
            text("dt", name)
            text("dd", value)


def _for_admins(visitor: Visitor, actions: Actions) -> None:
    with ui.element("section").classes("card"):
        text("h2", "Configuration")
        text(
            "p",
            "Streams, adapters and how faces are found and judged are taken over while the service runs; the rest "
            "waits for a restart. A faulty file changes nothing.",
        ).classes("quiet")
        button = ui.button("Read the configuration again").props("no-caps unelevated")
        said = ui.element("div").props('role="status"')

        async def read() -> None:
            button.disable()
            lines, tone = await _reloaded(visitor, actions)
            said.clear()
            with said:
                for line in lines:
                    text("p", line).classes(f"outcome {tone}")
            button.enable()

        button.on_click(read)
    with ui.element("section").classes("card"):
        text("h2", "For programs")
        with ui.element("ul").classes("links"):
            for words, path in {
                "Metrics for Prometheus": "/metrics",
                "API, as an OpenAPI document": "/api/v1/openapi.json",
                "Readiness, for load balancers": "/readyz",
            }.items():
                with ui.element("li"):
                    text("a", words).props(f'href="{path}"')
        text("p", "The documentation is the folder docs of the source.").classes("quiet small")


async def _reloaded(visitor: Visitor, actions: Actions) -> tuple[list[str], str]:
    """What came of it, and how that is shown."""
    try:
        done = await actions.configuration.reload(await visitor.principal())
    except MonitorError as error:
        return str(error).splitlines(), "fake"
    return list(taken_over(done)), "suspect" if done.waiting else "clear"
