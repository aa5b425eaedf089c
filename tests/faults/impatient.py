"""`gend-monitor` that says sooner than it does that a batch hangs; all the rest is the real thing.

python -m tests.faults.impatient OVERDUE_S run CONFIG
"""

from __future__ import annotations

import sys
from unittest.mock import patch

from monitor.cli import main

if __name__ == "__main__":
    overdue_s = float(sys.argv.pop(1))
    with patch("monitor.scoring.progress._OVERDUE_S", overdue_s), patch("monitor.scoring.progress._OVERDUE_TIMES", 0.0):
        main()
