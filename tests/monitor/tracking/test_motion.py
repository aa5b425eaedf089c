from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.messages import Box
from monitor.tracking.association import associate, iou
from monitor.tracking.motion import BoxMotion, Prediction
from tests.monitor.tracking.scenes import centre


def _box(x: float, y: float, width: float = 100, height: float = 130) -> Box:
    return (x - width / 2, y - height / 2, x + width / 2, y + height / 2)


def _walk(times: list[float], speed: float, width: float = 100) -> BoxMotion:
    """Somebody seen at `times` who goes right at `speed`, pixels per second."""
    motion = BoxMotion(_box(speed * times[0], 200, width), times[0])
    for at_s in times[1:]:
        motion.update(_box(speed * at_s, 200, width), at_s)
    return motion


@pytest.mark.parametrize("fps", [2.5, 5, 10, 25])
def test_prediction_steady_walk_is_met_at_any_rate(fps: float) -> None:
    times = list(np.arange(0, 2 + 1e-9, 1 / fps))
    predicted = _walk(times, speed=120).predict(times[-1] + 0.2)
    assert centre(predicted.box)[0] == pytest.approx(120 * (times[-1] + 0.2), abs=10)
    assert predicted.box[2] - predicted.box[0] == pytest.approx(100, rel=0.02)


def test_prediction_irregular_frames_counts_seconds_not_frames() -> None:
    times = [0, 0.2, 0.25, 0.9, 1.0, 1.05, 1.6, 2.0]
    assert centre(_walk(times, speed=120).predict(2.3).box)[0] == pytest.approx(276, abs=10)


def test_prediction_of_a_lost_face_slows_down_and_grows_unsure() -> None:
    motion = _walk(list(np.arange(0, 2.01, 0.2)), speed=120)
    predictions = [motion.predict(2 + after_s) for after_s in (0.2, 1, 2, 4)]
    travelled = [centre(prediction.box)[0] - 240 for prediction in predictions]
    assert travelled == sorted(travelled)
    assert travelled[-1] < 0.6 * 120 * 4
    assert [prediction.spread for prediction in predictions] == sorted(prediction.spread for prediction in predictions)


def test_prediction_changes_nothing() -> None:
    motion = _walk([0, 0.2, 0.4], speed=50)
    before = motion.predict(1.0)
    motion.predict(3.0)
    assert motion.predict(1.0) == before


@given(scale=st.floats(0.1, 20), speed=st.floats(-300, 300))
def test_prediction_scales_with_the_picture(scale: float, speed: float) -> None:
    times = [0, 0.2, 0.4, 0.7]
    large, small = BoxMotion(_box(0, 0), 0), BoxMotion(_box(0, 0, 100 * scale, 130 * scale), 0)
    for at_s in times[1:]:
        large.update(_box(speed * at_s, 0), at_s)
        small.update(_box(speed * at_s * scale, 0, 100 * scale, 130 * scale), at_s)
    first, second = large.predict(1.0), small.predict(1.0)
    assert np.multiply(first.box, scale) == pytest.approx(second.box, rel=1e-6, abs=1e-6 * scale * 100)
    assert first.spread == pytest.approx(second.spread, rel=1e-6)


def test_iou_known_pairs() -> None:
    boxes: list[Box] = [(0, 0, 10, 10), (5, 0, 15, 10), (20, 20, 30, 30), (3, 3, 3, 3)]
    assert iou(boxes, boxes) == pytest.approx(
        np.array([[1, 1 / 3, 0, 0], [1 / 3, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]])
    )
    assert iou([], boxes).shape == (0, 4)


def test_associate_takes_the_best_pairing_of_all_not_the_best_single_pair() -> None:
    # Both tracks are nearest to the face at 40; giving it to the nearer one would leave the other with nobody near.
    predictions = [Prediction(_box(0, 0), 0.3), Prediction(_box(50, 0), 0.3)]
    assert associate(predictions, [_box(40, 0), _box(110, 0)]) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        (_box(400, 0), "far away"),
        (_box(0, 0, 180, 234), "much larger"),
        (_box(0, 0, 55, 72), "much smaller"),
        (_box(130, 0), "beyond what a sure prediction allows"),
    ],
)
def test_associate_implausible_pair_is_not_made(found: Box, why: str) -> None:
    assert associate([Prediction(_box(0, 0), 0.1)], [found]) == []


def test_associate_an_unsure_prediction_reaches_farther_but_never_to_the_next_seat() -> None:
    unsure = [Prediction(_box(0, 0), 5.0)]
    assert associate(unsure, [_box(130, 0)]) == [(0, 0)]
    assert associate(unsure, [_box(160, 0)]) == []
