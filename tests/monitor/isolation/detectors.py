"""Face detectors for a worker's process, which do what the file beside them says: crash, hang, raise or eat."""

from __future__ import annotations

import ctypes
import sys
import time
from pathlib import Path

from gend.faces import Face
from monitor.messages import Pixels
from tests.monitor.tracking.scenes import face_at


class Obedient:
    """Sees one face that never moves, until the file holds an order."""

    name = "obedient"
    degraded: str | None = None

    def __init__(self, orders: Path) -> None:
        self._orders = orders

    def detect(self, picture: Pixels) -> list[Face]:
        order = self._orders.read_text() if self._orders.exists() else ""
        if order == "crash":
            self._orders.unlink()
            ctypes.string_at(0)
        elif order == "hang":
            self._orders.unlink()
            time.sleep(1000)
        elif order == "raise":
            raise RuntimeError("no faces for rtsp://user:hunter22@camera")
        elif order == "eat":
            self._orders.unlink()
            bytearray(4 * 2**30)
        elif order == "tell modules":
            self._orders.with_suffix(".modules").write_text("\n".join(sys.modules))
            self._orders.unlink()
        return [face_at(picture.shape[1] / 2, picture.shape[0] / 2, 80)]


def unavailable() -> Obedient:
    """In place of a detector."""
    raise FileNotFoundError("no such network")


def slow_to_load(begun: Path) -> Obedient:
    """A detector that a busy machine takes very long to load; the file appears when it begins."""
    begun.touch()
    time.sleep(1000)
    raise AssertionError("nobody waits for so long")
