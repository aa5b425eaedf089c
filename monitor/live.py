"""What is held of every face now, and news of what changes, for whoever looks on."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from monitor import payloads
from monitor.broadcast import Broadcast, News
from monitor.clock import Clock
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
    """

    def __init__(self, clock: Clock, broadcast: Broadcast | None = None) -> None:
        self._clock = clock
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
            self.broadcast.tell(News("verdict", verdict.stream, payloads.verdict(verdict, at)))

    def happened(self, event: Event) -> None:
        """Takes in an event."""
        self.broadcast.tell(News("event", event.stream, payloads.event(event, self._clock.wall(event.at_s))))

    def changed(self, status: Status) -> None:
        """Takes in the state of a stream."""
        self.broadcast.tell(News("status", status.stream, payloads.stream_status(status)))

    def recorded(self, alert: Alert) -> None:
        """Takes in an alert that the store has."""
        self.broadcast.tell(News("alert", alert.stream, payloads.alert(alert), alert.id))
