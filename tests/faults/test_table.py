from __future__ import annotations

from tests.faults.table import FaultTable


def test_the_table_tells_fault_symptom_and_time() -> None:
    table = FaultTable()
    assert table.lines() == []
    table.add("disk full", "/readyz 503")
    with table.recovery("broker killed", "mqtt_connected 0"):
        pass
    assert table.lines()[2:] == ["| disk full | /readyz 503 |  |", "| broker killed | mqtt_connected 0 | 0.0 s |"]
