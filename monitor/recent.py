"""What was seen of the faces of each stream of late, for people who look on: crops, and how the evidence went.

In memory, bounded, and forgotten after ten minutes, or when the stream goes: nothing of it is kept for an alert, which
`evidence` does where it is turned on.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from functools import cached_property

import cv2

from monitor.messages import Crop, Logit, Pixels, Verdict, VerdictState

_REMEMBERED_S = 600.0
_SHOWN_PX = 112
_CROPS = 6
_CROPS_APART_S = 1.0
_WAITING = 3
"""Crops of one track whose logit has not come; an older one was dropped on the way."""
_TRACKS = 12
"""Tracks of one stream that are remembered; past that, the one that was heard of longest ago is forgotten."""
_POINTS = 600
_POINTS_APART_S = 1.0


@dataclass(frozen=True, eq=False)  # without slots, so that it holds its JPEG
class RecentCrop:
    """A crop, and what the encoder said of it. One object for all who look.

    Attributes:
        at_s: on the service's clock, seconds.
        pixels: RGB uint8 (S, S, 3).
        logit: raw log-odds of fake.
    """

    at_s: float
    pixels: Pixels
    logit: float

    @cached_property
    def jpeg(self) -> bytes:
        """It, small; encoded when somebody asks first, which takes a millisecond."""
        small = cv2.resize(self.pixels, (_SHOWN_PX, _SHOWN_PX), interpolation=cv2.INTER_AREA)
        _, jpeg = cv2.imencode(".jpg", cv2.cvtColor(small, cv2.COLOR_RGB2BGR))
        return jpeg.tobytes()


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
    heard_s: float
    state: VerdictState = "inconclusive"
    ended: bool = False
    waiting: OrderedDict[float, Crop] = field(default_factory=OrderedDict)
    crops: deque[RecentCrop] = field(default_factory=lambda: deque(maxlen=_CROPS))
    evidence: deque[EvidencePoint] = field(default_factory=lambda: deque(maxlen=_POINTS))


class RecentFaces:
    """A tap that remembers the last ten minutes. Any thread may call it, and none waits long.

    Only crops begin a track: what is said of it comes later, maybe only when it was forgotten.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._streams: dict[str, OrderedDict[str, _Track]] = {}

    def crop(self, crop: Crop) -> None:
        """Keeps a crop until the encoder has judged it."""
        with self._lock:
            self._expire(crop.stream, crop.at_s)
            tracks = self._streams.setdefault(crop.stream, OrderedDict())
            track = tracks.setdefault(crop.track, _Track(crop.at_s))
            if track.ended:
                return
            self._heard(tracks, crop.track, crop.at_s)
            track.waiting[crop.at_s] = crop
            while len(track.waiting) > _WAITING:
                track.waiting.popitem(last=False)
            while len(tracks) > _TRACKS:
                tracks.popitem(last=False)

    def logit(self, logit: Logit) -> None:
        """Keeps the crop a while, unless one of the same second is kept."""
        with self._lock:
            tracks = self._streams.get(logit.stream, OrderedDict())
            track = tracks.get(logit.track)
            if track is None:
                return
            self._heard(tracks, logit.track, logit.at_s)
            crop = track.waiting.pop(logit.at_s, None)
            if crop is not None and (not track.crops or crop.at_s - track.crops[-1].at_s >= _CROPS_APART_S):
                track.crops.append(RecentCrop(crop.at_s, crop.pixels, logit.logit))

    def verdict(self, verdict: Verdict) -> None:
        """Keeps how the evidence stands; of a track that has ended, no crop is waited for."""
        with self._lock:
            tracks = self._streams.get(verdict.stream, OrderedDict())
            track = tracks.get(verdict.track)
            if track is None:
                return
            self._heard(tracks, verdict.track, verdict.at_s)
            track.state, track.ended = verdict.state, verdict.ended
            if verdict.ended:
                track.waiting.clear()
            if not track.evidence or verdict.at_s - track.evidence[-1].at_s >= _POINTS_APART_S or verdict.ended:
                track.evidence.append(EvidencePoint(verdict.at_s, verdict.evidence, verdict.threshold))

    def of(self, stream: str, now_s: float) -> list[RecentTrack]:
        """What is remembered of a stream, the track last heard of first.

        Args:
            stream: which.
            now_s: on the service's clock.
        """
        with self._lock:
            self._expire(stream, now_s)
            return [
                RecentTrack(name, track.state, track.ended, tuple(track.crops), tuple(track.evidence))
                for name, track in reversed(self._streams.get(stream, {}).items())
            ]

    def expire(self, now_s: float) -> None:
        """Forgets what is too old, also of streams of which nothing comes any more; to be called again and again."""
        with self._lock:
            for stream in list(self._streams):
                self._expire(stream, now_s)

    def forget(self, stream: str) -> None:
        """The stream is watched no more."""
        with self._lock:
            self._streams.pop(stream, None)

    def _heard(self, tracks: OrderedDict[str, _Track], name: str, at_s: float) -> None:
        tracks[name].heard_s = max(tracks[name].heard_s, at_s)
        tracks.move_to_end(name)

    def _expire(self, stream: str, now_s: float) -> None:
        tracks, since_s = self._streams.get(stream), now_s - _REMEMBERED_S
        if tracks is None:
            return
        for name, track in list(tracks.items()):
            if track.heard_s < since_s:
                del tracks[name]
                continue
            while track.crops and track.crops[0].at_s < since_s:
                track.crops.popleft()
            while track.evidence and track.evidence[0].at_s < since_s:
                track.evidence.popleft()
            for at_s in [at_s for at_s in track.waiting if at_s < since_s]:
                del track.waiting[at_s]
        if not tracks:
            del self._streams[stream]
