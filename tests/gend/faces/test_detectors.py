from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gend.catalogue import CATALOGUE
from gend.errors import FetchError, PictureError, WeightsError
from gend.faces import Face, FaceDetector, alignment, load_detector
from gend.faces.align import TEMPLATE
from gend.faces.blazeface import BlazeFace
from gend.faces.boxes import shared_area
from gend.faces.yunet import YuNet
from tests.gend.fetched import fetched, offer_models

MakeDetector = Callable[[Path], FaceDetector]
MAKE: dict[str, MakeDetector] = {"yunet": YuNet, "blazeface": BlazeFace}


@pytest.fixture(autouse=True)
def models(monkeypatch: pytest.MonkeyPatch) -> None:
    offer_models(monkeypatch)


@pytest.fixture(scope="module", params=["yunet", "blazeface"])
def detector(request: pytest.FixtureRequest) -> FaceDetector:
    with pytest.MonkeyPatch.context() as patched:
        offer_models(patched)
        return MAKE[request.param](fetched(request.param))


def read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as picture:
        return np.asarray(picture.convert("RGB"))


def iou(face: Face, box: tuple[float, float, float, float]) -> float:
    return float(shared_area(np.array(face.box, np.float32), np.array([box], np.float32))[0])


def refuse_the_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, *files: Path) -> None:
    """Nothing answers, nothing is cached, and `GEND_MODELS` holds copies of `files` only."""
    folder = tmp_path / "models"
    folder.mkdir()
    for file in files:
        shutil.copy(file, folder)
    monkeypatch.setenv("GEND_MODELS", str(folder))
    monkeypatch.setenv("GEND_CACHE", str(tmp_path / "cache"))
    for scheme in ("http", "https"):
        monkeypatch.setenv(f"{scheme}_proxy", "http://127.0.0.1:9")


def test_detect_portrait(detector: FaceDetector) -> None:
    (face,) = detector.detect(read(fetched("astronaut")))
    assert iou(face, (178, 65, 269, 176)) > 0.7
    assert face.confidence > 0.8
    # By eye, in the order that `Face` promises.
    points = [(203, 104), (247, 105), (223, 128), (204, 144), (243, 145)]
    assert np.abs(face.landmarks - np.array(points)).max() < 9
    assert face.landmarks.dtype == np.float32


def test_detect_six_people(detector: FaceDetector) -> None:
    faces = detector.detect(read(fetched("faces-t1")))
    people = [(55, 267, 159, 393), (271, 146, 368, 271), (464, 270, 572, 413)]
    people += [(746, 344, 848, 477), (901, 55, 1005, 204), (1131, 271, 1227, 400)]
    assert [sum(iou(face, person) > 0.5 for face in faces) for person in people] == [1] * 6
    assert len(faces) == 6
    certain = [face.confidence for face in faces]
    assert certain == sorted(certain, reverse=True)


@pytest.mark.parametrize("name", ["coffee", "brick", "cat", "rocket"])
def test_detect_nobody(detector: FaceDetector, name: str) -> None:
    assert detector.detect(read(fetched(name))) == []


def test_detect_every_person_of_the_assets(detector: FaceDetector, assets: Path) -> None:
    pictures = sorted((assets / "faces").glob("*.jpg"))
    assert len(pictures) == 65
    missed = []
    # A few sizes for all of them, one after the other, since YuNet is compiled for each.
    for path, picture in sorted(((path, padded(read(path))) for path in pictures), key=lambda each: each[1].shape):
        if not detector.detect(picture):
            missed.append(path.name)
    assert missed == []


def padded(picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """As it is, in the upper left corner of one whose sides are multiples of 320 px."""
    return np.pad(picture, ((0, -picture.shape[0] % 320), (0, -picture.shape[1] % 320), (0, 0)))


def test_detect_enlarged_picture(detector: FaceDetector) -> None:
    picture = read(fetched("astronaut"))
    large = cv2.resize(picture, (1536, 1536), interpolation=cv2.INTER_CUBIC).astype(np.uint8)
    (face,), (other,) = detector.detect(picture), detector.detect(large)
    assert iou(other, (face.box[0] * 3, face.box[1] * 3, face.box[2] * 3, face.box[3] * 3)) > 0.9
    assert np.abs(other.landmarks - face.landmarks * 3).max() < 12


def test_detect_part_of_an_array(detector: FaceDetector) -> None:
    picture = read(fetched("astronaut"))
    view = np.flip(np.flip(picture, axis=2)[:300], axis=2)[:, 100:400]
    assert not view.flags["C_CONTIGUOUS"]
    (face,) = detector.detect(view)
    assert iou(face, (78, 65, 169, 176)) > 0.7


@pytest.mark.parametrize("shape", [(1, 1), (7, 33), (20, 3000), (3000, 3)])
def test_detect_odd_sizes(detector: FaceDetector, shape: tuple[int, int]) -> None:
    assert detector.detect(np.full((*shape, 3), 90, np.uint8)) == []


@pytest.mark.parametrize(
    "picture",
    [np.zeros((64, 64), np.uint8), np.zeros((64, 64, 4), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)],
    ids=["grey", "alpha", "floats", "empty"],
)
def test_detect_not_a_picture(detector: FaceDetector, picture: NDArray[np.uint8]) -> None:
    with pytest.raises(PictureError, match="picture"):
        detector.detect(picture)


def test_yunet_agrees_with_opencv(assets: Path) -> None:
    path = fetched("yunet")
    ours, theirs = YuNet(path), cv2.FaceDetectorYN.create(str(path), "", (320, 320), 0.5, 0.3)
    for file in sorted((assets / "faces").glob("*.jpg"))[::8]:
        picture = read(file)
        theirs.setInputSize(picture.shape[1::-1])
        _, rows = theirs.detect(cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))
        faces = ours.detect(picture)
        assert len(faces) == len(rows)
        for face, row in zip(faces, sorted(rows, key=lambda row: -row[14]), strict=True):
            x, y, width, height = row[:4]
            assert face.box == pytest.approx((x, y, x + width, y + height), abs=0.1)
            assert face.landmarks == pytest.approx(row[4:14].reshape(5, 2), abs=0.1)
            assert face.confidence == pytest.approx(row[14], abs=1e-3)


def test_yunet_after_more_sizes_than_it_keeps() -> None:
    detector = YuNet(fetched("yunet"))
    picture = read(fetched("astronaut"))
    first = detector.detect(picture)[0].box
    for height in range(200, 500, 40):
        assert detector.detect(picture[:height])[0].box == pytest.approx(first, abs=8)
    assert detector.detect(picture)[0].box == first


def test_threshold() -> None:
    picture = read(fetched("faces-t1"))
    certain = [face.confidence for face in YuNet(fetched("yunet")).detect(picture)]
    between = (certain[2] + certain[3]) / 2
    assert [face.confidence for face in YuNet(fetched("yunet"), threshold=between).detect(picture)] == certain[:3]


def test_blazeface_sees_small_faces_of_a_wide_picture() -> None:
    wide = np.zeros((360, 640, 3), np.uint8)
    wide[:194, :280] = cv2.resize(read(fetched("faces-t1")), (280, 194), interpolation=cv2.INTER_AREA)
    # Six faces of 3.5 % of the width; shown the whole picture only, the network sees none of them.
    assert len(BlazeFace(fetched("blazeface")).detect(wide)) >= 4


def test_blazeface_crop_is_near_yunet_s() -> None:
    picture = read(fetched("astronaut"))
    (three,), (five,) = (MAKE[name](fetched(name)).detect(picture) for name in ("blazeface", "yunet"))
    expected, native = alignment(five.landmarks)
    matrix, size = alignment(three.landmarks, native)
    places = ((TEMPLATE - 0.5) / 1.3 + 0.5) * native
    inverse = cv2.invertAffineTransform(expected)
    moved = (places @ inverse[:, :2].T + inverse[:, 2]) @ matrix[:, :2].T + matrix[:, 2]
    assert np.linalg.norm(moved - places, axis=1).max() < 0.08 * size
    assert abs(alignment(three.landmarks)[1] / native - 1) < 0.1


@pytest.mark.parametrize("name", ["yunet", "blazeface"])
def test_other_files(name: str, tmp_path: Path) -> None:
    make = MAKE[name]
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x07not a network")
    other = fetched("blazeface" if name == "yunet" else "yunet")
    for path in (tmp_path / "missing.onnx", broken, other):
        with pytest.raises(WeightsError, match=path.name):
            make(path)


@pytest.mark.parametrize(("name", "kind"), [("auto", YuNet), ("yunet", YuNet), ("blazeface", BlazeFace)])
def test_load_detector(name: str, kind: type) -> None:
    fetched("yunet"), fetched("blazeface")
    warnings: list[str] = []
    detector = load_detector(name, warn=warnings.append)
    assert isinstance(detector, kind)
    assert warnings == []


def test_load_detector_auto_without_yunet(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refuse_the_network(monkeypatch, tmp_path, fetched("blazeface"))
    warnings: list[str] = []
    detector = load_detector("auto", warn=warnings.append)
    assert detector.name == "blazeface"
    assert detector.degraded == "face detector BlazeFace: small faces are missed"
    assert len(warnings) == 1
    assert warnings[0].startswith("face detector BlazeFace: small faces are missed; yunet: cannot fetch it ")
    assert "\n" not in warnings[0]


def test_load_detector_yunet_is_not_replaced(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refuse_the_network(monkeypatch, tmp_path, fetched("blazeface"))
    with pytest.raises(FetchError, match=r"^yunet: cannot fetch it "):
        load_detector("yunet", warn=pytest.fail)


def test_load_detector_auto_without_any(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    refuse_the_network(monkeypatch, tmp_path)
    blazeface = Path(os.environ["GEND_MODELS"]) / CATALOGUE["blazeface"].file
    blazeface.write_bytes(b"something else")
    with pytest.raises(FetchError, match=r"no face detector to be had: yunet: .*; blazeface: ") as raised:
        load_detector("auto", warn=pytest.fail)
    assert "\n" not in str(raised.value)
