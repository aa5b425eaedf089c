"""An encoder with noise for weights: no released ones can be had everywhere, and some questions need none.

What is done to a picture moves its logit by some share of the spread that pictures have. Noise answers what that share
is where nothing was learnt; what a trained encoder makes of it is another question.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from numpy.typing import NDArray

from gend.backbones import BACKBONES
from gend.network import GenD


def network_of_noise(backbone: str) -> GenD:
    """A detector of one of `gend.backbones`, the same on every machine, its activations of the usual size."""
    network = GenD(BACKBONES[backbone]).eval()
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            parameter.copy_(torch.from_numpy(_noise(name, tuple(parameter.shape))))
    return network


def _noise(name: str, shape: tuple[int, ...]) -> NDArray[np.float32]:
    values = np.random.default_rng(zlib.crc32(name.encode())).standard_normal(shape, dtype=np.float32)
    if len(shape) > 1:
        values /= np.float32(np.sqrt(np.prod(shape[1:])))
    elif name.endswith("weight"):
        values = 1 + values / np.float32(10)
    else:
        values /= 50
    return values.astype(np.float32, copy=False)
