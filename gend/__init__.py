"""GenD, a detector of manipulated faces: usable alone, for pictures, files, training and evaluation.

`from gend import Detector` finds, aligns and judges faces; `from gend import GenD` is the network alone, as its
authors' code offers it.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gend.model import Detector
    from gend.pretrained import GenD

__all__ = ["Detector", "GenD"]

# OpenVINO tells its makers over the network of each time it is imported, and nncf of each time it is used, unless the
# user objects. What watches cameras reports to nobody: without this package both fall silent by themselves.
sys.modules.setdefault("openvino_telemetry", None)  # type: ignore[arg-type]  # how the import system spells "absent"


def __getattr__(name: str) -> object:
    # Not imported with the package: the one needs OpenCV, the other torch, and many need neither.
    if name == "Detector":
        from gend.model import Detector  # noqa: PLC0415

        return Detector
    if name == "GenD":
        from gend.pretrained import GenD  # noqa: PLC0415

        return GenD
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
