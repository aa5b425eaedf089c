from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from gend.backbones import DEMO_VIT
from gend.network import GenD
from gend.vit import ViT, ViTConfig
from tests.gend.released import TINY


def lively(config: ViTConfig) -> ViT:
    """A ViT whose answer depends on its picture as a trained one's does; first weights are too small for that."""
    torch.manual_seed(0)
    vit = ViT(config).eval()
    for parameter in vit.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return vit


@pytest.mark.parametrize("config", [TINY.vit, DEMO_VIT.vit], ids=["patch stem", "conv stem"])
def test_vit_class_only_equals_all_tokens(config: ViTConfig) -> None:
    vit = lively(config)
    images = torch.randn(3, 3, config.image_px, config.image_px)
    every = vit.tokens(images)
    assert every.shape == (3, config.tokens, config.width)
    torch.testing.assert_close(vit(images), every[:, 0], atol=1e-5, rtol=1e-5)


def test_vit_class_only_has_the_gradients_of_all_tokens() -> None:
    vit = lively(TINY.vit)
    images = torch.randn(2, 3, 28, 28)
    parameters = list(vit.parameters())
    of_class_only = torch.autograd.grad(vit(images).square().sum(), parameters)
    among_all = torch.autograd.grad(vit.tokens(images)[:, 0].square().sum(), parameters)
    for ours, theirs in zip(of_class_only, among_all, strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-4, rtol=1e-4)


def test_vit_demo_is_small() -> None:
    assert DEMO_VIT.vit.tokens == 49 + 1
    assert 1.9e6 < sum(parameter.numel() for parameter in GenD(DEMO_VIT).parameters()) < 2.1e6


def test_vit_patches_know_their_place() -> None:
    vit = lively(TINY.vit)
    image = torch.randn(1, 3, 28, 28)
    assert not torch.allclose(vit(image), vit(image.roll(14, dims=3)), atol=1e-3)


def test_vit_config_refuses_what_does_not_divide() -> None:
    with pytest.raises(ValueError, match="no whole number of 14 px patches"):
        replace(TINY.vit, image_px=30)
    with pytest.raises(ValueError, match="does not divide into 5 heads"):
        replace(TINY.vit, heads=5)
    with pytest.raises(ValueError, match="patches of 16 px, not 14"):
        replace(TINY.vit, stem="conv")
