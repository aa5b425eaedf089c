"""Videos on this disk, as RGB frames: all of them, every so many-th, or some spread evenly.

Frames come one at a time and are not kept, upright, as the file says they are to be shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer
from av.packet import Packet
from av.stream import Disposition
from av.video.codeccontext import VideoCodecContext
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from gend.errors import GendError, PictureError

Pixels = NDArray[np.uint8]
Numbers = NDArray[np.int64]

DEFAULT_FRAMES = 32
"""As in GenD's paper (arXiv 2508.06248)."""
_MOST_PX = 8192 * 4352
"""Of a frame: 8K, and the panoramas of several lenses. A header of a few bytes may claim many times that."""
_LIMITS = {"max_pixels": str(_MOST_PX)}
_CODEC_OPTIONS = {"mjpeg": {"err_detect": "explode"}}
"""A damaged JPEG is else decoded as far as it goes, and passed on without a word."""
_DEFAULT_RATE = Fraction(25)
_FARTHEST_REORDER = 64
"""Frames are stored out of the order in which they are shown, but only by a few places. Where it seems more, the
clock of the file has jumped and says nothing of their order."""
_TURNS = {1: cv2.ROTATE_90_COUNTERCLOCKWISE, 2: cv2.ROTATE_180, 3: cv2.ROTATE_90_CLOCKWISE}


@dataclass(frozen=True, slots=True)
class Sampling:
    """Which frames of a video are looked at: `frames` of them, spread evenly, or every `stride`-th.

    Raises:
        GendError: both are given, or one that is less than 1.
    """

    frames: int | None = None
    """`DEFAULT_FRAMES` where there is no stride; a shorter video is looked at whole."""
    stride: int | None = None

    def __post_init__(self) -> None:
        if self.frames is not None and self.stride is not None:
            raise GendError("frames and stride exclude each other")
        if (self.frames is not None and self.frames < 1) or (self.stride is not None and self.stride < 1):
            raise GendError(f"frames and stride must be at least 1, not {self.frames or self.stride}")

    def numbers(self, count: int) -> Numbers:
        """Numbers of the frames to look at, from 0, in rising order, of a video that has `count`."""
        if self.stride is not None:
            return np.arange(0, count, self.stride)
        wanted = DEFAULT_FRAMES if self.frames is None else self.frames
        return np.linspace(0, count - 1, min(wanted, count)).round().astype(np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """One decoded frame."""

    number: int
    """From 0, in the order in which frames are shown."""
    at_s: float
    """Since the first one; never less than of the frame before."""
    pixels: Pixels
    """RGB uint8 (h, w, 3), upright. Read-only: the decoder may still need it."""
    sampled: bool
    """Whether it is to be looked at, or only passes by."""


class Video:
    """The first video of a file, gone through once to learn where its frames lie, whatever its header claims.

    Args:
        path: anything FFmpeg reads.

    Attributes:
        path: as given.
        frames_stored: how many frames there are to be seen.
        rate: frames a second, as far as the file tells.
        time_base: seconds; what its times are counted in.
        pixel_aspect: width of a pixel by its height, as the file states it.

    Raises:
        PictureError: the file holds no video.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with _told(path), _open(path) as container:
            stream = _videos(container)[0]
            packets = [
                (packet.is_keyframe, packet.pts, packet.is_discard)  # an edit list may leave frames out
                for packet in _packets(container)
            ]
            self.rate = stream.average_rate or stream.guessed_rate or _DEFAULT_RATE
            self.time_base = stream.time_base or 1 / self.rate
            self.pixel_aspect = stream.sample_aspect_ratio or Fraction(1)
            reordered = bool(stream.codec_context.has_b_frames)
        self._is_key = np.array([is_key for is_key, _, _ in packets], dtype=bool)
        self._shown = np.array([not discarded for _, _, discarded in packets], dtype=bool)
        self.frames_stored = int(self._shown.sum())
        # Of the frame in each packet: its place in the order of showing, and its time. None without credible times.
        self._places = _places([pts for _, pts, _ in packets], self._shown, self.time_base, reordered=reordered)

    def frames(self, sampling: Sampling | Numbers, *, every: bool = False) -> Iterator[Frame]:
        """Decodes the frames to be looked at and those they are built on, or all of them.

        A file without times, such as a bare stream of H.264, is decoded whole: only so it is known which frame is
        the how-many-th to be shown.

        Args:
            sampling: which frames are looked at, or their numbers. A damaged one is left out, so that fewer may come.
            every: let the others pass by as well.

        Raises:
            PictureError: the file cannot be read any more, or none of these frames can be decoded.
        """
        numbers = sampling.numbers(self.frames_stored) if isinstance(sampling, Sampling) else sampling
        wanted = np.zeros(self.frames_stored + 1, dtype=bool)  # by number; none behind the last
        wanted[numbers] = True
        if self._places is None or every:
            due = np.ones_like(self._is_key)
        else:
            due = self._due(wanted[self._places.numbers] & self._shown)
        came = decoded = 0
        with _told(self.path), _open(self.path) as container:
            for index, frame in _decode(container, due):
                if self._places is None:
                    number, at_s = min(came, self.frames_stored), came * float(1 / self.rate)
                else:
                    number, at_s = int(self._places.numbers[index]), float(self._places.at_s[index])
                came += 1
                if self._shown[index] and not frame.is_corrupt and (every or wanted[number]):
                    decoded += 1
                    yield Frame(number, at_s, _upright(frame), bool(wanted[number]))
        if not decoded:
            most = f"{_MOST_PX / 1e6:.0f} million pixels"
            raise PictureError(f"{self.path}: no frame of this video can be decoded (more than {most} are refused)")

    def _due(self, wanted: NDArray[np.bool_]) -> NDArray[np.bool_]:
        """Which packets are to be decoded: from a keyframe up to each wanted one."""
        assert self._places is not None
        numbers = self._places.numbers
        keys = np.flatnonzero(self._is_key)
        ends = np.flatnonzero(wanted)
        before = np.searchsorted(keys, ends, side="right") - 1  # the keyframe at or before each; -1 for none
        # A frame that is stored behind a keyframe and shown before it is built on the keyframe before, too.
        while keys.size and (early := (before >= 0) & (numbers[keys[before]] > numbers[ends])).any():
            before[early] -= 1
        steps = np.zeros(len(wanted) + 1, dtype=np.int64)
        np.add.at(steps, np.where(before >= 0, keys[before], 0) if keys.size else np.zeros_like(ends), 1)
        np.add.at(steps, ends + 1, -1)
        return np.asarray(np.cumsum(steps[:-1]) > 0)


@dataclass(frozen=True, slots=True, eq=False)
class _Places:
    """Where the frame of each packet belongs, in the order in which packets are stored."""

    numbers: Numbers
    """In the order of showing; of those that are not shown, that of the one before."""
    at_s: NDArray[np.float64]


def _places(pts: list[int | None], shown: NDArray[np.bool_], time_base: Fraction, *, reordered: bool) -> _Places | None:
    if None in pts or not shown.any():
        return None
    times = np.array(pts, dtype=np.int64)
    order = np.argsort(times, kind="stable")
    moved = np.abs(order - np.arange(len(order))).max()
    # AVI counts frames as they are stored, and calls that their time.
    if moved > _FARTHEST_REORDER or (reordered and not moved and len(order) > 1):
        return None
    numbers = np.empty_like(order)
    numbers[order] = np.maximum(np.cumsum(shown[order]) - 1, 0)
    return _Places(numbers, np.maximum((times - times[shown].min()) * float(time_base), 0.0))


@contextmanager
def _told(path: Path) -> Iterator[None]:
    """Says which file it was that FFmpeg could not read."""
    try:
        yield
    except av.error.FFmpegError as error:
        raise PictureError(f"{path}: cannot read it as a picture or video: {error.strerror}") from error


def _open(path: Path) -> InputContainer:
    container = av.open(f"file:{path}", options=_LIMITS, metadata_errors="replace")
    if _videos(container):
        return container
    container.close()
    raise PictureError(f"{path}: no video in this file")


def _videos(container: InputContainer) -> list[VideoStream]:
    """Those that move and can be decoded: the cover of a song and an SVG's drawing are video streams too."""
    return [
        stream
        for stream in container.streams.video
        if stream.codec_context is not None and not stream.disposition & Disposition.attached_pic
    ]


def _packets(container: InputContainer) -> Iterator[Packet[VideoStream]]:
    """The compressed frames of the first video, in the order in which they are stored."""
    return (packet for packet in container.demux(_videos(container)[0]) if packet.size)


def _decode(container: InputContainer, due: NDArray[np.bool_]) -> Iterator[tuple[int, VideoFrame]]:
    """The frames that the packets marked in `due` give, each with its packet's number, in the order of showing."""
    codec = _videos(container)[0].codec_context
    codec.options = {**_LIMITS, **_CODEC_OPTIONS.get(codec.name, {})}
    codec.flags |= Flags.copy_opaque  # a frame tells which packet it came from; its pts may be missing or repeat
    last = np.append(due[1:], False) < due
    for index, packet in zip(range(len(due)), _packets(container), strict=False):  # a file may be growing
        if not due[index]:
            continue
        packet.opaque = (index,)  # PyAV tells objects apart by identity, and small numbers are one object everywhere
        frames = _decoded(codec, packet)
        if last[index]:
            frames += _decoded(codec, None)
            codec.flush_buffers()  # else the decoder takes nothing after its end
        for frame in frames:
            if isinstance(frame.opaque, tuple):
                yield frame.opaque[0], frame


def _decoded(codec: VideoCodecContext, packet: Packet[VideoStream] | None) -> list[VideoFrame]:
    try:
        return codec.decode(packet)
    except (av.error.InvalidDataError, av.error.ArgumentError):
        return []  # damaged, those built on it are marked as corrupt; or too large


def _upright(frame: VideoFrame) -> Pixels:
    # One thread: the default starts a pool for each frame. The array is a view of FFmpeg's picture.
    pixels = np.asarray(frame.to_ndarray(format="rgb24", threads=1), dtype=np.uint8)
    turns = round(frame.rotation / 90) % 4
    if turns:
        pixels = cv2.rotate(pixels, _TURNS[turns]).astype(np.uint8, copy=False)
    pixels.flags.writeable = False
    return pixels
