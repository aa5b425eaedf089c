"""Video that does not change, encoded and decoded as cameras' video is."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from gend.faces import Face
from monitor.config import FacesConfig
from monitor.ingest import read_file
from monitor.messages import Pixels, TrackObservation
from monitor.tracking import Tracking
from tests.monitor.tracking.scenes import ScriptedDetector, face_at, textured

WIDTH, HEIGHT, FPS = 640, 360, 10
SECONDS = 16
_ROOM = textured(WIDTH, HEIGHT, seed=1)
_FACE = face_at(320, 180, 110)


def write(path: Path, pictures: Iterable[Pixels], *, gop: int = 20) -> Path:
    with av.open(str(path), "w") as container:
        options = {"preset": "veryfast", "crf": "24", "g": str(gop)}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def watched(path: Path, *, px: int = 640) -> list[TrackObservation]:
    """What tracking tells of a face that is followed through the whole of a video."""
    faces: list[Face] = [_FACE]
    tracking = Tracking(
        "tape",
        FacesConfig(analysis_px=px),
        [],
        ScriptedDetector(WIDTH, lambda: faces),
        prepare=lambda aligned: aligned,
        track_ids=(f"t{number}" for number in itertools.count(1)),
    )
    told = []
    for frame in read_file(path, "tape"):
        if tracking.due(frame.at_s):
            told += [message for message in tracking.process(frame) if isinstance(message, TrackObservation)]
    return told


def filmed(seconds: float = SECONDS, *, room: Callable[[float], Pixels] = lambda _: _ROOM) -> Iterable[Pixels]:
    """The room at each moment, by a camera with a sensor's noise."""
    rng = np.random.default_rng(0)
    for number in range(round(seconds * FPS)):
        noise = rng.normal(0, 3, _ROOM.shape)
        yield np.clip(room(number / FPS) + noise, 0, 255).astype(np.uint8)


def blinking(at_s: float) -> Pixels:
    """Closes its eyes for 300 ms every 4 s."""
    picture = _ROOM.copy()
    for x, y in _FACE.landmarks[:2]:
        centre, axes = (round(float(x)), round(float(y))), (11, 5)
        cv2.ellipse(picture, centre, axes, 0, 0, 360, (60, 60, 60), -1)
        if at_s % 4 < 0.3:
            cv2.ellipse(picture, centre, axes, 0, 0, 360, (170, 150, 140), -1)
    return picture


def swaying(at_s: float) -> Pixels:
    """Moves by two pixels to and fro, as who sits still does."""
    return np.roll(_ROOM, round(2 * np.sin(at_s)), axis=1)


def clouded(at_s: float) -> Pixels:
    """The light fades by 20 grey levels."""
    return np.clip(_ROOM.astype(np.int16) - round(20 * at_s / SECONDS), 0, 255).astype(np.uint8)


@pytest.mark.parametrize("room", [lambda _: _ROOM, clouded])
def test_picture_of_a_face_is_told_after_ten_seconds(tmp_path: Path, room: Callable[[float], Pixels]) -> None:
    told = watched(write(tmp_path / "photo.mp4", filmed(room=room)))
    still = [observation.block for observation in told if observation.frozen]
    assert still == list(range(still[0], told[-1].block + 1))
    assert 10 <= still[0] <= 11
    assert {observation.frozen for observation in told} == {(), ("still picture",)}


@pytest.mark.parametrize("room", [blinking, swaying])
def test_face_that_lives_a_little_is_no_picture(tmp_path: Path, room: Callable[[float], Pixels]) -> None:
    told = watched(write(tmp_path / "person.mp4", filmed(room=room)))
    assert len(told) >= SECONDS - 2
    assert not any(observation.frozen for observation in told)


@pytest.mark.parametrize("gop", [20, 5])
def test_frozen_camera_is_told_and_over_when_pictures_change_again(tmp_path: Path, gop: int) -> None:
    live = list(filmed(8, room=blinking))
    pictures = [*live, *[live[-1]] * (12 * FPS), *filmed(12, room=blinking)]
    told = watched(write(tmp_path / "frozen.mp4", pictures, gop=gop))
    frozen = [observation.block for observation in told if observation.frozen]
    assert {observation.frozen for observation in told} == {(), ("duplicate frames",)}
    assert frozen == list(range(frozen[0], frozen[-1] + 1))
    assert 12 <= frozen[0] <= 15  # half of the last ten seconds, of which it has stood still since second 8
    assert 24 <= frozen[-1] <= 27


def test_picture_shown_twice_now_and_then_is_nothing(tmp_path: Path) -> None:
    pictures = list(filmed(room=blinking))
    for number in range(20, len(pictures), 20):  # a stutter of 0.4 s every 2 s
        pictures[number : number + 4] = [pictures[number]] * 4
    told = watched(write(tmp_path / "stutter.mp4", pictures))
    assert not any(observation.frozen for observation in told)
