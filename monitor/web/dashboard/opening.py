"""Puts the pages in front of people."""

from __future__ import annotations

import warnings
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager

from fastapi import FastAPI
from nicegui import app as pages
from nicegui import core, ui

from monitor.actions import Actions
from monitor.web.assets import asset_routes
from monitor.web.dashboard.alert import alert_page
from monitor.web.dashboard.alerts import alerts_page
from monitor.web.dashboard.board import board_page
from monitor.web.dashboard.calibration import calibration_page
from monitor.web.dashboard.door import Door
from monitor.web.dashboard.frame import Framing
from monitor.web.dashboard.score_page import score_page
from monitor.web.dashboard.sockets import bind_messages
from monitor.web.dashboard.stream import stream_page
from monitor.web.dashboard.streams import streams_page
from monitor.web.dashboard.system_page import system_page
from monitor.web.gate import Gate

_RECONNECT_S = 5.0
BUILDERS = (
    board_page,
    stream_page,
    streams_page,
    alerts_page,
    alert_page,
    calibration_page,
    score_page,
    system_page,
)
"""One for each subject; a page that is not registered here is not there."""


@asynccontextmanager
async def opened_dashboard(app: FastAPI, actions: Actions, gate: Gate | None) -> AsyncIterator[None]:
    """Serves the pages at every path that the application has no route for.

    NiceGUI keeps its pages in its module: a process opens this once.

    Args:
        app: has all its other routes.
        actions: what pages show and do.
        gate: knows users; None where there are none.
    """
    app.include_router(asset_routes("dashboard", "dashboard_assets"))
    framing = Framing(gate)
    for build in BUILDERS:
        build(framing, actions)
    pages.add_middleware(Door)
    bind_messages(core.sio)
    pages.config.socket_io_js_transports = ["websocket"]
    ui.run_with(
        app,
        title="gend-monitor",
        language="en-US",
        dark=None,
        reconnect_timeout=_RECONNECT_S,
        gzip_middleware_factory=None,
        tailwind=False,
        show_welcome_message=False,
        binding_refresh_interval=None,
    )
    async with AsyncExitStack() as stack:
        # NiceGUI looks for its server among all objects, and so asks torch for names that it warns of.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            await stack.enter_async_context(app.router.lifespan_context(app))
        yield
