"""Decoded pictures, converted to RGB as late and as little as possible.

A decoder gives YUV planes. Most frames are never looked at, most others only as a small picture, and of a few
a face is wanted at full resolution: so each of these is cut and converted on its own, from the planes, by
FFmpeg's swscale, with the matrix and range that the stream declares (BT.601 limited where it declares none).
"""

from __future__ import annotations

import math
import threading
from dataclasses import dataclass, field

import av
import cv2
import numpy as np
from av.video.plane import VideoPlane
from av.video.reformatter import Interpolation, VideoReformatter

from monitor.messages import Box, Detail, Pixels

_Area = tuple[int, int, int, int]
"""x0, y0, x1, y1 in whole pixels of the decoded picture, x1 and y1 exclusive."""


class Converter:
    """The swscale contexts of one stream, kept from frame to frame: setting one up costs more than a small picture.

    Safe to share between threads.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._resize = VideoReformatter()
        self._convert = VideoReformatter()

    def resize(self, picture: av.VideoFrame, width: int, height: int) -> Pixels:
        """The whole picture at another size, RGB uint8 (height, width, 3), by area averaging."""
        with self._lock:
            return _pixels(
                self._resize.reformat(
                    picture, width, height, "rgb24", interpolation=Interpolation.AREA, threads=1
                )  # more threads would be started and ended with every picture
            )

    def convert(self, picture: av.VideoFrame) -> Pixels:
        """The picture at its own size, RGB uint8 (h, w, 3)."""
        with self._lock:
            return _pixels(self._convert.reformat(picture, format="rgb24", threads=1))


@dataclass(slots=True, eq=False)
class AvFrame:
    """A `messages.Frame` over a picture decoded by PyAV.

    Turned pictures (a display matrix with a multiple of 90°, as phones write it) are shown upright; mirrored
    ones are not mirrored back, and pixels are taken as square.
    """

    stream: str
    index: int
    at_s: float
    pts_s: float | None
    trusted: bool
    picture: av.VideoFrame
    converter: Converter
    _turns: int = field(init=False)
    """Quarter turns, counter-clockwise, from the decoded picture to the upright one."""
    _whole: Pixels | None = field(init=False, default=None)
    """The decoded picture in RGB, once a region has needed all of it."""

    def __post_init__(self) -> None:
        self._turns = round(self.picture.rotation / 90) % 4

    @property
    def width(self) -> int:
        """Full-resolution width, pixels."""
        return self.picture.height if self._turns % 2 else self.picture.width

    @property
    def height(self) -> int:
        """Full-resolution height, pixels."""
        return self.picture.width if self._turns % 2 else self.picture.height

    @property
    def detail(self) -> Detail:
        """The same picture at full resolution."""
        return "same"

    def small(self, px: int) -> Pixels:
        """The whole picture, RGB uint8 (h, w, 3), aspect kept, its longer side at most `px`; never enlarged."""
        width, height = self.picture.width, self.picture.height
        scale = px / max(width, height)
        if scale >= 1:
            return self._upright(self.converter.convert(self.picture))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        return self._upright(self.converter.resize(self.picture, *size))

    def luma(self, px: int) -> Pixels:
        """Brightness of the whole picture, uint8 (h, w), as large as `small`.

        Where the decoder gives it in bytes, a few of its pixels are taken for each: a fraction of what `small` costs.
        """
        if not _has_luma_bytes(self.picture):
            return cv2.cvtColor(self.small(px), cv2.COLOR_RGB2GRAY).astype(np.uint8, copy=False)
        width, height = self.picture.width, self.picture.height
        scale = min(1.0, px / max(width, height))
        size = max(1, round(width * scale)), max(1, round(height * scale))
        whole = _lines(self.picture.planes[0])[:, :width]
        return self._upright(cv2.resize(whole, size, interpolation=cv2.INTER_LINEAR).astype(np.uint8, copy=False))

    def region(self, box: Box) -> tuple[Pixels, tuple[int, int]]:
        """Full-resolution RGB pixels (h, w, 3) of `box` clipped to the picture, and the (x, y) of their corner.

        A box outside the picture gives an empty array.
        """
        x0, x1 = (min(max(edge, 0), self.width) for edge in (math.floor(box[0]), math.ceil(box[2])))
        y0, y1 = (min(max(edge, 0), self.height) for edge in (math.floor(box[1]), math.ceil(box[3])))
        if x1 <= x0 or y1 <= y0:
            return np.empty((0, 0, 3), np.uint8), (x0, y0)
        return self._upright(self._cut(self._decoded((x0, y0, x1, y1)))), (x0, y0)

    def _decoded(self, area: _Area) -> _Area:
        """Where an area of the upright picture lies in the decoded one."""
        x0, y0, x1, y1 = area
        width, height = self.picture.width, self.picture.height
        match self._turns:
            case 1:
                return width - y1, x0, width - y0, x1
            case 2:
                return width - x1, height - y1, width - x0, height - y0
            case 3:
                return y0, height - x1, y1, height - x0
            case _:
                return area

    def _cut(self, area: _Area) -> Pixels:
        """RGB pixels of an area of the decoded picture."""
        x0, y0, x1, y1 = area
        grid = _chroma_grid(self.picture)
        if grid is None:
            if self._whole is None:
                self._whole = self.converter.convert(self.picture)
            return self._whole[y0:y1, x0:x1]
        left, right = _on_grid(x0, x1, grid[0], self.picture.width)
        top, bottom = _on_grid(y0, y1, grid[1], self.picture.height)
        pixels = self.converter.convert(_sub_picture(self.picture, (left, top, right, bottom)))
        return pixels[y0 - top : y1 - top, x0 - left : x1 - left]

    def _upright(self, pixels: Pixels) -> Pixels:
        return np.ascontiguousarray(np.rot90(pixels, self._turns))


def _pixels(picture: av.VideoFrame) -> Pixels:
    """The pixels of an RGB24 picture, (h, w, 3), free of the padding at the end of its lines."""
    return np.ascontiguousarray(picture.to_ndarray(), dtype=np.uint8)


def _has_luma_bytes(picture: av.VideoFrame) -> bool:
    """Whether the first plane is the brightness, a byte a pixel, from the top."""
    first = picture.format.components[0]
    planar = picture.format.is_planar or len(picture.format.components) == 1
    in_bytes = not picture.format.is_rgb and not picture.format.has_palette and first.bits == 8
    return planar and in_bytes and picture.planes[0].line_size >= picture.width


def _chroma_grid(picture: av.VideoFrame) -> tuple[int, int] | None:
    """Steps, across and down, at which a picture can be cut plane by plane; None where it cannot.

    It can where brightness has a plane of its own, components that share one are of one size, with whole bytes per
    sample, and where no step is cut off at an edge: swscale then takes the same way through its code for a cut as for
    the whole picture, which it does not for odd sizes.
    """
    sizes = {(each.plane, each.width, each.height) for each in picture.format.components}
    alone = [each.plane for each in picture.format.components].count(0) == 1
    if not alone or len(sizes) > len(picture.planes) or picture.format.is_bit_stream or picture.format.has_palette:
        return None
    across = max(2, *(round(picture.width / plane.width) for plane in picture.planes))
    down = max(2, *(round(picture.height / plane.height) for plane in picture.planes))
    upside_down = any(plane.line_size < 0 for plane in picture.planes)
    if upside_down or picture.width % across or picture.height % down:
        return None
    return across, down


def _on_grid(first: int, last: int, step: int, limit: int) -> tuple[int, int]:
    """Widens a span to the grid and by two steps more, from which its edge's chroma is interpolated."""
    return max(0, (first // step - 2) * step), min(limit, (-(-last // step) + 2) * step)


def _sub_picture(picture: av.VideoFrame, area: _Area) -> av.VideoFrame:
    """A copy of an area on the chroma grid, in the same format and colours."""
    x0, y0, x1, y1 = area
    cut = av.VideoFrame(x1 - x0, y1 - y0, picture.format.name)
    for number, (source, target) in enumerate(zip(picture.planes, cut.planes, strict=True)):
        # Of NV12, which hardware gives, the second plane holds both colours of a pixel side by side.
        sample_bytes = sum((each.bits + 7) // 8 for each in picture.format.components if each.plane == number)
        left, top = x0 * source.width // picture.width * sample_bytes, y0 * source.height // picture.height
        row_bytes = target.width * sample_bytes
        _lines(target)[:, :row_bytes] = _lines(source)[top : top + target.height, left : left + row_bytes]
    cut.colorspace = picture.colorspace
    cut.color_range = picture.color_range
    return cut


def _lines(plane: VideoPlane) -> Pixels:
    """The bytes of a plane, one row a line, padding included; a view."""
    return np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)
