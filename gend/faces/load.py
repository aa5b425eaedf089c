"""Which face detector to take, and what to do where it cannot be had."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from gend.errors import FetchError
from gend.faces.blazeface import BlazeFace
from gend.faces.face import FaceDetector
from gend.faces.yunet import YuNet
from gend.fetch import fetch

DetectorName = Literal["auto", "yunet", "blazeface"]


def load_detector(
    name: DetectorName, *, threshold: float = 0.5, threads: int = 1, warn: Callable[[str], None]
) -> FaceDetector:
    """Fetches and reads a face detector.

    Args:
        name: `auto` is YuNet, or BlazeFace where YuNet cannot be fetched.
        threshold: least confidence of a face, 0 to 1.
        threads: CPU threads of one search.
        warn: told, in one line, that BlazeFace had to do.

    Raises:
        FetchError: it cannot be fetched; for `auto`, neither of them can.
        WeightsError: what was fetched cannot be read.
    """
    if name == "blazeface":
        return BlazeFace(fetch("blazeface"), threshold=threshold, threads=threads)
    if name == "yunet":
        return YuNet(fetch("yunet"), threshold=threshold, threads=threads)
    try:
        return YuNet(fetch("yunet"), threshold=threshold, threads=threads)
    except FetchError as no_yunet:
        try:
            detector = BlazeFace(fetch("blazeface"), threshold=threshold, threads=threads)
        except FetchError as no_blazeface:
            raise FetchError(f"no face detector to be had: {no_yunet}; {no_blazeface}") from no_blazeface
        warn(f"{detector.degraded}; {no_yunet}")
        return detector
