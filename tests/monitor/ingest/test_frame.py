from __future__ import annotations

from pathlib import Path

import av
import cv2
import numpy as np
import psutil
import pytest

from monitor.ingest import AvFrame, read_file
from monitor.ingest.frame import Converter
from monitor.messages import Frame, Pixels
from tests.monitor.ingest.clips import make_clip, yuv_picture

FORMATS = [
    "yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuv411p", "yuv420p10le", "yuv422p10le", "gray",
    "gray10le", "gbrp", "nv12", "nv21", "p010le", "yuyv422", "bgr24", "rgb0",
]  # fmt: skip
BOXES = [(100.0, 60.0, 300.0, 200.0), (101.4, 61.6, 172.2, 133.1), (0.0, 0.0, 1.0, 1.0), (300.0, 150.0, 900.0, 900.0)]


def av_frame(picture: av.VideoFrame) -> AvFrame:
    return AvFrame("lobby", 0, 0.0, 0.0, True, picture, Converter())


def whole(picture: av.VideoFrame) -> Pixels:
    return np.asarray(picture.to_ndarray(format="rgb24", threads=1), dtype=np.uint8)


def test_av_frame_is_a_frame() -> None:
    assert isinstance(av_frame(yuv_picture("yuv420p", (64, 48))), Frame)


@pytest.mark.parametrize("size", [(640, 360), (642, 362), (641, 361)])
@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_region_equals_whole_conversion(pix_fmt: str, size: tuple[int, int]) -> None:
    for matrix, full_range in ((2, None), (1, False), (1, True)):
        picture = yuv_picture(pix_fmt, size, matrix=matrix, full_range=full_range)
        frame, expected = av_frame(picture), whole(picture)
        for box in BOXES:
            pixels, (x, y) = frame.region(box)
            x1, y1 = min(int(np.ceil(box[2])), size[0]), min(int(np.ceil(box[3])), size[1])
            assert (x, y) == (int(box[0]), int(box[1]))
            assert pixels.shape == (y1 - y, x1 - x, 3)
            np.testing.assert_allclose(pixels.astype(int), expected[y:y1, x:x1], atol=1)


def test_region_is_clipped_to_the_picture() -> None:
    frame = av_frame(yuv_picture("yuv420p", (320, 240)))
    pixels, corner = frame.region((-50.0, -20.5, 40.0, 30.0))
    assert (pixels.shape, corner) == ((30, 40, 3), (0, 0))


@pytest.mark.parametrize("box", [(400.0, 0.0, 500.0, 100.0), (-90.0, 0.0, -10.0, 100.0), (50.0, 50.0, 50.0, 60.0)])
def test_region_outside_the_picture_is_empty(box: tuple[float, float, float, float]) -> None:
    pixels, _ = av_frame(yuv_picture("yuv420p", (320, 240))).region(box)
    assert pixels.size == 0


@pytest.mark.parametrize(
    ("matrix", "full_range", "yuv", "rgb"),
    [
        # Pure red, green and blue as BT.601 and BT.709 encode them (ITU-R BT.601-7 and BT.709-6, 8 bits).
        (6, False, (81, 90, 240), (255, 0, 0)),
        (1, False, (63, 102, 240), (255, 0, 0)),
        (1, False, (173, 42, 26), (0, 255, 0)),
        (6, True, (76, 85, 255), (255, 0, 0)),
        (2, None, (81, 90, 240), (255, 0, 0)),  # undeclared: BT.601, limited, as FFmpeg and OpenCV assume
    ],
)
def test_colours_follow_the_declared_matrix_and_range(
    matrix: int, full_range: bool | None, yuv: tuple[int, int, int], rgb: tuple[int, int, int]
) -> None:
    picture = av.VideoFrame(64, 48, "yuv420p")
    for plane, value in zip(picture.planes, yuv, strict=True):
        plane.update(bytes([value]) * plane.buffer_size)
    picture.colorspace = matrix
    picture.color_range = 0 if full_range is None else 1 + full_range
    frame = av_frame(picture)
    for pixels in (frame.region((8, 8, 24, 24))[0], frame.small(32), frame.small(64)):
        np.testing.assert_allclose(pixels.reshape(-1, 3).mean(axis=0), rgb, atol=3)


@pytest.mark.parametrize(
    ("size", "px", "expected"),
    [
        ((1280, 720), 640, (640, 360)),
        ((720, 1280), 640, (360, 640)),
        ((641, 361), 320, (320, 180)),
        ((320, 240), 640, (320, 240)),
        ((2000, 2), 100, (100, 1)),
    ],
)
def test_small_keeps_aspect_and_never_enlarges(size: tuple[int, int], px: int, expected: tuple[int, int]) -> None:
    pixels = av_frame(yuv_picture("yuv444p", size)).small(px)
    assert pixels.shape == (expected[1], expected[0], 3)
    assert pixels.flags.c_contiguous


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_small_looks_like_the_whole(pix_fmt: str) -> None:
    picture = yuv_picture(pix_fmt, (640, 360))
    expected = cv2.resize(whole(picture), (320, 180), interpolation=cv2.INTER_AREA)
    small = av_frame(picture).small(320)
    assert np.abs(small.astype(int) - expected).mean() < 5
    # Brightness, of which every format keeps each sample, is where it was to a fraction of a pixel.
    brightness, expected_brightness = (cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY) for pixels in (small, expected))
    assert np.abs(brightness - expected_brightness.astype(int)).mean() < 2


@pytest.mark.parametrize("pix_fmt", FORMATS)
def test_luma_is_the_brightness_of_the_whole(pix_fmt: str) -> None:
    picture = yuv_picture(pix_fmt, (640, 360))
    expected = cv2.cvtColor(cv2.resize(whole(picture), (160, 90), interpolation=cv2.INTER_AREA), cv2.COLOR_RGB2GRAY)
    luma = av_frame(picture).luma(160)
    assert luma.shape == (90, 160)
    # Of limited range, brightness has 219 levels; and a few samples stand for all.
    correlation = np.corrcoef(luma.ravel(), expected.ravel())[0, 1]
    assert correlation > 0.95


def test_small_starts_no_threads() -> None:
    frames = [av_frame(yuv_picture("yuv420p", (640, 360))) for _ in range(8)]
    before = psutil.Process().num_threads()
    for frame in frames:
        frame.small(320)
        frame.region((10, 10, 80, 80))
    assert psutil.Process().num_threads() <= before


@pytest.mark.parametrize("rotation", [90, 180, -90])
def test_turned_pictures_are_shown_upright(tmp_path: Path, rotation: int) -> None:
    clip = make_clip(tmp_path / "turned.mp4", frames=1, size=(320, 180), rotation=rotation)
    frame = next(iter(read_file(clip, "tape")))
    assert isinstance(frame, AvFrame)
    upright = np.rot90(whole(frame.picture), rotation // 90)
    assert (frame.height, frame.width) == upright.shape[:2]
    assert frame.small(4000).tolist() == upright.tolist()
    assert frame.small(160).shape[:2] == frame.luma(160).shape == (upright.shape[0] // 2, upright.shape[1] // 2)
    pixels, (x, y) = frame.region((20, 31, 101, 140))
    assert (x, y) == (20, 31)
    assert pixels.tolist() == upright[31:140, 20:101].tolist()
