"""Which decoded pictures may be believed.

A decoder that has lost data goes on from what it has: the picture smears, and a smeared face looks
manipulated. The damage stays until the next keyframe.

What is seen: packets of RTP or of a transport stream that are missing, whatever the codec; in H.264 and MJPEG nearly
all else too, because their decoders complain. FFmpeg's decoder of H.265 (8.1) hardly ever does: it misses whole
pictures that others refer to, and then shows none. So what cannot be seen is H.265 whose bits were changed or cut off
without a trace in the transport: by a damaged disk, by a camera's own fault, or by a relay that drops parts of
pictures and numbers its packets anew. Nor, in H.264, can pictures that are missing from a recording.
"""

from __future__ import annotations

import statistics
from collections import deque

_REORDERED = 64
"""Damages remembered. Decoders hold back 16 pictures at the most, so older ones are behind every picture to come."""

_STEADY_STEPS = 16
_STEADY_RATIO = 1.25
_GAP_RATIO = 1.5
_JUMP_S = 2.0


class Trust:
    """Judges the pictures of one connection, in the order in which they are presented.

    Decoders present pictures in another order than they read them, so every picture is known by the number of
    its packet. It is trusted if nothing was damaged from the packet of the keyframe last presented up to its
    own. That keeps pictures read before the damage and shown after it, and does not let a keyframe that was
    read before the damage excuse it.

    Args:
        lossy: whether whole packets may be missing without a word, as over UDP. They are then looked for in
            the timestamps.
    """

    def __init__(self, *, lossy: bool) -> None:
        self._keyframe: int | None = None
        self._damages: deque[int] = deque(maxlen=_REORDERED)
        self._cadence = Cadence() if lossy else None

    def damaged(self, packet: int) -> None:
        """Something is wrong with that packet: marked corrupt, not decodable, or its picture was concealed."""
        self._damages.append(packet)

    def judge(self, *, packet: int, key: bool, pts_s: float | None, at_s: float, complete: bool = True) -> bool:
        """Whether the next picture presented may be believed.

        Args:
            packet: number of the packet it was decoded from.
            key: whether it is a keyframe.
            pts_s: its presentation time, seconds, if it has one.
            at_s: when it arrived, seconds.
            complete: whether all pictures are presented: of those that are left out on purpose, none is missing.
        """
        if self._cadence is not None and not complete:
            self._cadence.begin_anew()
        elif self._cadence is not None and pts_s is not None and self._cadence.missing(pts_s, at_s):
            self._keyframe = None
        if key:
            self._keyframe = packet
        if self._keyframe is None:
            return False
        return not any(self._keyframe <= damage <= packet for damage in self._damages)


class Cadence:
    """Notices pictures that are missing from a stream of constant frame rate.

    Only a stream whose last steps were all alike is held to its rate: one of variable rate never is. A step
    back is a clock that was set anew, and so is a long step that nobody waited for.
    """

    def __init__(self) -> None:
        self._steps: deque[float] = deque(maxlen=_STEADY_STEPS)
        self._last: tuple[float, float] | None = None

    def begin_anew(self) -> None:
        """What came so far says nothing of what comes."""
        self._steps.clear()
        self._last = None

    def missing(self, pts_s: float, at_s: float) -> bool:
        """Whether pictures are missing between the last one and this one; both times in seconds."""
        last, self._last = self._last, (pts_s, at_s)
        if last is None or pts_s == last[0]:
            return False
        step, waited = pts_s - last[0], at_s - last[1]
        usual = self._usual_step()
        if step < 0 or (usual is not None and step > _GAP_RATIO * usual):
            # Learnt anew, so that a camera that has changed its rate is missed from once and not for ever.
            self._steps.clear()
            return 0 < step <= _JUMP_S or waited > step / 2 > 0
        self._steps.append(step)
        return False

    def _usual_step(self) -> float | None:
        if len(self._steps) < _STEADY_STEPS:
            return None
        usual = statistics.median(self._steps)
        steady = max(self._steps) <= _STEADY_RATIO * usual and min(self._steps) >= usual / _STEADY_RATIO
        return usual if steady else None
