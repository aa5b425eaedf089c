"""Which face of one frame is which of the frames before: by place and size alone.

Made for files of which some frames are looked at, often seconds apart. Nothing here recognises a person: whoever takes
another's place in the picture, as large, is taken for the other, and who comes back elsewhere is somebody new. The
monitor follows more closely, but it chooses when to look.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from gend.cuts import Cuts
from gend.faces import Face

Pixels = NDArray[np.uint8]

# From one frame to the next a head may turn by less than half its width at once, and walks two of them in a second;
# whoever is a whole width away is the neighbour.
_REACH, _REACH_PER_S, _MOST_REACH = 0.4, 2.0, 1.0
_MOST_GROWTH = 2.0
_PATIENCE_S, _PATIENCE_FRAMES = 2.0, 3
"""A face is given up when both are over."""
_IMPLAUSIBLE = 1e6


@dataclass(slots=True)
class _Track:
    """A face under way."""

    id: int
    face: Face
    seen_s: float
    seen_in: int


class Follower:
    """Gives the faces of one video their numbers, from 1 in order of appearance."""

    def __init__(self) -> None:
        self._tracks: list[_Track] = []
        self._begun = 0
        self._frames = 0
        self._cuts = Cuts()

    def follow(self, pixels: Pixels, faces: Sequence[Face], at_s: float) -> list[int]:
        """Takes in the next frame.

        Args:
            pixels: uint8 (h, w, 3), to tell a cut from people who move.
            faces: those found in it.
            at_s: when it is shown; never before the last one.

        Returns:
            The number of each face's track.
        """
        self._frames += 1
        if self._cuts.at(pixels, at_s):
            self._tracks = []
        self._tracks = [
            track
            for track in self._tracks
            if at_s - track.seen_s <= _PATIENCE_S or self._frames - track.seen_in <= _PATIENCE_FRAMES
        ]
        owners: dict[int, _Track] = {}  # by index of the face
        cost = np.array([[_cost(track, face, at_s) for face in faces] for track in self._tracks], dtype=np.float64)
        if cost.size:
            for old, new in zip(*linear_sum_assignment(cost), strict=True):
                if cost[old, new] < _IMPLAUSIBLE:
                    owners[int(new)] = self._tracks[old]
        for index, face in enumerate(faces):
            track = owners.get(index)
            if track is None:
                self._begun += 1
                track = owners[index] = _Track(self._begun, face, at_s, self._frames)
                self._tracks.append(track)
            track.face, track.seen_s, track.seen_in = face, at_s, self._frames
        return [owners[index].id for index in range(len(faces))]


def _cost(track: _Track, face: Face, at_s: float) -> float:
    """How unlikely it is that a track goes on as this face: distance in face widths, and growth."""
    (x0, y0, x1, y1), (u0, v0, u1, v1) = track.face.box, face.box
    width, other_width = max(x1 - x0, 1.0), max(u1 - u0, 1.0)
    distance = float(np.hypot(x0 + x1 - u0 - u1, y0 + y1 - v0 - v1)) / (width + other_width)
    growth = max(width, other_width) / min(width, other_width)
    reach = min(_REACH + _REACH_PER_S * (at_s - track.seen_s), _MOST_REACH)
    return distance + float(np.log(growth)) if distance <= reach and growth <= _MOST_GROWTH else _IMPLAUSIBLE
