from __future__ import annotations

import cv2
import numpy as np
import pytest

from gend.faces import Face
from monitor.config import FacesConfig
from monitor.messages import Pixels
from monitor.tracking.quality import Gate, sharpness
from tests.monitor.tracking.scenes import PictureFrame, face_at, textured

_GATE = Gate(FacesConfig())
_PICTURE = textured()


def _turned(face: Face, degrees: float) -> Face:
    """The face with its landmarks turned about the box's centre."""
    middle = ((face.box[0] + face.box[2]) / 2, (face.box[1] + face.box[3]) / 2)
    matrix = cv2.getRotationMatrix2D(middle, degrees, 1)
    landmarks = face.landmarks @ matrix[:, :2].T + matrix[:, 2]
    return Face(face.box, landmarks.astype(np.float32), face.confidence)


def _with_landmark(face: Face, index: int, x: float, y: float) -> Face:
    landmarks = face.landmarks.copy()
    landmarks[index] = (x, y)
    return Face(face.box, landmarks, face.confidence)


_FIT = face_at(640, 360, 120)


@pytest.mark.parametrize(
    ("face", "cause"),
    [
        (_FIT, None),
        (face_at(640, 360, 89), "small"),
        (face_at(640, 360, 91), None),
        (face_at(640, 360, 120, confidence=0.59), "confidence"),
        (face_at(40, 360, 120), "cut_off"),
        (face_at(640, 710, 120), "cut_off"),
        (face_at(56, 360, 120), None),  # a sliver outside is no harm
        (face_at(640, 360, 120, turn=0.5), "pose"),
        (face_at(640, 360, 120, turn=-0.5), "pose"),
        (face_at(640, 360, 120, turn=0.4), None),
        (_turned(_FIT, 40), None),
        (_turned(_FIT, 75), "pose"),
        (_turned(_FIT, 180), "pose"),
        (_with_landmark(_FIT, 2, 640, 344), "pose"),  # nose between the eyes: looks at the ceiling
        (_with_landmark(_FIT, 1, *_FIT.landmarks[0] + 4), "pose"),  # eyes of a profile
        (_with_landmark(_FIT, 1, *_FIT.landmarks[0]), "pose"),
        (_with_landmark(_FIT, 0, float("nan"), 0), "alignment"),
    ],
)
def test_refuse_cause_by_face(face: Face, cause: str | None) -> None:
    assert _GATE.refuse(face, PictureFrame(_PICTURE)) == cause


def test_refuse_untrusted_frame_whatever_the_face() -> None:
    assert _GATE.refuse(_FIT, PictureFrame(_PICTURE, trusted=False)) == "untrusted"


def test_refuse_follows_the_configuration() -> None:
    lenient = Gate(FacesConfig(min_face_px=30, max_yaw=0.6, min_confidence=0.2))
    assert lenient.refuse(face_at(640, 360, 40, confidence=0.3, turn=0.5), PictureFrame(_PICTURE)) is None


def test_quality_blurred_face_has_none() -> None:
    assert _GATE.quality(_FIT, sharpness=11.9) is None
    assert _GATE.quality(_FIT, sharpness=12.1) is not None


def test_quality_is_the_margin_of_the_weakest_test() -> None:
    best = _GATE.quality(face_at(640, 360, 240, confidence=1.0), sharpness=200)
    assert best == pytest.approx(1.0)
    for barely in (
        _GATE.quality(face_at(640, 360, 91, confidence=1.0), sharpness=200),
        _GATE.quality(face_at(640, 360, 240, confidence=0.61), sharpness=200),
        _GATE.quality(face_at(640, 360, 240, confidence=1.0, turn=0.44), sharpness=200),
        _GATE.quality(face_at(640, 360, 240, confidence=1.0), sharpness=12.2),
    ):
        assert barely is not None
        assert 0 <= barely < 0.05


def _crop(px: int, blur: float = 0) -> Pixels:
    """The same scene at `px` pixels, blurred by `blur` pixels of a crop of 448."""
    return cv2.resize(textured(448, 448, blur=blur), (px, px), interpolation=cv2.INTER_AREA).astype(np.uint8)


def test_sharpness_falls_with_blur() -> None:
    values = [sharpness(_crop(448, blur)) for blur in (0, 4, 8, 16)]
    assert values == sorted(values, reverse=True)
    assert values[0] > 10 * values[-1]
    assert values[-1] < FacesConfig().min_sharpness < values[0]


def test_sharpness_hardly_depends_on_resolution() -> None:
    assert sharpness(_crop(448, blur=6)) == pytest.approx(sharpness(_crop(224, blur=6)), rel=0.35)


def test_sharpness_black_border_outside_the_picture_is_not_sharp() -> None:
    soft = _crop(448, blur=16)
    cut = soft.copy()
    cut[:, :40] = 0
    assert sharpness(cut) == pytest.approx(sharpness(soft))


def test_sharpness_flat_picture_has_none() -> None:
    assert sharpness(np.full((30, 30, 3), 200, np.uint8)) == 0
