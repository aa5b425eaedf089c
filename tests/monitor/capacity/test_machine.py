from __future__ import annotations

import os
from pathlib import Path

import pytest

from monitor.capacity import this_machine


def test_a_machine_has_cores_and_memory(tmp_path: Path) -> None:
    machine = this_machine(tmp_path / "no container")
    assert 1 <= machine.cores <= (os.cpu_count() or 1)
    assert machine.memory_mb > 0


def test_a_container_has_what_it_was_given(tmp_path: Path) -> None:
    given = {
        "cpu.max": "50000 100000",
        "memory.max": str(300_000_000),
        "memory.current": str(200_000_000),
        "memory.stat": "anon 1000\ninactive_file 50000000\n",
    }
    for name, text in given.items():
        (tmp_path / name).write_text(f"{text}\n")
    machine = this_machine(tmp_path)
    assert machine.cores == pytest.approx(0.5)
    assert machine.memory_mb == pytest.approx(150)


def test_a_container_without_limits_has_the_machine(tmp_path: Path) -> None:
    (tmp_path / "cpu.max").write_text("max 100000\n")
    (tmp_path / "memory.max").write_text("max\n")
    (tmp_path / "memory.current").write_text("1000\n")
    machine, whole = this_machine(tmp_path), this_machine(tmp_path / "no container")
    assert machine.cores == whole.cores
    assert machine.memory_mb == pytest.approx(whole.memory_mb, rel=0.5)
