"""Silence for a stream: for a while, and its end."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta

from nicegui import ui

from monitor.access import ForbiddenError, Principal
from monitor.actions import Actions, NotFoundError
from monitor.web.dashboard.frame import on_click
from monitor.web.dashboard.texts import card, moment, part, text
from monitor.web.dashboard.visitor import Visitor

_LENGTHS = {
    "15 minutes": timedelta(minutes=15),
    "2 hours": timedelta(hours=2),
    "8 hours": timedelta(hours=8),
    "1 day": timedelta(days=1),
    "7 days": timedelta(days=7),
}


class Snooze:
    """The section; it is not there where the stream is watched no more.

    Args:
        visitor: whoever looks.
        actions: what begins and ends snoozes.
        who: as whom they have come: who may not snooze is offered nothing.
        stream: that is looked at.
        call_of: the configured stream that it is a call of, which is snoozed in its place; None: it is none.
    """

    def __init__(self, visitor: Visitor, actions: Actions, who: Principal, stream: str, call_of: str | None) -> None:
        self._actions = actions
        self._stream = stream if call_of is None else call_of
        self._shown: tuple[datetime | None] | None = None
        self._section = card("Snooze")
        with self._section:
            if call_of is not None:
                text("p", f"This is a call of {call_of}, which is snoozed with all of its calls.", "quiet small")
            with part("p", role="status"):
                self._said = text("span")
                self._until = part("span")
            self._end = part("div", "answers")
            if who.may("operator"):
                with self._end:
                    ui.button("End it now", on_click=on_click(visitor, self._ended)).props("outline no-caps")
                with part("div", "answers", role="group", aria_label=f"Snooze {self._stream} for"):
                    for length, lasts in _LENGTHS.items():
                        button = ui.button(length, on_click=on_click(visitor, self._beginning(lasts)))
                        button.props("outline no-caps")

    async def look(self, principal: Principal) -> None:
        """Looks how it is now, where nobody has looked yet, and shows it."""
        try:
            view = await self._actions.streams.one(principal, self._stream)
        except (NotFoundError, ForbiddenError):
            self._section.set_visibility(False)
            return
        self._section.set_visibility(True)
        self.show(view.status.snoozed_until)

    def show(self, until: datetime | None) -> None:
        """Shows until when it holds; None: there is none."""
        if self._shown == (until,):
            return
        self._shown = (until,)
        self._end.set_visibility(until is not None)
        self._until.clear()
        if until is None:
            self._said.set_text("Alerts call people. While a stream is snoozed they are only kept.")
            return
        self._said.set_text("Alerts call nobody until ")
        with self._until:
            moment(until)

    def _beginning(self, lasts: timedelta) -> Callable[[Principal], Awaitable[None]]:
        async def begin(principal: Principal) -> None:
            self.show(await self._actions.snoozes.begin(principal, self._stream, datetime.now(UTC) + lasts))

        return begin

    async def _ended(self, principal: Principal) -> None:
        await self._actions.snoozes.end(principal, self._stream)
        self.show(None)
