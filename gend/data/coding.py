"""Real codecs in memory: frames in, packets between, frames out. One thread each, and the same bits each time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from fractions import Fraction
from typing import Literal, cast

import av
import cv2
import numpy as np
from av.video.reformatter import VideoReformatter
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
Codec = Literal["h264", "vp8"]

_ENCODERS = {"h264": "libx264", "vp8": "libvpx"}
_FPS = 25


def to_frames(pictures: Iterable[Pixels]) -> list[av.VideoFrame]:
    """Pictures, RGB uint8 (h, w, 3) of even sides (`even_sides` makes them so), as frames of 4:2:0."""
    reformatter = VideoReformatter()
    frames = []
    for number, picture in enumerate(pictures):
        frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
        frame = reformatter.reformat(frame, format="yuv420p", threads=1)
        frame.pts = number
        frames.append(frame)
    return frames


def encode(frames: Sequence[av.VideoFrame], codec: Codec, options: Mapping[str, str]) -> list[bytes]:
    """The frames of one short video as packets, one per frame where the options ask for no delay.

    Args:
        frames: from `to_frames`, all of one size.
        codec: libx264 or libvpx codes them.
        options: of that encoder, as FFmpeg names them.
    """
    encoder = cast("av.VideoCodecContext", av.VideoCodecContext.create(_ENCODERS[codec], "w"))
    encoder.width, encoder.height = frames[0].width, frames[0].height
    encoder.pix_fmt, encoder.time_base, encoder.thread_count = "yuv420p", Fraction(1, _FPS), 1
    encoder.options = dict(options)
    return [bytes(packet) for frame in [*frames, None] for packet in encoder.encode(frame)]


def decode(packets: Iterable[bytes], codec: Codec) -> list[av.VideoFrame]:
    """What a decoder makes of packets, in order; of a packet that it refuses it makes nothing."""
    decoder = av.VideoCodecContext.create(codec, "r")
    decoder.thread_count = 1
    frames: list[av.VideoFrame] = []
    for packet in [*map(av.Packet, packets), None]:
        try:
            frames += decoder.decode(packet)
        except av.FFmpegError:  # one that refers to a lost frame, say: receivers go on with the next
            continue
    return frames


def to_pixels(frame: av.VideoFrame) -> Pixels:
    """RGB uint8 (h, w, 3)."""
    return np.asarray(frame.to_ndarray(format="rgb24", threads=1), dtype=np.uint8)


def even_sides(picture: Pixels) -> Pixels:
    """With its last row and column once more where sides are odd: colours of 4:2:0 lie on every other pixel."""
    height, width = picture.shape[:2]
    if not (height % 2 or width % 2):
        return picture
    return cv2.copyMakeBorder(picture, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE).astype(np.uint8, copy=False)
