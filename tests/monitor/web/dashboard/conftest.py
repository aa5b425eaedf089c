"""One service and one browser for all tests of pages; a test that changes what others look at starts its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.monitor.service import RunningService
from tests.monitor.web.dashboard.browsing import a_browser, a_service


@pytest.fixture(scope="package")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RunningService]:
    with a_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    with a_browser() as running:
        yield running
