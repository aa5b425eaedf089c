"""What all tests of faults share. `GEND_SOAK=1` (set by `make soak`) asks for their long forms."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.table import FaultTable

_TABLE = pytest.StashKey[FaultTable]()


@pytest.fixture(scope="session")
def soak() -> bool:
    """Whether the long forms are wanted, which take hours."""
    return os.environ.get("GEND_SOAK") == "1"


@pytest.fixture(scope="session")
def faults(pytestconfig: pytest.Config) -> FaultTable:
    """Where a test notes what it injected; shown at the end of the run."""
    return pytestconfig.stash.setdefault(_TABLE, FaultTable())


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long forms take as long as they take."""
    if os.environ.get("GEND_SOAK") == "1":
        for item in items:
            if item.path.is_relative_to(Path(__file__).parent):
                item.add_marker(pytest.mark.timeout(3 * 3600))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Shows the table of faults."""
    table = config.stash.get(_TABLE, None)
    if table is not None and table.rows:
        terminalreporter.section("faults injected")
        for line in table.lines():
            terminalreporter.write_line(line)
