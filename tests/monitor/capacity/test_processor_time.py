from __future__ import annotations

from typing import NamedTuple

import psutil
import pytest

from monitor.capacity.processor_time import machine_cpu_s


class _OnWindows(NamedTuple):
    user: float
    system: float
    idle: float
    interrupt: float
    dpc: float


def test_machine_cpu_s_counts_what_a_system_tells_and_not_what_it_idles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(psutil, "cpu_times", lambda: _OnWindows(3.0, 2.0, 100.0, 0.5, 0.25))
    assert machine_cpu_s() == 5.0
