"""What was seen of a stream's faces of late: crops as the encoder got them, and how the evidence went."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from monitor.access import Principal
from monitor.actions.known import CallOf, StreamNames, check_known
from monitor.recent import RecentFaces, RecentTrack


@dataclass(frozen=True, slots=True)
class RecentView:
    """The faces of one stream.

    Attributes:
        now_s: on the service's clock, in whose seconds the rest is.
        tracks: the one last heard of first.
    """

    now_s: float
    tracks: list[RecentTrack]


class RecentActions:
    """Shows what is remembered.

    Args:
        names: the streams that are watched.
        faces: remembers.
        now_s: the service's clock.
        call_of: what calls are calls of.
    """

    def __init__(self, names: StreamNames, faces: RecentFaces, now_s: Callable[[], float], *, call_of: CallOf) -> None:
        self._call_of = call_of
        self._names = names
        self._faces = faces
        self._now_s = now_s

    def of(self, principal: Principal, stream: str) -> RecentView:
        """Of one stream.

        Raises:
            NotFoundError: there is none of that name.
        """
        principal.require("viewer", stream, self._call_of(stream))
        check_known(stream, self._names)
        now_s = self._now_s()
        return RecentView(now_s, self._faces.of(stream, now_s))
