"""Small networks whose answers depend on their pictures as trained ones' do, and fine-tunes of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from gend.backbones import DEMO_VIT, DINOV3_B_16, PE_B_16, Backbone
from gend.checkpoint import Checkpoint
from gend.engines import Bank, Mix
from gend.network import GenD
from tests.gend.released import TINY

TINY_PE = replace(PE_B_16, name="tiny-pe", image_px=28, positions_px=42, patch_px=14, width=64, layers=2, heads=4)
TINY_DINO = replace(DINOV3_B_16, name="tiny-dino", image_px=32, width=64, layers=2, heads=4)
SMALL_DEMO = replace(DEMO_VIT, name="small-demo", image_px=32, width=48, layers=1)
FAMILIES: tuple[Backbone, ...] = (TINY, TINY_PE, TINY_DINO, SMALL_DEMO)


def network(backbone: Backbone = TINY) -> GenD:
    torch.manual_seed(0)
    model = GenD(backbone).eval()
    for name, parameter in model.named_parameters():
        if "convolutions" in name and parameter.ndim == 4:  # each followed by a ReLU, which halves
            torch.nn.init.normal_(parameter, std=3 * parameter[0].numel() ** -0.5)
        elif parameter.ndim > 1:
            torch.nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
        elif "norm" in name and name.endswith("weight"):
            torch.nn.init.normal_(parameter, mean=1, std=0.2)
        else:
            torch.nn.init.normal_(parameter, std=0.2)
    torch.nn.init.normal_(model.head.weight, std=3)
    return model


def checkpoint(backbone: Backbone = TINY) -> Checkpoint:
    return Checkpoint(network(backbone), backbone, "ab" * 32)


def crops(count: int, px: int = TINY.input_px, seed: int = 0) -> NDArray[np.uint8]:
    """Of flat colours with some noise, so that they look different to a network."""
    rng = np.random.default_rng(seed)
    flat = rng.integers(0, 256, (count, 1, 1, 3)) + rng.integers(-40, 40, (count, px, px, 3))
    return flat.clip(0, 255).astype(np.uint8)


def reference(model: GenD, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    with torch.inference_mode():
        log_odds: NDArray[np.float32] = model.log_odds(torch.from_numpy(pixels)).numpy()
    return log_odds


def bank(model: GenD, fine_tunes: int, seed: int = 0) -> Bank:
    own = model.tuning()
    rng = np.random.default_rng(seed)

    def varied(part: torch.Tensor) -> NDArray[np.float32]:
        shape = (fine_tunes, *part.shape[1:])
        return (part.numpy() + 0.1 * rng.standard_normal(shape)).astype(np.float32)

    return Bank(*(varied(part) for part in own))


def mixed(of: Bank, *rows: int) -> Mix:
    return Mix(of, np.array(rows, dtype=np.intp))


def tuned(model: GenD, of: Bank, row: int) -> GenD:
    """The network with a fine-tune in its weights."""
    model.tune(of.norms[row], of.head_weight[row], of.head_bias[row])
    return model
