"""All streams at a glance: of each a picture with its faces, twice a second, made once for everybody who looks."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable, Collection
from dataclasses import asdict
from typing import Protocol

from monitor import payloads
from monitor.access import Principal
from monitor.actions.errors import BusyError
from monitor.actions.known import CallOf, StreamNames, check_known
from monitor.actions.pictures import FacesNow, faces_now
from monitor.live import Live
from monitor.messages import Preview, Status
from monitor.previews import Previews

_EVERY_S = 0.5
_WATCHERS = 64
_SHARE = 16
"""Of one login, so that nobody alone keeps all others from looking."""


class BoardStreams(Protocol):
    """What is needed of the running service."""

    def statuses(self) -> Collection[Status]:
        """The state of every stream now."""

    def alerting(self, stream: str) -> bool:
        """Whether an alert stands on the stream."""


class BoardWatcher:
    """What one who looks gets: of each stream the newest tile; made by `BoardActions.watch`. It must be closed."""

    def __init__(
        self, wants: Callable[[str], bool], close: Callable[[BoardWatcher], None], who: str | None = None
    ) -> None:
        self.wants = wants
        self.who = who
        self._close = close
        self._tiles: dict[str, str | None] = {}
        self._shown: set[str] = set()
        self._changed = asyncio.Event()
        self._closed = False

    def put(self, stream: str, tile: str | None) -> None:
        """Leaves a tile to be taken, instead of an older one of the stream; None: the stream is gone."""
        if tile is None and stream not in self._shown:
            return
        self._shown.add(stream)
        self._tiles[stream] = tile
        self._changed.set()

    def close(self) -> None:
        """Looks no more; may be said twice."""
        self._closed = True
        self._changed.set()
        self._close(self)

    async def __aiter__(self) -> AsyncIterator[tuple[str, str | None]]:
        """Streams with their tiles, JSON, as they change, until it is closed; None in place of one that is gone."""
        while not self._closed:
            await self._changed.wait()
            self._changed.clear()
            tiles, self._tiles = self._tiles, {}
            for stream, tile in tiles.items():
                yield stream, tile


class BoardActions:
    """Shows the board. While nobody looks, nothing is done.

    Args:
        names: the streams that are watched.
        streams: how they are.
        previews: small pictures of them.
        live: what is held of faces.
        min_face_px: narrower faces are not scored, as it is configured now.
        call_of: what calls are calls of.
    """

    def __init__(
        self,
        names: StreamNames,
        streams: BoardStreams,
        previews: Previews,
        live: Live,
        min_face_px: Callable[[], float],
        *,
        call_of: CallOf,
    ) -> None:
        self._call_of = call_of
        self._names = names
        self._streams = streams
        self._previews = previews
        self._live = live
        self._min_face_px = min_face_px
        self._watchers: set[BoardWatcher] = set()
        self._making: asyncio.Task[None] | None = None
        self._tiles: dict[str, str] = {}
        self._shown: dict[str, object] = {}

    def watch(self, principal: Principal, stream: str | None = None) -> BoardWatcher:
        """Begins to look.

        Args:
            principal: who asks.
            stream: at this one; None: at all that they may see.

        Raises:
            NotFoundError: there is no stream of that name.
            BusyError: as many look as may, all together or by this login, or the service stops.
        """
        principal.require("viewer", stream, None if stream is None else self._call_of(stream))
        if stream is not None:
            check_known(stream, self._names)
        if self._previews.closed or len(self._watchers) >= _WATCHERS:
            raise BusyError(f"{_WATCHERS} look at the board already; try again later")
        who = principal.counted_as
        if who is not None and sum(watcher.who == who for watcher in self._watchers) >= _SHARE:
            raise BusyError(f"{who} looks at the board {_SHARE} times already; close some of the pages")

        def wants(name: str) -> bool:
            return principal.sees(name, self._call_of(name)) and stream in {None, name}

        watcher = BoardWatcher(wants, self._watchers.discard, who)
        for name, tile in self._tiles.items():
            if watcher.wants(name):
                watcher.put(name, tile)
        self._watchers.add(watcher)
        if self._making is None or self._making.done():
            self._making = asyncio.create_task(self._make(), name="board")
        return watcher

    async def _make(self) -> None:
        while self._watchers and not self._previews.closed:
            statuses = {status.stream: status for status in self._streams.statuses()}
            for name in [name for name in self._tiles if name not in statuses]:
                del self._tiles[name]
                self._shown.pop(name, None)
                for watcher in self._watchers:  # whoever could see it while it was there
                    watcher.put(name, None)
            for name, status in statuses.items():
                if any(watcher.wants(name) for watcher in self._watchers):
                    self._remake(name, status)
            await asyncio.sleep(_EVERY_S)
        self._tiles.clear()  # what is old by the time that somebody looks again
        self._shown.clear()
        for watcher in list(self._watchers):
            watcher.close()

    def _remake(self, name: str, status: Status) -> None:
        preview = self._previews.glance(name)
        alerting = self._streams.alerting(name)
        said = payloads.stream_status(status)
        shown = (None if preview is None else preview.at_s, alerting, said)
        if self._shown.get(name) != shown:
            self._shown[name] = shown
            self._tiles[name] = tile = self._tile(said, preview, alerting=alerting)
            self._tell(name, tile)

    def _tell(self, name: str, tile: str) -> None:
        for watcher in self._watchers:
            if watcher.wants(name):
                watcher.put(name, tile)

    def _tile(self, status: str, preview: Preview | None, *, alerting: bool) -> str:
        faces: FacesNow | None = None
        if preview is not None:
            faces = faces_now(preview, self._live, self._min_face_px())
        return json.dumps(
            {
                "status": json.loads(status),
                "alerting": alerting,
                "faces": None if faces is None else asdict(faces),
                "jpeg": None if preview is None else base64.b64encode(preview.jpeg).decode(),
            }
        )
