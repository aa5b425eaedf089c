"""One line of time for pictures whose timestamps are missing, jump or start again."""

from __future__ import annotations

_LONGEST_STEP_S = 10.0


class Timeline:
    """Places pictures by their presentation time, in seconds since the first one, never going back.

    Args:
        frame_s: how long a picture lasts where its timestamp does not tell.
    """

    def __init__(self, frame_s: float) -> None:
        self._frame_s = frame_s
        self._longest_s = max(_LONGEST_STEP_S, 2 * frame_s)
        self._at_s: float | None = None
        self._pts_s: float | None = None

    def place(self, pts_s: float | None) -> float:
        """The time of the next picture. One without a timestamp, or after a jump, comes one frame after the last."""
        step = self._frame_s if pts_s is None or self._pts_s is None else pts_s - self._pts_s
        if pts_s is None:
            self._pts_s = None if self._pts_s is None else self._pts_s + self._frame_s
        else:
            self._pts_s = pts_s
        if self._at_s is None:
            self._at_s = 0.0
        else:
            self._at_s += step if 0 <= step <= self._longest_s else self._frame_s
        return self._at_s
