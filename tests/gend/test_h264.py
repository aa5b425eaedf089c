from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from gend.errors import GendError
from gend.h264 import VideoWriter
from gend.video import Sampling, Video
from tests.gend.videos import number_of, numbered

Pixels = NDArray[np.uint8]
RATE = Fraction(30_000, 1001)


def writer(path: Path, *, time_base: Fraction = 1 / RATE, pixel_aspect: Fraction = Fraction(1)) -> VideoWriter:
    return VideoWriter(path, rate=RATE, time_base=time_base, pixel_aspect=pixel_aspect)


def write(path: Path, pictures: list[Pixels]) -> None:
    with writer(path) as video:
        for number, picture in enumerate(pictures):
            video.write(picture, number / float(RATE))


def test_video_writer(tmp_path: Path) -> None:
    path = tmp_path / "folder" / "a.mp4"
    write(path, numbered(40))
    with av.open(str(path)) as container:
        (stream,) = container.streams.video
        assert stream.codec_context.name == "h264"
        assert stream.codec_context.pix_fmt == "yuv420p"
        assert stream.average_rate == RATE
        assert stream.frames == 40
    found = list(Video(path).frames(Sampling(stride=1)))
    assert [number_of(frame.pixels) for frame in found] == list(range(40))
    assert list(tmp_path.rglob("*")) == [path.parent, path]


@pytest.mark.parametrize("colour", [(200, 30, 40), (30, 180, 60), (20, 40, 200), (250, 250, 250), (5, 5, 5)])
def test_video_writer_keeps_colours(tmp_path: Path, colour: tuple[int, int, int]) -> None:
    write(tmp_path / "a.mp4", [np.full((64, 96, 3), colour, np.uint8)])
    (frame,) = Video(tmp_path / "a.mp4").frames(Sampling())
    assert frame.pixels.mean(axis=(0, 1)) == pytest.approx(colour, abs=4)


@pytest.mark.parametrize("size", [(63, 96), (64, 95), (63, 95), (1, 1)])
def test_video_writer_makes_sides_even(tmp_path: Path, size: tuple[int, int]) -> None:
    write(tmp_path / "a.mp4", [np.full((*size, 3), 200, np.uint8)] * 3)
    frame, *_ = Video(tmp_path / "a.mp4").frames(Sampling())
    assert frame.pixels.shape == (size[0] + size[0] % 2, size[1] + size[1] % 2, 3)
    assert frame.pixels.min() > 190


def test_video_writer_keeps_times(tmp_path: Path) -> None:
    times_s = [0.0, 0.1, 0.15, 0.15, 0.15, 2.0]  # uneven, and standing still
    with writer(tmp_path / "a.mp4", time_base=Fraction(1, 1000)) as video:
        for picture, at_s in zip(numbered(6), times_s, strict=True):
            video.write(picture, at_s)
    found = [frame.at_s for frame in Video(tmp_path / "a.mp4").frames(Sampling(stride=1))]
    assert found == pytest.approx([0.0, 0.1, 0.15, 0.151, 0.152, 2.0])


def test_video_writer_keeps_the_shape_of_pixels(tmp_path: Path) -> None:
    with writer(tmp_path / "a.mp4", pixel_aspect=Fraction(16, 11)) as video:
        video.write(np.zeros((64, 96, 3), np.uint8), 0.0)
    assert Video(tmp_path / "a.mp4").pixel_aspect == Fraction(16, 11)


def test_video_writer_fits_frames_of_another_size(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", [np.full((64, 96, 3), 200, np.uint8), np.full((128, 160, 3), 50, np.uint8)])
    first, second = Video(tmp_path / "a.mp4").frames(Sampling())
    assert first.pixels.shape == second.pixels.shape == (64, 96, 3)
    assert second.pixels.mean() == pytest.approx(50, abs=4)


@pytest.mark.parametrize("frames", [0, 3])
def test_video_writer_that_fails_leaves_nothing(tmp_path: Path, frames: int) -> None:
    def work() -> None:
        with writer(tmp_path / "a.mp4") as video:
            for picture in numbered(frames):
                video.write(picture, 0.0)
            raise RuntimeError("the encoder fails")

    with pytest.raises(RuntimeError, match="the encoder fails"):
        work()
    assert not list(tmp_path.iterdir())


def test_video_writer_where_nothing_can_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(GendError, match=r"file/a\.mp4: cannot write: "):
        writer(tmp_path / "file" / "a.mp4")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_video_writer_on_a_full_disk(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    (tmp_path / ".a.mp4.part").symlink_to("/dev/full")
    noise = np.random.default_rng(0)
    pictures = [noise.integers(0, 256, (256, 256, 3), dtype=np.uint8) for _ in range(30)]
    with pytest.raises(GendError, match=r"a\.mp4: cannot write: No space left on device"):
        write(path, pictures)
    assert not list(tmp_path.iterdir())
