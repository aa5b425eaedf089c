"""What all tests of faults share. `GEND_SOAK=1` (set by `make soak`) asks for their long forms."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import astuple
from pathlib import Path

import pytest

from tests.faults.table import FaultTable, Row

_ROWS = "faults"


@pytest.fixture(scope="session")
def soak() -> bool:
    """Whether the long forms are wanted, which take hours."""
    return os.environ.get("GEND_SOAK") == "1"


@pytest.fixture
def faults(record_property: Callable[[str, object], None]) -> Iterator[FaultTable]:
    """Where a test notes what it injected; shown at the end of the run."""
    table = FaultTable()
    yield table
    # By the test's report, for that is what reaches the end of the run from whichever process ran the test.
    record_property(_ROWS, [astuple(row) for row in table.rows])


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long forms take as long as they take."""
    if os.environ.get("GEND_SOAK") == "1":
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.timeout(3 * 3600))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Shows the table of faults."""
    ended = [report for reports in terminalreporter.stats.values() for report in reports]
    table = FaultTable()
    for report in ended:
        if getattr(report, "when", None) == "teardown":
            table.rows += [Row(*row) for name, rows in report.user_properties if name == _ROWS for row in rows]
    if table.rows:
        terminalreporter.section("faults injected")
        for line in table.lines():
            terminalreporter.write_line(line)
