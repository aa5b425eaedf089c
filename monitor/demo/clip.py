"""The demo's clip, made on the spot: a call of four people, of whom one is manipulated from some second on.

The people are pictures, fetched by hash and never part of this project; breathing and swaying makes them move. The
manipulation is the one the bundled demo encoder knows. None of these faces was in its training.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from gend.data.lowres import LowResolution, face_width, remake_low_resolution
from gend.data.portraits import PORTRAITS, Portrait
from gend.fetch import cache_folder, load_picture
from monitor.messages import Pixels

PEOPLE = ("astronaut", "t1-0", "t1-1", "t1-2")
"""Who is in the call, from left to right; the first is the one who is manipulated."""
TILE_PX, HEIGHT, FPS = 320, 720, 15
SECONDS = 30.0
MANIPULATED_FROM_S = 6.0
# The clip's name carries its recipe: a change here makes a new file.
_RECIPE = 1

_FACE_PX = 130.0
"""Width at which each face is shown."""
_DETAIL_PX = 20.0
"""Pixels across the manipulated face that are left of it: seen at once beside the others, yet not a smear."""
_GRAINS = 5


@dataclass(frozen=True, slots=True)
class _Person:
    """One tile of the call."""

    picture: Pixels
    manipulated: Pixels | None
    """The same picture with the face re-made; None for a person who stays real."""
    centre: tuple[float, float]
    """Where the face is in the picture, pixels."""
    scale: float
    """Tile pixels per picture pixel."""
    phase: float
    """Where in the movement this person begins, radians."""


def demo_clip(progress: Callable[[float], None]) -> Path:
    """The clip's path; made where it is not in the cache yet, which takes some seconds.

    Args:
        progress: told the part that is done, 0 to 1.

    Raises:
        FetchError: the pictures cannot be had.
    """
    path = cache_folder() / f"demo-call-{_RECIPE}.mp4"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.mp4")
        try:
            make_clip(part, progress=progress)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return path


def make_clip(
    path: Path,
    *,
    seconds: float = SECONDS,
    manipulated_from_s: float = MANIPULATED_FROM_S,
    names: Sequence[str] = PEOPLE,
    progress: Callable[[float], None] = lambda _: None,
) -> None:
    """Makes a call of any length as an MP4 file of H.264.

    Args:
        path: the file; replaced if there is one.
        seconds: its length.
        manipulated_from_s: when the first person's face begins to be a manipulated one.
        names: of `gend.data.portraits`; each gets a tile of `TILE_PX` by `HEIGHT`, from the left.
        progress: told the part that is done, 0 to 1.

    Raises:
        FetchError: the pictures cannot be had.
    """
    portraits = {portrait.name: portrait for portrait in PORTRAITS}
    people = [_person(portraits[name], manipulated=not number, phase=1.7 * number) for number, name in enumerate(names)]
    frames = round(seconds * FPS)
    calls = (_call(people, number / FPS, manipulated_from_s) for number in range(frames))
    _write(path, calls, TILE_PX * len(people), frames, progress)


def _person(portrait: Portrait, *, manipulated: bool, phase: float) -> _Person:
    picture = load_picture(portrait.picture)
    how = LowResolution(detail_px=_DETAIL_PX, colour_shift=(3.0, 0.0, -3.0))
    remade = remake_low_resolution(picture, portrait.landmarks, how) if manipulated else None
    x, y = (float(value) for value in portrait.landmarks.mean(axis=0))
    return _Person(picture, remade, (x, y), _FACE_PX / face_width(portrait.landmarks), phase)


def _call(people: list[_Person], at_s: float, manipulated_from_s: float) -> Pixels:
    """The whole picture at one moment: uint8 RGB (HEIGHT, n * TILE_PX, 3)."""
    tiles = []
    for person in people:
        manipulated = person.manipulated is not None and at_s >= manipulated_from_s
        picture = person.manipulated if manipulated else person.picture
        assert picture is not None
        tiles.append(_tile(person, picture, at_s))
    return np.concatenate(tiles, axis=1)


def _tile(person: _Person, picture: Pixels, at_s: float) -> Pixels:
    """What one person's camera shows: uint8 RGB (HEIGHT, TILE_PX, 3)."""
    breath = 1 + 0.02 * math.sin(2 * math.pi * at_s / 4.1 + person.phase)
    tilt = math.radians(1.5) * math.sin(2 * math.pi * at_s / 7.3 + person.phase)
    sway = 6 * math.sin(2 * math.pi * at_s / 5.9 + 2 * person.phase)
    nod = 4 * math.sin(2 * math.pi * at_s / 3.7 + person.phase)
    cosine, sine = person.scale * breath * math.cos(tilt), person.scale * breath * math.sin(tilt)
    x, y = person.centre
    matrix = np.array(
        [
            [cosine, -sine, TILE_PX / 2 + sway - cosine * x + sine * y],
            [sine, cosine, HEIGHT * 0.42 + nod - sine * x - cosine * y],
        ]
    )
    tile = cv2.warpAffine(picture, matrix, (TILE_PX, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return tile.astype(np.uint8, copy=False)


def _write(path: Path, pictures: Iterable[Pixels], width: int, count: int, progress: Callable[[float], None]) -> None:
    """Encodes `count` pictures as H.264."""
    grains = _grains(width)
    with av.open(path, "w", format="mp4") as container:
        options = {"preset": "superfast", "crf": "22", "g": str(2 * FPS)}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = width, HEIGHT, "yuv420p"
        for number, picture in enumerate(pictures):
            grainy = cv2.add(picture, grains[number % len(grains)], dtype=cv2.CV_8U)
            frame = av.VideoFrame.from_ndarray(grainy.astype(np.uint8, copy=False), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
            progress((number + 1) / count)
        container.mux(stream.encode(None))


def _grains(width: int) -> list[NDArray[np.int16]]:
    """A sensor's noise, int16 (HEIGHT, width, 3): without it nothing but the movement would change between frames."""
    rng = np.random.default_rng(_RECIPE)
    grains = []
    for _ in range(_GRAINS):
        coarse = rng.normal(0, 1.5, (HEIGHT // 2, width // 2)).astype(np.float32)
        fine = cv2.resize(coarse, (width, HEIGHT), interpolation=cv2.INTER_LINEAR)
        grains.append(np.repeat(np.rint(fine).astype(np.int16)[:, :, None], 3, axis=2))
    return grains
