"""Which face detector to take, and what to do where it cannot be had."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from gend.errors import FetchError, GendError
from gend.face_detectors import SENTENCE
from gend.faces.blazeface import BlazeFace
from gend.faces.face import FaceDetector
from gend.faces.scrfd import SCRFD
from gend.faces.yunet import YuNet
from gend.fetch import fetch

_SCRFD_FILE = "det_10g.onnx"
_SCRFD_NOTICE = "face detector SCRFD: InsightFace's weights are for non-commercial research only"


def load_detector(name: str, *, threshold: float = 0.5, threads: int = 1, warn: Callable[[str], None]) -> FaceDetector:
    """Finds or fetches, and reads, a face detector.

    Args:
        name: one of `gend.face_detectors`. `auto` is YuNet, or BlazeFace where YuNet cannot be fetched; `scrfd` is
            the file `det_10g.onnx` in a folder of `GEND_MODELS`, or where InsightFace keeps its own.
        threshold: least confidence of a face, 0 to 1.
        threads: CPU threads of one search.
        warn: told, in one line, that BlazeFace had to do, or that the weights are not for every use.

    Raises:
        FetchError: it cannot be fetched or found; for `auto`, neither of them can.
        WeightsError: what was fetched or named cannot be read.
        GendError: there is no detector of that name.
    """
    kind, _, file = name.partition(":")
    if kind == "scrfd" and not name.endswith(":"):
        detector = SCRFD(Path(file).expanduser() if file else _scrfd_file(), threshold=threshold, threads=threads)
        warn(_SCRFD_NOTICE)
        return detector
    if name == "blazeface":
        return BlazeFace(fetch("blazeface"), threshold=threshold, threads=threads)
    if name == "yunet":
        return YuNet(fetch("yunet"), threshold=threshold, threads=threads)
    if name == "auto":
        return _yunet_or_blazeface(threshold, threads, warn)
    raise GendError(f"{name}: no such face detector; {SENTENCE}")


def _yunet_or_blazeface(threshold: float, threads: int, warn: Callable[[str], None]) -> FaceDetector:
    try:
        return YuNet(fetch("yunet"), threshold=threshold, threads=threads)
    except FetchError as no_yunet:
        try:
            detector = BlazeFace(fetch("blazeface"), threshold=threshold, threads=threads)
        except FetchError as no_blazeface:
            raise FetchError(f"no face detector to be had: {no_yunet}; {no_blazeface}") from no_blazeface
        warn(f"{detector.degraded}; {no_yunet}")
        return detector


def _scrfd_file() -> Path:
    folders = [Path(folder) for folder in os.environ.get("GEND_MODELS", "").split(os.pathsep) if folder]
    for folder in (*folders, Path.home() / ".insightface" / "models" / "buffalo_l"):
        if (folder / _SCRFD_FILE).is_file():
            return folder / _SCRFD_FILE
    raise FetchError(
        f"scrfd: no {_SCRFD_FILE} in a folder of GEND_MODELS; it is never fetched, since its weights are for "
        f"non-commercial research only; name the file as scrfd:FILE"
    )
