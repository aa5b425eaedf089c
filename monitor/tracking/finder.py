"""Where the faces of a picture are, at the least cost: searched for, carried on from the last picture, or not at all.

A search costs more than all else that is done to a picture. So the picture is searched at the size at which the
narrowest face that is wanted can just be seen; every other time faces that stay in sight are carried on by optical
flow; and where nobody is, a picture in which nothing has moved is not searched.
"""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from gend.faces import Face, FaceDetector
from monitor.config import FacesConfig
from monitor.messages import Box, Frame, Pixels
from monitor.tracking.association import iou
from monitor.tracking.flow import Flow, shrunk
from monitor.tracking.movement import Movement

_SEARCHED_FACE_PX = 22
"""Width in the searched picture of the narrowest face that is scored. YuNet finds as many at 20 px as at 100, and
others of half that width, which are followed and not scored."""
_SIDE_STEP_PX, _LEAST_SIDE_PX, _LARGEST_SIDE_PX = 32, 160, 1280
_PLACED_FACE_PX = 40
"""From this width on a search places the landmarks as well as it ever does; narrower faces deserve a closer look."""
_CLOSE_PX, _CLOSE_FACE_PX = 128, 64
"""Side of the picture for a closer look, and the face's width in it."""
_SAME_FACE_IOU = 0.3


@dataclass(frozen=True, slots=True)
class Found:
    """What one picture has shown."""

    faces: Sequence[Face]
    """In full-resolution pixels."""
    small: Pixels | None
    """The picture that was searched, RGB uint8 (h, w, 3); None where none was."""
    luma: Pixels | None
    """Brightness of the picture, uint8 (h, w); None where it is not watched."""


class Finder:
    """Finds the faces of one stream's pictures, in their order.

    Args:
        detector: searches; used by this object alone.
        faces: how narrow a face may be, and how often a search may be spared.
    """

    def __init__(self, detector: FaceDetector, faces: FacesConfig) -> None:
        self._detector = detector
        self._faces = faces
        self._movement = Movement()
        self._flow = Flow()
        self._searched_s = -math.inf
        self._size = (0, 0)  # of the last frame, pixels
        self._unsearched = 0
        """Pictures since the last search."""
        self.searches = 0
        self.carried = 0
        """Pictures in which faces were carried on instead."""
        self.detect_s = 0.0
        """CPU seconds spent in the detector."""

    def warm_up(self) -> None:
        """Has the detector compile for closer looks, if it does so for each size of pictures."""
        self._detector.detect(np.zeros((_CLOSE_PX, _CLOSE_PX, 3), np.uint8))

    def find(self, frame: Frame, known: Sequence[Face] | None) -> Found:
        """The faces of a frame.

        Args:
            frame: the next one.
            known: the faces of the last one, in full-resolution pixels, where all that is followed was seen there and
                nothing is in doubt; empty where nobody is followed; None where the picture must be searched.

        Raises:
            Exception: whatever converting the picture or the detector raises.
        """
        px = self._searched_px(frame)
        before, self._size = self._size, (frame.width, frame.height)
        if self._size != before:
            known = None  # in pixels of another size
        if not self._may_spare:
            return self._searched_whole(frame, px, None)
        luma = frame.luma(px)
        followed = shrunk(luma)
        spared = self._spared(frame, followed, known, moved=self._movement.see(luma, frame.at_s))
        if spared is None:
            found = self._searched_whole(frame, px, luma)
        else:
            self._unsearched += 1
            found = Found(spared, None, luma)
        self._flow.see(followed)  # not sooner: where a search raises, what is known is of the picture before
        return found

    def closer(self, frame: Frame, face: Face) -> Face | None:
        """The face with its landmarks as a closer look places them, where that can do better and finds it again.

        Args:
            frame: where it was found.
            face: in full-resolution pixels.

        Returns:
            None where the frame's detail is of another instant, and does not show the face where it was found.
        """
        moved = frame.detail != "same"
        width = face.box[2] - face.box[0]
        if not moved and self.searched and width * self._searched_px(frame) >= _PLACED_FACE_PX * _longer(frame):
            return face
        scale = min(1.0, _CLOSE_FACE_PX / width)
        region, corner = frame.region(_around(face.box, _CLOSE_PX / scale))
        seen = _on_canvas(region, scale)
        others = [_shifted(other, corner) for other in self._search(seen, 1 / scale, 1 / scale)]
        if not others:
            return None if moved else face
        overlaps = iou([face.box], [other.box for other in others])[0]
        best = int(overlaps.argmax())
        if overlaps[best] >= _SAME_FACE_IOU:
            return others[best]
        return None if moved else face

    @property
    def searched(self) -> bool:
        """Whether the last picture was searched."""
        return self._unsearched == 0

    @property
    def still_s(self) -> float:
        """Seconds for which nothing has moved; 0 where that is not watched."""
        return self._movement.still_s

    @property
    def _may_spare(self) -> bool:
        return self._faces.search_every > 1 or self._faces.idle_blind_max_s > 0

    def _spared(
        self, frame: Frame, followed: Pixels, known: Sequence[Face] | None, *, moved: bool
    ) -> Sequence[Face] | None:
        """The faces, where they can be told without a search."""
        if known is None or not frame.trusted:
            return None
        if not known:
            blind_s = frame.at_s - self._searched_s
            return None if moved or blind_s >= self._faces.idle_blind_max_s else ()
        if self._unsearched + 1 >= self._faces.search_every:
            return None
        carried = self._flow.carry(known, followed, _longer(frame) / max(followed.shape))
        self.carried += carried is not None
        return carried

    def _searched_whole(self, frame: Frame, px: int, luma: Pixels | None) -> Found:
        small = frame.small(px)
        try:
            faces = self._search(small, frame.width / small.shape[1], frame.height / small.shape[0])
        except BaseException:
            self._movement.forget()  # what moved is still to be looked at
            raise
        self._searched_s, self._unsearched = frame.at_s, 0
        return Found(faces, small, luma)

    def _search(self, picture: Pixels, scale_x: float, scale_y: float) -> list[Face]:
        """Faces of a picture, in pixels of which its own are so many."""
        started_s = time.thread_time()
        found = self._detector.detect(picture)
        self.detect_s += time.thread_time() - started_s
        self.searches += 1
        return [_scaled(face, scale_x, scale_y) for face in found]

    def _searched_px(self, frame: Frame) -> int:
        """Longer side of the picture that is searched."""
        if self._faces.analysis_px is not None:
            return self._faces.analysis_px
        needed_px = _longer(frame) * _SEARCHED_FACE_PX / self._faces.min_face_px
        stepped_px = math.ceil(needed_px / _SIDE_STEP_PX) * _SIDE_STEP_PX
        return min(max(stepped_px, _LEAST_SIDE_PX), _LARGEST_SIDE_PX)


def _longer(frame: Frame) -> int:
    return max(frame.width, frame.height)


def _around(box: Box, side: float) -> Box:
    """A square about the middle of a box."""
    x, y = (box[0] + box[2]) / 2, (box[1] + box[3]) / 2
    return (x - side / 2, y - side / 2, x + side / 2, y + side / 2)


def _on_canvas(region: Pixels, scale: float) -> Pixels:
    """The region at another size in a corner of a black square that is always as large: detectors adapt to sizes."""
    canvas = np.zeros((_CLOSE_PX, _CLOSE_PX, 3), np.uint8)
    height, width = (min(_CLOSE_PX, round(side * scale)) for side in region.shape[:2])
    if min(height, width) > 0:
        canvas[:height, :width] = cv2.resize(region, (width, height), interpolation=cv2.INTER_AREA)
    return canvas


def _scaled(face: Face, x: float, y: float) -> Face:
    """The face of a small picture as in the full one."""
    x0, y0, x1, y1 = face.box
    landmarks = np.asarray(face.landmarks * np.array([x, y]), dtype=np.float32)
    return Face((x0 * x, y0 * y, x1 * x, y1 * y), landmarks, face.confidence)


def _shifted(face: Face, by: tuple[int, int]) -> Face:
    x0, y0, x1, y1 = face.box
    x, y = by
    return Face((x0 + x, y0 + y, x1 + x, y1 + y), face.landmarks + np.array(by, np.float32), face.confidence)
