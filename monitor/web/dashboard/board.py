"""`/`: every stream at a glance. `board.js` draws the tiles, from events that are made once for all."""

from __future__ import annotations

import json

from fastapi import Request
from nicegui import ui

from monitor.actions import Actions
from monitor.web.dashboard.frame import Framing
from monitor.web.dashboard.texts import notices


def board_page(framing: Framing, actions: Actions) -> None:
    """Registers the page."""

    @ui.page("/")
    @framing.explains("/", "the board")
    async def board(request: Request) -> None:
        visitor, who = await framing.visitor(request)
        said = actions.system.show(who).notices
        with framing.page(visitor, who, "Board", "/", "board.css", "board.js"):
            notices(said)
            # What is true of every stream is told once.
            board = ui.element("div").props('id="board"')
            board.props["data-notices"] = json.dumps(said)
