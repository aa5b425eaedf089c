"""What puts pages in front of people, as the service is handed it: who embeds the service may have none, or others."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI

from monitor.actions import Actions
from monitor.web.gate import Gate

OpenedPages = Callable[[FastAPI, Actions, Gate | None], AbstractAsyncContextManager[None]]
"""Serves pages beside the application's routes for as long as a context lasts: what they show and do goes through the
actions; the gate knows users, and is None where there are none."""
