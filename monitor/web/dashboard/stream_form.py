"""The form by which a stream is added or edited. What is wrong is said by the configuration's own validation."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from nicegui import ui

from monitor.actions import FaultyError, RefusedError
from monitor.actions.added_streams import ConfiguredStream
from monitor.stream_check import StreamCheck
from monitor.stream_config import StreamConfig

_HINTS = {
    "name": "Small letters, digits, - and _; in topics, logs and pages.",
    "url": "rtsp://user:password@camera/path; whip: for a call; whep+https://… for one that is fetched.",
    "detect_url": "To find faces on; they are cut out of the other. Left empty: none.",
    "token": "Of a whip: stream, what publishers must show; of whep+https:, what we show. Left empty: none.",
    "stall_s": "Seconds without a picture until it counts as stalled.",
    "ignore": "Polygons in which faces are not followed, as fractions: [[[0, 0], [0.2, 0], [0.2, 0.3]]]",
}


class StreamForm:
    """Fields of a stream, inside whatever is open.

    Args:
        adapters: names of the configured fine-tunes.
        stream: as it is now; None: a new one.
    """

    def __init__(self, adapters: list[str], stream: ConfiguredStream | None) -> None:
        now = {} if stream is None else stream.settings
        self._kept = {} if stream is None else dict(stream.settings)
        self._fields: dict[str, ui.input | ui.number | ui.select | ui.textarea] = {}
        if stream is None:
            self._fields["name"] = ui.input("Name")
        self._fields["url"] = ui.input("Address", value=now.get("url", ""))
        self._fields["detect_url"] = ui.input("Smaller stream of the camera", value=now.get("detect_url") or "")
        self._fields["sessions"] = ui.select(
            {"one": "one at a time", "many": "many: each a stream of their own"},
            label="Callers of a whip: stream",
            value=now.get("sessions", "one"),
        )
        self._fields["token"] = ui.input("Token", value=now.get("token") or "")
        self._fields["adapter"] = ui.select(
            {"": "the encoder as it is", **{name: name for name in adapters}},
            label="Judged by",
            value=now.get("adapter") or "",
        )
        self._fields["stall_s"] = ui.number("Stalled after, seconds", value=now.get("stall_s"))
        ignore = json.dumps(now["ignore"]) if now.get("ignore") else ""
        self._fields["ignore"] = ui.textarea("Ignored parts of the picture", value=ignore).props("rows=2")
        for name, field in self._fields.items():
            field.props("outlined dense stack-label").classes("form-field")
            if name in _HINTS:
                field.props["hint"] = _HINTS[name]
        self._said = ui.label().props('role="alert"').classes("form-said")
        self._working = ui.linear_progress(show_value=False).props("indeterminate").classes("working")
        self._working.set_visibility(False)

    def settings(self) -> dict[str, Any]:
        """What stands in the form, as a stream of the file; what is left empty is left out, or null if it was a token.

        Raises:
            FaultyError: the polygons are no JSON.
        """
        fields = StreamConfig.model_fields
        settings = {name: value for name, value in self._kept.items() if name not in self._fields}
        for name, field in self._fields.items():
            value = field.value
            if name == "ignore" and value:
                value = _parsed(value)
            if value not in ("", None) and not (name in fields and value == fields[name].default):
                settings[name] = value.strip() if isinstance(value, str) else value
        if self._kept.get("token") is not None and "token" not in settings:
            settings["token"] = None  # left out it would stay as it is
        return settings

    @asynccontextmanager
    async def busy(self) -> AsyncIterator[None]:
        """While something is done with the form; what is wrong with it is said at its fields."""
        self._clear()
        self._working.set_visibility(True)
        try:
            yield
        except FaultyError as error:
            self._blame(list(error.faults))
        except RefusedError as error:
            self._blame([("", str(error))])
        finally:
            if not self._working.is_deleted:
                self._working.set_visibility(False)

    def tell(self, found: StreamCheck) -> None:
        """What came of a try."""
        if found.error is not None:
            self._say(f"It cannot be watched: {found.error}", well=False)
        elif found.note is not None:
            self._say(found.note, well=True)
        else:
            self._say(f"It works: {found.codec}, {found.width} x {found.height}, {found.fps or 0:.0f} fps", well=True)

    def _say(self, text: str, *, well: bool) -> None:
        self._said.set_text(text)
        self._said.classes(add="well" if well else "ill", remove="ill" if well else "well")

    def _clear(self) -> None:
        self._said.set_text("")
        for field in self._fields.values():
            field.props(remove="error error-message")

    def _blame(self, faults: list[tuple[str, str]]) -> None:
        unplaced = []
        for place, text in faults:
            field = self._fields.get(place.partition(".")[0])
            if field is None:
                unplaced.append(f"{place}: {text}" if place else text)
            else:
                field.props("error")
                field.props["error-message"] = text
        self._say("; ".join(unplaced) or "Look at the fields in red.", well=False)


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise FaultyError([("ignore", f"this is no JSON: {error}")]) from None
