"""Small videos, made where a test runs."""

from __future__ import annotations

import struct
from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
from av.stream import Disposition
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
_IDENTITY = struct.pack(">9i", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
_QUARTER_TURN = struct.pack(">9i", 0, 0x10000, 0, -0x10000, 0, 0, 0, 0, 0x40000000)


def write_video(path: Path, pictures: Sequence[Pixels], *, gop: int = 12, quality: int = 12) -> Path:
    """H.264 with B-frames at 25 frames a second, in whatever container the name asks for."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25)
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": str(quality), "preset": "veryfast", "g": str(gop), "keyint_min": str(gop)}
        stream.height, stream.width = pictures[0].shape[:2]
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode())
    return path


def numbered(count: int) -> list[Pixels]:
    """Grey pictures, each lighter than the one before: `number_of` tells which is which."""
    return [np.full((64, 96, 3), 10 + 4 * number, np.uint8) for number in range(count)]


def number_of(picture: Pixels) -> int:
    """Which of the `numbered` pictures this is, after compression."""
    return round((float(picture.mean()) - 10) / 4)


def turn(path: Path) -> None:
    """Marks an MP4 as to be shown turned by 90° clockwise, as phones do."""
    content = path.read_bytes()
    at = content.index(b"tkhd")
    matrix = content.index(_IDENTITY, at)
    path.write_bytes(content[:matrix] + _QUARTER_TURN + content[matrix + len(_QUARTER_TURN) :])


def write_song(path: Path, *, cover: bool) -> Path:
    """A second of silence, with a picture as players show it or without."""
    with av.open(str(path), "w") as container:
        sound = container.add_stream("aac", rate=44_100)
        if cover:
            picture = container.add_stream("mjpeg")
            picture.width, picture.height, picture.pix_fmt = 64, 64, "yuvj420p"
            picture.disposition = Disposition.attached_pic
            container.mux(picture.encode(av.VideoFrame.from_ndarray(np.zeros((64, 64, 3), np.uint8), format="rgb24")))
            container.mux(picture.encode())
        silence = av.AudioFrame.from_ndarray(np.zeros((2, 1024), np.float32), format="fltp", layout="stereo")
        silence.rate = 44_100
        container.mux(sound.encode(silence))
        container.mux(sound.encode())
    return path
