"""What was seen of the faces of each stream of late, for people who look on: crops, and how the evidence went.

In memory, bounded, and forgotten: nothing of it is kept for an alert, which `evidence` does where it is turned on.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from monitor.messages import Crop, Logit, Pixels, Verdict, VerdictState

_CROPS = 6
_CROPS_APART_S = 1.0
_WAITING = 3
"""Crops of one track whose logit has not come; an older one was dropped on the way."""
_TRACKS = 12
"""Tracks of one stream that are remembered; past that, the one that was heard of longest ago is forgotten."""
_POINTS = 600
_POINTS_APART_S = 1.0


@dataclass(frozen=True, slots=True, eq=False)
class RecentCrop:
    """A crop, and what the encoder said of it.

    Attributes:
        at_s: on the service's clock, seconds.
        pixels: RGB uint8 (S, S, 3).
        logit: raw log-odds of fake.
    """

    at_s: float
    pixels: Pixels
    logit: float


@dataclass(frozen=True, slots=True)
class EvidencePoint:
    """The evidence at a time, in seconds on the service's clock, and the threshold then."""

    at_s: float
    evidence: float
    threshold: float


@dataclass(frozen=True, slots=True, eq=False)
class RecentTrack:
    """What is remembered of one track, each part in order of time."""

    track: str
    state: VerdictState
    ended: bool
    crops: tuple[RecentCrop, ...]
    evidence: tuple[EvidencePoint, ...]


@dataclass(slots=True)
class _Track:
    state: VerdictState = "inconclusive"
    ended: bool = False
    waiting: OrderedDict[float, Crop] = field(default_factory=OrderedDict)
    crops: deque[RecentCrop] = field(default_factory=lambda: deque(maxlen=_CROPS))
    evidence: deque[EvidencePoint] = field(default_factory=lambda: deque(maxlen=_POINTS))


class RecentFaces:
    """A tap that remembers the last ten minutes. Any thread may call it, and none waits long."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[str, OrderedDict[str, _Track]] = {}

    def crop(self, crop: Crop) -> None:
        """Keeps a crop until the encoder has judged it."""
        with self._lock:
            waiting = self._track(crop.stream, crop.track).waiting
            waiting[crop.at_s] = crop
            while len(waiting) > _WAITING:
                waiting.popitem(last=False)

    def logit(self, logit: Logit) -> None:
        """Keeps the crop a while, unless one of the same second is kept."""
        with self._lock:
            track = self._track(logit.stream, logit.track)
            crop = track.waiting.pop(logit.at_s, None)
            if crop is not None and (not track.crops or crop.at_s - track.crops[-1].at_s >= _CROPS_APART_S):
                track.crops.append(RecentCrop(crop.at_s, crop.pixels, logit.logit))

    def verdict(self, verdict: Verdict) -> None:
        """Keeps how the evidence stands."""
        with self._lock:
            track = self._track(verdict.stream, verdict.track)
            track.state, track.ended = verdict.state, verdict.ended
            if not track.evidence or verdict.at_s - track.evidence[-1].at_s >= _POINTS_APART_S or verdict.ended:
                track.evidence.append(EvidencePoint(verdict.at_s, verdict.evidence, verdict.threshold))

    def of(self, stream: str) -> list[RecentTrack]:
        """What is remembered of a stream, the track last heard of first."""
        with self._lock:
            return [
                RecentTrack(name, track.state, track.ended, tuple(track.crops), tuple(track.evidence))
                for name, track in reversed(self._streams.get(stream, {}).items())
            ]

    def forget(self, stream: str) -> None:
        """The stream is watched no more."""
        with self._lock:
            self._streams.pop(stream, None)

    def _track(self, stream: str, name: str) -> _Track:
        tracks = self._streams.setdefault(stream, OrderedDict())
        track = tracks.setdefault(name, _Track())
        tracks.move_to_end(name)
        while len(tracks) > _TRACKS:
            tracks.popitem(last=False)
        return track
