"""Tracking on recordings of real people, with the real face detector."""

from __future__ import annotations

import itertools
from pathlib import Path

import pytest

from gend.errors import FetchError
from gend.faces import FaceDetector
from gend.faces.blazeface import BlazeFace
from gend.faces.yunet import YuNet
from gend.fetch import fetch
from monitor.config import FacesConfig
from monitor.ingest import read_file
from monitor.messages import Crop, Tracked, TrackObservation
from monitor.tracking import Tracking

_BOTH = "head-pose-face-detection-female-and-male.mp4"


@pytest.fixture
def yunet(assets: Path) -> FaceDetector:
    return YuNet(assets / "models" / "yunet_n_640_640.onnx")


@pytest.fixture
def blazeface() -> FaceDetector:
    try:
        return BlazeFace(fetch("blazeface"))
    except FetchError as error:
        pytest.skip(str(error))


def _run(clip: Path, detector: FaceDetector, config: FacesConfig) -> list[Tracked]:
    tracking = Tracking(
        "tape",
        config,
        [],
        detector,
        prepare=lambda aligned: aligned,
        track_ids=(f"t{number}" for number in itertools.count(1)),
    )
    messages: list[Tracked] = []
    at_s = 0.0
    for frame in read_file(clip, "tape"):
        at_s = frame.at_s
        if tracking.due(at_s):
            messages += tracking.process(frame)
    return messages + tracking.flush(at_s)


def _presence_s(messages: list[Tracked]) -> dict[str, float]:
    """Seconds for which each track was seen."""
    presence_s: dict[str, float] = {}
    for message in messages:
        if isinstance(message, TrackObservation):
            presence_s[message.track] = presence_s.get(message.track, 0) + message.present_s
    return presence_s


@pytest.mark.parametrize(("name", "fps"), [("yunet", 5.0), ("yunet", 1.0), ("blazeface", 5.0)])
def test_two_faces_are_two_tracks_for_the_whole_clip(
    assets: Path, request: pytest.FixtureRequest, name: str, fps: float
) -> None:
    messages = _run(assets / "media" / _BOTH, request.getfixturevalue(name), FacesConfig(analysis_fps=fps))
    assert _presence_s(messages) == {"t1": pytest.approx(4.6, abs=1), "t2": pytest.approx(4.6, abs=1)}
    crops = [message for message in messages if isinstance(message, Crop)]
    for track in ("t1", "t2"):
        assert sum(crop.track == track for crop in crops) >= 4
    assert all(0 <= crop.quality <= 1 and crop.width_px >= 90 for crop in crops)


@pytest.mark.parametrize(
    ("clip", "tracks", "crops"),
    [
        ("face-demographics-walking.mp4", 2, 0),  # two people far away, too small to judge
        ("head-pose-face-detection-female.mp4", 1, 2),
        ("head-pose-face-detection-male.mp4", 1, 5),
    ],
)
def test_tracks_and_crops_per_clip(assets: Path, yunet: FaceDetector, clip: str, tracks: int, crops: int) -> None:
    messages = _run(assets / "media" / clip, yunet, FacesConfig())
    assert len(_presence_s(messages)) == tracks
    assert sum(isinstance(message, Crop) for message in messages) == crops
    ended = [message for message in messages if isinstance(message, TrackObservation) and message.ended]
    assert len(ended) == tracks
