"""Asks an encoder's process that hangs, until it is killed; run by `test_isolated.py`. Prints that process."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from monitor.encoder import IsolatedEncoder
from tests.monitor.encoder.obedient import ObedientPlan


def main(orders: Path) -> None:
    encoder = IsolatedEncoder.load(ObedientPlan("w", orders=orders), 4)
    orders.write_text("hang")
    print(encoder.pid, flush=True)
    encoder.logits(np.zeros((1, 8, 8, 3), np.uint8))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
