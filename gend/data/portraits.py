"""The few photographed faces that may be fetched and learnt from, and those kept back for the demo clip.

Landmarks are written down rather than detected, so that training needs no face detector and gives the same
crops everywhere.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gend.fetch import load_picture


@dataclass(frozen=True, slots=True)
class Portrait:
    """One face in one picture of the catalogue."""

    name: str
    picture: str
    """Name in `gend.catalogue`."""
    points: tuple[tuple[float, float], ...]
    """Five landmarks in the order of `gend.faces.Face`, pixels of the picture."""
    region: tuple[int, int, int, int]
    """x0, y0, x1, y1: what may be shown with this face; no other face is in it."""
    held_out: bool = False
    """Shown by the demo clip, hence never trained on."""

    @property
    def landmarks(self) -> NDArray[np.float32]:
        """(5, 2), pixels of the picture."""
        return np.array(self.points, dtype=np.float32)

    def load(self) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
        """The region's pixels, RGB uint8 (h, w, 3), and the landmarks in them.

        Raises:
            FetchError: the picture cannot be fetched.
        """
        x0, y0, x1, y1 = self.region
        corner = np.array((x0, y0), dtype=np.float32)
        return load_picture(self.picture)[y0:y1, x0:x1].copy(), self.landmarks - corner


# The people of `faces-t1` are counted from left to right. Regions reach as far as the next face.
PORTRAITS = (
    Portrait(
        "t1-0",
        "faces-t1",
        ((85, 320), (130, 306), (118, 333), (103, 361), (142, 349)),
        (0, 150, 255, 500),
        held_out=True,
    ),
    Portrait(
        "t1-1",
        "faces-t1",
        ((288, 206), (328, 196), (305, 226), (303, 248), (335, 239)),
        (190, 60, 440, 330),
        held_out=True,
    ),
    Portrait(
        "t1-2",
        "faces-t1",
        ((491, 323), (541, 332), (508, 361), (484, 373), (528, 381)),
        (380, 180, 640, 500),
        held_out=True,
    ),
    Portrait("t1-3", "faces-t1", ((763, 400), (806, 400), (775, 427), (768, 444), (803, 444)), (670, 250, 890, 560)),
    Portrait("t1-4", "faces-t1", ((915, 121), (942, 112), (919, 152), (932, 172), (955, 163)), (790, 0, 1130, 290)),
    Portrait(
        "t1-5", "faces-t1", ((1156, 321), (1199, 323), (1172, 346), (1156, 365), (1193, 366)), (1030, 215, 1280, 520)
    ),
    Portrait(
        "tom-hanks",
        "faces-tom-hanks",
        ((34.3, 52.1), (71.6, 49.3), (60.6, 73.7), (40.1, 90.9), (70.5, 88.6)),
        (0, 0, 112, 112),
    ),
    Portrait(
        "astronaut",
        "astronaut",
        ((203.4, 103.6), (247.5, 104.4), (224.1, 127.7), (204.0, 143.1), (242.9, 143.7)),
        (60, 0, 380, 300),
        held_out=True,
    ),
    # Of the five in `faces-group`, counted from left to right, no. 0 wears sunglasses and is left out.
    Portrait(
        "henner",
        "faces-henner",
        ((242.5, 187.1), (377.1, 180.2), (336.6, 263.7), (254.4, 331.0), (372.7, 326.1)),
        (0, 0, 800, 533),
    ),
    Portrait(
        "maher",
        "faces-maher",
        ((329.3, 237.5), (419.5, 237.6), (366.8, 292.7), (330.8, 320.7), (420.9, 320.1)),
        (0, 0, 800, 533),
    ),
    Portrait(
        "guido",
        "faces-guido",
        ((284.1, 224.3), (373.2, 230.7), (290.9, 283.8), (292.3, 342.0), (362.2, 346.9)),
        (0, 0, 800, 533),
    ),
    Portrait(
        "giunchedi",
        "faces-giunchedi",
        ((363.8, 162.6), (438.3, 167.9), (396.4, 211.4), (365.2, 238.4), (428.3, 242.9)),
        (0, 0, 800, 533),
    ),
    Portrait(
        "single",
        "faces-single",
        ((228.1, 239.4), (317.7, 237.0), (267.9, 292.0), (235.3, 328.5), (319.1, 325.3)),
        (0, 0, 572, 562),
    ),
    Portrait(
        "group-1",
        "faces-group",
        ((346.8, 281.2), (391.0, 280.2), (371.1, 305.5), (350.1, 325.6), (388.5, 324.9)),
        (250, 180, 437, 480),
    ),
    Portrait(
        "group-2",
        "faces-group",
        ((461.7, 249.7), (499.1, 251.1), (480.7, 270.0), (461.7, 286.4), (493.9, 287.6)),
        (412, 150, 560, 306),
    ),
    Portrait(
        "group-3",
        "faces-group",
        ((554.7, 351.1), (600.7, 352.9), (571.4, 376.4), (553.6, 395.7), (594.0, 397.4)),
        (520, 285, 684, 520),
    ),
    Portrait(
        "group-4",
        "faces-group",
        ((714.3, 336.4), (760.3, 341.7), (734.7, 365.0), (711.7, 381.7), (751.2, 386.8)),
        (632, 230, 900, 520),
    ),
)
