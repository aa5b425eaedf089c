from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from gend.errors import FetchError, GendError, PictureError, WeightsError
from gend.faces import load_detector
from gend.faces.scrfd import SCRFD
from tests.gend.fetched import fetched, offer_models

STRIDES = (8, 16, 32)
NOTICE = "face detector SCRFD: InsightFace's weights are for non-commercial research only"


class Layers:
    """What a hand-made SCRFD answers at each stride: linear in the mean colour of a place."""

    def __init__(self, confidences: NDArray[Any], boxes: NDArray[Any], landmarks: NDArray[Any]) -> None:
        """Each (strides, 2 * values, 4): weights of red, green and blue from -1 to 1, and a bias."""
        self.kinds = {1: confidences, 4: boxes, 10: landmarks}


def save(path: Path, layers: Layers, *, batches: bool = False, shuffled: bool = False) -> Path:
    """Writes an ONNX file with the inputs and outputs of `det_10g.onnx`."""
    onnx = pytest.importorskip("onnx")
    node, constant = onnx.helper.make_node, onnx.numpy_helper.from_array
    nodes, constants, outputs = [], [], []
    for values, kind in layers.kinds.items():
        for stride, rows in zip(STRIDES, kind, strict=True):
            name = f"{values}_{stride}"
            shape = (1, -1, values) if batches else (-1, values)
            constants += [
                constant(np.ascontiguousarray(rows[:, :3, None, None], np.float32), f"weight_{name}"),
                constant(np.ascontiguousarray(rows[:, 3], np.float32), f"bias_{name}"),
                constant(np.array(shape, np.int64), f"shape_{name}"),
            ]
            result = f"raw_{name}" if values == 1 else f"out_{name}"
            nodes += [
                node("AveragePool", ["input.1"], [f"pool_{name}"], kernel_shape=[stride] * 2, strides=[stride] * 2),
                node("Conv", [f"pool_{name}", f"weight_{name}", f"bias_{name}"], [f"conv_{name}"]),
                node("Transpose", [f"conv_{name}"], [f"turned_{name}"], perm=[0, 2, 3, 1]),
                node("Reshape", [f"turned_{name}", f"shape_{name}"], [result]),
            ]
            if values == 1:
                nodes.append(node("Sigmoid", [result], [f"out_{name}"]))
            dims = [1, None, values] if batches else [None, values]
            outputs.append(onnx.helper.make_tensor_value_info(f"out_{name}", onnx.TensorProto.FLOAT, dims))
    if shuffled:
        outputs.reverse()
    image = onnx.helper.make_tensor_value_info("input.1", onnx.TensorProto.FLOAT, [1, 3, "?", "?"])
    graph = onnx.helper.make_graph(nodes, "scrfd", [image], outputs, constants)
    # An old version of the format, as the real file is: every reader knows it.
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, str(path))
    return path


# Left, top, right, bottom; the two anchors of a place see other boxes, and the first is the more certain.
BOX = np.array([4.0, 4.5, 6.0, 6.5])
POINTS = np.array([[-1.5, -1.6], [2.6, -1.5], [0.1, 0.2], [-1.4, 2.9], [2.5, 3.0]])


def colour_layers() -> Layers:
    """Red is a face at stride 8, green one at 16, blue one at 32."""
    confidences = np.zeros((3, 2, 4))
    for stride in range(3):
        confidences[stride, :, :3] = -10
        confidences[stride, :, stride] = 10
        confidences[stride, :, 3] = -20, -21
    boxes, landmarks = np.zeros((3, 8, 4)), np.zeros((3, 20, 4))
    boxes[..., 3] = np.concatenate([BOX, BOX * 1.1])
    landmarks[..., 3] = np.concatenate([POINTS, POINTS * 1.1]).ravel()
    return Layers(confidences, boxes, landmarks)


def uneven_layers(seed: int) -> Layers:
    """As `colour_layers`, but where a face's box and landmarks lie depends on its colour and its anchor."""
    layers, rng = colour_layers(), np.random.default_rng(seed)
    for values in (4, 10):
        layers.kinds[values] += rng.normal(0, 0.3, layers.kinds[values].shape)
    return layers


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return save(tmp_path / "det_10g.onnx", colour_layers())


def drawn(stride: int, place: Sequence[int], size: tuple[int, int], enlarge: float) -> NDArray[np.uint8]:
    """A picture (width, height), black but for one place of a stride, as the network sees it, and eight dimmer ones."""
    picture = np.zeros((size[1], size[0], 3), np.uint8)
    cell, channel = round(stride / enlarge), STRIDES.index(stride)
    column, row = place
    picture[(row - 1) * cell : (row + 2) * cell, (column - 1) * cell : (column + 2) * cell, channel] = 230
    picture[row * cell : (row + 1) * cell, column * cell : (column + 1) * cell, channel] = 255
    return picture


@pytest.mark.parametrize("stride", STRIDES)
@pytest.mark.parametrize(
    ("size", "enlarge"), [((320, 200), 2.0), ((160, 320), 2.0), ((640, 640), 1.0), ((1280, 720), 0.5)]
)
def test_detect_where_drawn(network: Path, stride: int, size: tuple[int, int], enlarge: float) -> None:
    place = np.array([5, 6])
    (face,) = SCRFD(network).detect(drawn(stride, place.tolist(), size, enlarge))
    pixels = stride / enlarge
    expected = np.concatenate([place - BOX[:2], place + BOX[2:]]) * pixels
    assert face.box == pytest.approx(expected.tolist(), abs=0.01)
    np.testing.assert_allclose(face.landmarks, (place + POINTS) * pixels, atol=0.01)
    assert face.landmarks.dtype == np.float32
    assert face.confidence > 0.999


@pytest.mark.parametrize(("batches", "shuffled"), [(True, False), (False, True)])
def test_detect_whatever_the_outputs_order(network: Path, tmp_path: Path, batches: bool, shuffled: bool) -> None:
    other = save(tmp_path / "other.onnx", colour_layers(), batches=batches, shuffled=shuffled)
    picture = drawn(16, [7, 4], (640, 360), 1.0)
    (face,), (same,) = (SCRFD(path).detect(picture) for path in (network, other))
    assert face.box == same.box
    np.testing.assert_array_equal(face.landmarks, same.landmarks)


def test_detect_most_certain_first(network: Path) -> None:
    picture = drawn(8, [20, 10], (640, 640), 1.0)
    faint = drawn(8, [60, 60], (640, 640), 1.0) // 8 * 7
    certain = [face.confidence for face in SCRFD(network).detect(np.maximum(picture, faint))]
    assert len(certain) == 2
    assert certain[0] > certain[1]
    between = (certain[0] + certain[1]) / 2
    assert len(SCRFD(network, threshold=between).detect(np.maximum(picture, faint))) == 1


@pytest.mark.parametrize(("seed", "size"), [(0, (640, 640)), (1, (512, 301)), (2, (301, 512)), (3, (1280, 720))])
def test_detect_equals_insightface(tmp_path: Path, seed: int, size: tuple[int, int]) -> None:
    model_zoo = pytest.importorskip("insightface.model_zoo", exc_type=ImportError)
    path = save(tmp_path / "det_10g.onnx", uneven_layers(seed))
    rng = np.random.default_rng(seed)
    picture = rng.integers(0, 30, (size[1], size[0], 3), dtype=np.uint8)
    # A blot of each colour, of nine places of its stride; any two lie far enough apart to be two faces.
    enlarge = 640 / max(size)
    for channel, centre in enumerate(((0.15, 0.5), (0.4, 0.4), (0.8, 0.6))):
        x, y = (round(part * side) for part, side in zip(centre, size, strict=True))
        half = round(STRIDES[channel] / enlarge * 1.5)
        picture[y - half : y + half, x - half : x + half, channel] = 255 - rng.integers(20)

    theirs = model_zoo.get_model(str(path), providers=["CPUExecutionProvider"])
    bgr = np.ascontiguousarray(picture[:, :, ::-1])
    boxes, landmarks = theirs.detect(bgr, input_size=(640, 640), det_thresh=0.5)
    faces = SCRFD(path).detect(picture)
    assert len(faces) == 3
    np.testing.assert_allclose([face.confidence for face in faces], boxes[:, 4], atol=1e-4)
    # They take one factor for both sides of the picture, though each side is cut to whole pixels by itself.
    np.testing.assert_allclose([face.box for face in faces], boxes[:, :4], atol=0.5)
    np.testing.assert_allclose([face.landmarks for face in faces], landmarks, atol=0.5)


@pytest.mark.parametrize("shape", [(1, 1), (7, 33), (20, 3000), (3000, 3)])
def test_detect_odd_sizes(network: Path, shape: tuple[int, int]) -> None:
    assert SCRFD(network).detect(np.full((*shape, 3), 90, np.uint8)) == []


@pytest.mark.parametrize(
    "picture",
    [np.zeros((64, 64), np.uint8), np.zeros((64, 64, 4), np.uint8), np.zeros((8, 8, 3)), np.zeros((0, 8, 3), np.uint8)],
    ids=["grey", "alpha", "floats", "empty"],
)
def test_detect_not_a_picture(network: Path, picture: NDArray[np.uint8]) -> None:
    with pytest.raises(PictureError, match="picture"):
        SCRFD(network).detect(picture)


def test_other_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offer_models(monkeypatch)
    broken = tmp_path / "broken.onnx"
    broken.write_bytes(b"\x08\x07not a network")
    for path in (tmp_path / "missing.onnx", broken, fetched("yunet"), fetched("blazeface")):
        with pytest.raises(WeightsError, match=path.name) as raised:
            SCRFD(path)
        assert "\n" not in str(raised.value)


def test_load_detector_by_file(network: Path) -> None:
    warnings: list[str] = []
    detector = load_detector(f"scrfd:{network}", threshold=0.4, warn=warnings.append)
    assert isinstance(detector, SCRFD)
    assert (detector.name, detector.degraded) == ("scrfd", None)
    assert warnings == [NOTICE]


def test_load_detector_by_folder(network: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GEND_MODELS", f"/nowhere:{network.parent}")
    assert isinstance(load_detector("scrfd", warn=lambda _: None), SCRFD)


def test_load_detector_where_insightface_keeps_it(
    network: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "home" / ".insightface" / "models" / "buffalo_l"
    folder.mkdir(parents=True)
    network.rename(folder / network.name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("GEND_MODELS", raising=False)
    assert isinstance(load_detector("scrfd", warn=lambda _: None), SCRFD)


def test_load_detector_without_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("GEND_MODELS", str(tmp_path))
    with pytest.raises(FetchError, match=r"^scrfd: no det_10g\.onnx in a folder of GEND_MODELS; .* scrfd:FILE$"):
        load_detector("scrfd", warn=pytest.fail)
    with pytest.raises(WeightsError, match=r"^/nowhere/det\.onnx: no such file$"):
        load_detector("scrfd:/nowhere/det.onnx", warn=pytest.fail)


@pytest.mark.parametrize("name", ["retinaface", "scrfd:", "yunet:/a/file", ""])
def test_load_detector_of_another_name(name: str) -> None:
    with pytest.raises(GendError, match=r"no such face detector; there are auto, yunet, blazeface, scrfd and scrfd:F"):
        load_detector(name, warn=pytest.fail)
