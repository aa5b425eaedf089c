"""`/streams/STREAM`: one stream, its faces, how the evidence went, and what of it was lost."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from fastapi import Request
from nicegui import ui

from monitor.access import ForbiddenError, Principal
from monitor.actions import Actions, NotFoundError
from monitor.actions.streams import StreamView
from monitor.web.dashboard.evidence_chart import EvidenceChart
from monitor.web.dashboard.frame import Framing, every, on_click
from monitor.web.dashboard.recent_crops import RecentCrops
from monitor.web.dashboard.visitor import Visitor
from monitor.web.dashboard.words import CAUSES

_HEAD = '<script type="module" src="/assets/dashboard/stream.js"></script>'
_EVERY_S = 2.0
_SNOOZES = {"15 minutes": timedelta(minutes=15), "2 hours": timedelta(hours=2), "1 day": timedelta(days=1)}


def stream_page(framing: Framing, actions: Actions) -> None:
    """Registers the page."""

    @ui.page("/streams/{stream}")
    async def page(request: Request, stream: str) -> None:
        visitor, who = await framing.visitor(request)
        try:
            view = await actions.streams.one(who, stream)
        except (NotFoundError, ForbiddenError) as error:
            ui.context.client.status_code = 404
            with framing.page(visitor, who, "No such stream", "/"):
                ui.label(str(error))
                ui.link("Back to the board", "/")
            return
        with framing.page(visitor, who, view.name, "/", head=_HEAD):
            _Page(actions, visitor, who, view)


class _Page:
    def __init__(self, actions: Actions, visitor: Visitor, who: Principal, view: StreamView) -> None:
        self._actions = actions
        self._stream = view.name
        with ui.element("div").classes("stream-page"):
            with ui.element("div").classes("stack"):
                looked = ui.element("div").props('id="stream"')
                looked.props["data-stream"] = view.name
                with _section("Evidence of the last minutes"):
                    self._chart = EvidenceChart()
                with _section("Latest crops, as they were judged"):
                    self._crops = RecentCrops()
            with ui.element("div").classes("stack"):
                with _section("Faces now"):
                    ui.element("div").props('id="faces" aria-live="off"')
                with _section("Alerts"):
                    self._alerts(visitor, who, view)
                with _section("Watching"):
                    self._watching = _Figures()
                with _section("Left out"):
                    ui.label("Not every picture of a face is fit to be judged. What was left out, and why:").classes(
                        "quiet small"
                    )
                    self._lost = _Figures()
        every(_EVERY_S, visitor, self._show)

    async def _show(self, who: Principal) -> None:
        view = await self._actions.streams.one(who, self._stream)
        recent = self._actions.recent.of(who, self._stream)
        self._chart.show(recent)
        await self._crops.show(recent)
        self._watching.show(_watched(view))
        self._lost.show(_left_out(view))
        self._tell_snooze(view)

    def _alerts(self, visitor: Visitor, who: Principal, view: StreamView) -> None:
        ui.label(view.promise.summary).classes("small")
        with ui.element("p").classes("links"):
            ui.link("Alerts of this stream", f"/alerts?stream={view.name}")
            ui.link("Calibration", "/calibration")
            if view.url.startswith("whip:") and who.may("operator"):
                ui.link("Share a call here", f"/call/{view.name}")
        self._snoozed = ui.label().classes("small")
        self._wake: ui.button | None = None
        if who.may("operator"):
            with ui.element("div").classes("row-of-buttons").props('role="group" aria-label="Snooze alerts"'):
                ui.label("Snooze:").classes("small")
                for said, length in _SNOOZES.items():
                    ui.button(said, on_click=on_click(visitor, self._snooze(length))).props("outline dense no-caps")
                wake = ui.button("End snooze", on_click=on_click(visitor, self._end_snooze))
                self._wake = wake.props("outline dense no-caps")
        self._tell_snooze(view)

    def _snooze(self, length: timedelta) -> Callable[[Principal], Awaitable[None]]:
        async def act(who: Principal) -> None:
            await self._actions.snoozes.begin(who, self._stream, datetime.now(UTC) + length)
            self._tell_snooze(await self._actions.streams.one(who, self._stream))

        return act

    async def _end_snooze(self, who: Principal) -> None:
        await self._actions.snoozes.end(who, self._stream)
        self._tell_snooze(await self._actions.streams.one(who, self._stream))

    def _tell_snooze(self, view: StreamView) -> None:
        until = view.status.snoozed_until
        said = "Alerts call people." if until is None else f"Alerts call nobody until {until:%Y-%m-%d %H:%M} UTC."
        self._snoozed.set_text(said)
        if self._wake is not None:
            self._wake.set_visibility(until is not None)


def _section(title: str) -> ui.element:
    section = ui.element("section").classes("card")
    with section, ui.element("h2"):
        ui.label(title)
    return section


class _Figures:
    """A list of names with what was counted; only what has changed is sent."""

    def __init__(self) -> None:
        self._list = ui.element("dl").classes("counted")
        self._labels: dict[str, ui.label] = {}

    def show(self, figures: dict[str, str]) -> None:
        if set(figures) != set(self._labels):
            self._list.clear()
            self._labels.clear()
            with self._list:
                for name in figures:
                    with ui.element("dt"):
                        ui.label(name)
                    with ui.element("dd"):
                        self._labels[name] = ui.label()
        for name, value in figures.items():
            self._labels[name].set_text(value)


def _watched(view: StreamView) -> dict[str, str]:
    values = view.figures.values
    return {
        "From": view.url,
        "Judged by": "the encoder as it is" if view.adapter is None else f"adapter {view.adapter}",
        "Frames": f"{values.get('frames', 0):,.0f}, {view.status.fps:.1f} a second",
        "Searched for faces": f"{values.get('analysed_frames', 0):,.0f} frames",
        "Crops scored": f"{values.get('crops_sampled', 0):,.0f}",
        "Reconnects": f"{values.get('reconnects', 0):,.0f}",
        "Restarts of its worker": f"{values.get('worker_restarts', 0):,.0f}",
    }


def _left_out(view: StreamView) -> dict[str, str]:
    counted = {"frames_dropped": "Frames", "crops_gated": "Crops"}
    told = {
        f"{what}: {CAUSES.get(cause, cause)}": f"{count:,.0f}"
        for figure, what in counted.items()
        for cause, count in sorted(view.figures.by_cause.get(figure, {}).items())
        if count
    }
    return told or {"Nothing": "so far"}
