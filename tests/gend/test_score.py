from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from gend.backbones import DEMO_VIT
from gend.checkpoint import save_checkpoint
from gend.errors import PictureError
from gend.faces import FaceDetector, align
from gend.faces.blazeface import BlazeFace
from gend.model import Detector
from gend.network import GenD
from gend.score import score_file, score_picture, score_video
from tests.gend.fetched import fetched, offer_models
from tests.gend.videos import write_video

Pixels = NDArray[np.uint8]
FACE = slice(40, 230), slice(130, 320)
"""Where the face of `astronaut` is."""


@pytest.fixture(scope="module")
def detector(tmp_path_factory: pytest.TempPathFactory) -> Detector:
    """The demo encoder with first weights, its head turned up so that different crops score differently."""
    torch.manual_seed(0)
    model = GenD(DEMO_VIT)
    with torch.no_grad():
        for parameter in model.head.parameters():
            parameter.mul_(50)
    path = tmp_path_factory.mktemp("weights") / "first.safetensors"
    save_checkpoint(model, path, {})
    return Detector.load(str(path), threads=1)


@pytest.fixture
def faces(monkeypatch: pytest.MonkeyPatch) -> FaceDetector:
    offer_models(monkeypatch)
    return BlazeFace(fetched("blazeface"))


@pytest.fixture
def astronaut(faces: FaceDetector) -> Pixels:
    with Image.open(fetched("astronaut")) as picture:
        return np.asarray(picture.convert("RGB"))


def two_people(astronaut: Pixels, shift: int, *, second: bool = True) -> Pixels:
    """The same face twice, the right one darker, both moving to the right."""
    scene = np.full((360, 640, 3), 90, np.uint8)
    face = astronaut[FACE]
    scene[60:250, 40 + shift : 230 + shift] = face
    if second:
        scene[100:290, 360 + shift : 550 + shift] = face // 2 + 20
    return scene


def test_score_picture(detector: Detector, faces: FaceDetector, astronaut: Pixels) -> None:
    path = fetched("astronaut")
    scored = score_picture(path, detector, faces)
    (face,) = faces.detect(astronaut)
    (logit,) = detector.logits(detector.prepare(align(astronaut, face.landmarks))[None])
    assert scored.mean == pytest.approx(1 / (1 + np.exp(-logit)))
    assert scored.median == scored.mean
    assert (scored.path, scored.frames, scored.faces) == (str(path), 1, 1)
    (track,) = scored.tracks
    assert (track.id, track.frames, track.mean, track.median) == (1, 1, scored.mean, scored.mean)


def test_score_picture_of_six_people(detector: Detector, faces: FaceDetector) -> None:
    scored = score_file(fetched("faces-t1"), detector, faces)
    assert (scored.frames, scored.faces) == (1, 6)
    assert [track.id for track in scored.tracks] == [1, 2, 3, 4, 5, 6]
    means = [track.mean for track in scored.tracks]
    assert scored.mean == pytest.approx(np.mean(means))
    assert scored.median == pytest.approx(np.median(means))


def test_score_picture_of_nobody(detector: Detector, faces: FaceDetector) -> None:
    scored = score_picture(fetched("coffee"), detector, faces)
    assert (scored.faces, scored.mean, scored.median, scored.tracks) == (0, None, None, ())


def test_score_picture_leaves_out_small_faces(
    detector: Detector, faces: FaceDetector, astronaut: Pixels, tmp_path: Path
) -> None:
    small = Image.fromarray(astronaut).resize((160, 160))
    assert len(faces.detect(np.asarray(small))) == 1
    small.save(tmp_path / "small.png")
    assert score_picture(tmp_path / "small.png", detector, faces).faces == 0


def test_score_picture_of_a_video(detector: Detector, faces: FaceDetector, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [np.zeros((64, 64, 3), np.uint8)])
    with pytest.raises(PictureError, match=r"a\.mp4: not a picture"):
        score_picture(video, detector, faces)


def test_score_video_keeps_people_apart(
    detector: Detector, faces: FaceDetector, astronaut: Pixels, tmp_path: Path
) -> None:
    # The second person leaves for a while, and comes back near the same place.
    scenes = [two_people(astronaut, 3 * step, second=not 8 <= step < 14) for step in range(24)]
    video = write_video(tmp_path / "a.mp4", scenes, gop=6)
    scored = score_video(video, detector, faces, frames=12)
    assert scored.frames == 12
    assert [(track.id, track.frames) for track in scored.tracks] == [(1, 12), (2, 9)]
    assert scored.faces == 21
    # Each person is scored as in a video of that person alone.
    left, right = scored.tracks
    alone = write_video(tmp_path / "b.mp4", [scene[:, :330] for scene in scenes], gop=6)
    assert score_file(alone, detector, faces, frames=12).mean == pytest.approx(left.mean, abs=0.02)
    assert abs(left.mean - right.mean) > 0.04
    assert scored.mean == pytest.approx((left.mean * 12 + right.mean * 9) / 21)


def test_score_video_a_face_elsewhere_is_another(
    detector: Detector, faces: FaceDetector, astronaut: Pixels, tmp_path: Path
) -> None:
    there = two_people(astronaut, 0, second=False)
    video = write_video(tmp_path / "a.mp4", [there] * 4 + [np.ascontiguousarray(there[:, ::-1])] * 4, gop=4)
    scored = score_video(video, detector, faces, frames=8)
    assert [track.frames for track in scored.tracks] == [4, 4]


def test_score_video_of_other_files(detector: Detector, faces: FaceDetector, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing to see")
    with pytest.raises(PictureError, match=r"notes\.txt: cannot read it as a picture or video"):
        score_file(path, detector, faces)
