"""How much of a stream is decoded: all of it, the pictures that others refer to, or keyframes alone.

Decoding is most of what a stream costs, and most of its pictures are looked at by nobody.

- Pictures to which no other refers can be left out without harm to the rest. Files and many encoders for the web have
  them (B-frames), cameras often do not. They are left out where what remains comes often enough for the analysis.
- Where nobody is in the picture and nothing moves in it, keyframes are enough, as long as they come in time.
- So they are where faces are found on another stream of the camera, unless crops are wanted more often.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

Depth = Literal["all", "reference", "keyframes"]

_ENOUGH = 1.5
"""Pictures for each analysis, so that one is always near the time at which it is due."""
_TRIAL_PACKETS = 50
_WORTH = 0.95
"""Where more than this share of the pictures is referred to, nothing is gained: then all are decoded, so that one that
is missing can be noticed by its time."""
_QUIET_S = 3.0
_NEARLY = 1.25
"""Crops for each keyframe that may be wanted before all pictures are decoded for them."""
_INTERVALS = 3
"""Distances between keyframes that must have been short enough."""
_LATE = 1.15
"""Keyframes that are sent every two seconds come a little sooner or later than that."""


@dataclass(frozen=True, slots=True)
class Needs:
    """What is needed of a stream's pictures."""

    analysis_fps: float
    """Pictures looked at, per second."""
    idle_blind_max_s: float
    """Seconds between two pictures of a stream in which nobody is and nothing moves; 0: it is decoded like others."""
    quiet_s: Callable[[], float]
    """For how long nobody has been there and nothing has moved. Asked for each packet, from the reading thread."""
    crops_per_s: Callable[[], float] = lambda: math.inf
    """Pictures per second from which crops are wanted, of a stream that serves for nothing else: 0 where each that
    comes will do. Asked likewise."""


class Depths:
    """Decides for each packet of one connection how deep to decode.

    Args:
        needs: of the pictures; None: all are needed.
        fps: that the stream declares, if it does.
    """

    def __init__(self, needs: Needs | None, fps: float | None) -> None:
        self._needs = needs
        self._fps = fps
        # Without a rate nothing tells how many would remain.
        self._reference = needs is not None and fps is not None and fps >= _ENOUGH * needs.analysis_fps
        self._packets = self._pictures = 0
        self._since_s = 0.0  # of what is counted by these
        self._keys_s: deque[float] = deque(maxlen=_INTERVALS + 1)
        self._asleep = False
        self._now_s = 0.0

    def of(self, *, key: bool, at_s: float) -> Depth:
        """How deep to decode the next packet.

        Args:
            key: whether it is a keyframe.
            at_s: when it arrived, seconds.
        """
        if key:
            self._keys_s.append(at_s)
        self._now_s = at_s
        # Asleep it falls at a keyframe, and wakes wherever it must.
        self._asleep = (key or self._asleep) and self._may_sleep(at_s)
        if self._asleep:
            return "keyframes"
        return "reference" if self._reference else "all"

    def decoded(self, packets: int, pictures: int, depth: Depth) -> None:
        """So many pictures came of so many packets, decoded so deep."""
        if depth == "keyframes" and not pictures:
            self._keys_s.clear()  # nobody would see it move: awake until keyframes have proved themselves again
        if depth != "reference" or self._needs is None or self._fps is None:
            return
        if self._packets == 0:
            self._since_s = self._now_s
        self._packets += packets
        self._pictures += pictures
        if self._packets >= _TRIAL_PACKETS:
            lasted_s = self._now_s - self._since_s
            # What is declared may be the rate of fields, or that of the day at night.
            fps = min(self._fps, self._packets / lasted_s) if lasted_s > 0 else self._fps
            share = self._pictures / self._packets
            self._reference = share <= _WORTH and share * fps >= _ENOUGH * self._needs.analysis_fps
            self._packets = self._pictures = 0

    def _may_sleep(self, at_s: float) -> bool:
        if self._needs is None or len(self._keys_s) <= _INTERVALS:
            return False
        limit_s = self._needs.idle_blind_max_s
        rarest_s = max(later - sooner for sooner, later in itertools.pairwise(self._keys_s))
        if max(rarest_s, at_s - self._keys_s[-1]) > limit_s * _LATE:
            return False
        enough = rarest_s > 0 and self._needs.crops_per_s() * rarest_s <= _NEARLY
        return enough or self._needs.quiet_s() >= min(_QUIET_S, 2 * limit_s * _LATE)
