"""What waits to be published besides alerts: bounded whatever the broker does, for only the latest value counts."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Iterator
from dataclasses import dataclass

_MOST_TRACKS = 256
_MOST_EVENTS = 256
_MOST_CLEARED = 4096
_VERDICT_EVERY_S = 1.0


@dataclass(frozen=True, slots=True)
class Message:
    """Something to publish with QoS 0."""

    topic: str
    payload: str
    retain: bool


class Latest:
    """The latest value of each topic, and whether it is still to be published.

    Retained topics are remembered for the life of the service, so that a broker that lost them can be told again.
    Verdicts go out once a second and track at the most. Verdicts and events beyond what is kept are `dropped`,
    the oldest first, and counted.
    """

    def __init__(self) -> None:
        self._retained: dict[str, str] = {}
        self._unpublished: dict[str, None] = {}
        self._cleared: dict[str, None] = {}
        self._verdicts: OrderedDict[str, str] = OrderedDict()
        self._published_s: dict[str, float] = {}
        self._events: deque[tuple[str, str]] = deque()
        self.dropped = 0

    def retain(self, topic: str, payload: str) -> None:
        """Sets a retained topic; nothing is published where the value is the same."""
        self._cleared.pop(topic, None)
        if self._retained.get(topic) != payload:
            self._retained[topic] = payload
            self._unpublished[topic] = None

    def clear(self, topic: str) -> None:
        """Has the broker forget a retained topic, which an empty message does; nothing of it is kept here either."""
        self._retained.pop(topic, None)  # one that is not known here, a former run may have told
        self._unpublished.pop(topic, None)
        self._cleared[topic] = None
        while len(self._cleared) > _MOST_CLEARED:
            del self._cleared[next(iter(self._cleared))]

    def rewrite(self) -> None:
        """Every retained topic is to be published anew: who knows what the broker still has."""
        self._unpublished = dict.fromkeys(self._retained)

    def verdict(self, topic: str, payload: str) -> None:
        """Replaces what waits for the track's topic."""
        self._verdicts[topic] = payload
        if len(self._verdicts) > _MOST_TRACKS:
            self._verdicts.popitem(last=False)
            self.dropped += 1

    def event(self, topic: str, payload: str) -> None:
        """Queues an event."""
        self._events.append((topic, payload))
        if len(self._events) > _MOST_EVENTS:
            self._events.popleft()
            self.dropped += 1

    def take(self, now_s: float) -> Iterator[Message]:
        """What may be published now, retained topics first. What is not iterated over keeps waiting.

        Args:
            now_s: any clock that only goes forward.
        """
        while self._cleared:
            topic = next(iter(self._cleared))
            yield Message(topic, "", retain=True)
            self._cleared.pop(topic, None)  # only now: nobody tells it again where the connection fails
        while self._unpublished:
            topic = next(iter(self._unpublished))
            del self._unpublished[topic]
            yield Message(topic, self._retained[topic], retain=True)
        while self._events:
            yield Message(*self._events.popleft(), retain=False)
        recent = {topic: at_s for topic, at_s in self._published_s.items() if now_s - at_s < _VERDICT_EVERY_S}
        self._published_s = recent
        for topic in [topic for topic in self._verdicts if topic not in recent]:
            payload = self._verdicts.pop(topic, None)
            if payload is not None:  # else it was dropped for newer ones since
                recent[topic] = now_s
                yield Message(topic, payload, retain=False)

    @property
    def waiting(self) -> int:
        """Topics and events that are still to be published."""
        return len(self._unpublished) + len(self._cleared) + len(self._events) + len(self._verdicts)

    def due_in_s(self, now_s: float) -> float | None:
        """Seconds until `take` has something again, if nothing new comes; None where nothing waits."""
        if self._unpublished or self._cleared or self._events:
            return 0.0
        waits = [
            self._published_s[topic] + _VERDICT_EVERY_S - now_s if topic in self._published_s else 0.0
            for topic in self._verdicts
        ]
        return max(0.0, min(waits)) if waits else None
