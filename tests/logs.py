"""What the code under test told, without what others told meanwhile.

Libraries have threads that end when they like; what they say may fall into the next test.
"""

from __future__ import annotations

import logging

import pytest


def told(caplog: pytest.LogCaptureFixture, logger: str = "monitor", level: int = logging.INFO) -> list[str]:
    """The lines of a logger and those beneath it, from a level on, oldest first."""
    return [
        record.getMessage()
        for record in caplog.records
        if record.levelno >= level and (record.name == logger or record.name.startswith(f"{logger}."))
    ]
