"""The latest crops of each face of a stream, as the encoder got them, with what it said."""

from __future__ import annotations

import asyncio
import base64

from nicegui import ui

from monitor.actions.recent import RecentView
from monitor.decision import probability
from monitor.recent import RecentCrop, RecentTrack
from monitor.web.dashboard.words import VERDICTS

_TRACKS = 6


class RecentCrops:
    """A row for each face, the one last heard of first."""

    def __init__(self) -> None:
        self._rows = ui.element("div").classes("crops")
        self._shown: tuple[object, ...] | None = None

    async def show(self, recent: RecentView) -> None:
        """Shows what is remembered now; does nothing where that is shown already."""
        tracks = [track for track in recent.tracks if track.crops][:_TRACKS]
        shown = tuple((track.track, track.state, track.ended, track.crops[-1].at_s) for track in tracks)
        if shown == self._shown:
            return
        self._shown = shown
        pictures = await asyncio.to_thread(lambda: [[_data_url(crop) for crop in t.crops] for t in tracks])
        self._rows.clear()
        with self._rows:
            if not tracks:
                ui.label("No face was scored yet.").classes("quiet")
            for track, urls in zip(tracks, pictures, strict=True):
                _row(track, urls)


def _row(track: RecentTrack, urls: list[str]) -> None:
    with ui.element("div").classes(f"crop-row {track.state}"):
        gone = ", gone" if track.ended else ""
        ui.label(f"Face {track.track}: {VERDICTS[track.state]}{gone}").classes("held")
        with ui.element("div").classes("strip"):
            for crop, url in zip(reversed(track.crops), reversed(urls), strict=True):
                with ui.element("figure"):
                    image = ui.element("img")
                    image.props["src"] = url
                    image.props["alt"] = f"Crop of face {track.track}"
                    with ui.element("figcaption"):
                        ui.label(f"p(fake) {probability(crop.logit):.2f}")


def _data_url(crop: RecentCrop) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(crop.jpeg).decode()}"
