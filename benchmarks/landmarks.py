"""How the face detectors agree, and what the choice of one does to the logit: its landmarks place the crop.

Run: python -m benchmarks.landmarks FACES PAIRS [DETECTOR …] (folders of pictures with faces and of pairs; further
detectors as `load_detector` names them, e.g. scrfd:/models/det_10g.onnx)
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.machine import described
from benchmarks.portraits import Pixels, drift, matched, pictures, separations
from gend.errors import PictureError
from gend.faces import Face, FaceDetector, align, load_detector
from gend.model import Detector

_JITTERS = (0.01, 0.03)
"""Standard deviations of noise on YuNet's landmarks, in distances between the eyes, to hold other detectors against."""


@dataclass(frozen=True, slots=True)
class _Agreement:
    """Of one detector with YuNet, over a folder."""

    found: int
    """Of YuNet's faces."""
    others: int
    """Faces that YuNet does not see."""
    pairs: list[tuple[Pixels, Face, Face]]


def main() -> None:
    """Prints the table."""
    arguments = argparse.ArgumentParser()
    arguments.add_argument("faces", type=Path)
    arguments.add_argument("pairs", type=Path)
    arguments.add_argument("detectors", nargs="*")
    given = arguments.parse_args()
    encoder = Detector.load("demo", device="cpu", threads=1)
    yunet = load_detector("yunet", warn=print)
    shown = [(picture, yunet.detect(picture)) for picture in pictures(given.faces)]
    count = sum(len(faces) for _, faces in shown)

    as_they_are = separations(encoder, given.pairs, encoder.prepare)
    headings = ["landmarks of", f"of YuNet's {count} faces", "others", "distance, median", "95 %"]
    headings += [
        "mean change of the logit",
        "95 %",
        "max",
        "rank correlation",
        *(f"AUROC {kind}" for kind in as_they_are),
    ]
    print(f"| {' | '.join(headings)} |")
    print("|---" * len(headings) + "|")
    print(f"| nobody: the pairs' crops as they are{' |' * 9} {' | '.join(as_they_are.values())} |")
    ways: dict[str, Callable[[Pixels], list[Face]]] = {"YuNet": yunet.detect}
    for jitter in _JITTERS:
        ways[f"YuNet, noise of {jitter:.0%}"] = partial(_shaken, yunet, jitter, np.random.default_rng(0))
    for name in ("blazeface", *given.detectors):
        other = load_detector(name, warn=print)
        ways[other.name] = other.detect
    for way, search in ways.items():
        agreement = _agreement(shown, search)
        auroc = separations(encoder, given.pairs, partial(_cut_largest, encoder, search))
        cells = [way, f"{agreement.found / count:.1%}", str(agreement.others)]
        cells += [_distances(agreement), _drift(encoder, agreement), *auroc.values()]
        print(f"| {' | '.join(cells)} |")
    print()
    print("Distances between landmarks in distances between the eyes, over faces that both find, as are the logits.")
    print("The pairs' crops are taken for frames: the face is searched in each, and cut out anew.")
    print(described("numpy", "opencv-python-headless", "openvino", "torch"))


def _agreement(shown: list[tuple[Pixels, list[Face]]], search: Callable[[Pixels], list[Face]]) -> _Agreement:
    pairs, others = [], 0
    for picture, expected in shown:
        found = search(picture)
        both = matched(expected, found)
        others += len(found) - len(both)
        pairs += [(picture, face, other) for face, other in both]
    return _Agreement(len(pairs), others, pairs)


def _distances(agreement: _Agreement) -> str:
    distances = []
    for _, face, other in agreement.pairs:
        eyes = np.linalg.norm(face.landmarks[1] - face.landmarks[0])
        distances.append(np.linalg.norm(other.landmarks - face.landmarks, axis=1).mean() / eyes)
    return f"{np.median(distances):.3f} | {np.quantile(distances, 0.95):.3f}"


def _drift(encoder: Detector, agreement: _Agreement) -> str:
    crops = [[encoder.prepare(align(picture, face.landmarks)) for face in both] for picture, *both in agreement.pairs]
    before, after = (encoder.logits(np.stack(side)) for side in zip(*crops, strict=True))
    return drift(before, after)


def _shaken(search: FaceDetector, jitter: float, rng: np.random.Generator, picture: NDArray[np.uint8]) -> list[Face]:
    shaken = []
    for face in search.detect(picture):
        eyes = np.linalg.norm(face.landmarks[1] - face.landmarks[0])
        noise = rng.normal(0, jitter * eyes, face.landmarks.shape).astype(np.float32)
        shaken.append(Face(face.box, face.landmarks + noise, face.confidence))
    return shaken


def _cut_largest(encoder: Detector, search: Callable[[Pixels], list[Face]], picture: Pixels) -> Pixels:
    faces = search(picture)
    if not faces:
        raise PictureError("no face")
    largest = max(faces, key=lambda face: face.box[2] - face.box[0])
    return encoder.prepare(align(picture, largest.landmarks))


if __name__ == "__main__":
    main()
