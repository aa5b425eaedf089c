"""What it costs to search a picture for faces, on one thread, and how near that is to what the processor can do.

Run: python -m benchmarks.faces [DETECTOR …] (further detectors as `load_detector` names them, e.g.
scrfd:/models/det_10g.onnx; fetches YuNet, BlazeFace and one picture)
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
import openvino as ov
from openvino import opset15
from openvino.preprocess import ColorFormat, PrePostProcessor, ResizeAlgorithm

from benchmarks.machine import described
from gend.faces import load_detector
from gend.faces.inference import compile_network, read_network
from gend.fetch import fetch, load_picture
from gend.openvino_core import openvino_core
from gend.resample import Pixels

_ROUNDS = 40
_CALLS = 2
_MATRIX = 1024
_FRAME, _SEARCHED = (1280, 720), (640, 360)
_PADDED = (640, 384)


def main() -> None:
    """Prints the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("detectors", nargs="*")
    given = arguments.parse_args()
    cv2.setNumThreads(1)
    frame = np.ascontiguousarray(cv2.resize(load_picture("faces-t1"), _FRAME)).astype(np.uint8)
    small = _shrunk(frame)
    yunet = load_detector("yunet", warn=print)
    ways: dict[str, Callable[[], object]] = {
        "YuNet, 640 x 384, with the resizing from 1280 x 720": lambda: yunet.detect(_shrunk(frame)),
        "YuNet, 640 x 384": partial(yunet.detect, small),
        "the network alone": _network(resized=False),
        "the network alone, resizing in its graph": _network(resized=True),
        "the network alone, bfloat16": _network(resized=False, precision="bf16"),
    }
    for name in ("blazeface", *given.detectors):
        detector = load_detector(name, warn=print)
        ways[f"{detector.name}, 640 x 360"] = partial(detector.detect, small)
    multiply, matrix_gflop = _matrix_product()
    *spent_ms, matrix_ms = _least_ms([*ways.values(), multiply])
    rate = matrix_gflop / matrix_ms  # GFLOP per ms
    gflop = _yunet_gflop()

    print("| search | CPU time, ms | of the processor's fp32 rate |")
    print("|---|---|---|")
    for way, way_ms in zip(ways, spent_ms, strict=True):
        share = f"{gflop / rate / way_ms:.0%}" if way.startswith("the network") else ""
        print(f"| {way} | {way_ms:.1f} | {share} |")
    print()
    print(f"One thread, least of {_ROUNDS} rounds that take each way in turn; 6 faces in the picture.")
    print(f"YuNet's convolutions are {gflop:.2f} GFLOP; a product of {_MATRIX} x {_MATRIX} matrices in fp32 runs at")
    print(f"{rate * 1e3:.0f} GFLOP/s here, so no fp32 search can take less than {gflop / rate:.1f} ms.")
    print(described("numpy", "opencv-python-headless", "openvino"))


def _shrunk(frame: Pixels) -> Pixels:
    return cv2.resize(frame, _SEARCHED, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _network(*, resized: bool, precision: str = "f32") -> Callable[[], object]:
    """YuNet without decoding, of a uint8 picture; `resized` from the frame's size, in the graph."""
    network = read_network(fetch("yunet"))
    network.reshape([1, 3, _PADDED[1], _PADDED[0]])
    steps = PrePostProcessor(network)
    tensor = steps.input().tensor().set_element_type(ov.Type.u8).set_layout(ov.Layout("NHWC"))
    tensor.set_color_format(ColorFormat.RGB)
    steps.input().model().set_layout(ov.Layout("NCHW"))
    width, height = _FRAME if resized else _PADDED
    if resized:
        tensor.set_spatial_static_shape(height, width)
        steps.input().preprocess().resize(ResizeAlgorithm.RESIZE_LINEAR)
    steps.input().preprocess().convert_element_type(ov.Type.f32).convert_color(ColorFormat.BGR)
    if precision == "f32":
        request = compile_network(steps.build(), threads=1)
    else:
        settings = {"INFERENCE_NUM_THREADS": 1, "INFERENCE_PRECISION_HINT": precision, "ENABLE_CPU_PINNING": False}
        request = openvino_core().compile_model(steps.build(), "CPU", settings).create_infer_request()
    picture = np.random.default_rng(0).integers(0, 256, (1, height, width, 3), dtype=np.uint8)
    return partial(request.infer, {0: picture}, share_inputs=True, share_outputs=True)


def _yunet_gflop() -> float:
    """Of the convolutions, a multiplication and an addition each."""
    network = read_network(fetch("yunet"))
    network.reshape([1, 3, _PADDED[1], _PADDED[0]])
    products = 0
    for node in network.get_ordered_ops():
        if node.get_type_name() in {"Convolution", "GroupConvolution"}:
            places = int(np.prod(list(node.output(0).shape)[2:]))
            products += places * int(np.prod(list(node.input_value(1).shape)))
    return 2 * products / 1e9


def _matrix_product() -> tuple[Callable[[], object], float]:
    """A product as large as caches like it, and its GFLOP."""
    left = opset15.parameter([_MATRIX, _MATRIX], ov.Type.f32)
    right = opset15.constant(np.ones((_MATRIX, _MATRIX), np.float32))
    product = ov.Model([opset15.result(opset15.matmul(left, right, False, False))], [left])
    request = compile_network(product, threads=1)
    values = np.ones((_MATRIX, _MATRIX), np.float32)
    return partial(request.infer, {0: values}, share_inputs=True, share_outputs=True), 2 * _MATRIX**3 / 1e9


def _least_ms(ways: list[Callable[[], object]]) -> list[float]:
    spent_ms: list[list[float]] = [[] for _ in ways]
    for way in ways:
        way()
    for _ in range(_ROUNDS):
        for way, spent in zip(ways, spent_ms, strict=True):
            begun_s = time.process_time()
            for _ in range(_CALLS):
                way()
            spent.append((time.process_time() - begun_s) / _CALLS * 1e3)
    return [min(spent) for spent in spent_ms]


if __name__ == "__main__":
    main()
