"""GenD, a detector of manipulated faces: usable alone, for pictures, files, training and evaluation.

`from gend import Detector` finds, aligns and judges faces; `from gend import GenD` is the network alone, as its
authors' code offers it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gend.model import Detector
    from gend.pretrained import GenD

__all__ = ["Detector", "GenD"]


def __getattr__(name: str) -> object:
    # Not imported with the package: the one needs OpenCV, the other torch, and many need neither.
    if name == "Detector":
        from gend.model import Detector  # noqa: PLC0415

        return Detector
    if name == "GenD":
        from gend.pretrained import GenD  # noqa: PLC0415

        return GenD
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
