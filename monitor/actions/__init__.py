"""What people and programs may ask of a running service: every page and route comes through here, and is authorised.

Each action takes the `Principal` that asks, and begins by asking it.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from monitor.actions.errors import BusyError, ConflictError, FaultyError, NotFoundError, RefusedError

if TYPE_CHECKING:
    from monitor.actions.all import Actions
    from monitor.actions.build import new_actions

__all__ = ["Actions", "BusyError", "ConflictError", "FaultyError", "NotFoundError", "RefusedError", "new_actions"]

# These stand on the whole service, of which `gend-monitor user`, that wants accounts alone, need not load anything.
_WHERE_WANTED = {"Actions": "monitor.actions.all", "new_actions": "monitor.actions.build"}


def __getattr__(name: str) -> Any:
    if name not in _WHERE_WANTED:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_WHERE_WANTED[name]), name)
