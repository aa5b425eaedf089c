"""Clips drawn and encoded at test time."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import av
import cv2
import numpy as np
from av.video.frame import PictureType

from monitor.messages import Pixels

MILLISECOND = Fraction(1, 1000)


def drawing(index: int, width: int, height: int) -> Pixels:
    """A textured ground that moves to the right, and a disc that moves faster."""
    rng = np.random.default_rng(0)
    # Muted, because colours outside of what YUV can hold would be clipped differently at each size.
    grain = rng.integers(90, 170, (height // 8 + 2, width // 8 + 2, 3), dtype=np.uint8)
    ground = cv2.resize(grain, (width, height), interpolation=cv2.INTER_CUBIC)
    picture = np.roll(ground, 2 * index, axis=1)
    cv2.circle(picture, ((30 + 4 * index) % width, height // 2), height // 6, (180, 90, 90), -1)
    return np.ascontiguousarray(picture, dtype=np.uint8)


def make_clip(
    path: Path,
    *,
    frames: int = 50,
    size: tuple[int, int] = (320, 240),
    gop: int = 10,
    b_frames: int = 0,
    times_ms: Sequence[int] | None = None,
    rotation: float | None = None,
    metadata: dict[str, str] | None = None,
    codec: Literal["h264", "hevc", "mjpeg"] = "h264",
    keys: Collection[int] = (),
    still: bool = False,
    **options: str,
) -> Path:
    """Writes a clip, 25 frames a second or at `times_ms`, in the container that the name asks for.

    Every `gop` frames is a keyframe, and so are `keys`; nothing moves in a `still` one.
    """
    width, height = size
    # A rate near the clip's own keeps x264's rate control sane; the time base is what counts.
    container = av.open(str(path), "w")
    container.metadata.update(metadata or {})
    stream: Any = container.add_stream({"h264": "libx264", "hevc": "libx265", "mjpeg": "mjpeg"}[codec], rate=25)
    stream.width, stream.height = width, height
    stream.pix_fmt = "yuvj420p" if codec == "mjpeg" else "yuv420p"
    stream.codec_context.gop_size = gop
    if codec == "h264":
        stream.codec_context.options = {
            "preset": "veryfast",
            "bf": str(b_frames),
            "sc_threshold": "0",
            "forced-idr": "1",
            **options,
        }
    elif codec == "hevc":
        # x265 takes its own names only, writes to standard error by itself, and begins threads for every core.
        own = {"keyint": gop, "bframes": b_frames, "scenecut": 0, "open-gop": 0, "repeat-headers": 1, "pools": "none"}
        told = ":".join(f"{name}={value}" for name, value in {**own, "log-level": "none", **options}.items())
        stream.codec_context.options = {"preset": "ultrafast", "x265-params": told}
    if rotation is not None:
        stream.set_display_rotation(rotation)
    if times_ms is not None:
        stream.codec_context.time_base = stream.time_base = MILLISECOND
    for index in range(frames):
        frame = av.VideoFrame.from_ndarray(drawing(0 if still else index, width, height), format="rgb24")
        if times_ms is not None:
            frame.pts, frame.time_base = times_ms[index], MILLISECOND
        if index in keys:
            frame.pict_type = PictureType.I
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))
    container.close()
    return path


def yuv_picture(
    pix_fmt: str, size: tuple[int, int], *, matrix: int = 2, full_range: bool | None = None
) -> av.VideoFrame:
    """A drawn picture in a pixel format. `matrix` as in ITU-T H.273 (1 BT.709, 2 unspecified, 6 BT.601)."""
    picture = av.VideoFrame.from_ndarray(drawing(3, *size), format="rgb24").reformat(format=pix_fmt, threads=1)
    picture.colorspace = matrix
    picture.color_range = 0 if full_range is None else 1 + full_range
    return picture
