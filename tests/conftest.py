"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.event_loop import watched

_LONG = (
    "test_fine_tuning.py",
    "test_run.py",
    "test_cli_train.py",
    "test_encoders.py",
    "test_learning_end_to_end.py",
    "test_drift_end_to_end.py",
    "test_end_to_end.py",
    "test_evidence_end_to_end.py",
    "test_notifications.py",
    "test_cli.py",
    "test_alerts_page.py",
    "test_score_page.py",
    "test_system_page.py",
    "test_door.py",
    "test_calls.py",
    "test_added_streams.py",
    "test_running.py",
)
"""Begun first, so that of several processes none is left with one of them when the others are done."""


def pytest_configure(config: pytest.Config) -> None:
    # How long an example takes is the machine's affair.
    settings.register_profile("tests", deadline=None, suppress_health_check=[HealthCheck.too_slow])
    settings.load_profile("tests")
    config.addinivalue_line("markers", "long: takes long and has a shorter neighbour; runs in `make soak` alone")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if os.environ.get("GEND_SOAK") != "1":
        later = pytest.mark.skip(reason="a long form: `make soak` runs it")
        for item in items:
            if item.get_closest_marker("long") is not None:
                item.add_marker(later)
    items.sort(key=lambda item: _LONG.index(item.path.name) if item.path.name in _LONG else len(_LONG))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def assets() -> Path:
    """The folder of pictures, clips and golden files that are not the project's to ship."""
    folder = os.environ.get("GEND_TEST_ASSETS")
    if not folder or not Path(folder).is_dir():
        pytest.skip("GEND_TEST_ASSETS names no folder: nothing to measure on")
    return Path(folder)


@pytest.fixture(autouse=True)
def event_loop_is_never_blocked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Fails an async test in which one callback or task step held the event loop."""
    if request.node.get_closest_marker("anyio") is None:
        yield
        return
    with watched() as blocked:
        yield
    if blocked:
        pytest.fail("the event loop was blocked: " + "; ".join(blocked))
