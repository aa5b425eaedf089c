"""Pictures and videos on this disk, as RGB arrays: what people hand over to be scored.

Both come upright, as the file says they are to be shown: a phone's are stored as its sensor lies.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from gend.errors import PictureError

Pixels = NDArray[np.uint8]

_PICTURES = {".bmp", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}
_VIDEOS = {".avi", ".flv", ".m4v", ".mkv", ".mov", ".mp4", ".mpeg", ".mpg", ".mts", ".ts", ".webm", ".wmv"}
_TILED = {".heic", ".heif"}  # FFmpeg would take their first tile for a video


def media_files(path: Path) -> list[Path]:
    """The file itself, or what a folder and the folders in it hold of pictures and videos, by name.

    Raises:
        PictureError: there is no such file, or nothing in the folder.
    """
    if not path.is_dir():
        if not path.exists():
            raise PictureError(f"{path}: no such file")
        return [path]
    files = [file for file in path.rglob("*") if file.suffix.lower() in _PICTURES | _VIDEOS and file.is_file()]
    if not files:
        raise PictureError(f"{path}: no pictures or videos in this folder")
    return sorted(files)


def read_picture(path: Path) -> Pixels | None:
    """A picture, RGB uint8 (h, w, 3); None where the file is something else, maybe a video.

    Raises:
        PictureError: it is a picture that cannot be read.
    """
    if path.suffix.lower() in _TILED:
        raise PictureError(f"{path}: HEIF pictures are not supported; convert it to JPEG or PNG")
    try:
        with Image.open(path) as picture:
            return np.asarray(ImageOps.exif_transpose(picture).convert("RGB"))
    except UnidentifiedImageError:
        return None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        # PIL's decoders raise each of these for damaged files.
        raise PictureError(f"{path}: cannot read this picture: {error}") from error


def sample_video(path: Path, count: int) -> Iterator[Pixels]:
    """Frames spread evenly over a video, from its first to its last: RGB uint8 (h, w, 3), in order.

    The file is read twice: first to learn where its frames lie, whatever its header claims, then to decode the wanted
    ones and those they are built on. A damaged frame is left out, so that fewer than `count` may come.

    Raises:
        PictureError: the file is no video, or no wanted frame of it can be decoded.
    """
    decoded = 0
    try:
        with _open(path) as container:
            keyframes = [packet.is_keyframe for packet in _packets(container)]
        wanted = set(np.linspace(0, len(keyframes) - 1, min(count, len(keyframes))).round().astype(int).tolist())
        with _open(path) as container:
            for frame in _decode(container, wanted, keyframes):
                decoded += 1
                yield _upright(frame)
    except av.error.FFmpegError as error:
        raise PictureError(f"{path}: cannot read it as a picture or video: {error.strerror}") from error
    if not decoded:
        raise PictureError(f"{path}: no frame of this video can be decoded")


def _open(path: Path) -> InputContainer:
    container = av.open(f"file:{path}")
    if not _video_streams(container):
        container.close()
        raise PictureError(f"{path}: no video in this file")
    return container


def _video_streams(container: InputContainer) -> list[VideoStream]:
    """Those that move and can be decoded: the cover of a song and an SVG's drawing are video streams too."""
    return [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic
    ]


def _packets(container: InputContainer) -> Iterator[Packet[VideoStream]]:
    """The compressed frames of the first video, in decoding order."""
    return (packet for packet in container.demux(_video_streams(container)[0]) if packet.size)


def _decode(container: InputContainer, wanted: set[int], keyframes: list[bool]) -> Iterator[VideoFrame]:
    """The frames whose packets are numbered in `wanted`."""
    due: set[int] = set()
    start = 0
    for index, is_keyframe in enumerate(keyframes):
        start = index if is_keyframe else start
        if index in wanted:
            due.update(range(start, index + 1))

    codec = _video_streams(container)[0].codec_context
    codec.flags |= Flags.copy_opaque  # a frame tells which packet it came from; its pts may be missing or repeat
    for index, packet in enumerate(_packets(container)):
        if index not in due:
            continue
        packet.opaque = index
        frames = _decoded(codec, packet)
        if index + 1 not in due:
            frames += _decoded(codec, None)
            codec.flush_buffers()  # else the decoder takes nothing after its end
        yield from (frame for frame in frames if frame.opaque in wanted and not frame.is_corrupt)


def _decoded(codec: VideoCodecContext, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
    try:
        return codec.decode(packet)
    except av.error.InvalidDataError:
        return []  # damaged: those built on it are marked as corrupt


def _upright(frame: VideoFrame) -> Pixels:
    # One thread: the default starts a pool for each frame.
    pixels = np.asarray(frame.to_ndarray(format="rgb24", threads=1), dtype=np.uint8)
    return np.ascontiguousarray(np.rot90(pixels, frame.rotation // 90))
