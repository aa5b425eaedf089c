"""Which pictures are searched, and where faces are in those that are not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np
import pytest

from gend.faces import Face
from gend.faces.yunet import YuNet
from monitor.config import FacesConfig
from monitor.ingest import read_file
from monitor.messages import Pixels
from monitor.tracking.association import iou
from monitor.tracking.finder import Finder
from tests.monitor.tracking.scenes import PictureFrame, face_at, textured

_ROOM = textured(1400, 800, seed=3)
_FACE = textured(200, 260, seed=4)


class _Seeing:
    """Remembers the sizes of what it searched, and says what it is told to, in full-resolution pixels."""

    name = "seeing"
    degraded: str | None = None

    def __init__(self, faces: Sequence[Face] = ()) -> None:
        self.faces = faces
        self.searched: list[tuple[int, int]] = []

    def detect(self, picture: Pixels) -> list[Face]:
        height, width = picture.shape[:2]
        self.searched.append((width, height))
        scale = width / 1280
        return [
            Face((f.box[0] * scale, f.box[1] * scale, f.box[2] * scale, f.box[3] * scale), f.landmarks * scale, 0.9)
            for f in self.faces
        ]


def _frame(number: int, picture: Pixels | None = None, *, trusted: bool = True) -> PictureFrame:
    whole = _ROOM[:720, :1280] if picture is None else picture
    return PictureFrame(whole, at_s=number / 5, trusted=trusted)


def _with_face(x: int, y: int, size: float = 1.0) -> Pixels:
    """The room with a textured patch in it, its corner at (x, y)."""
    picture = _ROOM[:720, :1280].copy()
    patch = cv2.resize(_FACE, None, fx=size, fy=size, interpolation=cv2.INTER_AREA)
    picture[y : y + patch.shape[0], x : x + patch.shape[1]] = patch
    return picture


def _patch_face(x: int, y: int, size: float = 1.0) -> Face:
    return face_at(x + 100 * size, y + 130 * size, 200 * size)


@pytest.mark.parametrize(
    ("config", "side"),
    [
        (FacesConfig(), 320),
        (FacesConfig(min_face_px=180), 160),
        (FacesConfig(min_face_px=45), 640),
        (FacesConfig(min_face_px=16), 1280),
        (FacesConfig(analysis_px=500), 500),
    ],
)
def test_pictures_are_searched_as_large_as_the_narrowest_face_needs(config: FacesConfig, side: int) -> None:
    detector = _Seeing()
    Finder(detector, config).find(_frame(0), None)
    assert max(detector.searched[0]) == side


def test_where_nobody_is_and_nothing_moves_no_search_is_made_for_as_long_as_may_be() -> None:
    detector = _Seeing()
    finder = Finder(detector, FacesConfig(idle_blind_max_s=2))
    rng = np.random.default_rng(0)
    for number in range(51):
        noise = rng.normal(0, 4, (720, 1280, 3))
        finder.find(_frame(number, np.clip(_ROOM[:720, :1280] + noise, 0, 255).astype(np.uint8)), [])
    assert len(detector.searched) == 6  # at 0, 2, 4, 6, 8 and 10 s
    assert finder.still_s == pytest.approx(10)


def test_whoever_comes_in_is_looked_for_at_once() -> None:
    detector = _Seeing()
    finder = Finder(detector, FacesConfig(min_face_px=90))
    for number in range(5):
        finder.find(_frame(number), [])
    assert len(detector.searched) == 1
    finder.find(_frame(5, _with_face(300, 200, 0.45)), [])  # 90 px wide
    assert len(detector.searched) == 2
    assert finder.still_s == 0


def test_what_moved_while_a_search_raised_is_searched_with_the_next_picture() -> None:
    detector = _Seeing()
    finder = Finder(detector, FacesConfig())
    finder.find(_frame(0), [])
    detector.faces = [object()]  # type: ignore[list-item]
    with pytest.raises(AttributeError):
        finder.find(_frame(1, _with_face(300, 200)), [])
    detector.faces = []
    finder.find(_frame(2, _with_face(300, 200)), [])
    assert len(detector.searched) == 3


def test_a_lamp_that_fades_is_no_movement() -> None:
    detector = _Seeing()
    finder = Finder(detector, FacesConfig(idle_blind_max_s=30))
    for number in range(20):
        finder.find(_frame(number, np.clip(_ROOM[:720, :1280] * 0.8 + 2 * number, 0, 255).astype(np.uint8)), [])
    assert len(detector.searched) == 1


@pytest.mark.parametrize("every", [1, 2, 3])
def test_faces_in_sight_are_carried_and_searched_for_in_turn(every: int) -> None:
    detector = _Seeing()
    finder = Finder(detector, FacesConfig(search_every=every, idle_blind_max_s=0))
    known: list[Face] = [_patch_face(300, 200)]
    for number in range(12):
        x, y, size = 300 + 12 * number, 200 - 4 * number, 1 + 0.01 * number
        detector.faces = [_patch_face(x, y, size)]
        found = finder.find(_frame(number, _with_face(x, y, size)), known)
        (face,) = found.faces
        assert (found.small is None) == (number % every != 0)
        assert iou([face.box], [_patch_face(x, y, size).box])[0, 0] > 0.9
        assert np.abs(face.landmarks - _patch_face(x, y, size).landmarks).max() < 6
        known = [face]
    assert len(detector.searched) == 12 // every
    assert finder.carried == 12 - 12 // every


@pytest.mark.parametrize("case", ["gone", "doubt", "damaged", "first", "resized"])
def test_what_is_not_certain_is_searched(case: str) -> None:
    detector = _Seeing()
    finder = Finder(detector, FacesConfig(idle_blind_max_s=0, analysis_px=320))
    known = [_patch_face(300, 200)]
    if case != "first":
        finder.find(_frame(0, _with_face(300, 200)), known)
    picture = textured(1280, 720, seed=9) if case == "gone" else _with_face(305, 200)
    if case == "resized":  # and searched at the same size as before
        picture = cv2.resize(picture, (640, 360), interpolation=cv2.INTER_AREA).astype(np.uint8)
    finder.find(_frame(1, picture, trusted=case != "damaged"), None if case == "doubt" else known)
    assert len(detector.searched) == (1 if case == "first" else 2)


def test_after_a_search_that_raises_faces_are_carried_from_where_they_were_known() -> None:
    detector = _Seeing()
    finder = Finder(detector, FacesConfig(idle_blind_max_s=0))
    known = [_patch_face(300, 200)]
    finder.find(_frame(0, _with_face(300, 200)), known)
    detector.faces = [object()]  # type: ignore[list-item]
    with pytest.raises(AttributeError):
        finder.find(_frame(1, _with_face(312, 200)), None)
    found = finder.find(_frame(2, _with_face(324, 200)), known)
    assert found.small is None
    assert iou([found.faces[0].box], [_patch_face(324, 200).box])[0, 0] > 0.95


def test_a_narrow_face_is_looked_at_more_closely(assets: Path) -> None:
    """On real people: the landmarks of a face of 22 px are placed anew, and no other face is taken for it."""
    clip = assets / "media" / "head-pose-face-detection-female-and-male.mp4"
    detector = YuNet(assets / "models" / "yunet_n_640_640.onnx")
    frame = next(iter(read_file(clip, "tape")))
    config = FacesConfig(min_face_px=90, search_every=1, idle_blind_max_s=0)
    finder = Finder(detector, config)
    faces = finder.find(frame, None).faces
    assert len(faces) == 2
    reference = Finder(detector, config.model_copy(update={"analysis_px": 960})).find(frame, None).faces
    for face in faces:
        closer = finder.closer(frame, face)
        assert closer is not None
        overlaps = iou([closer.box], [other.box for other in reference])[0]
        other = reference[int(overlaps.argmax())]
        assert overlaps.max() > 0.7
        assert _distance(closer, other) <= _distance(face, other) + 0.02


def test_what_is_compiled_for_a_closer_look_is_compiled_before() -> None:
    detector = _Seeing()
    finder = Finder(detector, FacesConfig())
    finder.warm_up()
    warm = set(detector.searched)
    frame = _frame(0)
    finder.find(frame, None)
    detector.searched.clear()
    for width in (30, 60, 120):  # a narrow face deserves one
        finder.closer(frame, face_at(640, 360, width))
    assert len(detector.searched) == 3
    assert set(detector.searched) == warm
    assert finder.searches == 4, "to warm up is no search"


def test_a_closer_look_that_finds_nothing_changes_nothing() -> None:
    detector = _Seeing()
    finder = Finder(detector, FacesConfig(search_every=1))
    frame = _frame(0, _with_face(0, 0, 0.5))
    finder.find(frame, None)
    for face in (_patch_face(0, 0, 0.5), face_at(1300, 800, 90)):
        assert finder.closer(frame, face) is face


def _distance(one: Face, other: Face) -> float:
    """Mean distance of landmarks, in distances between the eyes."""
    eyes = float(np.linalg.norm(other.landmarks[0] - other.landmarks[1]))
    return float(np.linalg.norm(one.landmarks - other.landmarks, axis=1).mean()) / eyes
