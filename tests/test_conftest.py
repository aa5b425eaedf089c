"""The fixtures that guard other tests, guarded."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]


def test_a_test_that_blocks_the_event_loop_fails(pytester: pytest.Pytester, request: pytest.FixtureRequest) -> None:
    conftest = request.config.rootpath / "tests" / "conftest.py"
    pytester.makeconftest(conftest.read_text())
    pytester.makepyfile(
        """
        import asyncio, time, pytest
        pytestmark = pytest.mark.anyio

        async def test_blocks():
            time.sleep(1.2)

        async def test_waits():
            await asyncio.sleep(1.2)
        """
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=2, errors=1)
    result.stdout.fnmatch_lines(["*the event loop was blocked: 1.2 s in*"])
