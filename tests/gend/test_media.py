from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from gend.errors import PictureError
from gend.media import media_files, read_picture, rgb_pixels


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


def test_read_picture_of_what_is_none(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_text("not a picture")
    with pytest.raises(PictureError, match=r"a\.jpg: not a picture, whatever its name says"):
        read_picture(path)


def test_read_picture_of_unsupported_kind(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"IMG_1\.HEIC: HEIF pictures are not supported"):
        read_picture(tmp_path / "IMG_1.HEIC")


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_read_picture_of_16_bits(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.full((20, 30), 100 << 8, np.uint16)).save(path)
    picture = read_picture(path)
    assert picture is not None
    assert picture.shape == (20, 30, 3)
    assert (picture == 100).all()


def test_read_picture_of_floats(tmp_path: Path) -> None:
    path = tmp_path / "a.tif"
    Image.fromarray(np.full((20, 30), 0.5, np.float32)).save(path)
    with pytest.raises(PictureError, match=r"a\.tif: cannot read this picture: its pixels are of PIL's mode F"):
        read_picture(path)


def test_read_picture_decompression_bomb(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.new("RGB", (8, 8)).save(path)
    content = bytearray(path.read_bytes())
    content[16:24] = struct.pack(">2I", 60_000, 60_000)
    content[29:33] = struct.pack(">I", zlib.crc32(content[12:29]))
    path.write_bytes(content)
    with pytest.raises(PictureError, match=r"a\.png: cannot read this picture: Image size .* exceeds limit"):
        read_picture(path)


@pytest.mark.filterwarnings("error")
def test_read_picture_that_pil_only_warns_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 500)  # a phone's 108 million are above PIL's own limit, too
    path = tmp_path / "a.png"
    Image.new("RGB", (30, 20)).save(path)
    picture = read_picture(path)
    assert picture is not None
    assert picture.shape == (20, 30, 3)


@pytest.mark.parametrize(
    ("picture", "found"),
    [
        (np.zeros((20, 30), np.uint8), r"uint8 \(20, 30\)"),
        (np.zeros((20, 30, 4), np.uint8), r"uint8 \(20, 30, 4\)"),
        (np.zeros((20, 30, 3), np.float32), r"float32 \(20, 30, 3\)"),
        (np.zeros((0, 30, 3), np.uint8), r"uint8 \(0, 30, 3\)"),
        (np.array([None]), r"object \(1,\)"),
    ],
)
def test_rgb_pixels_of_other_arrays(picture: NDArray[Any], found: str) -> None:
    with pytest.raises(PictureError, match=rf"picture: expected RGB uint8 \(height, width, 3\), found {found}"):
        rgb_pixels(picture)


def test_rgb_pixels_of_something_else() -> None:
    with pytest.raises(PictureError, match=r"expected a path, a PIL picture or an array, found bytes"):
        rgb_pixels(b"JFIF")  # type: ignore[arg-type]


def test_rgb_pixels_of_a_view() -> None:
    bgr = np.zeros((20, 30, 3), np.uint8)
    bgr[..., 0] = 200
    pixels = rgb_pixels(bgr[..., ::-1])
    assert pixels.flags.c_contiguous
    assert (pixels[..., 2] == 200).all()


def test_rgb_pixels_of_a_damaged_picture(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    Image.effect_noise((200, 200), 80).save(path)
    path.write_bytes(path.read_bytes()[:2000])
    with Image.open(path) as picture, pytest.raises(PictureError, match="picture: cannot read it: "):
        rgb_pixels(picture)


def test_media_files(tmp_path: Path) -> None:
    for name in ("b.PNG", "a.mp4", "notes.txt", "inner/c.jpg", "inner/.hidden", "inner/._c.jpg"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert media_files(tmp_path) == [tmp_path / "a.mp4", tmp_path / "b.PNG", tmp_path / "inner" / "c.jpg"]
    assert media_files(tmp_path / "notes.txt") == [tmp_path / "notes.txt"]  # named by the user: let it be tried


def test_media_files_but_those_of_a_folder(tmp_path: Path) -> None:
    for name in ("a.png", "copies/a.png"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert media_files(tmp_path, but=tmp_path / "copies") == [tmp_path / "a.png"]


def test_media_files_nothing_there(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match="no pictures or videos in this folder"):
        media_files(tmp_path)
    with pytest.raises(PictureError, match=r"absent\.png: no such file"):
        media_files(tmp_path / "absent.png")
