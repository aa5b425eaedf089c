from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image

from gend.backbones import DEMO_VIT
from gend.checkpoint import save_checkpoint
from gend.errors import GendError, PictureError
from gend.faces import Face, FaceDetector, align
from gend.faces.blazeface import BlazeFace
from gend.model import Detector
from gend.network import GenD
from gend.score import FaceChoice, score_frames, score_image, score_video, still
from gend.video import Frame, Sampling, Video
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


@pytest.fixture(scope="module")
def faces() -> FaceDetector:
    with pytest.MonkeyPatch.context() as patch:
        offer_models(patch)
        return BlazeFace(fetched("blazeface"))


@pytest.fixture(scope="module")
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


def test_score_image(detector: Detector, faces: FaceDetector, astronaut: Pixels) -> None:
    path = fetched("astronaut")
    scored = score_image(path, detector, faces)
    (face,) = faces.detect(astronaut)
    (logit,) = detector.logits(detector.prepare(align(astronaut, face.landmarks))[None])
    assert scored.mean == pytest.approx(1 / (1 + np.exp(-logit)))
    assert scored.median == scored.mean
    assert (scored.path, scored.frames, scored.faces, scored.left_out) == (str(path), 1, 1, 0)
    (track,) = scored.tracks
    assert (track.id, track.frames, track.mean, track.median) == (1, 1, scored.mean, scored.mean)
    (found,) = scored.details
    assert (found.frame, found.at_s, found.track) == (0, 0.0, 1)
    assert (found.box, found.confidence) == (face.box, face.confidence)
    assert found.logit == pytest.approx(logit)
    assert found.p_fake == scored.mean


def test_score_image_in_memory(detector: Detector, faces: FaceDetector, astronaut: Pixels) -> None:
    of_file = score_image(fetched("astronaut"), detector, faces)
    for picture in (astronaut, Image.fromarray(astronaut).convert("RGBA"), np.array(astronaut[::-1])[::-1]):
        assert score_image(picture, detector, faces) == replace(of_file, path=None)


def test_score_image_of_six_people(detector: Detector, faces: FaceDetector) -> None:
    scored = score_image(str(fetched("faces-t1")), detector, faces)
    assert (scored.frames, scored.faces) == (1, 6)
    assert [track.id for track in scored.tracks] == [face.track for face in scored.details] == [1, 2, 3, 4, 5, 6]
    edges = [face.box[0] for face in scored.details]
    assert edges == sorted(edges), "numbered from left to right"
    means = [track.mean for track in scored.tracks]
    assert scored.mean == pytest.approx(np.mean(means))
    assert scored.median == pytest.approx(np.median(means))


def test_score_image_the_largest_face(detector: Detector, faces: FaceDetector) -> None:
    everybody = score_image(fetched("faces-t1"), detector, faces)
    largest = max(everybody.details, key=lambda face: (face.box[2] - face.box[0]) * (face.box[3] - face.box[1]))
    (found,) = score_image(fetched("faces-t1"), detector, faces, largest=True).details
    assert found.box == largest.box


def test_so_many_faces_at_the_most_are_the_largest_from_left_to_right(detector: Detector, faces: FaceDetector) -> None:
    everybody = score_image(fetched("faces-t1"), detector, faces).details
    with Image.open(fetched("faces-t1")) as picture:
        frames = [still(np.asarray(picture.convert("RGB")))]
    (scored,) = score_frames(frames, detector, faces, FaceChoice(most=3))
    largest = sorted(everybody, key=lambda face: -(face.box[2] - face.box[0]) * (face.box[3] - face.box[1]))[:3]
    assert [face.box for face in scored.faces] == sorted(face.box for face in largest)
    assert scored.left_out == 0, "as with the largest alone, the others are not meant"


def test_score_image_of_nobody(detector: Detector, faces: FaceDetector) -> None:
    scored = score_image(fetched("coffee"), detector, faces)
    assert (scored.faces, scored.mean, scored.median, scored.tracks, scored.left_out) == (0, None, None, (), 0)


def test_score_image_leaves_out_small_faces(detector: Detector, faces: FaceDetector, astronaut: Pixels) -> None:
    small = Image.fromarray(astronaut).resize((160, 160))
    scored = score_image(small, detector, faces)
    assert (scored.faces, scored.left_out) == (0, 1)
    assert score_image(small, detector, faces, min_face_px=20).faces == 1


def test_score_image_leaves_out_what_cannot_be_aligned(detector: Detector, astronaut: Pixels) -> None:
    class OneOfTwoIsNone:
        name = "stub"
        degraded = None

        def detect(self, picture: Pixels) -> list[Face]:
            point = np.full((5, 2), 150, np.float32)
            box = (130.0, 40.0, 320.0, 230.0)
            eyes_nose_mouth = [[180, 110], [250, 110], [220, 150], [190, 180], [250, 180]]
            return [Face(box, point, 0.9), Face(box, np.array(eyes_nose_mouth, np.float32), 0.8)]

    scored = score_image(astronaut, detector, OneOfTwoIsNone())
    assert (scored.faces, scored.left_out) == (1, 1)
    assert scored.details[0].confidence == 0.8


@pytest.mark.parametrize(
    "picture", [np.zeros((64, 64), np.uint8), np.zeros((64, 64, 3), np.float32), np.zeros((0, 64, 3), np.uint8)]
)
def test_score_image_of_other_arrays(detector: Detector, faces: FaceDetector, picture: Pixels) -> None:
    with pytest.raises(PictureError, match="picture: expected RGB uint8"):
        score_image(picture, detector, faces)


def test_score_image_of_a_video(detector: Detector, faces: FaceDetector, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [np.zeros((64, 64, 3), np.uint8)])
    with pytest.raises(PictureError, match=r"a\.mp4: not a picture"):
        score_image(video, detector, faces)


def test_score_image_by_an_encoder_that_answers_nonsense(
    detector: Detector, faces: FaceDetector, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(detector, "logits", lambda crops: np.full(len(crops), np.nan, np.float32))
    with pytest.raises(GendError, match=r"first\.safetensors: the encoder's answer is not a number"):
        score_image(fetched("astronaut"), detector, faces)


def test_score_video_keeps_people_apart(
    detector: Detector, faces: FaceDetector, astronaut: Pixels, tmp_path: Path
) -> None:
    # The second person leaves for a while, and comes back near the same place.
    scenes = [two_people(astronaut, 3 * step, second=not 8 <= step < 14) for step in range(24)]
    video = write_video(tmp_path / "a.mp4", scenes, gop=6)
    scored = score_video(video, detector, faces, stride=2)
    assert scored.frames == 12
    assert [(track.id, track.frames) for track in scored.tracks] == [(1, 12), (2, 9)]
    assert scored.faces == 21
    # Each person is scored as in a video of that person alone.
    left, right = scored.tracks
    assert left.first_s == 0
    assert left.last_s == pytest.approx(22 / 25)
    alone = write_video(tmp_path / "b.mp4", [scene[:, :330] for scene in scenes], gop=6)
    assert score_video(alone, detector, faces, stride=2).mean == pytest.approx(left.mean, abs=0.02)
    assert abs(left.mean - right.mean) > 0.04
    assert scored.mean == pytest.approx((left.mean * 12 + right.mean * 9) / 21)


def test_score_video_details(detector: Detector, faces: FaceDetector, astronaut: Pixels, tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.mp4", [two_people(astronaut, 3 * step) for step in range(12)])
    scored = score_video(video, detector, faces, stride=4, details=True)
    assert [face.frame for face in scored.details] == [0, 0, 4, 4, 8, 8]
    assert all(face.at_s == pytest.approx(face.frame / 25) for face in scored.details)
    for track in scored.tracks:
        of_it = [face for face in scored.details if face.track == track.id]
        assert track.mean == pytest.approx(np.mean([face.p_fake for face in of_it]))
        assert np.diff([face.box[0] for face in of_it]) == pytest.approx([12, 12], abs=4)
    assert score_video(video, detector, faces, stride=4) == replace(scored, details=())


def test_score_video_is_the_same_in_any_batch(
    detector: Detector, faces: FaceDetector, astronaut: Pixels, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "a.mp4", [two_people(astronaut, 5 * step) for step in range(11)])
    whole = score_video(video, detector, faces, stride=1, details=True)
    assert whole.faces == 22
    for face in whole.details[::5]:
        frame = next(itertools.islice(Video(video).frames(Sampling(stride=1)), face.frame, None))
        again = score_image(frame.pixels, detector, faces)
        assert min(abs(other.logit - face.logit) for other in again.details) < 1e-4


def test_score_video_tells_how_far_it_is(
    detector: Detector, faces: FaceDetector, astronaut: Pixels, tmp_path: Path
) -> None:
    video = write_video(tmp_path / "a.mp4", [two_people(astronaut, 0)] * 6)
    told: list[tuple[int, int]] = []
    score_video(video, detector, faces, frames=4, progress=lambda done, due: told.append((done, due)))
    assert told == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_score_video_of_other_files(detector: Detector, faces: FaceDetector, tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_text("nothing to see")
    with pytest.raises(PictureError, match=r"notes\.txt: cannot read it as a picture or video"):
        score_video(path, detector, faces)


def test_score_frames_waits_for_few(detector: Detector, faces: FaceDetector, astronaut: Pixels) -> None:
    read = 0

    def frames() -> Iterator[Frame]:
        nonlocal read
        for read in range(1, 101):
            sampled = read % 50 == 1
            yield Frame(read - 1, read / 25, astronaut, sampled=sampled)

    for number, scored in enumerate(score_frames(frames(), detector, faces, FaceChoice(), keep_pixels=True)):
        assert read - number <= 8
        assert scored.frame.number == number
        assert len(scored.faces) == (number in (0, 50))
        assert scored.frame.pixels is astronaut
    assert read == 100


def test_score_frames_gives_no_pixels_back(detector: Detector, faces: FaceDetector, astronaut: Pixels) -> None:
    frames = (Frame(number, number / 25, astronaut, sampled=True) for number in range(9))
    scored = list(score_frames(frames, detector, faces, FaceChoice()))
    assert [frame.frame.pixels.size for frame in scored] == [0] * 9
    assert all(len(frame.faces) == 1 for frame in scored)
