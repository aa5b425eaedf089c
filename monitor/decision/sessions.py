"""Where a stream's session ends, and how many alerts it has raised: what a promise counts in.

Session k lasts from k T to (k + 1) T after an origin. Of a live stream that is the beginning of the UTC epoch, so that
a restart goes on within the session that it broke off; of a recording, its first frame.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class _Session:
    number: int
    raised: set[str] = field(default_factory=set)


class Sessions:
    """The current session of every stream.

    Args:
        session_s: how long one lasts; None is for ever.
        most_alerts: that one may raise, each track at most one; None is any number.
        origin_s: `at_s` of the moment that session 0 began.
    """

    def __init__(self, session_s: float | None, most_alerts: int | None, origin_s: float = 0.0) -> None:
        self._session_s = session_s
        self._most_alerts = most_alerts
        self._origin_s = origin_s
        self._sessions: dict[str, _Session] = {}

    def turn(self, stream: str, at_s: float) -> bool:
        """Whether a session of the stream has ended by `at_s`; the next has then begun."""
        number = self._number(at_s)
        session = self._sessions.setdefault(stream, _Session(number))
        # The answer to a crop comes after what was observed later: nothing goes back to the session before.
        if number <= session.number:
            return False
        session.number = number
        session.raised.clear()
        return True

    def over(self, stream: str, at_s: float) -> bool:
        """Whether `at_s` lies in a session that has ended."""
        session = self._sessions.get(stream)
        return session is not None and self._number(at_s) < session.number

    def may_raise(self, stream: str, track: str) -> bool:
        """Whether the track may still raise an alert in this session."""
        if self._most_alerts is None:
            return True
        session = self._sessions.get(stream)
        return session is None or (track not in session.raised and len(session.raised) < self._most_alerts)

    def raised(self, stream: str, track: str) -> None:
        """The track has raised one."""
        self._sessions[stream].raised.add(track)

    def recall(self, stream: str, track: str, raised_s: float, now_s: float) -> None:
        """The track raised one at `raised_s`, before a restart; it counts if the session of then lasts at `now_s`."""
        self.turn(stream, now_s)
        if not self.over(stream, raised_s):
            self.raised(stream, track)

    def _number(self, at_s: float) -> int:
        return 0 if self._session_s is None else int((at_s - self._origin_s) // self._session_s)
