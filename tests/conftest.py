"""Fixtures that every room's tests share."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


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
