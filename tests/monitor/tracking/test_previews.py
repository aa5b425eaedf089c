from __future__ import annotations

import itertools
from collections.abc import Sequence

import cv2
import numpy as np
import pytest

from gend.faces import Face
from monitor.config import FacesConfig
from monitor.messages import Look, Preview
from monitor.tracking import Tracking
from tests.monitor.tracking.scenes import PictureFrame, ScriptedDetector, face_at, textured

_PICTURE = textured()


@pytest.fixture
def tracking() -> Tracking:
    faces: Sequence[Face] = [face_at(300, 300, 200), face_at(900, 300, 40)]
    return Tracking(
        "lobby",
        FacesConfig(),
        [],
        ScriptedDetector(1280, lambda: faces),
        prepare=lambda aligned: aligned,
        track_ids=(f"run-{number}" for number in itertools.count(1)),
    )


def shown(tracking: Tracking, begin_s: float, end_s: float) -> list[Preview]:
    times = np.arange(begin_s, end_s, 0.2)
    told = [message for at_s in times for message in tracking.process(PictureFrame(_PICTURE, at_s=float(at_s)))]
    return [message for message in told if isinstance(message, Preview)]


def test_nothing_is_made_while_nobody_looks(tracking: Tracking) -> None:
    assert shown(tracking, 0, 3) == []
    tracking.look(Look("lobby", expires_s=6))
    assert shown(tracking, 3, 6)
    assert shown(tracking, 6.2, 9) == []


def test_twice_a_second_at_the_most(tracking: Tracking) -> None:
    tracking.look(Look("lobby", expires_s=100))
    previews = shown(tracking, 0, 6)
    assert 8 <= len(previews) <= 12
    assert np.diff([preview.at_s for preview in previews]).min() >= 0.5


def test_a_view_is_the_picture_with_its_faces_and_why_one_is_not_scored(tracking: Tracking) -> None:
    tracking.look(Look("lobby", expires_s=100))
    preview = shown(tracking, 0, 3)[-1]
    picture = cv2.imdecode(np.frombuffer(preview.jpeg, np.uint8), cv2.IMREAD_COLOR)
    assert picture is not None
    assert picture.shape == (360, 640, 3)
    as_sent, as_it_was = (cv2.resize(each, (32, 18), interpolation=cv2.INTER_AREA) for each in (picture, _PICTURE))
    assert np.abs(as_sent[..., ::-1].astype(int) - as_it_was).max() < 8
    assert (preview.width, preview.height) == (1280, 720)
    large, tiny = sorted(preview.faces, key=lambda face: -face.width_px)
    assert large.box[0] == pytest.approx(200, abs=2)
    assert (large.gated, tiny.gated) == (None, "small")
