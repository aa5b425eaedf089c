"""The fixtures that guard other tests, guarded."""

from __future__ import annotations

import pytest

pytest_plugins = ["pytester"]


def test_a_test_that_blocks_the_event_loop_fails(
    pytester: pytest.Pytester, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(request.config.rootpath))
    conftest = request.config.rootpath / "tests" / "conftest.py"
    pytester.makeconftest(conftest.read_text())
    pytester.makepyfile(
        """
        import asyncio, os, signal, subprocess, sys, time, pytest
        pytestmark = pytest.mark.anyio

        async def test_blocks():
            time.sleep(4)

        async def test_reckons():
            until = time.thread_time() + 1.5
            while time.thread_time() < until:
                pass

        async def test_waits():
            await asyncio.sleep(1.5)

        async def test_stands_still_with_its_whole_process():
            wakes = "import os, signal, sys, time; time.sleep(2); os.kill(int(sys.argv[1]), signal.SIGCONT)"
            waker = subprocess.Popen([sys.executable, "-c", wakes, str(os.getpid())])
            os.kill(os.getpid(), signal.SIGSTOP)
            waker.kill()
            waker.wait()
        """
    )
    result = pytester.runpytest_subprocess("-q", "-p", "no:cacheprovider")
    result.assert_outcomes(passed=4, errors=2)
    result.stdout.fnmatch_lines(["*the event loop was blocked: [1-9].? s in*test_blocks*"])
    result.stdout.fnmatch_lines(["*the event loop was blocked: [1-9].? s in*test_reckons*"])
