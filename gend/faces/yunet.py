"""YuNet on OpenVINO: the default detector (Wu, Peng, Yu, "YuNet: A Tiny Millisecond-level Face Detector", 2023).

Its file is made for 640 x 640, but the network has no size of its own: it is reshaped to the picture's, rounded up to
multiples of 32, and compiled once per such size.
"""

from __future__ import annotations

from collections import OrderedDict
from pathlib import Path

import cv2
import numpy as np
import openvino as ov
from numpy.typing import NDArray
from openvino.preprocess import ColorFormat, PrePostProcessor

from gend.errors import WeightsError
from gend.faces.align import check_picture
from gend.faces.boxes import groups
from gend.faces.face import Face
from gend.faces.inference import compile_network, read_network

Values = NDArray[np.float32]

_STRIDES = (8, 16, 32)
_KINDS = ("cls", "obj", "bbox", "kps")
_OUTPUTS = {f"{kind}_{stride}" for kind in _KINDS for stride in _STRIDES}
_MULTIPLE = max(_STRIDES)
_MIN_SHARED = 0.3
_SIZES_KEPT = 4


class YuNet:
    """A `FaceDetector` that sees faces from about ten pixels up, tilted ones too."""

    name = "yunet"
    degraded = None

    def __init__(self, path: Path, *, threshold: float = 0.5, max_px: int = 1280, threads: int = 1) -> None:
        """Reads the network.

        Args:
            path: `yunet_n_640_640.onnx`.
            threshold: least confidence of a face, 0 to 1.
            max_px: where a picture's longer side exceeds this it is shrunk for the search.
            threads: CPU threads of one search.

        Raises:
            WeightsError: the file is not that network.
        """
        self._network = read_network(path)
        if {name for output in self._network.outputs for name in output.get_names()} != _OUTPUTS:
            raise WeightsError(f"{path}: not the YuNet face detector: its outputs have other names")
        self._threshold = threshold
        self._max_px = max_px
        self._threads = threads
        self._compiled: OrderedDict[tuple[int, int], _SizedNetwork] = OrderedDict()

    def detect(self, picture: NDArray[np.uint8]) -> list[Face]:
        """As `FaceDetector.detect`."""
        check_picture(picture)
        searched, enlarge = _shrink(picture, self._max_px)
        below, beside = (-side % _MULTIPLE for side in searched.shape[:2])
        padded = cv2.copyMakeBorder(searched, 0, below, 0, beside, cv2.BORDER_CONSTANT)

        confidences, boxes, landmarks = self._sized(*padded.shape[:2]).search(padded, self._threshold)
        faces = []
        for group in groups(boxes, confidences, _MIN_SHARED):
            best = group[0]
            corners, points = boxes[best].reshape(2, 2) * enlarge, landmarks[best] * enlarge
            (x0, y0), (x1, y1) = corners.tolist()
            faces.append(Face((x0, y0, x1, y1), points, float(confidences[best])))
        return faces

    def _sized(self, height: int, width: int) -> _SizedNetwork:
        """The network for one padded size; those last used are kept."""
        size = (height, width)
        if size not in self._compiled:
            self._compiled[size] = _SizedNetwork(self._compile(height, width), height, width)
            if len(self._compiled) > _SIZES_KEPT:
                self._compiled.popitem(last=False)
        self._compiled.move_to_end(size)
        return self._compiled[size]

    def _compile(self, height: int, width: int) -> ov.InferRequest:
        sized = self._network.clone()
        sized.reshape([1, 3, height, width])
        steps = PrePostProcessor(sized)
        steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
        steps.input().tensor().set_color_format(ColorFormat.RGB)
        steps.input().model().set_layout(ov.Layout("NCHW"))
        steps.input().preprocess().convert_element_type(ov.Type.f32).convert_color(ColorFormat.BGR)
        return compile_network(steps.build(), self._threads)


class _SizedNetwork:
    """The network as compiled for pictures of one size, and how its outputs are read.

    It has an output of each kind for each of three layers, of one cell per `stride` pixels; here they are one list of
    cells, in the order of `_STRIDES`.
    """

    def __init__(self, request: ov.InferRequest, height: int, width: int) -> None:
        self._request = request
        index = {name: at for at, output in enumerate(request.model_outputs) for name in output.get_names()}
        self._outputs = {kind: [index[f"{kind}_{stride}"] for stride in _STRIDES] for kind in _KINDS}
        grids = [np.indices((height // stride, width // stride)).reshape(2, -1)[::-1].T for stride in _STRIDES]
        self._places = np.concatenate(grids).astype(np.float32)  # (n, 2): column, row
        sizes = [np.full((len(grid), 1), stride) for grid, stride in zip(grids, _STRIDES, strict=True)]
        self._strides = np.concatenate(sizes).astype(np.float32)  # (n, 1)

    def search(self, picture: NDArray[np.number], threshold: float) -> tuple[Values, Values, Values]:
        """What the network has to say of a picture, uint8 (h, w, 3).

        Returns:
            Of the cells at or above the threshold: confidences (n,), boxes (n, 4) and landmarks (n, 5, 2), pixels.
        """
        self._request.infer({0: picture[None]}, share_inputs=True, share_outputs=True)
        is_face, is_object = (self._cells(kind)[:, 0].clip(0, 1) for kind in ("cls", "obj"))
        confidences = np.sqrt(is_face * is_object)
        cells = np.flatnonzero(confidences >= threshold)
        places, strides = self._places[cells], self._strides[cells]
        box = self._cells("bbox")[cells]  # (n, 4): offset of the centre, logarithms of the size
        centre, half = (places + box[:, :2]) * strides, np.exp(box[:, 2:]) * strides / 2
        points = (places[:, None] + self._cells("kps")[cells].reshape(-1, 5, 2)) * strides[:, None]
        return confidences[cells], np.concatenate([centre - half, centre + half], axis=1), points

    def _cells(self, kind: str) -> Values:
        """An output of all layers, (n, values)."""
        layers = [self._request.get_output_tensor(index).data[0] for index in self._outputs[kind]]
        return np.concatenate(layers)


def _shrink(picture: NDArray[np.uint8], max_px: int) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The picture with its longer side at most `max_px`, and the factors (x, y) that undo it."""
    height, width = picture.shape[:2]
    factor = max_px / max(height, width)
    if factor >= 1:
        return picture, np.ones(2, np.float32)
    size = max(1, round(width * factor)), max(1, round(height * factor))
    shrunk = cv2.resize(picture, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
    return shrunk, np.array([width / size[0], height / size[1]], np.float32)
