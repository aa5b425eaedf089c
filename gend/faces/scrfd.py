"""SCRFD on OpenVINO, the detector by which GenD's authors cut their faces.

(Guo et al., "Sample and Computation Redistribution for Efficient Face Detection", 2021.) It reads InsightFace's
`det_10g.onnx`, and any of its kin that answer with five landmarks. Those weights are for non-commercial research only:
they are never fetched, and `load_detector` says so. InsightFace itself is not needed; the tests compare this with it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final, NamedTuple

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.preprocess import PrePostProcessor

from gend.errors import WeightsError
from gend.faces.align import check_picture
from gend.faces.boxes import groups
from gend.faces.face import Face
from gend.faces.inference import compile_network, read_network

Values = NDArray[np.float32]

_INPUT_PX = 640
_STRIDES = (8, 16, 32)
_ANCHORS = 2
"""At each place."""
_MIN_SHARED = 0.4


class _Layer(NamedTuple):
    """Which outputs of the network speak of the places that lie `stride` pixels apart."""

    stride: int
    confidences: int
    """(n, 1), n: rows, columns and anchors; the others likewise."""
    boxes: int
    """(n, 4): distances from the place to left, top, right and bottom, in strides."""
    landmarks: int
    """(n, 10): offsets of five points x, y from the place, in strides."""


class SCRFD:
    """A `FaceDetector` that sees a picture fitted into a square of 640 pixels, enlarged where it is smaller."""

    name: Final = "scrfd"
    degraded: Final = None

    def __init__(self, path: Path, *, threshold: float = 0.5, threads: int = 1) -> None:
        """Reads the network.

        Args:
            path: `det_10g.onnx`, or another SCRFD with landmarks.
            threshold: least confidence of a face, 0 to 1.
            threads: CPU threads of one search.

        Raises:
            WeightsError: the file is no such network.
        """
        network = read_network(path)
        try:
            network.reshape([1, 3, _INPUT_PX, _INPUT_PX])
            self._layers = [_layer(network, stride) for stride in _STRIDES]
        except (RuntimeError, LookupError) as error:
            raise WeightsError(f"{path}: not an SCRFD face detector with landmarks") from error
        steps = PrePostProcessor(network)
        steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        steps.input().model().set_layout(ov.Layout("NCHW"))
        steps.input().preprocess().convert_element_type(ov.Type.f32).mean(127.5).scale(128)
        self._request = compile_network(steps.build(), threads)
        self._threshold = threshold

    def detect(self, picture: NDArray[np.uint8]) -> list[Face]:
        """As `FaceDetector.detect`."""
        check_picture(picture)
        square, enlarge = _fitted(picture)
        outputs = self._request.infer({0: square[None]}, share_inputs=True, share_outputs=True)
        found = [self._decode(outputs, layer) for layer in self._layers]
        confidences, boxes, landmarks = (np.concatenate(parts) for parts in zip(*found, strict=True))

        faces = []
        for group in groups(boxes, confidences, _MIN_SHARED):
            best = group[0]
            (x0, y0), (x1, y1) = (boxes[best].reshape(2, 2) * enlarge).tolist()
            faces.append(Face((x0, y0, x1, y1), landmarks[best] * enlarge, float(confidences[best])))
        return faces

    def _decode(self, outputs: Any, layer: _Layer) -> tuple[Values, Values, Values]:
        """Of the anchors at or above the threshold: confidences (n,), boxes (n, 4), landmarks (n, 5, 2), pixels."""
        confidences = outputs[layer.confidences].reshape(-1)
        anchors = np.flatnonzero(confidences >= self._threshold)
        rows, columns = np.divmod(anchors // _ANCHORS, _INPUT_PX // layer.stride)
        places = np.stack([columns, rows], axis=1).astype(np.float32)  # (n, 2)
        distances = outputs[layer.boxes].reshape(-1, 4)[anchors]
        offsets = outputs[layer.landmarks].reshape(-1, 5, 2)[anchors]
        boxes = np.concatenate([places - distances[:, :2], places + distances[:, 2:]], axis=1)
        return confidences[anchors], boxes * layer.stride, (places[:, None] + offsets) * layer.stride


def _layer(network: ov.Model, stride: int) -> _Layer:
    """Tells the outputs apart by their shapes: their names are numbers, and differ from file to file.

    Raises:
        LookupError: an output is missing.
    """
    anchors = (_INPUT_PX // stride) ** 2 * _ANCHORS
    # The first dimension of networks that take batches is 1.
    outputs = {tuple(output.shape)[-2:]: index for index, output in enumerate(network.outputs)}
    return _Layer(stride, *(outputs[anchors, values] for values in (1, 4, 10)))


def _fitted(picture: NDArray[np.uint8]) -> tuple[NDArray[np.uint8], Values]:
    """The picture in the upper left of the network's square, black beside it, and the factors (x, y) that lead back."""
    height, width = picture.shape[:2]
    factor = _INPUT_PX / max(height, width)
    columns, rows = max(1, int(width * factor)), max(1, int(height * factor))
    square = np.zeros((_INPUT_PX, _INPUT_PX, 3), np.uint8)
    square[:rows, :columns] = cv2.resize(picture, (columns, rows), interpolation=cv2.INTER_LINEAR)
    return square, np.array([width / columns, height / rows], np.float32)
