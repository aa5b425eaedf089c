"""What comes over a page's socket is for that page: NiceGUI alone believes whatever page a message names."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import socketio

_NAMESPACE = "/"
_OF_A_PAGE = ("event", "javascript_response", "ack")
_LOG = "log"


def bind_messages(server: socketio.AsyncServer) -> None:
    """Has messages heeded only by the page whose socket they come by, and browsers write nothing into our log.

    Args:
        server: NiceGUI's, with its handlers; a socket is in the room of its page from the handshake on.
    """
    handlers = server.handlers[_NAMESPACE]
    for name in _OF_A_PAGE:
        server.on(name, _bound(server, handlers[name]))
    server.on(_LOG, _ignored)


def _bound(server: socketio.AsyncServer, handler: Callable[[str, dict[str, Any]], Any]) -> Callable[..., Any]:
    async def heed(sid: str, message: dict[str, Any]) -> None:
        if isinstance(message, dict) and message.get("client_id") in server.rooms(sid):
            done = handler(sid, message)
            if inspect.isawaitable(done):
                await done

    return heed


async def _ignored(sid: str, message: object) -> None:
    pass
