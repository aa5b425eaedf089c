"""BlazeFace, full-range variant, on OpenVINO: the detector where only the package index can be reached.

The network (Bazarevsky et al., "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs", 2019; MediaPipe's
`face_detection_full_range_sparse.tflite`) sees 192 x 192 pixels and answers for each of 48 x 48 places. Faces much
narrower than a tenth of that are lost on it. An oblong picture is therefore searched in overlapping squares as well:
of the 76 faces YuNet finds in pictures of a street, 74 are found so instead of 55, for three times the work.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Final

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.preprocess import PrePostProcessor

from gend.errors import WeightsError
from gend.faces.align import check_picture, five_points
from gend.faces.boxes import groups
from gend.faces.face import Face
from gend.faces.inference import compile_network, read_network

_INPUT_PX = 192
_CELLS = 48
_OUTPUT_SHAPES = [[1, _CELLS**2, 16], [1, _CELLS**2, 1]]
_MIN_SHARED = 0.3
_OBLONG = 1.2
"""Squares of a picture that is hardly longer than high would see what the whole picture shows already."""
_MOST_PARTS = 4
"""Beyond four to one, squares give way to oblongs: the work has a bound."""


class BlazeFace:
    """A `FaceDetector` that needs nothing but the package index, and misses small faces."""

    name: Final = "blazeface"
    degraded: Final = "face detector BlazeFace: small faces are missed"

    def __init__(self, path: Path, *, threshold: float = 0.5, threads: int = 1) -> None:
        """Reads the network.

        Args:
            path: `face_detection_full_range_sparse.tflite`.
            threshold: least confidence of a face, 0 to 1.
            threads: CPU threads of one search.

        Raises:
            WeightsError: the file is not that network.
        """
        network = read_network(path)
        if [list(output.shape) for output in network.outputs] != _OUTPUT_SHAPES:
            raise WeightsError(f"{path}: not the full-range BlazeFace detector: its outputs have other shapes")
        steps = PrePostProcessor(network)
        steps.input().tensor().set_element_type(ov.Type.u8)
        steps.input().preprocess().convert_element_type(ov.Type.f32).mean(127.5).scale(127.5)
        self._request = compile_network(steps.build(), threads)
        self._threshold = threshold
        rows, columns = np.divmod(np.arange(_CELLS**2), _CELLS)
        self._places = ((np.stack([columns, rows], axis=1) + 0.5) * (_INPUT_PX / _CELLS)).astype(np.float32)

    def detect(self, picture: NDArray[np.uint8]) -> list[Face]:
        """As `FaceDetector.detect`."""
        check_picture(picture)
        faces = [
            face
            for x, y, width, height in _views(picture.shape[1], picture.shape[0])
            for face in self._search(picture[y : y + height, x : x + width], np.array([x, y], np.float32))
        ]
        boxes = np.array([face.box for face in faces], np.float32).reshape(-1, 4)
        confidences = np.array([face.confidence for face in faces], np.float32)
        return [faces[group[0]] for group in groups(boxes, confidences, _MIN_SHARED)]

    def _search(self, view: NDArray[np.uint8], corner: NDArray[np.float32]) -> list[Face]:
        """Faces of one part of a picture, in pixels of the picture; `corner` (x, y) is where the part lies in it."""
        square, margin, enlarge = _letterbox(view)
        outputs = self._request.infer({0: square[None]}, share_inputs=True, share_outputs=True)
        # Clipped as MediaPipe does, so that the exponential stays a float32.
        confidences = 1 / (1 + np.exp(-np.clip(outputs[1][0, :, 0], -80, 80)))
        likely = np.flatnonzero(confidences >= self._threshold)
        confidences = confidences[likely]
        # Of each place 8 pairs (x, y): offset of the box's centre, its size, offsets of eyes, nose, mouth and ears.
        pairs = outputs[0][0, likely].reshape(-1, 8, 2)
        points = corner + (pairs + self._places[likely, None] - margin) * enlarge
        half = pairs[:, 1] * enlarge / 2
        boxes = np.concatenate([points[:, 0] - half, points[:, 0] + half], axis=1)

        faces = []
        for group in groups(boxes, confidences, _MIN_SHARED):
            # Neighbouring places see the same face: their mean, by confidence, is steadier than the best of them.
            weights = confidences[group] / confidences[group].sum()
            x0, y0, x1, y1 = (weights @ boxes[group]).tolist()
            eye, other_eye, nose, mouth = np.tensordot(weights, points[group, 2:6], axes=1)
            landmarks = five_points(np.stack([eye, other_eye]), nose, mouth)
            faces.append(Face((x0, y0, x1, y1), landmarks, float(confidences[group[0]])))
        return faces


def _views(width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Parts of a picture to search, each x, y, width, height: the whole, and squares along it where it is oblong."""
    shorter, longer = sorted((width, height))
    whole = (0, 0, width, height)
    if longer < _OBLONG * shorter:
        return [whole]
    count = min(math.ceil(longer / shorter), _MOST_PARTS)
    length = max(shorter, math.ceil(longer / count))
    starts = [round(index * (longer - length) / (count - 1)) for index in range(count)]
    if width == longer:
        return [whole, *((start, 0, length, height) for start in starts)]
    return [whole, *((0, start, width, length) for start in starts)]


def _letterbox(view: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
    """The view fitted into the middle of the network's square, black around it.

    Returns:
        The square, and what leads back from it, each (x, y): the margin to subtract, then the factor to multiply by.
    """
    height, width = view.shape[:2]
    factor = _INPUT_PX / max(height, width)
    columns, rows = max(1, round(width * factor)), max(1, round(height * factor))
    left, top = (_INPUT_PX - columns) // 2, (_INPUT_PX - rows) // 2
    square = np.zeros((_INPUT_PX, _INPUT_PX, 3), np.uint8)
    square[top : top + rows, left : left + columns] = cv2.resize(view, (columns, rows), interpolation=cv2.INTER_AREA)
    return square, np.array([left, top], np.float32), np.array([width / columns, height / rows], np.float32)
