"""What is held of every face now, and news of what changes, for whoever looks on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from monitor import payloads
from monitor.broadcast import Broadcast, News
from monitor.clock import Clock
from monitor.kin import Kin
from monitor.messages import Alert, Event, Status, Verdict


@dataclass(frozen=True, slots=True)
class Held:
    """A verdict, and the time of day of it."""

    verdict: Verdict
    at: datetime


class Live:
    """Shown the pipeline's outputs by the service. Belongs to the event loop; none of its methods waits.

    Args:
        clock: tells the time of day of verdicts and events.
        broadcast: to whom news is told.
        kin: which streams are calls, and of which others.
    """

    def __init__(self, clock: Clock, broadcast: Broadcast | None = None, kin: Kin | None = None) -> None:
        self._clock = clock
        self._kin = Kin() if kin is None else kin
        self.broadcast = Broadcast() if broadcast is None else broadcast
        self._held: dict[str, dict[str, Held]] = {}

    def verdicts(self, stream: str) -> list[Held]:
        """What is held of each face of the stream that is followed now."""
        return list(self._held.get(stream, {}).values())

    def decided(self, verdict: Verdict) -> None:
        """Takes in a verdict; an ended track's is the last."""
        at = self._clock.wall(verdict.at_s)
        tracks = self._held.setdefault(verdict.stream, {})
        if verdict.ended:
            tracks.pop(verdict.track, None)
        else:
            tracks[verdict.track] = Held(verdict, at)
        if self.broadcast.listened:
            self._tell(News("verdict", verdict.stream, payloads.verdict(verdict, at)))

    def happened(self, event: Event) -> None:
        """Takes in an event."""
        self._tell(News("event", event.stream, payloads.event(event, self._clock.wall(event.at_s))))

    def changed(self, status: Status) -> None:
        """Takes in the state of a stream."""
        self._tell(News("status", status.stream, payloads.stream_status(status)))

    def forget(self, stream: str) -> None:
        """A stream is watched no more."""
        self._held.pop(stream, None)

    def recorded(self, alert: Alert) -> None:
        """Takes in an alert that the store has."""
        self.broadcast.tell(News.of(alert, payloads.alert(alert)))

    def _tell(self, news: News) -> None:
        call_of = self._kin.of(news.stream) if self._kin.passing(news.stream) else None
        self.broadcast.tell(replace(news, call_of=call_of))
