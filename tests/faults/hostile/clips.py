"""The sound clips that are made hostile: one of every shape in which cameras send H.264, H.265 and MJPEG."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Any

import av

from tests.monitor.ingest.clips import drawing

FPS = 25


@dataclass(frozen=True)
class Shape:
    """How a clip is encoded."""

    name: str
    encoder: str
    size: tuple[int, int] = (320, 240)
    pix_fmt: str = "yuv420p"
    gop: int = 8
    frames: int = 24
    options: Mapping[str, str] = field(default_factory=dict)


_X264 = {"preset": "ultrafast", "threads": "1", "qp": "26"}
_X265 = {"preset": "ultrafast"}
SHAPES = (
    Shape("h264-baseline", "libx264", gop=8, options={**_X264, "profile": "baseline"}),
    Shape("h264-main-b2", "libx264", gop=12, options={**_X264, "preset": "veryfast", "bf": "2", "profile": "main"}),
    Shape("h264-high-b3", "libx264", size=(640, 360), gop=10, options={**_X264, "preset": "veryfast", "bf": "3"}),
    Shape("h264-slices", "libx264", size=(352, 288), gop=6, options={**_X264, "slices": "4"}),
    Shape("h264-interlaced", "libx264", size=(352, 288), options={**_X264, "x264-params": "tff=1"}),
    Shape("h264-refresh", "libx264", gop=50, options={**_X264, "x264-params": "intra-refresh=1:ref=4"}),
    Shape("h264-422-10", "libx264", size=(320, 180), pix_fmt="yuv422p10le", options={**_X264, "bf": "2"}),
    Shape("h264-444", "libx264", size=(176, 144), pix_fmt="yuv444p", options=_X264),
    Shape("h265-main", "libx265", gop=8, options={**_X265, "x265-params": "bframes=0:keyint=8:repeat-headers=1"}),
    Shape("h265-b3", "libx265", size=(640, 360), options={**_X265, "x265-params": "bframes=3:keyint=12"}),
    Shape("h265-odd", "libx265", size=(322, 242), options={**_X265, "x265-params": "keyint=6"}),
    Shape("h265-10", "libx265", pix_fmt="yuv420p10le", options={**_X265, "x265-params": "keyint=8"}),
    Shape("h265-422-10", "libx265", size=(320, 180), pix_fmt="yuv422p10le", options=_X265),
    Shape("mjpeg-420", "mjpeg", pix_fmt="yuvj420p"),
    Shape("mjpeg-422", "mjpeg", size=(640, 360), pix_fmt="yuvj422p"),
    Shape("mjpeg-444", "mjpeg", size=(176, 144), pix_fmt="yuvj444p"),
)


@dataclass(frozen=True)
class Clip:
    """A sound clip as its encoder gave it: one byte string a picture, in the order of decoding."""

    shape: Shape
    pictures: tuple[bytes, ...]
    times: tuple[tuple[int, int], ...]
    """pts and dts of each, pictures of 1/FPS."""

    @property
    def codec(self) -> str:
        """FFmpeg's name of the codec."""
        return {"libx264": "h264", "libx265": "hevc"}.get(self.shape.encoder, self.shape.encoder)


def encode(shape: Shape) -> Clip:
    """Encodes the clip; the same bytes each time."""
    context: Any = av.CodecContext.create(shape.encoder, "w")
    context.width, context.height = shape.size
    context.pix_fmt = shape.pix_fmt
    context.time_base = Fraction(1, FPS)
    context.framerate = FPS
    context.gop_size = shape.gop
    context.thread_count = 1
    # x265 logs to standard error whatever FFmpeg is told.
    quiet = {"log-level": "none", "pools": "none", "frame-threads": "1"}
    options = dict(shape.options)
    if shape.encoder == "libx265":
        asked = [options[key] for key in ("x265-params",) if key in options]
        options["x265-params"] = ":".join([*asked, *(f"{key}={value}" for key, value in quiet.items())])
    context.options = options
    packets = []
    for index in range(shape.frames):
        frame = av.VideoFrame.from_ndarray(drawing(index, *shape.size), format="rgb24").reformat(format=shape.pix_fmt)
        frame.pts, frame.time_base = index, Fraction(1, FPS)
        packets += context.encode(frame)
    packets += context.encode(None)
    return Clip(
        shape, tuple(bytes(packet) for packet in packets), tuple((packet.pts, packet.dts) for packet in packets)
    )


def muxed(clip: Clip, pictures: list[tuple[bytes, int, int]], container: str) -> bytes:
    """Pictures (bytes, pts, dts) of a clip's codec in a container; what FFmpeg's muxer refuses is left out.

    Args:
        clip: whose codec it is.
        pictures: in the order of decoding.
        container: FFmpeg's name of the format.
    """
    out = io.BytesIO()
    with av.open(out, "w", format=container, options={"fflags": "+bitexact"}) as target:
        width, height = clip.shape.size
        stream: Any = target.add_mux_stream(clip.codec, rate=FPS, width=width, height=height)
        for payload, pts, dts in pictures:
            packet = av.Packet(payload)
            packet.pts, packet.dts, packet.time_base, packet.stream = pts, dts, Fraction(1, FPS), stream
            try:
                target.mux(packet)
            except av.FFmpegError:
                continue
    return out.getvalue()
