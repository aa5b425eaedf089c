from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gend.data.extract import CannotWriteError, Cut, Extracted, extract
from gend.data.face_choice import choose_face, usable_faces
from gend.data.source_videos import SourceVideo
from gend.data.spread import FrameChoice, spread_order
from gend.errors import PictureError
from gend.faces import Face, align, load_detector
from gend.faces.align import TEMPLATE
from gend.media import read_picture
from gend.video import Sampling, Video
from tests.gend.fetched import fetched, offer_models
from tests.gend.videos import number_of, numbered, write_video

Pixels = NDArray[np.uint8]
VIDEO = SourceVideo("set/swap/v", ("v.mp4",), pair="set/real/v")
LEFT, RIGHT = (4.0, 8.0, 44.0, 56.0), (50.0, 8.0, 94.0, 56.0)  # the right one is larger
EVERY = Cut(FrameChoice("fixed_stride"), min_face_px=20)


class Finder:
    """Finds boxes by rule in pictures of 96 x 64."""

    name = "finder"
    degraded = None

    def __init__(self, boxes: Callable[[Pixels], Sequence[tuple[float, float, float, float]]]) -> None:
        self._boxes = boxes
        self.looked_at: list[int] = []

    def detect(self, picture: Pixels) -> list[Face]:
        self.looked_at.append(number_of(picture))
        return [face(box) for box in self._boxes(picture)]


def face(box: tuple[float, float, float, float]) -> Face:
    x0, y0, x1, y1 = box
    return Face(box, (TEMPLATE * (x1 - x0, y1 - y0) + (x0, y0)).astype(np.float32), 0.9)


def everywhere(*boxes: tuple[float, float, float, float]) -> Finder:
    return Finder(lambda picture: boxes)


@pytest.fixture
def src(tmp_path: Path) -> Path:
    write_video(tmp_path / "v.mp4", numbered(20))
    return tmp_path


def read(path: Path) -> Pixels:
    picture = read_picture(path)
    assert picture is not None
    return picture


def frames(extracted: Extracted) -> list[int]:
    return [record.frame for record in extracted.records]


def kinds(extracted: Extracted) -> list[tuple[int | None, str]]:
    return [(problem.frame, problem.kind) for problem in extracted.problems]


def test_crops_of_a_real_face_are_as_aligned_by_hand(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer_models(monkeypatch)
    fetched("yunet")
    detector = load_detector("yunet", warn=print)
    picture = np.asarray(Image.open(fetched("astronaut")).convert("RGB"))[20:276, 96:352]
    write_video(tmp_path / "v.mp4", [np.roll(picture, 2 * step, axis=1) for step in range(9)])
    extracted = extract(VIDEO, tmp_path, tmp_path / "out", detector, Cut(FrameChoice(frames=3), scale=1.5, size=100))
    assert frames(extracted) == [0, 4, 8]
    assert (extracted.looked_at, extracted.problems) == (3, ())
    for record, frame in zip(extracted.records, Video(tmp_path / "v.mp4").frames(Sampling(frames=3)), strict=True):
        path = tmp_path / "out" / Path(record.crop).name
        (found,) = detector.detect(frame.pixels)
        assert np.array_equal(read(path), align(frame.pixels, found.landmarks, size=100, scale=1.5))
        assert record.crop == f"set/swap/v/{frame.number:06d}.png"
        assert record.crop_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
        assert record.file_sha256 == hashlib.sha256((tmp_path / "v.mp4").read_bytes()).hexdigest()
        assert record.box == pytest.approx(found.box, abs=0.01)
        assert np.allclose(record.landmarks, found.landmarks, atol=0.01)
        assert record.at_s == pytest.approx(frame.number / 25)
        assert (record.pair, record.detector) == (VIDEO.pair, "yunet")
    extract(VIDEO, tmp_path, tmp_path / "native", detector, Cut(FrameChoice(frames=1)))
    first = next(Video(tmp_path / "v.mp4").frames(Sampling(frames=1)))
    native = align(first.pixels, detector.detect(first.pixels)[0].landmarks)
    assert np.array_equal(read(tmp_path / "native" / "000000.png"), native)


@pytest.mark.parametrize("wanted", [1, 3, 5, 12, 40])
def test_at_least_visits_in_spread_order_until_there_are_enough(src: Path, wanted: int) -> None:
    def in_some(picture: Pixels) -> list[tuple[float, float, float, float]]:
        return [LEFT] if number_of(picture) % 3 == 0 else []

    visited, found = [], []
    for number in spread_order(20):
        visited.append(number)
        found += [number] if number % 3 == 0 else []
        if len(found) == wanted:
            break
    finder = Finder(in_some)
    extracted = extract(VIDEO, src, src / "out", finder, Cut(FrameChoice("at_least", wanted), min_face_px=20))
    assert frames(extracted) == sorted(found)
    assert kinds(extracted) == [(number, "no face") for number in sorted(set(visited) - set(found))]
    assert extracted.looked_at == len(visited)
    assert sorted(path.stem for path in (src / "out").iterdir()) == [f"{number:06d}" for number in sorted(found)]
    assert len(finder.looked_at) == len(set(finder.looked_at)) <= 2 * len(visited)


def test_the_largest_face_is_taken_unless_it_is_too_small_or_outside(src: Path) -> None:
    extracted = extract(VIDEO, src, src / "a", everywhere(LEFT, RIGHT), replace(EVERY, frames=FrameChoice(frames=1)))
    assert extracted.records[0].box == RIGHT
    assert [found.box for found in usable_faces([face(LEFT), face(RIGHT)], 42, (64, 96))] == [RIGHT]
    outside = (60.0, 8.0, 160.0, 90.0)
    few = everywhere(outside, LEFT)
    assert extract(VIDEO, src, src / "b", few, replace(EVERY, frames=FrameChoice(frames=1))).records[0].box == LEFT
    none = extract(VIDEO, src, src / "c", everywhere(outside), replace(EVERY, frames=FrameChoice(frames=2)))
    assert kinds(none) == [(0, "no face large enough"), (19, "no face large enough")]
    assert not (src / "c").exists()


def masks_of(src: Path, *lit: tuple[float, float, float, float] | None) -> SourceVideo:
    """Of each frame what is lit, at half of the size."""
    pictures = []
    for box in lit:
        picture = np.zeros((32, 48, 3), np.uint8)
        if box is not None:
            x0, y0, x1, y1 = (round(edge / 2) for edge in box)
            picture[y0:y1, x0:x1] = 255
        pictures.append(picture)
    write_video(src / "mask.mp4", pictures)
    return replace(VIDEO, masks=("mask.mp4",))


def test_a_mask_says_which_face_and_that_there_is_none(src: Path) -> None:
    video = masks_of(src, *[LEFT] * 8, *[RIGHT] * 8, *[None] * 4)
    extracted = extract(video, src, src / "out", everywhere(LEFT, RIGHT), EVERY)
    assert [record.box for record in extracted.records] == [LEFT] * 8 + [RIGHT] * 8
    assert kinds(extracted) == [(number, "no face under the mask") for number in range(16, 20)]
    without = extract(video, src, src / "without", everywhere(LEFT, RIGHT), replace(EVERY, masks=False))
    assert [record.box for record in without.records] == [RIGHT] * 20


def test_choose_face_of_equals_takes_the_largest() -> None:
    mask = np.zeros((64, 96, 3), np.uint8)
    assert choose_face([face(LEFT)], mask, (64, 96)) is None
    assert choose_face([], mask, (64, 96)) is choose_face([], None, (64, 96)) is None
    mask[20:24, 20:24] = mask[20:24, 60:64] = 255
    chosen = choose_face([face(LEFT), face(RIGHT)], mask, (64, 96))
    assert chosen is not None
    assert chosen.box == RIGHT


def test_a_mask_of_another_length_is_refused(src: Path) -> None:
    with pytest.raises(PictureError, match=r"v\.mp4: it has 20 frames, but its mask mask\.mp4 has 3"):
        extract(masks_of(src, LEFT, LEFT, LEFT), src, src / "out", everywhere(LEFT), EVERY)
    (src / "mask.mp4").write_bytes(b"no video")
    with pytest.raises(PictureError, match=r"v\.mp4: its mask: .*mask\.mp4: cannot read it"):
        extract(replace(VIDEO, masks=("mask.mp4",)), src, src / "out", everywhere(LEFT), EVERY)


def test_damaged_frames_are_told_and_the_others_cut(src: Path) -> None:
    noise = np.random.default_rng(0)
    write_video(src / "v.mp4", [noise.integers(0, 255, (64, 96, 3), np.uint8) for _ in range(20)])
    content = bytearray((src / "v.mp4").read_bytes())
    middle = slice(len(content) * 4 // 10, len(content) * 6 // 10)
    content[middle] = noise.integers(0, 256, middle.stop - middle.start, np.uint8).tobytes()
    (src / "v.mp4").write_bytes(content)
    extracted = extract(VIDEO, src, src / "out", everywhere(LEFT), EVERY)
    damaged = [number for number, _ in kinds(extracted) if number is not None]
    assert damaged
    assert {kind for _, kind in kinds(extracted)} == {"damaged"}
    assert sorted([*frames(extracted), *damaged]) == list(range(20))


@pytest.mark.parametrize("choice", [FrameChoice(), FrameChoice("at_least", 3)])
def test_nothing_can_be_decoded(src: Path, choice: FrameChoice) -> None:
    content = (src / "v.mp4").read_bytes()
    start = content.index(b"mdat") + 4
    end = content.index(b"moov") - 4
    (src / "v.mp4").write_bytes(content[:start] + b"\xff" * (end - start) + content[end:])
    with pytest.raises(PictureError, match=r"v\.mp4: no frame of this video can be decoded"):
        extract(VIDEO, src, src / "out", everywhere(LEFT), Cut(choice))


def test_pictures_as_the_frames_of_a_video(tmp_path: Path) -> None:
    for number, picture in enumerate(numbered(5)):
        cv2.imwrite(str(tmp_path / f"f{number}.png"), picture)
    (tmp_path / "f2.png").write_bytes(b"no picture")
    video = SourceVideo("set/swap/v", tuple(f"f{number}.png" for number in range(5)))
    extracted = extract(video, tmp_path, tmp_path / "out", everywhere(LEFT), EVERY)
    assert [(record.crop, record.file, record.frame) for record in extracted.records] == [
        (f"set/swap/v/f{number}.png", f"f{number}.png", 0) for number in (0, 1, 3, 4)
    ]
    (problem,) = extracted.problems
    assert str(problem) == "f2.png: damaged: not a picture, whatever its name says, or damaged from the start"
    assert problem.severity == "error", "a picture that should have been prepared"
    few = extract(video, tmp_path, tmp_path / "few", everywhere(LEFT), replace(EVERY, frames=FrameChoice(frames=2)))
    assert [record.file for record in few.records] == ["f0.png", "f4.png"]
    with pytest.raises(PictureError, match=r"f2\.png: not a picture"):
        extract(SourceVideo("set/swap/f2", ("f2.png",)), tmp_path, tmp_path / "o", everywhere(LEFT), EVERY)
    with pytest.raises(PictureError, match="nothing of it can be read"):
        extract(SourceVideo("set/swap/x", ("f2.png", "f2.png")), tmp_path, tmp_path / "o", everywhere(LEFT), EVERY)


def test_pictures_may_have_masks_or_not(tmp_path: Path) -> None:
    for number, picture in enumerate(numbered(2)):
        cv2.imwrite(str(tmp_path / f"f{number}.png"), picture)
    mask = np.zeros((64, 96, 3), np.uint8)
    mask[10:50, 10:40] = 255
    cv2.imwrite(str(tmp_path / "m.png"), mask)
    video = SourceVideo("set/swap/v", ("f0.png", "f1.png"), masks=("m.png", None))
    extracted = extract(video, tmp_path, tmp_path / "out", everywhere(LEFT, RIGHT), EVERY)
    assert [record.box for record in extracted.records] == [LEFT, RIGHT]


def test_a_file_that_changes_meanwhile_is_not_trusted(src: Path) -> None:
    def touched(picture: Pixels) -> list[tuple[float, float, float, float]]:
        (src / "v.mp4").touch()
        return [LEFT]

    with pytest.raises(PictureError, match="it changed while it was read"):
        extract(VIDEO, src, src / "out", Finder(touched), EVERY)


def test_a_folder_that_cannot_be_written_to(src: Path) -> None:
    (src / "out").write_text("a file")
    with pytest.raises(CannotWriteError, match=r"out/000000\.png: cannot be written"):
        extract(VIDEO, src, src / "out", everywhere(LEFT), EVERY)


def test_progress_is_told(src: Path) -> None:
    told: list[tuple[int, int]] = []
    cut = replace(EVERY, frames=FrameChoice(frames=3))
    extract(VIDEO, src, src / "out", everywhere(LEFT), cut, told=lambda done, total: told.append((done, total)))
    assert told == [(1, 3), (2, 3), (3, 3)]
