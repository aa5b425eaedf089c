"""Where a stream's session ends, and how many alerts it has raised: what a promise counts in."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class _Session:
    began_s: float
    number: int = 0
    raised: set[str] = field(default_factory=set)


class Sessions:
    """The current session of every stream. A stream's first begins with its first message.

    Args:
        session_s: how long one lasts; None is for ever.
        most_alerts: that one may raise, each track at most one; None is any number.
    """

    def __init__(self, session_s: float | None, most_alerts: int | None) -> None:
        self._session_s = session_s
        self._most_alerts = most_alerts
        self._sessions: dict[str, _Session] = {}

    def turn(self, stream: str, at_s: float) -> bool:
        """Whether a session of the stream has ended by `at_s`; the next has then begun."""
        session = self._sessions.setdefault(stream, _Session(at_s))
        number = self._number(session, at_s)
        if number <= session.number:
            return False
        session.number = number
        session.raised.clear()
        return True

    def over(self, stream: str, at_s: float) -> bool:
        """Whether `at_s` lies in a session that has ended."""
        session = self._sessions.get(stream)
        return session is not None and self._number(session, at_s) < session.number

    def may_raise(self, stream: str, track: str) -> bool:
        """Whether the track may still raise an alert in this session."""
        if self._most_alerts is None:
            return True
        session = self._sessions.get(stream)
        return session is None or (track not in session.raised and len(session.raised) < self._most_alerts)

    def raised(self, stream: str, track: str) -> None:
        """The track has raised one."""
        self._sessions[stream].raised.add(track)

    def _number(self, session: _Session, at_s: float) -> int:
        if self._session_s is None:
            return 0
        # The answer to a crop comes after what was observed later, so the first message need not be the earliest.
        return max(0, int((at_s - session.began_s) // self._session_s))
