"""What the encoder's view of a face costs: ours beside PIL and transformers' processor, and how far ours is from PIL's.

Run: python -m benchmarks.preprocessing (wants torch and transformers; fetches one picture)
"""

from __future__ import annotations

import logging
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from functools import partial

import cv2
import numpy as np
import torch

from benchmarks.machine import described
from gend.faces import align
from gend.fetch import load_picture
from gend.preprocess import encoder_input
from gend.resample import Interpolation, Pixels, Span, _weights  # the cost of a size seen for the first time

_INPUT_PX = 224
_SIZES_PX = (90, 120, 180, 256, 320, 400, 600)
_ROUNDS = 60
_CALLS = 5
_CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
_CLIP_STD = (0.26862954, 0.26130258, 0.27577711)
# The astronaut's face, as `gend.faces.Face` orders its landmarks.
_LANDMARKS = np.array([(203, 104), (247, 105), (223, 128), (204, 144), (243, 145)], np.float32)


def main() -> None:
    """Prints the table of times and a line of differences."""
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    processor = _clip_processor()
    picture = load_picture("astronaut")
    print("| native px | transformers' processor, ms | PIL (`exact`) | `fast` | ratio | `fast` + normalise | ratio |")
    print("|---|---|---|---|---|---|---|")
    for native_px in _SIZES_PX:
        face = align(picture, _LANDMARKS, size=native_px)
        fast = partial(encoder_input, face, _INPUT_PX)
        theirs_ms, exact_ms, fast_ms, whole_ms = _least_ms(
            [
                partial(processor, face),
                partial(encoder_input, face, _INPUT_PX, mode="exact"),
                fast,
                lambda fast=fast: _normalised(fast()),  # type: ignore[misc]
            ]
        )
        print(
            f"| {native_px} | {theirs_ms:.2f} | {exact_ms:.2f} | {fast_ms:.2f} | {theirs_ms / fast_ms:.1f} "
            f"| {whole_ms:.2f} | {theirs_ms / whole_ms:.1f} |"
        )
    print()
    print(f"To {_INPUT_PX} px. CPU time, one thread, least of {_ROUNDS} rounds that take each way in turn.")
    print("The processor rescales and normalises too; ours leaves that to the network's graph, which takes uint8.")
    print("`normalise` is that step by itself in torch; in the graph it runs on every thread of the engine.")
    (new_ms,) = _least_ms([lambda: _weights.__wrapped__(256, Span(_INPUT_PX, 0, _INPUT_PX), "bicubic")])
    print(f"The first face of a size costs `fast` {new_ms:.2f} ms more.")
    print(_differences(picture))
    print(described("numpy", "opencv-python-headless", "pillow", "scipy", "torch", "transformers"))


def _clip_processor() -> Callable[[Pixels], object]:
    """CLIP's processor of transformers, without a hub; the PIL one, as torchvision is not to be had everywhere."""
    logging.getLogger("transformers").setLevel(logging.ERROR)
    from transformers import CLIPImageProcessorPil  # noqa: PLC0415  (after its log is quiet)

    processor = CLIPImageProcessorPil(
        size={"shortest_edge": _INPUT_PX},
        crop_size={"height": _INPUT_PX, "width": _INPUT_PX},
        image_mean=list(_CLIP_MEAN),
        image_std=list(_CLIP_STD),
        resample=3,
    )
    return partial(processor, return_tensors="np")


def _normalised(crop: Pixels) -> torch.Tensor:
    """As the network does it, (1, 3, S, S)."""
    mean, std = torch.tensor(_CLIP_MEAN)[:, None, None], torch.tensor(_CLIP_STD)[:, None, None]
    return (torch.from_numpy(crop)[None].permute(0, 3, 1, 2).contiguous().float() / 255 - mean) / std


def _differences(picture: Pixels) -> str:
    """How `fast` and `exact` differ over all sizes that a camera's faces have."""
    shares: Mapping[Interpolation, list[float]] = {"bicubic": [], "bilinear": []}
    most = 0
    for native_px in range(64, 641):
        face = align(picture, _LANDMARKS, size=native_px)
        for interpolation, found in shares.items():
            fast = encoder_input(face, _INPUT_PX, interpolation=interpolation).astype(int)
            exact = encoder_input(face, _INPUT_PX, interpolation=interpolation, mode="exact")
            found.append(float((fast != exact).mean()))
            most = max(most, int(np.abs(fast - exact).max()))
    spread = "; ".join(
        f"{name}: {statistics.mean(found):.3%} of the values on average, {max(found):.2%} at the worst size"
        for name, found in shares.items()
    )
    return f"`fast` against `exact`, native sizes 64 to 640 px: at most {most}/255; {spread}."


def _least_ms(ways: Sequence[Callable[[], object]]) -> list[float]:
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
