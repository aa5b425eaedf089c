from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
import torch

from gend.backbones import CLIP_L_14, DEMO_VIT
from gend.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from gend.engines.torch import TorchEngine
from gend.errors import GendError, PictureError
from gend.model import Detector
from gend.network import GenD
from tests.gend.released import TINY, UNUSED, clip_shapes, standard_tensors, write_release

PX = DEMO_VIT.input_px

# Computed with the authors' implementation, from the weights of `standard_tensors`.
GOLDEN_LOGITS = [[0.01185949333012104, 0.015391437336802483], [0.00401374651119113, 0.008584698662161827]]
GOLDEN_FEATURES = [
    [0.13118947, 0.34578758, -1.51160002, -1.06007588, 2.12855244, 0.66571796, -0.10252825, -0.92634603],
    [0.17175518, 0.18018219, -1.62726796, -1.06976986, 2.18166590, 0.79065329, -0.43710837, -1.03430188],
]
GOLDEN_NORMS = [32.3921312, 32.4452999]


@pytest.fixture(scope="module")
def clip() -> Iterator[Checkpoint]:
    """The full ViT-L/14 with its standard weights, through a folder as released."""
    with TemporaryDirectory() as folder:  # 1.2 GB, which pytest's own folders would keep for three runs
        release = Path(folder)
        write_release(release, CLIP_L_14, standard_tensors(CLIP_L_14.vit))
        yield load_checkpoint(release)


@pytest.fixture(scope="module")
def demo_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The demo encoder with first weights."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "demo.safetensors"
    save_checkpoint(GenD(DEMO_VIT), path, {})
    return path


def crops(count: int, px: int) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    return np.random.default_rng(1).integers(0, 256, (count, px, px, 3), dtype=np.uint8)


def test_clip_names_equal_the_release(assets: Path) -> None:
    golden = json.loads((assets / "golden" / "clip.json").read_text())
    released = {name: tuple(shape) for name, shape in golden["parameters"].items()}
    assert clip_shapes(CLIP_L_14.vit) == released


def test_clip_has_the_released_number_of_parameters() -> None:
    with torch.device("meta"):
        named = dict(GenD(CLIP_L_14).named_parameters())
    unused = int(np.prod(clip_shapes(CLIP_L_14.vit)[UNUSED]))
    assert sum(parameter.numel() for parameter in named.values()) == 303_968_258 - unused
    assert sum(parameter.numel() for name, parameter in named.items() if "norm" in name) == 102_400


def test_clip_equals_the_authors_figures(clip: Checkpoint) -> None:
    images = torch.from_numpy(np.random.RandomState(7).standard_normal((2, 3, 224, 224)).astype(np.float32))
    with torch.inference_mode():
        features = clip.model.encoder(images)
        logits = clip.model.head(clip.model.place(features))
    np.testing.assert_allclose(features[:, :8], GOLDEN_FEATURES, atol=1e-4, rtol=0)
    np.testing.assert_allclose(features.norm(dim=1), GOLDEN_NORMS, atol=1e-3, rtol=0)
    np.testing.assert_allclose(logits, GOLDEN_LOGITS, atol=1e-4, rtol=0)


def test_engine_takes_uint8_as_the_network_takes_normalised_floats() -> None:
    torch.manual_seed(0)
    model = GenD(TINY)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    pixels = crops(4, TINY.input_px)
    scaled = (pixels.astype(np.float32) / 255 - TINY.mean) / TINY.std
    images = torch.from_numpy(scaled.astype(np.float32)).permute(0, 3, 1, 2).contiguous()
    torch.testing.assert_close(model.normalise(torch.from_numpy(pixels)), images, atol=1e-5, rtol=0)
    with torch.inference_mode():
        logits = model(images)
    found = TorchEngine(model, device="cpu").logits(pixels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, logits[:, 1] - logits[:, 0], atol=1e-4, rtol=0)


def test_detector_scores_what_it_prepares(demo_file: Path) -> None:
    detector = Detector.load(str(demo_file), device="cpu")
    assert detector.input_px == PX
    faces = [detector.prepare(crops(1, px)[0]) for px in (90, 300)]
    logits = detector.logits(np.stack(faces))
    assert logits.shape == (2,)
    assert logits.dtype == np.float32
    alone = [detector.logits(face[None])[0] for face in faces]
    np.testing.assert_allclose(logits, alone, atol=1e-4, rtol=0)


def test_detector_logit_is_the_log_odds_of_its_probability(demo_file: Path) -> None:
    model = load_checkpoint(demo_file).model
    pixels = crops(3, PX)
    with torch.inference_mode():
        probability = model(model.normalise(torch.from_numpy(pixels))).softmax(dim=1)[:, 1]
    logits = Detector.load(str(demo_file), device="cpu").logits(pixels)
    np.testing.assert_allclose(1 / (1 + np.exp(-logits)), probability, atol=1e-5, rtol=0)


def test_detector_says_who_it_is(demo_file: Path) -> None:
    detector = Detector.load(str(demo_file), device="cpu")
    assert detector.identity.weights == str(demo_file)
    assert detector.identity.sha256 == load_checkpoint(demo_file).sha256
    assert (detector.identity.engine, detector.identity.precision) == ("torch-cpu", "fp32")
    assert detector.notices == ("demo encoder: not for real use",)


@pytest.mark.parametrize(
    ("pixels", "said"),
    [
        (np.zeros((1, PX, PX, 3), np.float32), "uint8, not float32"),
        (np.zeros((PX, PX, 3), np.uint8), rf"not \({PX}, {PX}, 3\)"),
        (np.zeros((1, 3, PX, PX), np.uint8), rf"not \(1, 3, {PX}, {PX}\)"),
        (np.zeros((1, 224, 224, 3), np.uint8), rf"\(B, {PX}, {PX}, 3\)"),
        (np.zeros((0, PX, PX, 3), np.uint8), "B > 0"),
    ],
)
def test_detector_refuses_crops(
    demo_file: Path, pixels: np.ndarray[tuple[int, ...], np.dtype[np.uint8]], said: str
) -> None:
    with pytest.raises(PictureError, match=said):
        Detector.load(str(demo_file), device="cpu").logits(pixels)


def test_detector_without_a_gpu_refuses_cuda(demo_file: Path) -> None:
    if torch.cuda.is_available():
        pytest.skip("this machine has a CUDA GPU")
    with pytest.raises(GendError, match="torch finds no CUDA GPU"):
        Detector.load(str(demo_file), device="cuda")


def test_detector_on_a_gpu_equals_the_cpu(demo_file: Path) -> None:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA GPU on this machine")
    pixels = crops(4, PX)
    on_cpu = Detector.load(str(demo_file), device="cpu").logits(pixels)
    np.testing.assert_allclose(Detector.load(str(demo_file)).logits(pixels), on_cpu, atol=1e-4, rtol=0)


def test_detector_without_torch_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gend.engines.load.find_spec", lambda name: None)
    with pytest.raises(GendError, match=r"pip install 'gend-monitor\[torch\]'"):
        Detector.load("demo")


def test_detector_is_imported_without_torch() -> None:
    check = "import sys, gend.model; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", check], check=False).returncode == 0
