"""`/system`: whether all of the service works, what judges, what waits; and the configuration is read again."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from fastapi import Request
from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement

from monitor.access import Principal
from monitor.actions import Actions, ConflictError
from monitor.actions.system import System
from monitor.web.dashboard.frame import Framing, every, on_click
from monitor.web.dashboard.system_words import Check, checks, queues, stream_tone, summary, taken_over, uptime
from monitor.web.dashboard.texts import card, facts, notices, text
from monitor.web.dashboard.visitor import Visitor

_EVERY_S = 3.0
_SHORT = 12


def system_page(framing: Framing, actions: Actions) -> None:
    """Registers the page."""

    @ui.page("/system")
    @framing.explains("/system", "the system")
    async def system(request: Request) -> None:
        visitor, who = await framing.visitor(request)
        with framing.page(visitor, who, "System", "/system", "system.css"):
            page = _System(actions)
            page.show(who)
            if who.may("admin") and who.streams is None:
                _for_admins(visitor, actions)
            every(_EVERY_S, visitor, page.refresh)


class _System:
    """The part of the page that follows the service.

    Args:
        actions: tells how it is.
    """

    def __init__(self, actions: Actions) -> None:
        self._actions = actions
        self._shown: System | None = None
        self._root = ui.element("div")
        self._uptime: TextElement | None = None

    async def refresh(self, who: Principal) -> None:
        """Shows how it is now."""
        self.show(who)

    def show(self, who: Principal) -> None:
        """The same, while the page is built."""
        now = self._actions.system.show(who)
        # Built anew only where something has changed: whoever reads it is not thrown out of it.
        still = replace(now, uptime_s=0.0, listeners=replace(now.listeners, waiting=0))
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
        notices(now.notices)
        with ui.element("div").classes("sheets"):
            with card("Parts"):
                _checks(checks(now))
            with card("Streams"):
                _streams(now)
            with card("What judges"):
                _judge(now)
            with card("Queues"):
                facts(*queues(now))
            with card("What runs"):
                self._uptime = facts(("Up for", ""), *_versions(now))["Up for"]


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
    said = facts(
        ("Encoder", model.weights),
        ("SHA-256 of the weights", f"{model.sha256[:_SHORT]}…"),
        ("Engine", model.engine),
        ("Precision", model.precision),
        ("Face detector", now.face_detector),
    )
    digest = said["SHA-256 of the weights"].classes("digest")
    digest.props["title"] = model.sha256


def _versions(now: System) -> list[tuple[str, str]]:
    versions = now.versions
    found = [("gend-monitor", versions.software), ("Python", f"{versions.python} on {versions.platform}")]
    return [*found, *versions.libraries.items()]


def _for_admins(visitor: Visitor, actions: Actions) -> None:
    with card("Configuration"):
        text(
            "p",
            "Streams, adapters and how faces are found and judged are taken over while the service runs; the rest "
            "waits for a restart. A faulty file changes nothing.",
        ).classes("quiet")
        button = ui.button("Read the configuration again").props("no-caps unelevated")
        said = ui.element("div").props('role="status"')

        def tell(lines: Iterable[str], tone: str) -> None:
            said.clear()
            with said:
                for line in lines:
                    text("p", line).classes(f"outcome {tone}")

        async def read(who: Principal) -> None:
            button.disable()
            try:
                done = await actions.configuration.reload(who)
            except ConflictError as error:  # of several lines, which stay to be read
                tell(str(error).splitlines(), "fake")
            else:
                tell(taken_over(done), "suspect" if done.waiting else "clear")
            finally:
                button.enable()

        button.on_click(on_click(visitor, read))
    with card("For programs"):
        with ui.element("ul").classes("programs"):
            for words, path in {
                "Metrics for Prometheus": "/metrics",
                "API, as an OpenAPI document": "/api/v1/openapi.json",
                "Readiness, for load balancers": "/readyz",
            }.items():
                with ui.element("li"):
                    text("a", words).props(f'href="{path}"')
        text("p", "The documentation is the folder docs of the source.").classes("quiet small")
