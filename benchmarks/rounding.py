"""What it costs that DINOv3's crops are resized as uint8, where its own processor resizes floats.

Run: python -m benchmarks.rounding FACES [N] (a folder of pictures with faces; how many of them, by default 16)
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from scipy.stats import spearmanr
from torch.nn import functional as F  # noqa: N812  (torch's own custom)

from benchmarks.machine import described
from benchmarks.noise_weights import network_of_noise
from benchmarks.portraits import Pixels, pictures
from gend.faces import align, load_detector
from gend.preprocess import encoder_input

_INPUT_PX = 224
_BACKBONE = "dinov3-vit-base-patch16"


def main() -> None:
    """Prints the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("faces", type=Path)
    arguments.add_argument("count", type=int, nargs="?", default=16)
    given = arguments.parse_args()
    search = load_detector("auto", warn=print)
    faces = [align(picture, face.landmarks) for picture in pictures(given.faces) for face in search.detect(picture)[:1]]
    faces = faces[:: max(1, len(faces) // given.count)][: given.count]

    floats = torch.stack([_resized_as_float(face) for face in faces])  # (N, S, S, 3), 0 to 255
    ways = {
        "floats, as DINOv3's processor": floats,
        "`exact`": _stacked([encoder_input(face, _INPUT_PX, interpolation="bilinear", mode="exact") for face in faces]),
        "`fast`": _stacked([encoder_input(face, _INPUT_PX, interpolation="bilinear") for face in faces]),
        "the floats, rounded once": floats.round().clamp(0, 255),
    }
    network = network_of_noise(_BACKBONE)
    with torch.inference_mode():
        scores = {way: np.array([float(network.log_odds(crop[None])) for crop in crops]) for way, crops in ways.items()}
    first, *_ = scores.values()
    print(
        "| resized as | mean difference of a value | max | mean change of the logit / spread | max | rank correlation |"
    )
    print("|---|---|---|---|---|---|")
    for way, crops in ways.items():
        levels, moved = (crops - floats).abs(), np.abs(scores[way] - first) / first.std()
        print(
            f"| {way} | {levels.mean():.2f}/255 | {levels.max():.2f}/255 | {moved.mean():.4f} | {moved.max():.4f} "
            f"| {spearmanr(first, scores[way]).statistic:.4f} |"
        )
    print()
    print(f"{len(faces)} faces; {_BACKBONE} with noise for weights; spread: standard deviation of the faces' logits.")
    print(described("numpy", "opencv-python-headless", "pillow", "torch"))


def _resized_as_float(face: Pixels) -> torch.Tensor:
    """(S, S, 3), 0 to 255, not rounded."""
    channels = torch.from_numpy(face).permute(2, 0, 1)[None].float()
    size = (_INPUT_PX, _INPUT_PX)
    return F.interpolate(channels, size=size, mode="bilinear", antialias=True, align_corners=False)[0].permute(1, 2, 0)


def _stacked(crops: list[Pixels]) -> torch.Tensor:
    return torch.from_numpy(np.stack(crops)).float()


if __name__ == "__main__":
    main()
