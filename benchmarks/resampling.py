"""What one warp straight to the encoder's size would change, against the two steps that the released models were given.

Run: python -m benchmarks.resampling FACES [PAIRS] [--large N] (a folder of pictures with faces, one of pairs; `--large`
takes a ViT-L/14 with noise for weights on N faces instead, and no pairs)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

import cv2
import numpy as np

from benchmarks.machine import described
from benchmarks.portraits import Pixels, Scores, drift, pictures, separations
from gend.errors import PictureError
from gend.faces import Face, FaceDetector, align, alignment, load_detector
from gend.model import Detector
from gend.preprocess import encoder_input

Cut = Callable[[Pixels, Face, int], Pixels]


def main() -> None:
    """Prints the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("faces", type=Path)
    arguments.add_argument("pairs", type=Path, nargs="?")
    arguments.add_argument("--large", type=int, default=0, metavar="N")
    given = arguments.parse_args()
    search = load_detector("auto", warn=print)
    found = [(picture, face) for picture in pictures(given.faces) for face in search.detect(picture)]
    native_px = [alignment(face.landmarks)[1] for _, face in found]
    if given.large:
        # Every size of face, in even steps.
        chosen = np.argsort(native_px)[np.linspace(0, len(found) - 1, given.large).round().astype(int)]
        found, native_px = [found[index] for index in chosen], [native_px[index] for index in chosen]
        _print_table(found, native_px, _large_random, 224, {way: {} for way in WAYS})
    else:
        detector = Detector.load("demo", device="cpu", threads=1)
        separated: dict[str, dict[str, str]] = {way: {} for way in WAYS}
        if given.pairs:
            for way, cut in WAYS.items():
                separated[way] = separations(
                    detector, given.pairs, partial(_cut_largest, cut, search, detector.input_px)
                )
        _print_table(found, native_px, detector.logits, detector.input_px, separated)
    print(
        f"{len(found)} faces, native size {min(native_px)} to {max(native_px)} px, median {np.median(native_px):.0f}."
    )
    print(described("numpy", "opencv-python-headless", "pillow", "torch"))


def _print_table(
    found: list[tuple[Pixels, Face]],
    native_px: list[int],
    logits: Callable[[Pixels], Scores],
    input_px: int,
    separated: Mapping[str, Mapping[str, str]],
) -> None:
    scores = {
        way: logits(np.stack([cut(picture, face, input_px) for picture, face in found])) for way, cut in WAYS.items()
    }
    first = next(iter(WAYS))
    kinds = list(separated[first])
    headings = ["way", "mean change of the logit", "95 %", "max", "rank correlation", "mean, small faces", "large ones"]
    headings += [f"AUROC {kind}" for kind in kinds]
    print(f"| {' | '.join(headings)} |")
    print("|---" * len(headings) + "|")
    large = np.array(native_px) > 2 * input_px
    for way, score in scores.items():
        moved = np.abs(score - scores[first])
        sizes = [f"{moved[~large].mean():.3g}", f"{moved[large].mean():.3g}"]
        print(
            f"| {' | '.join([way, drift(scores[first], score), *sizes, *(separated[way][kind] for kind in kinds)])} |"
        )
    print()
    print(f"Large: native size beyond {2 * input_px} px, {large.sum()} of {len(large)}.")
    mean, spread = scores[first].mean(), scores[first].std()
    print(f"Logits of these faces by the first way: mean {mean:.3g}, standard deviation {spread:.3g}.")


def _two_steps(picture: Pixels, face: Face, input_px: int, *, exact: bool) -> Pixels:
    return encoder_input(align(picture, face.landmarks), input_px, mode="exact" if exact else "fast")


def _one_warp(picture: Pixels, face: Face, input_px: int, *, interpolation: int) -> Pixels:
    matrix, _ = alignment(face.landmarks, input_px)
    return cv2.warpAffine(picture, matrix, (input_px, input_px), flags=interpolation).astype(np.uint8, copy=False)


def _fixed_size(picture: Pixels, face: Face, input_px: int) -> Pixels:
    """The authors' other setting: aligned at 256 pixels, whatever the face's own size."""
    return encoder_input(align(picture, face.landmarks, size=256), input_px, mode="exact")


WAYS: Mapping[str, Cut] = {
    "native size, then resized (`exact`)": partial(_two_steps, exact=True),
    "the same, `fast`": partial(_two_steps, exact=False),
    "aligned at 256 px, then resized": _fixed_size,
    "one warp, bilinear": partial(_one_warp, interpolation=cv2.INTER_LINEAR),
    "one warp, bicubic": partial(_one_warp, interpolation=cv2.INTER_CUBIC),
}


def _cut_largest(cut: Cut, search: FaceDetector, input_px: int, picture: Pixels) -> Pixels:
    """A picture of a pair is an aligned crop already: it is taken for a frame, and its face cut out anew."""
    faces = search.detect(picture)
    if not faces:
        raise PictureError("no face")
    return cut(picture, max(faces, key=lambda face: face.box[2] - face.box[0]), input_px)


def _large_random(crops: Pixels) -> Scores:
    import torch  # noqa: PLC0415  (an extra)

    from benchmarks.noise_weights import network_of_noise  # noqa: PLC0415

    network = network_of_noise("clip-vit-large-patch14")
    with torch.inference_mode():
        return np.array([float(network.log_odds(torch.from_numpy(crop[None]))) for crop in crops], np.float32)


if __name__ == "__main__":
    main()
