"""What people and programs may ask of a running service: every page and route comes through here, and is authorised.

Each action takes the `Principal` that asks, and begins by asking it.
"""

from monitor.actions.all import Actions
from monitor.actions.build import new_actions
from monitor.actions.errors import BusyError, ConflictError, FaultyError, NotFoundError, RefusedError

__all__ = ["Actions", "BusyError", "ConflictError", "FaultyError", "NotFoundError", "RefusedError", "new_actions"]
