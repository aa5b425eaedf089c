"""Which face is whom: identities over time, with every lifetime in seconds.

Two-stage association after ByteTrack (Zhang et al. 2022, arXiv 2110.06864): faces the detector is sure of are
given out first, doubtful ones may only continue a track that overlaps them. A third stage takes lost faces up
again. No appearance is compared, on purpose: nothing here can recognise a person.

The limits of that: whoever takes another's place in the picture, as large and within one analysis, inherits
the identity. Somebody who jumps farther, or comes back elsewhere or of another size, is somebody new.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gend.faces import Face
from monitor.tracking.association import associate, iou
from monitor.tracking.motion import BoxMotion

_CONFIRM_S = 1.0
"""A face must be seen a second time within this to become a track: detectors see ghosts, but seldom twice."""
_PERIODS = 1.5
"""Where analyses are farther apart than a lifetime, it is stretched to so many of their periods."""
_DOUBTFUL_IOU = 0.2
"""Least overlap by which a doubtful detection continues a track."""
_DOUBLE_IOU = 0.4
"""A second detection that overlaps a given-out one by this is the same face again."""


@dataclass(slots=True, eq=False)
class Track:
    """One face over time. `Tracker` alone changes it."""

    motion: BoxMotion
    face: Face
    """As last seen, in full-resolution pixels."""
    first_seen_s: float
    last_seen_s: float
    seen_since_s: float
    """When it was seen before that, if that was at the analysis before; else `last_seen_s`."""
    id: str | None = None
    """None until it was seen twice; never changes after, and no other track ever gets it."""


@dataclass(frozen=True, slots=True)
class Ending:
    """A track that is over."""

    track: Track
    at_s: float
    """When its lifetime ran out, which may be long before anybody looked."""


@dataclass(frozen=True, slots=True)
class TrackUpdate:
    """What one analysis changed. Only tracks that have an id are told."""

    seen: tuple[Track, ...]
    lost: tuple[Track, ...]
    """Not seen now, not yet given up."""
    ended: tuple[Ending, ...]


class Tracker:
    """Follows the faces of one stream.

    Args:
        track_ids: where identities come from; drawn when a face is seen for the second time.
        reassociate_s: seconds for which a face may be lost and keep its identity.
        period_s: seconds between analyses, as planned.
        min_confidence: from here on a detection is sure.
    """

    def __init__(
        self, track_ids: Iterator[str], *, reassociate_s: float, period_s: float, min_confidence: float
    ) -> None:
        self._track_ids = track_ids
        self._patience_s = max(reassociate_s, _PERIODS * period_s)
        self._confirm_s = max(_CONFIRM_S, _PERIODS * period_s)
        self._min_confidence = min_confidence
        self._tracks: list[Track] = []
        self._analysed_s = float("-inf")

    @property
    def longest_lifetime_s(self) -> float:
        """Seconds after which no face is followed any more that was not seen again."""
        return max(self._patience_s, self._confirm_s)

    @property
    def empty(self) -> bool:
        """Whether nobody is followed, and nothing was seen that may become somebody."""
        return not self._tracks

    def settled(self) -> list[Face] | None:
        """The faces of the last analysis, where each is somebody's and nobody is missing; else None."""
        settled = all(track.id is not None and track.last_seen_s == self._analysed_s for track in self._tracks)
        return [track.face for track in self._tracks] if settled else None

    def update(self, faces: Sequence[Face], at_s: float) -> TrackUpdate:
        """Takes in the faces found at `at_s`, in full-resolution pixels; `at_s` never goes back."""
        ended = self._expire(at_s)

        # 1. Tracks seen at the last analysis take the faces that the detector is sure of.
        sure = [face for face in faces if face.confidence >= self._min_confidence]
        current = [track for track in self._tracks if track.last_seen_s == self._analysed_s]
        unmatched, sure = self._match(current, sure, at_s)
        # 2. Those left over may live on by a doubtful one that overlaps their prediction.
        doubtful = [face for face in faces if face.confidence < self._min_confidence]
        self._match(unmatched, doubtful, at_s, min_iou=_DOUBTFUL_IOU)
        # 3. Faces still nobody's may be ones that were lost, where and as large as they are expected.
        sure = self._singles(sure, at_s)
        lost = [track for track in self._tracks if track.last_seen_s < self._analysed_s]
        _, sure = self._match(lost, sure, at_s)
        # 4. Or they are new.
        self._begin(sure, at_s)

        self._analysed_s = at_s
        named = [track for track in self._tracks if track.id is not None]
        return TrackUpdate(
            seen=tuple(track for track in named if track.last_seen_s == at_s),
            lost=tuple(track for track in named if track.last_seen_s < at_s),
            ended=ended,
        )

    def end(self, at_s: float) -> tuple[Ending, ...]:
        """Ends every track, each at `at_s` or when its own lifetime ran out, whichever was first."""
        ended = tuple(self._ending(track, at_s) for track in self._tracks if track.id is not None)
        self._tracks = []
        return ended

    def _match(
        self, tracks: list[Track], faces: list[Face], at_s: float, *, min_iou: float = 0
    ) -> tuple[list[Track], list[Face]]:
        """Continues the tracks that have a face among `faces`; returns who and what is left over."""
        if not tracks or not faces:
            return tracks, faces
        predictions = [track.motion.predict(at_s) for track in tracks]
        pairs = associate(predictions, [face.box for face in faces], min_iou=min_iou)
        for track_index, face_index in pairs:
            self._continue(tracks[track_index], faces[face_index], at_s)
        matched_tracks = {track_index for track_index, _ in pairs}
        matched_faces = {face_index for _, face_index in pairs}
        return (
            [track for index, track in enumerate(tracks) if index not in matched_tracks],
            [face for index, face in enumerate(faces) if index not in matched_faces],
        )

    def _continue(self, track: Track, face: Face, at_s: float) -> None:
        track.motion.update(face.box, at_s)
        track.face = face
        track.seen_since_s = track.last_seen_s if track.last_seen_s == self._analysed_s else at_s
        track.last_seen_s = at_s
        if track.id is None:
            track.id = next(self._track_ids)

    def _singles(self, faces: list[Face], at_s: float) -> list[Face]:
        """Leaves out faces that are the same again as one given out at `at_s`, or as a surer one among them."""
        taken = [track.face.box for track in self._tracks if track.last_seen_s == at_s]
        singles = []
        for face in sorted(faces, key=lambda face: -face.confidence):
            if not taken or float(iou([face.box], taken).max()) < _DOUBLE_IOU:
                taken.append(face.box)
                singles.append(face)
        return singles

    def _begin(self, faces: list[Face], at_s: float) -> None:
        for face in faces:
            motion = BoxMotion(face.box, at_s)
            self._tracks.append(Track(motion, face, first_seen_s=at_s, last_seen_s=at_s, seen_since_s=at_s))

    def _expire(self, at_s: float) -> tuple[Ending, ...]:
        expired = [track for track in self._tracks if at_s - track.last_seen_s > self._lifetime_s(track)]
        self._tracks = [track for track in self._tracks if track not in expired]
        return tuple(self._ending(track, at_s) for track in expired if track.id is not None)

    def _ending(self, track: Track, at_s: float) -> Ending:
        return Ending(track, min(at_s, track.last_seen_s + self._patience_s))

    def _lifetime_s(self, track: Track) -> float:
        return self._confirm_s if track.id is None else self._patience_s
