"""What was seen of every live track of late, for the day that it raises an alert. In memory, and bounded.

A track's crops are those a person can judge best among those that spoke for a manipulation, one of each second, and
none older than two minutes. All of it is forgotten when the track ends.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict, deque
from dataclasses import dataclass, field

from monitor.messages import BLOCK_S, Crop, Logit, Pixels, Verdict

_CROPS_S = 120.0
_POINTS = 1200
_TRACKS = 32
"""Tracks of one stream that are remembered; past that, the one least recently seen is forgotten."""
_WAITING = 3
"""Crops of one track whose logit has not come; an older one was dropped on the way."""
_CERTAIN = 3.0
"""Log-odds past which crops are told apart by their quality alone: no second speaks louder in the evidence."""
_APART_S = 0.2
"""Points of the evidence are no closer than this."""


@dataclass(frozen=True, slots=True, eq=False)
class SeenCrop:
    """A crop and what the encoder said of it."""

    at_s: float
    pixels: Pixels
    quality: float
    width_px: float
    logit: float


@dataclass(frozen=True, slots=True)
class Point:
    """A value at a time."""

    at_s: float
    value: float


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """What is remembered of one track, each part in order of time."""

    crops: tuple[SeenCrop, ...] = ()
    logits: tuple[Point, ...] = ()
    evidence: tuple[Point, ...] = ()


@dataclass(slots=True)
class _Track:
    waiting: OrderedDict[float, Crop] = field(default_factory=OrderedDict)
    best: list[SeenCrop] = field(default_factory=list)
    logits: deque[Point] = field(default_factory=lambda: deque(maxlen=_POINTS))
    evidence: deque[Point] = field(default_factory=lambda: deque(maxlen=_POINTS))


class TrackMemory:
    """A tap that remembers. Any thread may call it, and none waits long.

    Args:
        crops: how many are kept of a track.
    """

    def __init__(self, crops: int) -> None:
        self._crops = crops
        self._lock = threading.Lock()
        self._streams: dict[str, OrderedDict[str, _Track]] = {}

    def crop(self, crop: Crop) -> None:
        """Keeps a crop until the encoder has judged it."""
        with self._lock:
            tracks = self._streams.setdefault(crop.stream, OrderedDict())
            track = tracks.setdefault(crop.track, _Track())
            tracks.move_to_end(crop.track)
            while len(tracks) > _TRACKS:
                tracks.popitem(last=False)
            if self._crops:
                track.waiting[crop.at_s] = crop
                while len(track.waiting) > _WAITING:
                    track.waiting.popitem(last=False)

    def logit(self, logit: Logit) -> None:
        """Keeps the crop for good if it is one of the best."""
        with self._lock:
            track = self._track(logit.stream, logit.track)
            if track is None or not math.isfinite(logit.logit):
                return
            track.logits.append(Point(logit.at_s, logit.logit))
            crop = track.waiting.pop(logit.at_s, None)
            if crop is not None:
                self._keep(track, SeenCrop(crop.at_s, crop.pixels, crop.quality, crop.width_px, logit.logit))

    def verdict(self, verdict: Verdict) -> None:
        """Notes the evidence; forgets a track that has ended."""
        with self._lock:
            track = self._track(verdict.stream, verdict.track)
            if track is None:
                return
            if verdict.ended:
                del self._streams[verdict.stream][verdict.track]
                return
            points = track.evidence
            if len(points) > 1 and verdict.at_s - points[-2].at_s < _APART_S:
                points.pop()
            points.append(Point(verdict.at_s, verdict.evidence))

    def forget(self, stream: str) -> None:
        """A stream is watched no more."""
        with self._lock:
            self._streams.pop(stream, None)

    def seen(self, stream: str, track: str) -> Seen:
        """What is remembered of a track now; nothing of one that has ended."""
        with self._lock:
            known = self._track(stream, track)
            if known is None:
                return Seen()
            crops = sorted(known.best, key=lambda crop: crop.at_s)
            return Seen(tuple(crops), tuple(known.logits), tuple(known.evidence))

    def _track(self, stream: str, track: str) -> _Track | None:
        return self._streams.get(stream, OrderedDict()).get(track)

    def _keep(self, track: _Track, crop: SeenCrop) -> None:
        recent = [kept for kept in track.best if kept.at_s > crop.at_s - _CROPS_S]
        block = _block(crop)
        rivals = [kept for kept in recent if _block(kept) == block]
        if all(_rank(crop) > _rank(rival) for rival in rivals):
            recent = [kept for kept in recent if _block(kept) != block] + [crop]
        recent.sort(key=_rank, reverse=True)
        track.best = recent[: self._crops]


def _rank(crop: SeenCrop) -> tuple[float, float]:
    return min(crop.logit, _CERTAIN), crop.quality


def _block(crop: SeenCrop) -> int:
    return int(crop.at_s // BLOCK_S)
