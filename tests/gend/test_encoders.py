"""Each family of encoders against others' implementations: the authors' figures, and the modules of transformers."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
import transformers
from torch import Tensor, nn

from gend.backbones import BACKBONES, CLIP_B_32, DINOV3_B_16, DINOV3_L_16, PE_B_16, PE_L_14, Published
from gend.checkpoint import load_encoder
from gend.layouts import file_shapes, fill, published, recognised_layout, released_layout
from gend.network import GenD
from gend.vit import ViT
from tests.gend.released import Standard


@dataclass(frozen=True)
class Golden:
    """Computed with the authors' implementation, from standard weights."""

    backbone: Published
    file: str
    parameters: int
    norm_parameters: int
    logits: list[list[float]]
    features: list[list[float]]
    feature_norms: list[float]


GOLDEN = [
    Golden(
        PE_L_14,
        "pe.json",
        parameters=316_104_706,
        norm_parameters=104_448,
        logits=[[0.02627588, -0.07463327], [0.01691591, -0.08440183]],
        features=[
            [0.538662, 1.403067, -1.137967, 0.801049, 0.172853, -0.093321, 0.851527, 1.525289],
            [0.484303, 1.369838, -0.241827, 0.903245, -0.059871, -0.289907, 0.837524, 1.59976],
        ],
        feature_norms=[35.831025, 35.609479],
    ),
    Golden(
        DINOV3_L_16,
        "dino.json",
        parameters=303_131_650,
        norm_parameters=100_352,
        logits=[[0.01112548, -0.04174796], [8.916e-05, -0.06837831]],
        features=[
            [-0.278186, -0.993516, 0.878037, 0.917849, -0.507475, 0.632887, -0.552735, 1.113082],
            [-1.535315, 0.707602, 2.10097, 0.212058, -0.536685, 0.295575, -1.610335, 0.896559],
        ],
        feature_norms=[32.449933, 32.312518],
    ),
]


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.backbone.name)
def test_encoder_equals_the_authors_figures(golden: Golden) -> None:
    with torch.device("meta"):  # first weights of 300 million parameters take as long as all the rest
        model = GenD(golden.backbone).eval()
    model.to_empty(device="cpu")
    layout = released_layout(golden.backbone, "LinearNorm")
    fill(model, Standard(file_shapes(model, layout)), layout, golden.file)
    images = torch.from_numpy(np.random.RandomState(7).standard_normal((2, 3, 224, 224)).astype(np.float32))
    with torch.inference_mode():
        features = model.encoder(images)
        logits = model(images)
    np.testing.assert_allclose(features[:, :8], golden.features, atol=1e-4, rtol=0)
    np.testing.assert_allclose(features.norm(dim=1), golden.feature_norms, atol=1e-3, rtol=0)
    np.testing.assert_allclose(logits, golden.logits, atol=1e-4, rtol=0)


@pytest.mark.parametrize("golden", GOLDEN, ids=lambda golden: golden.backbone.name)
def test_names_and_sizes_equal_the_release(golden: Golden, assets: Path) -> None:
    released = json.loads((assets / "golden" / golden.file).read_text())["parameters"]
    with torch.device("meta"):
        model = GenD(golden.backbone)
    layout = released_layout(golden.backbone, "LinearNorm")
    due = file_shapes(model, layout)
    used = {name: tuple(shape) for name, shape in released.items() if not name.startswith(layout.unused or ("-",))}
    assert due == used
    unused = sum(int(np.prod(shape)) for name, shape in released.items() if name not in used)
    assert sum(parameter.numel() for parameter in model.parameters()) + unused == golden.parameters
    norms = sum(norm.weight.numel() + norm.bias.numel() for norm in model.encoder.norms())
    assert norms == golden.norm_parameters == 2 * model.backbone.width * model.backbone.vit.norms


def lively(module: nn.Module) -> None:
    """Weights of which each matters; first ones are too small, or zero and one."""
    torch.manual_seed(3)
    for name, parameter in module.named_parameters():
        nn.init.normal_(parameter, mean=0.5 if "norm" in name or "lambda" in name else 0.0, std=0.3)


SMALL = {
    "clip": replace(CLIP_B_32, name="small", image_px=28, patch_px=14, width=32, layers=3, heads=2),
    "dinov3": replace(DINOV3_B_16, name="small", image_px=48, patch_px=16, width=32, layers=3, heads=2),
}


def theirs(family: str, small: Published) -> nn.Module:
    sizes = {
        "hidden_size": small.width,
        "intermediate_size": 4 * small.width,
        "num_hidden_layers": small.layers,
        "num_attention_heads": small.heads,
        "image_size": small.image_px,
        "patch_size": small.patch_px,
    }
    module: nn.Module
    if family == "clip":
        module = transformers.CLIPVisionModel(transformers.CLIPVisionConfig(**sizes))
    else:
        module = transformers.DINOv3ViTModel(transformers.DINOv3ViTConfig(**sizes, num_register_tokens=4))
    lively(module)
    return module.eval()


def encode(module: nn.Module, images: Tensor) -> Tensor:
    pooled: Tensor = module(pixel_values=images).pooler_output
    return pooled


@pytest.mark.parametrize("family", SMALL)
def test_encoder_equals_that_of_transformers(family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = SMALL[family]
    monkeypatch.setattr("gend.layouts.BACKBONES", {**BACKBONES, "small": small})
    other = theirs(family, small)
    other.save_pretrained(tmp_path)  # type: ignore[operator]  # of PreTrainedModel
    ours = load_encoder(tmp_path)
    assert ours.backbone is small
    images = torch.randn(4, 3, small.image_px, small.image_px)
    with torch.inference_mode():
        expected, found = encode(other, images), ours.model.encoder(images)
    assert expected.std() > 0.1
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_encoder_of_both_towers_is_read_without_the_one_for_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = SMALL["clip"]
    monkeypatch.setattr("gend.layouts.BACKBONES", {"small": small})
    tower = theirs("clip", small)
    both = transformers.CLIPModel(
        transformers.CLIPConfig(
            vision_config=tower.config.to_dict(),  # type: ignore[operator, union-attr]
            text_config={"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 1},
        )
    ).eval()
    lively(both)
    both.save_pretrained(tmp_path)
    images = torch.randn(2, 3, small.image_px, small.image_px)
    with torch.inference_mode():
        found = load_encoder(tmp_path).model.encoder(images)
        expected = both.vision_model(pixel_values=images).pooler_output
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


def test_a_new_head_depends_on_its_seed_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gend.layouts.BACKBONES", SMALL)
    theirs("clip", SMALL["clip"]).save_pretrained(tmp_path)  # type: ignore[operator]
    heads = [load_encoder(tmp_path, head="linear", seed=seed).model for seed in (0, 0, 1)]
    assert [model.head_kind for model in heads] == ["linear"] * 3
    first, again, other = (model.head.weight for model in heads)
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_positions_of_larger_pictures_are_resampled_and_not_changed_where_they_fit() -> None:
    at_home = replace(PE_L_14, image_px=112, positions_px=112, width=32, layers=1, heads=2)
    away = replace(at_home, image_px=84)
    torch.manual_seed(0)
    ours, resampled = ViT(at_home.vit), ViT(away.vit)
    resampled.load_state_dict(ours.state_dict())
    learned = ours.positions
    assert learned is not None
    assert ours._positions(learned) is learned
    shrunk = resampled._positions(learned)
    assert shrunk.shape == (1 + 6 * 6, 32)
    assert torch.equal(shrunk[0], learned[0])
    # A plane stays a plane, and its mean stays its mean.
    ramp = torch.arange(8.0).repeat(8)[:, None].expand(-1, 32)
    columns = resampled._positions(torch.cat([learned[:1], ramp]))[1:].view(6, 6, 32)
    torch.testing.assert_close(columns[0], columns[5])
    assert (columns[0, 1:] > columns[0, :-1]).all()
    torch.testing.assert_close(columns.mean(), torch.tensor(3.5))


def test_every_encoder_is_told_from_its_tensors_alone() -> None:
    for backbone in published():
        with torch.device("meta"):
            model = GenD(backbone)
        shapes = file_shapes(model, released_layout(backbone, "linear"))
        assert recognised_layout("file", Standard(shapes), "linear").backbone is backbone


def test_patches_know_their_place_in_each_family() -> None:
    for backbone in (replace(PE_B_16, image_px=64, positions_px=64), replace(DINOV3_B_16, image_px=64)):
        small = replace(backbone, width=32, layers=2, heads=2)
        vit = ViT(small.vit).eval()
        lively(vit)
        if vit.positions is not None:
            nn.init.zeros_(vit.positions)  # so that only the rotation can tell
        image = torch.randn(1, 3, 64, 64)
        with torch.inference_mode():
            assert not torch.allclose(vit(image), vit(image.roll(16, dims=3)), atol=1e-3)
