"""The demo's clip, made on the spot: a call of four people, of whom one is manipulated from some second on.

The people are pictures, fetched by hash and never part of this project; breathing and swaying makes them move. The
manipulation is the one the bundled demo encoder knows. None of these faces was in its training.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import av
import cv2
import numpy as np

from gend.data.lowres import remake_low_resolution
from gend.faces import Face, FaceDetector
from gend.fetch import cache_folder, load_picture
from monitor.errors import MonitorError
from monitor.messages import Pixels

WIDTH, HEIGHT, FPS = 1280, 720, 15
SECONDS = 40.0
MANIPULATED_FROM_S = 8.0
# The clip's name carries its recipe: a change here makes a new file.
_RECIPE = 1

_FACE_PX = 165.0
"""Width at which each face is shown."""


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


def demo_clip(detector: FaceDetector, progress: Callable[[float], None]) -> Path:
    """The clip's path; made where it is not in the cache yet, which takes some seconds.

    Args:
        detector: finds the faces in the pictures.
        progress: told the part that is done, 0 to 1.

    Raises:
        FetchError: the pictures cannot be had.
        MonitorError: the detector misses a face that it should find.
    """
    path = cache_folder() / f"demo-{_RECIPE}-{detector.name}.mp4"
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        part = path.with_suffix(f".{os.getpid()}.mp4")
        try:
            make_clip(part, detector, progress)
            part.replace(path)
        finally:
            part.unlink(missing_ok=True)
    return path


def make_clip(
    path: Path,
    detector: FaceDetector,
    progress: Callable[[float], None] = lambda _: None,
    *,
    seconds: float = SECONDS,
    manipulated_from_s: float = MANIPULATED_FROM_S,
) -> None:
    """Makes a call of any length as an MP4 file of H.264. Raises as `demo_clip`."""
    people = _people(detector)
    frames = round(seconds * FPS)
    _write(path, (_call(people, number / FPS, manipulated_from_s) for number in range(frames)), frames, progress)


def manipulated_column(width: int) -> tuple[float, float]:
    """Left and right edge, pixels, of the manipulated person's tile in a picture of that width."""
    return 0.0, width / 4


def _people(detector: FaceDetector) -> list[_Person]:
    """The astronaut, and three of the six people at a table: those three on its left."""
    astronaut, table = load_picture("astronaut"), load_picture("faces-t1")
    first = _faces(detector, astronaut, 1)[0]
    others = _faces(detector, table, 6)[:3]
    remade = remake_low_resolution(astronaut, first.landmarks, np.random.default_rng(_RECIPE))
    return [
        _person(astronaut, remade, first, 0.0),
        *(_person(table, None, face, 1.7 * number) for number, face in enumerate(others, start=1)),
    ]


def _faces(detector: FaceDetector, picture: Pixels, expected: int) -> list[Face]:
    """The faces of a picture from left to right."""
    faces = sorted(detector.detect(picture), key=lambda face: face.confidence)[-expected:]
    if len(faces) < expected:
        raise MonitorError(f"demo clip: {detector.name} found {len(faces)} faces where {expected} are")
    return sorted(faces, key=lambda face: face.box[0])


def _person(picture: Pixels, manipulated: Pixels | None, face: Face, phase: float) -> _Person:
    left, right = face.landmarks[0], face.landmarks[1]
    x, y = (float(value) for value in face.landmarks[2])
    # The eyes are about 0.43 face widths apart, by any detector; boxes differ from one to the other.
    width = float(np.linalg.norm(right - left)) / 0.43
    return _Person(picture, manipulated, (x, y), _FACE_PX / width, phase)


def _call(people: list[_Person], at_s: float, manipulated_from_s: float) -> Pixels:
    """The whole picture at one moment: uint8 RGB (HEIGHT, WIDTH, 3)."""
    tiles = []
    for person in people:
        manipulated = person.manipulated is not None and at_s >= manipulated_from_s
        picture = person.manipulated if manipulated else person.picture
        assert picture is not None
        tiles.append(_tile(person, picture, at_s))
    return np.concatenate(tiles, axis=1)


def _tile(person: _Person, picture: Pixels, at_s: float) -> Pixels:
    """What one person's camera shows: uint8 RGB (HEIGHT, WIDTH / 4, 3)."""
    tile_width = WIDTH // 4
    breath = 1 + 0.02 * math.sin(2 * math.pi * at_s / 4.1 + person.phase)
    tilt = math.radians(1.5) * math.sin(2 * math.pi * at_s / 7.3 + person.phase)
    sway = 6 * math.sin(2 * math.pi * at_s / 5.9 + 2 * person.phase)
    nod = 4 * math.sin(2 * math.pi * at_s / 3.7 + person.phase)
    cosine, sine = person.scale * breath * math.cos(tilt), person.scale * breath * math.sin(tilt)
    x, y = person.centre
    matrix = np.array(
        [
            [cosine, -sine, tile_width / 2 + sway - cosine * x + sine * y],
            [sine, cosine, HEIGHT * 0.42 + nod - sine * x - cosine * y],
        ]
    )
    tile = cv2.warpAffine(
        picture, matrix, (tile_width, HEIGHT), flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REFLECT_101
    )
    return tile.astype(np.uint8, copy=False)


def _write(path: Path, pictures: Iterable[Pixels], count: int, progress: Callable[[float], None]) -> None:
    """Encodes `count` pictures as H.264."""
    noise = np.random.default_rng(_RECIPE)
    with av.open(path, "w", format="mp4") as container:
        options = {"preset": "veryfast", "crf": "20", "g": str(2 * FPS)}
        stream = container.add_stream("libx264", rate=FPS, options=options)
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number, picture in enumerate(pictures):
            # A sensor's noise: without it nothing but the movement would change from frame to frame.
            grain = noise.normal(0, 2, (HEIGHT // 2, WIDTH // 2)).astype(np.float32)
            grain = cv2.resize(grain, (WIDTH, HEIGHT), interpolation=cv2.INTER_LINEAR)[:, :, None]
            frame = av.VideoFrame.from_ndarray(np.clip(picture + grain, 0, 255).astype(np.uint8), format="rgb24")
            frame.pts = number
            container.mux(stream.encode(frame))
            progress((number + 1) / count)
        container.mux(stream.encode(None))
