"""How the connection to the broker fares: one log line per change, and ever longer pauses while it fails."""

from __future__ import annotations

import logging

from monitor.backoff import Backoff

_log = logging.getLogger("monitor.publish")

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 5.0
"""A broker that is back is found within this."""
LONGEST_FLAPPING_PAUSE_S = 30.0
SETTLED_S = 30.0
"""A connection that has lasted so long is believed: pauses are short again after it."""
_FLAPPING = 3


class Link:
    """State of the connection.

    A broker keeps one connection per client id and ends the older one, so two services of the same id kick each other
    out for ever. Seen from here, connections succeed and end at once. Therefore a success alone does not shorten the
    pauses, and from the third short connection in a row on, the reason says so and the log is silent until one lasts.

    Args:
        broker: how logs call it.
        client_id: by which the broker knows us.

    Attributes:
        connected: whether the broker has accepted us and the connection has not failed since.
        reason: what is wrong; None where nothing is known to be.
    """

    def __init__(self, broker: str, client_id: str) -> None:
        self._broker = broker
        self._client_id = client_id
        self._backoff = Backoff(FIRST_PAUSE_S, LONGEST_PAUSE_S)
        self._flapping_backoff = Backoff(FIRST_PAUSE_S, LONGEST_FLAPPING_PAUSE_S)
        self._short = 0
        self._settled = False
        self._said: str | None = None
        self.connected = False
        self.reason: str | None = None

    @property
    def flapping(self) -> bool:
        """Whether connections keep ending soon after they were accepted."""
        return self._short >= _FLAPPING

    def opened(self) -> None:
        """The broker has accepted us."""
        self.connected, self._settled = True, False
        if not self.flapping:
            self.reason = None
            self._say(logging.INFO, "connected")

    def settled(self) -> None:
        """The connection has lasted `SETTLED_S`."""
        self._settled = True
        self._short = 0
        self._backoff.reset()
        self._flapping_backoff.reset()
        self.reason = None
        self._say(logging.INFO, "connected")

    def failed(self, reason: str) -> None:
        """The connection has ended, or could not be made.

        Args:
            reason: one line, without credentials.
        """
        if not self.connected:
            self._short = 0
        elif not self._settled:
            self._short += 1
        self.connected = False
        self.reason = reason
        if self.flapping:
            self.reason = (
                "the broker accepts and then ends every connection; "
                f"does another client use the id {self._client_id}? Set mqtt.client_id"
            )
        self._say(logging.WARNING, f"{self.reason}; trying again")

    def closed(self) -> None:
        """We have ended the connection ourselves."""
        self.connected = False

    def pause_s(self) -> float:
        """How long to wait before the next try; to be asked once for each."""
        return (self._flapping_backoff if self.flapping else self._backoff).next_s()

    def _say(self, level: int, text: str) -> None:
        if text != self._said:
            self._said = text
            _log.log(level, "MQTT %s: %s", self._broker, text)
