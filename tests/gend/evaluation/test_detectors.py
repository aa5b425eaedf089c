"""Detectors of others, each by its own library, against the same network in torch."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from gend.adapter import cut_adapter
from gend.checkpoint import load_checkpoint
from gend.errors import ConfigError, GendError, WeightsError
from gend.evaluation.config import GendDetector, OnnxDetector, TorchScriptDetector, TransformersDetector
from gend.evaluation.detectors.answers import log_odds, normalised
from gend.evaluation.detectors.labels import fake_classes
from gend.evaluation.detectors.load import check_detectors, load_scorer
from gend.model import Detector
from gend.preprocess import encoder_input


@pytest.fixture(scope="module")
def crops() -> list[NDArray[np.uint8]]:
    """Of three sizes."""
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (side, side, 3), np.uint8) for side in (40, 64, 112)]


class Means(nn.Module):
    """Two classes, by the mean of red and of blue."""

    def forward(self, pictures: Tensor) -> Tensor:
        return pictures.mean((2, 3))[:, [0, 2]] * 3


MEANS = {"input_px": 32, "mean": (0.5, 0.4, 0.3), "std": (0.2, 0.3, 0.4)}


def expected(crops: list[NDArray[np.uint8]]) -> NDArray[np.float32]:
    batch = normalised(crops, 32, "bicubic", MEANS["mean"], MEANS["std"])  # type: ignore[arg-type]
    two = Means()(torch.from_numpy(batch)).numpy()
    return np.asarray(two[:, 1] - two[:, 0])


def test_normalised_is_what_networks_are_trained_with(crops: list[NDArray[np.uint8]]) -> None:
    batch = normalised([np.full((32, 32, 3), (255, 0, 51), np.uint8)], 32, "bicubic", (0.5, 0.4, 0.3), (0.2, 0.3, 0.4))
    assert batch.shape == (1, 3, 32, 32)
    assert batch[0, :, 5, 5] == pytest.approx([2.5, -4 / 3, -0.25])


@pytest.mark.parametrize(
    ("answer", "meaning", "fake", "inverted", "odds"),
    [
        ([[1.0], [-2.0]], "logit", (1,), False, [1, -2]),
        ([1.0, -2.0], "logit", (1,), True, [-1, 2]),
        ([0.5, 0.9], "probability", (1,), False, [0, np.log(9)]),
        ([[0.1, 0.9], [1.0, 0.0]], "probabilities", (1,), False, [np.log(9), np.log(1e-7)]),
        ([[1.0, 3.0]], "logits", (1,), False, [2]),
        ([[1.0, 3.0]], "logits", (0,), False, [-2]),
        ([[0.0, 0.0, 0.0]], "logits", (1, 2), False, [np.log(2)]),
        ([[0.2, 0.3, 0.5]], "probabilities", (0, 2), False, [np.log(7 / 3)]),
    ],
)
def test_log_odds_of_what_networks_say(answer: Any, meaning: Any, fake: Any, inverted: bool, odds: Any) -> None:
    found = log_odds(np.array(answer), meaning, len(answer), fake=fake, inverted=inverted, name="x")
    assert found == pytest.approx(np.array(odds), abs=1e-5)


@pytest.mark.parametrize(
    ("answer", "meaning", "fake", "said"),
    [
        ([[1.0, 2.0]], "logit", (1,), "one number per crop"),
        ([[1.0]], "logits", (1,), "a number for each class"),
        ([[3.0]], "probability", (1,), "which are no probabilities"),
        ([[1.0, 2.0]], "logits", (2,), "has 2 classes, 0 to 1; fake is"),
        ([[1.0, 2.0]], "logits", (0, 1), "has 2 classes"),
    ],
)
def test_answers_of_another_kind_are_errors(answer: Any, meaning: Any, fake: Any, said: str) -> None:
    with pytest.raises(GendError, match=said):
        log_odds(np.array(answer), meaning, 1, fake=fake, inverted=False, name="x")


def test_torchscript(crops: list[NDArray[np.uint8]], tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    path = tmp_path / "means.pt"
    torch.jit.script(Means()).save(path)  # type: ignore[no-untyped-call]
    section = TorchScriptDetector(kind="torchscript", file=path, output="logits", **MEANS)  # type: ignore[arg-type]
    scorer = load_scorer(section)
    assert "means.pt: TorchScript is code, which runs here as you" in caplog.text
    assert scorer.logits(crops) == pytest.approx(expected(crops), abs=1e-5)
    other = load_scorer(section.model_copy(update={"fake": (0,)}))
    assert other.logits(crops) == pytest.approx(-expected(crops), abs=1e-5)
    assert other.identity != scorer.identity, "asked otherwise it is another detector"
    with pytest.raises(GendError, match="one number per crop"):
        load_scorer(section.model_copy(update={"output": "logit"})).logits(crops)
    path.write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="not a TorchScript file"):
        load_scorer(section)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
@pytest.mark.parametrize("batch", ["any", 2])
def test_onnx(
    crops: list[NDArray[np.uint8]], tmp_path: Path, runtime: str, batch: str | int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch that is fixed is filled up."""
    pytest.importorskip(runtime)
    path = _onnx_means(tmp_path / "means.onnx", batch)
    if runtime == "openvino":
        monkeypatch.setattr("gend.evaluation.detectors.onnx.find_spec", lambda _: None)
    scorer = load_scorer(OnnxDetector(kind="onnx", file=path, output="logits", **MEANS))  # type: ignore[arg-type]
    assert scorer.identity.engine == f"{runtime}-cpu"
    assert scorer.logits(crops) == pytest.approx(expected(crops), abs=1e-4)
    path.write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot run it"):
        load_scorer(OnnxDetector(kind="onnx", file=path, output="logits"))


def _onnx_means(path: Path, batch: str | int) -> Path:
    onnx = pytest.importorskip("onnx")
    make = onnx.helper
    nodes = [
        make.make_node("ReduceMean", ["x", "axes"], ["m"], keepdims=0),
        make.make_node("Gather", ["m", "which"], ["two"], axis=1),
        make.make_node("Mul", ["two", "three"], ["y"]),
    ]
    constants = {"axes": np.array([2, 3]), "which": np.array([0, 2]), "three": np.array(3, np.float32)}
    graph = make.make_graph(
        nodes,
        "means",
        [make.make_tensor_value_info("x", onnx.TensorProto.FLOAT, [batch, 3, 32, 32])],
        [make.make_tensor_value_info("y", onnx.TensorProto.FLOAT, [batch, 2])],
        [onnx.numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=9), path)
    return path


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_onnx_that_takes_uint8_gets_crops_as_they_are(
    crops: list[NDArray[np.uint8]], tmp_path: Path, runtime: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As `gend export --to onnx` writes them: uint8 (B, S, S, 3) in, log-odds out."""
    onnx = pytest.importorskip("onnx")
    pytest.importorskip(runtime)
    if runtime == "openvino":
        monkeypatch.setattr("gend.evaluation.detectors.onnx.find_spec", lambda _: None)
    make = onnx.helper
    nodes = [
        make.make_node("Cast", ["crops"], ["x"], to=onnx.TensorProto.FLOAT),
        make.make_node("ReduceMean", ["x", "axes"], ["log_odds"], keepdims=0),
    ]
    graph = make.make_graph(
        nodes,
        "mean",
        [make.make_tensor_value_info("crops", onnx.TensorProto.UINT8, ["batch", 32, 32, 3])],
        [make.make_tensor_value_info("log_odds", onnx.TensorProto.FLOAT, ["batch"])],
        [onnx.numpy_helper.from_array(np.array([1, 2, 3]), "axes")],
    )
    path = tmp_path / "mean.onnx"
    onnx.save(make.make_model(graph, opset_imports=[make.make_opsetid("", 18)], ir_version=9), path)
    scorer = load_scorer(OnnxDetector(kind="onnx", file=path, input_px=32, output="logit"))
    assert scorer.logits(crops) == pytest.approx([encoder_input(crop, 32).mean() for crop in crops], abs=1e-3)


def _save_classifier(folder: Path, labels: dict[int, str]) -> Any:
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(0)
    config = transformers.ViTConfig(
        hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16, image_size=32, patch_size=8,
        id2label=labels, label2id={label: number for number, label in labels.items()},
    )  # fmt: skip
    network = transformers.ViTForImageClassification(config)
    network.save_pretrained(folder)
    (folder / "preprocessor_config.json").write_text(
        '{"image_processor_type": "ViTImageProcessor", "size": {"height": 32, "width": 32}, "resample": 3,'
        ' "image_mean": [0.5, 0.5, 0.5], "image_std": [0.5, 0.5, 0.5], "do_resize": true, "do_normalize": true,'
        ' "do_rescale": true, "rescale_factor": 0.00392156862745098}'
    )
    return network.eval()


def test_transformers(crops: list[NDArray[np.uint8]], tmp_path: Path) -> None:
    network = _save_classifier(tmp_path, {0: "Deepfake", 1: "Realism"})
    scorer = load_scorer(TransformersDetector(kind="transformers", model=str(tmp_path)))
    assert "fake: Deepfake" in scorer.identity.input
    with torch.inference_mode():
        batch = normalised(crops, 32, "bicubic", (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
        two = network(torch.from_numpy(batch)).logits.numpy()
    assert scorer.logits(crops) == pytest.approx(two[:, 0] - two[:, 1], abs=0.02)


def test_transformers_without_clear_labels_asks_for_them(crops: list[NDArray[np.uint8]], tmp_path: Path) -> None:
    _save_classifier(tmp_path, {0: "LABEL_0", 1: "LABEL_1"})
    with pytest.raises(ConfigError, match=r"do not say which are fake \(0: LABEL_0, 1: LABEL_1\)"):
        load_scorer(TransformersDetector(kind="transformers", model=str(tmp_path)))
    load_scorer(TransformersDetector(kind="transformers", model=str(tmp_path), fake=("LABEL_1",)))


def test_transformers_that_are_no_classifiers_are_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    transformers = pytest.importorskip("transformers")
    _save_classifier(tmp_path, {0: "real", 1: "fake"})
    config = transformers.ViTConfig.from_pretrained(tmp_path)
    transformers.ViTModel(config, add_pooling_layer=False).save_pretrained(tmp_path)
    with pytest.raises(WeightsError, match="lacks classifier"):
        load_scorer(TransformersDetector(kind="transformers", model=str(tmp_path)))
    with pytest.raises(WeightsError, match="cannot load it"):
        load_scorer(TransformersDetector(kind="transformers", model=str(tmp_path / "none")))


@pytest.mark.parametrize(
    ("labels", "asked", "fake"),
    [
        ({0: "Real", 1: "Fake"}, (), (1,)),
        ({0: "AI-generated", 1: "human"}, (), (0,)),
        ({0: "DeepFake", 1: "real face", 2: "face_swapped"}, (), (0, 2)),
        ({0: "LABEL_0", 1: "LABEL_1"}, ("label_1",), (1,)),
    ],
)
def test_labels_say_what_is_fake(labels: dict[int, str], asked: tuple[str, ...], fake: tuple[int, ...]) -> None:
    assert fake_classes(labels, asked, "m") == fake


@pytest.mark.parametrize(
    ("labels", "asked", "said"),
    [
        ({0: "cat", 1: "fake"}, (), "do not say which"),
        ({0: "real fake", 1: "real"}, (), "do not say which"),
        ({0: "fake", 1: "synthetic"}, (), "all would be fake"),
        ({0: "real", 1: "human"}, (), "none would be fake"),
        ({0: "real", 1: "fake"}, ("forged",), "no label forged; there are 0: real, 1: fake"),
    ],
)
def test_labels_that_do_not(labels: dict[int, str], asked: tuple[str, ...], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        fake_classes(labels, asked, "m")


def test_ours_and_a_fine_tune_of_it(crops: list[NDArray[np.uint8]], tmp_path: Path) -> None:
    model = load_checkpoint("demo").model
    with torch.no_grad():
        model.head.bias[1] += 2
    cut_adapter(model).save(tmp_path / "tuned.safetensors")
    plain = load_scorer(GendDetector(weights="demo", threads=1))
    tuned = load_scorer(GendDetector(weights="demo", threads=1, adapter=tmp_path / "tuned.safetensors"))
    detector = Detector.load("demo", threads=1)
    assert plain.logits(crops) == pytest.approx(detector.logits(np.stack([detector.prepare(crop) for crop in crops])))
    assert tuned.logits(crops) == pytest.approx(plain.logits(crops) + 2, abs=1e-4)
    assert plain.identity.notices == ("demo encoder: not for real use",)
    assert tuned.identity.sha256.startswith(plain.identity.sha256)
    assert tuned.identity != plain.identity


def test_ours_by_engine_and_precision(crops: list[NDArray[np.uint8]]) -> None:
    scorer = load_scorer(GendDetector(weights="demo@torch:bf16", threads=1))
    assert (scorer.identity.engine, scorer.identity.precision) == ("torch-cpu", "bf16")
    with pytest.raises(GendError, match="says its engine already"):
        load_scorer(GendDetector(weights="demo@torch", engine="openvino"))


def test_weights_that_are_missing_are_all_named_before_anything_runs(tmp_path: Path) -> None:
    sections: dict[str, Any] = {
        "ours": GendDetector(weights=str(tmp_path / "a.safetensors")),
        "demo": GendDetector(weights="demo"),
        "tuned": GendDetector(weights="demo", adapter=tmp_path / "b.safetensors"),
        "script": TorchScriptDetector(kind="torchscript", file=tmp_path / "c.pt", output="logit"),
    }
    with pytest.raises(WeightsError) as raised:
        check_detectors(sections)
    assert [line.split(": ")[0] for line in str(raised.value).splitlines()] == ["ours", "tuned", "script"]


def test_a_library_that_is_missing_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gend.evaluation.detectors.load.find_spec", lambda name: None)
    with pytest.raises(GendError, match=r"needs transformers: pip install 'gend-monitor\[research\]'"):
        load_scorer(TransformersDetector(kind="transformers", model="x"))
