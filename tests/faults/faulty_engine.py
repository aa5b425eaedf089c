"""`gend-monitor` with an engine in its process that fails, hangs or is slow while a file says so; the rest is real.

    python -m tests.faults.faulty_engine FAULT OVERDUE_S run CONFIG

The file FAULT holds `raise`, `hang`, `slow` (2 s a crop) or nothing. OVERDUE_S is how long a batch may take before it
is said to hang.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from unittest.mock import patch

import numpy as np
from numpy.typing import NDArray

from gend.resample import Interpolation
from monitor.cli import main
from monitor.config import MonitorConfig
from monitor.messages import Pixels
from monitor.parts import load_parts
from monitor.steps import Encoder, Parts


class FaultyEngine:
    """An encoder that looks at the file before each batch.

    Args:
        encoder: does the work.
        fault: the file.
    """

    def __init__(self, encoder: Encoder, fault: Path) -> None:
        self._encoder = encoder
        self._fault = fault

    @property
    def input_px(self) -> int:
        return self._encoder.input_px

    @property
    def interpolation(self) -> Interpolation:
        return self._encoder.interpolation

    @property
    def notices(self) -> tuple[str, ...]:
        return self._encoder.notices

    def logits(self, crops: Pixels, adapters: Sequence[str | None] | None = None) -> NDArray[np.float32]:
        if self._fault.read_text() == "raise":
            raise RuntimeError("the device is lost")
        while self._fault.read_text() == "hang":
            time.sleep(0.05)
        if self._fault.read_text() == "slow":
            time.sleep(2 * len(crops))
        return self._encoder.logits(crops, adapters)


def _parts(config: MonitorConfig, fault: Path) -> Parts:
    parts = load_parts(config)
    return replace(parts, encoder=FaultyEngine(parts.encoder, fault))


if __name__ == "__main__":
    with (
        patch("monitor.running.load_live_parts", partial(_parts, fault=Path(sys.argv.pop(1)))),
        patch("monitor.scoring.progress._OVERDUE_S", float(sys.argv.pop(1))),
    ):
        main()
