"""The demo's clip, made on the spot: a call of three people, of whom one is manipulated from some second on.

The people are pictures, fetched by hash and never part of this project; breathing and swaying makes them move. The
manipulation is the one the bundled demo encoder knows. None of these faces was in its training; of those held out,
the one that it takes for manipulated though she is real (`t1-0`, see its card) is left out.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np
from numpy.typing import NDArray

from gend.data.lowres import LowResolution, face_width, remake_low_resolution
from gend.data.portraits import PORTRAITS, Portrait
from gend.fetch import CATALOGUE, cache_folder, load_picture
from monitor.messages import Pixels

PEOPLE = ("astronaut", "t1-1", "t1-2")
"""Who is in the call, from left to right; the first is the one who is manipulated."""
TILE_PX, HEIGHT, FPS = 320, 720, 15
SECONDS = 30.0
MANIPULATED_FROM_S = 6.0
_X264 = {"preset": "superfast", "crf": "22", "g": str(2 * FPS)}

_FACE_PX = 130.0
"""Width at which each face is shown."""
_DETAIL_PX = 20.0
"""Pixels across the manipulated face that are left of it: seen at once beside the others, yet not a smear."""
_LOW_RESOLUTION = LowResolution(detail_px=_DETAIL_PX, colour_shift=(3.0, 0.0, -3.0))
_FACE_HEIGHT = 0.42
"""Where the faces are, from the top, as a part of the picture's height."""
_BREATH, _BREATH_S = 0.02, 4.1
"""How much a person moves to and fro, as a part of the size, and how long it takes."""
_TILT_DEGREES, _TILT_S = 1.5, 7.3
_SWAY_PX, _SWAY_S = 6.0, 5.9
_NOD_PX, _NOD_S = 4.0, 3.7
_PHASE = 1.7
"""Radians by which each person moves later than the one to the left."""
_GRAINS, _GRAIN_STRENGTH, _GRAIN_SEED = 5, 1.5, 1

_ABANDONED_S = 3600.0
"""A file that was begun so long ago is nobody's any more."""


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
    """The clip's path; made where it is not in the cache yet, which takes some seconds. Clips of old are removed.

    Args:
        progress: told the part that is done, 0 to 1.

    Raises:
        FetchError: the pictures cannot be had.
    """
    path = cache_folder() / f"demo-call-{_recipe()}.mp4"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.part")
        try:
            make_clip(part, progress=progress)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
        _remove_older(path)
    return path


def _recipe() -> str:
    """A hash of all that the clip is made from, so that its file is never of another making.

    Every constant of this module counts without being named here, and so does one that is added. What is not a
    constant (the order of the steps, the code of `gend.data.lowres`) does not.
    """
    constants = {name: value for name, value in globals().items() if name.isupper() and name != "PORTRAITS"}
    portraits = [portrait for portrait in PORTRAITS if portrait.name in PEOPLE]
    pictures = [CATALOGUE[portrait.picture].sha256 for portrait in portraits]
    return hashlib.sha256(repr((sorted(constants.items()), portraits, pictures)).encode()).hexdigest()[:12]


def _remove_older(path: Path) -> None:
    """Removes clips by other recipes, and what a demo that was ended in the middle has left of one."""
    for other in path.parent.glob("demo-call-*"):
        clip = other.suffix == ".mp4" and other != path
        abandoned = other.suffix == ".part" and time.time() - other.stat().st_mtime > _ABANDONED_S
        if clip or abandoned:
            other.unlink(missing_ok=True)


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
    people = [
        _person(portraits[name], manipulated=not number, phase=_PHASE * number) for number, name in enumerate(names)
    ]
    frames = round(seconds * FPS)
    calls = (_call(people, number / FPS, manipulated_from_s) for number in range(frames))
    _write(path, calls, TILE_PX * len(people), frames, progress)


def _person(portrait: Portrait, *, manipulated: bool, phase: float) -> _Person:
    picture = load_picture(portrait.picture)
    remade = remake_low_resolution(picture, portrait.landmarks, _LOW_RESOLUTION) if manipulated else None
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
    breath = 1 + _BREATH * math.sin(2 * math.pi * at_s / _BREATH_S + person.phase)
    tilt = math.radians(_TILT_DEGREES) * math.sin(2 * math.pi * at_s / _TILT_S + person.phase)
    sway = _SWAY_PX * math.sin(2 * math.pi * at_s / _SWAY_S + 2 * person.phase)
    nod = _NOD_PX * math.sin(2 * math.pi * at_s / _NOD_S + person.phase)
    cosine, sine = person.scale * breath * math.cos(tilt), person.scale * breath * math.sin(tilt)
    x, y = person.centre
    matrix = np.array(
        [
            [cosine, -sine, TILE_PX / 2 + sway - cosine * x + sine * y],
            [sine, cosine, HEIGHT * _FACE_HEIGHT + nod - sine * x - cosine * y],
        ]
    )
    tile = cv2.warpAffine(picture, matrix, (TILE_PX, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE)
    return tile.astype(np.uint8, copy=False)


def _write(path: Path, pictures: Iterable[Pixels], width: int, count: int, progress: Callable[[float], None]) -> None:
    """Encodes `count` pictures as H.264."""
    grains = _grains(width)
    with av.open(path, "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=FPS, options=_X264)
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
    rng = np.random.default_rng(_GRAIN_SEED)
    grains = []
    for _ in range(_GRAINS):
        coarse = rng.normal(0, _GRAIN_STRENGTH, (HEIGHT // 2, width // 2)).astype(np.float32)
        fine = cv2.resize(coarse, (width, HEIGHT), interpolation=cv2.INTER_LINEAR)
        grains.append(np.repeat(np.rint(fine).astype(np.int16)[:, :, None], 3, axis=2))
    return grains
