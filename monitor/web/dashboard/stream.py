"""`/streams/STREAM`: one stream, its faces, how the evidence went, and what of it was lost."""

from __future__ import annotations

from fastapi import Request
from nicegui import ui

from monitor.access import ForbiddenError, Principal
from monitor.actions import Actions, NotFoundError
from monitor.actions.streams import StreamView
from monitor.web.dashboard.evidence_chart import EvidenceChart
from monitor.web.dashboard.frame import Framing, every
from monitor.web.dashboard.recent_crops import RecentCrops
from monitor.web.dashboard.snooze import Snooze
from monitor.web.dashboard.texts import Facts, card, link, part, text
from monitor.web.dashboard.visitor import Visitor
from monitor.web.dashboard.words import CAUSES

_EVERY_S = 2.0
_ABOUT_LEFT_OUT = "Not every picture of a face is fit to be judged. What was left out, and why:"


def stream_page(framing: Framing, actions: Actions) -> None:
    """Registers the page."""

    @ui.page("/streams/{stream}")
    @framing.explains("/", "the board", "stream")
    async def page(request: Request, stream: str) -> None:
        visitor, who = await framing.visitor(request)
        try:
            view = await actions.streams.one(who, stream)
        except ForbiddenError as error:  # reads as if there were none
            raise NotFoundError(str(error)) from None
        with framing.page(visitor, who, view.name, "/", "stream.css", "stream.js"):
            _Page(actions, visitor, who, view)


class _Page:
    def __init__(self, actions: Actions, visitor: Visitor, who: Principal, view: StreamView) -> None:
        self._actions = actions
        self._stream = view.name
        with ui.element("div").classes("stream-page"):
            with ui.element("div").classes("stack"):
                part("div", id="stream", data_stream=view.name)
                with card("Evidence of the last minutes"):
                    self._chart = EvidenceChart()
                with card("Latest crops, as they were judged"):
                    self._crops = RecentCrops()
            with ui.element("div").classes("stack"):
                with card("Faces now"):
                    ui.element("div").props('id="faces" aria-live="off"')
                with card("Alerts"):
                    self._alerts(who, view)
                self._snooze = Snooze(visitor, actions, who, view.name, view.call_of)
                with card("Watching"):
                    self._watching = Facts()
                with card("Left out"):
                    text("p", _ABOUT_LEFT_OUT, "quiet small")
                    self._lost = Facts()
        every(_EVERY_S, visitor, self._show)

    async def _show(self, who: Principal) -> None:
        view = await self._actions.streams.one(who, self._stream)
        recent = self._actions.recent.of(who, self._stream)
        self._chart.show(recent)
        await self._crops.show(recent)
        self._watching.show(_watched(view))
        self._lost.show(_left_out(view))
        self._snooze.show(view.status.snoozed_until)  # of a call, that of the stream that it is a call of

    def _alerts(self, who: Principal, view: StreamView) -> None:
        text("p", view.promise.summary, "small")
        with part("p", "ways-on"):
            link("Alerts of this stream", f"/alerts?stream={view.name}")
            link("Calibration", "/calibration")
            if view.url.startswith("whip:") and view.call_of is None and who.may("operator"):
                link("Share a call here", f"/call/{view.name}")


def _watched(view: StreamView) -> dict[str, str]:
    values = view.figures.values
    return {
        "From": view.url,
        "Judged by": "the encoder as it is" if view.adapter is None else f"adapter {view.adapter}",
        "Frames": f"{view.status.fps:.1f} a second, {values.get('frames', 0):,.0f} decoded",
        "Looked at for faces": f"{values.get('analysed_frames', 0):,.0f} frames",
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
