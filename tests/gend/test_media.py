from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from gend.errors import PictureError
from gend.media import media_files, read_picture, sample_video
from tests.gend.videos import number_of, numbered, turn, write_song, write_video


def numbers(path: Path, count: int) -> list[int]:
    return [number_of(frame) for frame in sample_video(path, count)]


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "ts", "avi", "h264"])
@pytest.mark.parametrize("gop", [1, 12, 250])
def test_sample_video_spreads_over_the_file(tmp_path: Path, suffix: str, gop: int) -> None:
    video = write_video(tmp_path / f"a.{suffix}", numbered(50), gop=gop)
    found = numbers(video, 8)
    assert len(found) == 8
    # Frames are counted as they are stored, which with B-frames is up to three places off.
    assert np.abs(np.array(found) - np.linspace(0, 49, 8)).max() <= 3
    assert found == sorted(found)


def test_sample_video_shorter_than_asked_for(tmp_path: Path) -> None:
    assert numbers(write_video(tmp_path / "a.mp4", numbered(7)), 32) == list(range(7))


def test_sample_video_one_frame(tmp_path: Path) -> None:
    assert numbers(write_video(tmp_path / "a.mp4", numbered(7)), 1) == [0]


def test_sample_video_is_rgb(tmp_path: Path) -> None:
    red = np.zeros((64, 96, 3), np.uint8)
    red[..., 0] = 200
    (frame,) = sample_video(write_video(tmp_path / "a.mp4", [red]), 4)
    assert frame.shape == red.shape
    assert frame.dtype == np.uint8
    assert np.abs(frame.mean(axis=(0, 1)) - [200, 0, 0]).max() < 8


def test_sample_video_turned_by_a_phone(tmp_path: Path) -> None:
    lower_half_light = np.zeros((64, 96, 3), np.uint8)
    lower_half_light[32:] = 200
    video = write_video(tmp_path / "a.mp4", [lower_half_light])
    turn(video)
    (frame,) = sample_video(video, 4)
    assert frame.shape == (96, 64, 3)
    assert frame[:, :28].min() > 150  # what was below is on the left once turned clockwise
    assert frame[:, 36:].max() < 50


def test_sample_video_cut_off(tmp_path: Path) -> None:
    video = write_video(tmp_path / "a.ts", numbered(50))
    video.write_bytes(video.read_bytes()[: video.stat().st_size * 2 // 3])
    found = numbers(video, 8)
    assert len(found) >= 6
    assert found[-1] < 45


def test_sample_video_damaged(tmp_path: Path) -> None:
    noise = np.random.default_rng(0)
    pictures = [noise.integers(0, 256, (64, 96, 3), dtype=np.uint8) for _ in range(50)]
    video = write_video(tmp_path / "a.ts", pictures)
    content = bytearray(video.read_bytes())
    middle = slice(len(content) * 4 // 10, len(content) * 6 // 10)
    content[middle] = noise.integers(0, 256, middle.stop - middle.start, dtype=np.uint8).tobytes()
    video.write_bytes(content)
    assert 4 <= len(list(sample_video(video, 16))) <= 16


@pytest.mark.parametrize(
    ("name", "content"), [("a.txt", b"not a picture\n" * 9), ("empty.mp4", b""), ("a.mp4", b"\0\0\0\x18ftypmp42" * 9)]
)
def test_sample_video_of_other_files(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    assert read_picture(path) is None
    with pytest.raises(PictureError, match=f"{name}: cannot read it as a picture or video: "):
        next(sample_video(path, 4))


@pytest.mark.parametrize("cover", [True, False])
def test_sample_video_of_a_song(tmp_path: Path, cover: bool) -> None:
    song = write_song(tmp_path / "song.mp4", cover=cover)
    with pytest.raises(PictureError, match=r"song\.mp4: no video in this file"):
        next(sample_video(song, 4))


@pytest.mark.parametrize(
    ("mode", "suffix"), [("L", "png"), ("P", "png"), ("RGBA", "png"), ("CMYK", "jpg"), ("1", "bmp")]
)
def test_read_picture_of_any_mode(tmp_path: Path, mode: str, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.new("RGB", (30, 20), (255, 255, 255)).convert(mode).save(path)
    picture = read_picture(path)
    assert picture is not None
    assert picture.shape == (20, 30, 3)
    assert picture.min() > 250


def test_read_picture_turned_by_a_phone(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: to be turned by 90° clockwise
    pixels = np.zeros((20, 30, 3), np.uint8)
    pixels[10:] = 200
    Image.fromarray(pixels).save(path, exif=exif)
    picture = read_picture(path)
    assert picture is not None
    assert picture.shape == (30, 20, 3)
    assert picture[:, 0].min() > 150
    assert picture[:, -1].max() < 50


def test_read_picture_cut_off(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.effect_noise((200, 200), 80).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(PictureError, match=r"a\.jpg: cannot read this picture: "):
        read_picture(path)


def test_read_picture_of_unsupported_kind(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"IMG_1\.HEIC: HEIF pictures are not supported"):
        read_picture(tmp_path / "IMG_1.HEIC")


def test_media_files(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.mp4", "notes.txt", "inner/c.jpg", "inner/.hidden"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert media_files(tmp_path) == [tmp_path / "a.mp4", tmp_path / "b.PNG", tmp_path / "inner" / "c.jpg"]
    assert media_files(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]  # named by the user: let it be tried


def test_media_files_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="no pictures or videos in this folder"):
        media_files(tmp_path)
    with pytest.raises(PictureError, match=r"absent\.png: no such file"):
        media_files(tmp_path / "absent.png")
