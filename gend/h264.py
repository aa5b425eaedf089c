"""Writes an H.264 video that every player and browser shows: MP4, 4:2:0, even sides, BT.709.

A file appears under its name once it is whole; one that was not finished leaves nothing behind.
"""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import TracebackType
from typing import Self

import av
import cv2
import numpy as np
from av.video.reformatter import ColorPrimaries, ColorRange, Colorspace, ColorTrc, VideoReformatter
from av.video.stream import VideoStream
from numpy.typing import NDArray

from gend.errors import GendError

Pixels = NDArray[np.uint8]

_ENCODER = {"preset": "veryfast", "crf": "20"}
_INDEX_FIRST = {"movflags": "+faststart"}  # so that a browser need not read it all before it plays


class VideoWriter:
    """One video under way. A context manager: left by an error, it removes what it wrote.

    Args:
        path: where it goes, replacing what is there.
        rate: frames a second; where `at_s` says otherwise, that holds.
        time_base: seconds in which times are counted.
        pixel_aspect: width of a pixel by its height.

    Raises:
        GendError: it cannot be written; as do `write` and the end of the context.
    """

    def __init__(self, path: Path, *, rate: Fraction, time_base: Fraction, pixel_aspect: Fraction) -> None:
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._rate, self._time_base, self._pixel_aspect = rate, time_base, pixel_aspect
        self._stream: VideoStream | None = None
        self._reformatter = VideoReformatter()
        self._last_pts = -1
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._container = av.open(self._part, "w", format="mp4", options=_INDEX_FIRST)
        except OSError as error:  # FFmpeg's are among them
            raise self._failure(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        try:
            if kind is None and self._stream is not None:
                self._container.mux(self._stream.encode(None))
            self._container.close()
            if kind is None:
                self._part.replace(self._path)
        except OSError as failure:
            if kind is None:
                raise self._failure(failure) from failure
        finally:
            self._part.unlink(missing_ok=True)

    def write(self, pixels: Pixels, at_s: float) -> None:
        """Adds a frame.

        Args:
            pixels: RGB uint8 (h, w, 3); of another size than the first one, it is fitted to that.
            at_s: when it is shown; a frame that is not later than the one before is shown right after it.
        """
        if self._stream is None:
            self._stream = self._begin(pixels.shape[1], pixels.shape[0])
        frame = av.VideoFrame.from_ndarray(self._fitted(pixels, self._stream), format="rgb24")
        frame = self._reformatter.reformat(
            frame, format="yuv420p", dst_colorspace=Colorspace.ITU709, dst_color_range=ColorRange.MPEG, threads=1
        )
        self._last_pts = max(round(at_s / self._time_base), self._last_pts + 1)
        frame.pts, frame.time_base = self._last_pts, self._time_base
        try:
            self._container.mux(self._stream.encode(frame))
        except OSError as error:
            raise self._failure(error) from error

    def _begin(self, width: int, height: int) -> VideoStream:
        stream = self._container.add_stream("libx264", rate=self._rate, options=_ENCODER)
        stream.width, stream.height = width + width % 2, height + height % 2
        stream.pix_fmt = "yuv420p"
        codec = stream.codec_context
        codec.time_base = self._time_base
        codec.sample_aspect_ratio = self._pixel_aspect
        codec.color_range, codec.colorspace = ColorRange.MPEG, Colorspace.ITU709
        codec.color_primaries, codec.color_trc = ColorPrimaries.BT709, ColorTrc.BT709
        return stream

    def _fitted(self, pixels: Pixels, stream: VideoStream) -> Pixels:
        height, width = pixels.shape[:2]
        if (height + height % 2, width + width % 2) != (stream.height, stream.width):
            size = stream.width, stream.height
            return cv2.resize(pixels, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
        if height % 2 or width % 2:  # its last row and column once more
            pixels = cv2.copyMakeBorder(pixels, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE).astype(
                np.uint8, copy=False
            )
        return np.ascontiguousarray(pixels)

    def _failure(self, error: OSError) -> GendError:
        return GendError(f"{self._path}: cannot write: {error.strerror or error}")
