from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import av
import numpy as np
import pytest

from gend.errors import GendError, PictureError
from gend.media import read_picture
from gend.video import Frame, Sampling, Video
from tests.gend.videos import number_of, numbered, turn, write_song, write_video


def frames(path: Path, sampling: Sampling, *, every: bool = False) -> list[Frame]:
    return list(Video(path).frames(sampling, every=every))


def numbers(path: Path, sampling: Sampling) -> list[int]:
    return [number_of(frame.pixels) for frame in frames(path, sampling)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi", "h264"])
@pytest.mark.parametrize("gop", [1, 12, 250])
@pytest.mark.parametrize(
    ("sampling", "expected"),
    [
        (Sampling(frames=8), [0, 7, 14, 21, 28, 35, 42, 49]),
        (Sampling(stride=11), [0, 11, 22, 33, 44]),
        (Sampling(stride=1), list(range(50))),
    ],
)
def test_frames_are_those_asked_for(
    tmp_path: Path, suffix: str, gop: int, sampling: Sampling, expected: list[int]
) -> None:
    video = write_video(tmp_path / f"a.{suffix}", numbered(50), gop=gop)
    found = frames(video, sampling)
    assert [number_of(frame.pixels) for frame in found] == expected
    assert [frame.number for frame in found] == expected
    assert [frame.at_s for frame in found] == pytest.approx([number / 25 for number in expected])
    assert all(frame.sampled for frame in found)


def test_frames_by_number(tmp_path: Path) -> None:
    video = Video(write_video(tmp_path / "a.mp4", numbered(50)))
    found = list(video.frames(np.array([3, 17, 49])))
    assert [(frame.number, number_of(frame.pixels)) for frame in found] == [(3, 3), (17, 17), (49, 49)]


def test_two_videos_at_once(tmp_path: Path) -> None:
    first, other = (Video(write_video(tmp_path / f"{name}.mp4", numbered(20))) for name in "ab")
    both = zip(first.frames(Sampling(stride=1)), other.frames(Sampling(stride=1)), strict=True)
    assert [(one.number, another.number) for one, another in both] == [(number, number) for number in range(20)]


def test_frames_every(tmp_path: Path) -> None:
    found = frames(write_video(tmp_path / "a.mp4", numbered(20)), Sampling(stride=6), every=True)
    assert [number_of(frame.pixels) for frame in found] == list(range(20))
    assert [frame.number for frame in found if frame.sampled] == [0, 6, 12, 18]


def test_frames_of_a_short_video(tmp_path: Path) -> None:
    assert numbers(write_video(tmp_path / "a.mp4", numbered(7)), Sampling()) == list(range(7))


def test_frames_one(tmp_path: Path) -> None:
    assert numbers(write_video(tmp_path / "a.mp4", numbered(7)), Sampling(frames=1)) == [0]


def test_frames_cut_out_by_an_edit_list(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"bf": "0", "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for number, picture in enumerate(numbered(20)):
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            frame.pts = number - 5  # players begin at 0
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    found = frames(tmp_path / "a.mp4", Sampling(stride=5))
    assert [(frame.number, number_of(frame.pixels)) for frame in found] == [(0, 5), (5, 10), (10, 15)]


@pytest.mark.parametrize("stride", [7, 9, 29])
def test_frames_stored_behind_a_keyframe_and_shown_before_it(tmp_path: Path, stride: int) -> None:
    open_gop = "open-gop=1:keyint=10:min-keyint=10:bframes=3:b-adapt=0:scenecut=0"
    with av.open(str(tmp_path / "a.mp4"), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"x264-params": open_gop, "crf": "12"})
        stream.width, stream.height, stream.pix_fmt = 96, 64, "yuv420p"
        for picture in numbered(60):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    assert numbers(tmp_path / "a.mp4", Sampling(stride=stride)) == list(range(0, 60, stride))


def test_frames_are_rgb(tmp_path: Path) -> None:
    red = np.zeros((64, 96, 3), np.uint8)
    red[..., 0] = 200
    (frame,) = frames(write_video(tmp_path / "a.mp4", [red]), Sampling())
    assert frame.pixels.shape == red.shape
    assert frame.pixels.dtype == np.uint8
    assert np.abs(frame.pixels.mean(axis=(0, 1)) - [200, 0, 0]).max() < 8


def test_frames_turned_by_a_phone(tmp_path: Path) -> None:
    lower_half_light = np.zeros((64, 96, 3), np.uint8)
    lower_half_light[32:] = 200
    video = write_video(tmp_path / "a.mp4", [lower_half_light])
    turn(video)
    (frame,) = frames(video, Sampling())
    assert frame.pixels.shape == (96, 64, 3)
    assert frame.pixels[:, :28].min() > 150  # what was below is on the left once turned clockwise
    assert frame.pixels[:, 36:].max() < 50


def test_frames_cut_off(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.ts", numbered(50))
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    found = numbers(video, Sampling(frames=8))
    assert len(found) >= 6
    assert found[-1] < 45


@pytest.mark.parametrize("sampling", [Sampling(frames=16), Sampling(stride=3)])
def test_frames_damaged(tmp_path: Path, sampling: Sampling) -> None:
    noise = np.random.default_rng(0)
    pictures = [noise.integers(0, 256, (64, 96, 3), dtype=np.uint8) for _ in range(50)]
    video = write_video(tmp_path / "a.ts", pictures)
    content = bytearray(video.read_bytes())
    middle = slice(len(content) * 4 // 10, len(content) * 6 // 10)
    content[middle] = noise.integers(0, 256, middle.stop - middle.start, dtype=np.uint8).tobytes()
    video.write_bytes(content)
    found = frames(video, sampling)
    assert 4 <= len(found) <= 17
    assert all(before.number < after.number for before, after in pairwise(found))


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", b"not a picture\n" * 9), ("empty.mp4", b""), ("a.mp4", b"\0\0\0\x18ftypmp42" * 9)]
)
def test_video_of_other_files(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert read_picture(path) is None
    with pytest.raises(PictureError, match=f"{name}: cannot read it as a picture or video: "):
        Video(path)


@pytest.mark.parametrize("cover", [True, False])
def test_video_of_a_song(tmp_path: Path, cover: bool) -> None:
    song = write_song(tmp_path / "song.mp4", cover=cover)
    with pytest.raises(PictureError, match=r"song\.mp4: no video in this file"):
        Video(song)


def test_video_decompression_bomb(tmp_path: Path) -> None:
    path = tmp_path / "a.mov"
    with av.open(str(path), "w") as container:  # a few kilobytes, and 130 MB each once decoded
        stream = container.add_stream("png", rate=25)
        stream.width, stream.height, stream.pix_fmt = 16_000, 8_000, "monob"
        black = av.VideoFrame(16_000, 8_000, "monob")
        black.planes[0].update(bytes(black.planes[0].buffer_size))  # else it is whatever the memory held before
        container.mux(stream.encode(black))
        container.mux(stream.encode())
    assert path.stat().st_size < 100_000
    with pytest.raises(PictureError, match=r"a\.mov: no frame .* can be decoded \(more than 36 million pixels are"):
        frames(path, Sampling())


def test_sampling_of_both_kinds() -> None:
    with pytest.raises(GendError, match="frames and stride exclude each other"):
        Sampling(frames=3, stride=2)


@pytest.mark.parametrize("sampling", [{"frames": 0}, {"stride": 0}, {"stride": -1}])
def test_sampling_of_nothing(sampling: dict[str, int]) -> None:
    with pytest.raises(GendError, match="must be at least 1"):
        Sampling(**sampling)
